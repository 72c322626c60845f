//! Everything that crosses the wall between proxy and supervisor, and what the operator is told.

use std::fmt;
#[cfg(not(loom))]
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(not(loom))]
use crate::face::ServingWorker;

/// Names one worker for the life of the server: 1, 2, 3, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.0)
    }
}

/// From the proxy's data threads.
#[derive(Debug)]
pub enum ToSupervisor {
    /// A request waits for this app, and no start up to this one can help it any more.
    Wake {
        /// The last start that the request knows of, 0 when there was none. A later one that has failed
        /// meanwhile answers the request, so that it is no reason to start again.
        seen: u64,
    },
    /// The last request on a closed gate has ended.
    GateEmpty(WorkerId),
    /// A connection to this worker's port did not reach its listener.
    Suspect(WorkerId, Suspicion),
    /// A request came while fewer workers serve than may: one more is wanted.
    More,
    /// A worker was asked for its warm-up pages; the reason when one of them could not be had.
    Warmed(WorkerId, Result<(), String>),
    /// A request was given up, as the app neither sent nor took anything for this long (`requestTimeout`).
    TimedOut {
        /// The limit.
        limit: Duration,
    },
}

/// Why a worker is suspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Nobody listens on its port any more.
    NoListener,
    /// Somebody else does.
    Stranger,
    /// Its listener is there, but takes no connection.
    NotAccepting,
}

/// To every data thread of the proxy.
#[derive(Debug, Clone)]
pub enum ToProxy {
    /// Ask for these pages of a worker that no request is sent to yet, one after another, and answer with
    /// [`ToSupervisor::Warmed`] by then. To one thread only.
    #[cfg(not(loom))]
    Warm {
        /// Whose; its gates are closed to requests as long as it is not published.
        worker: Arc<ServingWorker>,
        /// Which.
        pages: Arc<[config::WarmUpPage]>,
        /// When to give up.
        by: Instant,
    },
    /// The tunnels (WebSockets) and event streams of this worker must have ended by then; its warm-up pages are not asked
    /// for any more.
    EndTunnels {
        /// Whose.
        worker: WorkerId,
        /// Deadline for a clean end.
        by: Instant,
    },
}

/// One line for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppEvent {
    /// The ASP.NET Core Module's event id (1000 start failed, 1001 started, 1005 not stopped gracefully, …),
    /// or 2000 and up for events that the module has not.
    pub id: u16,
    /// How bad it is.
    pub level: Level,
    /// One sentence.
    pub message: String,
}

/// Windows event log levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All is well.
    Information,
    /// It goes on, but somebody should look.
    Warning,
    /// Something does not work.
    Error,
}

/// The journey of a failed start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartReport {
    /// The command line, for people.
    pub command: String,
    /// The folder it ran in.
    pub folder: String,
    /// ANCM's name of the stage that failed: `SetupListenPort`, `CreateProcess`, `PostStartCheck`, …
    pub stage: &'static str,
    /// What happened, one sentence: exit codes, signals and errors in words.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The port that was given, 0 when it did not come so far.
    pub port: u16,
    /// Attempts made.
    pub attempts: u32,
    /// The end of what the app printed, token masked; at most 30,000 characters.
    pub output: String,
}
