//! What an app's state machine is told, and what it wants done about it.
//!
//! Plain data; the decisions are in `app.rs`, the doing is in `runner.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::face::{ServingWorker, WorkerId};
use crate::messages::{AppEvent, Suspicion, ToProxy};
use crate::process::{Exit, NotListening};
use crate::report::Settings;

/// Something happened that concerns one app.
#[derive(Debug)]
pub enum Event {
    /// A request waits that no start up to this one can help.
    Wake {
        /// The last start that the request knows of, 0 when there was none.
        seen: u64,
    },
    /// The last request on a closed gate has ended.
    GateEmpty(WorkerId),
    /// A connection to this worker's port did not reach its listener.
    Suspect(WorkerId, Suspicion),
    /// Something happened to the process of this worker.
    Worker(WorkerId, WorkerEvent),
    /// `app_offline.htm` is in the app's folder, or its content changed: this is what visitors are shown.
    Offline(Arc<[u8]>),
    /// `app_offline.htm` is not there any more.
    Online,
    /// A request came while fewer workers serve than may.
    More,
    /// The warm-up pages of this worker were asked for; the reason when one could not be had.
    Warmed(WorkerId, Result<(), String>),
    /// A request was given up after `requestTimeout`, which is this.
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// A second is over: time to look who is used.
    Look,
    /// The processes of this worker hold so many private bytes.
    Memory(WorkerId, u64),
    /// Every worker is to be replaced.
    Recycle {
        /// Why.
        cause: RecycleCause,
        /// What the new workers are to be; none when the plan is what it was.
        settings: Option<Box<Settings>>,
    },
    /// The server stops: no start any more, requests may end until then.
    Stop {
        /// When draining ends, finished or not.
        drain_until: Instant,
    },
    /// The server stops and waits for nobody.
    StopNow,
    /// A deadline that [`App::deadline`](crate::App::deadline) named is over; also the first event of all.
    Tick,
}

/// Why workers are replaced although nothing is wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecycleCause {
    /// A web.config was written or touched.
    Config,
    /// Another folder stands at the app's path.
    Folder,
    /// The operator said so.
    Operator,
    /// The worker's age reached `periodicRestart time`.
    Age,
    /// It served `periodicRestart requests`.
    Requests,
    /// Its processes hold more than `periodicRestart privateMemory`.
    Memory,
    /// The clock reached a time of `periodicRestart schedule`.
    Schedule,
}

impl RecycleCause {
    /// The app may be another one now, so that nothing of what failed before says anything about it.
    pub(crate) fn is_news(self) -> bool {
        match self {
            Self::Config | Self::Folder | Self::Operator => true,
            Self::Age | Self::Requests | Self::Memory | Self::Schedule => false,
        }
    }
}

/// What happens to a worker's process.
#[derive(Debug)]
pub enum WorkerEvent {
    /// The launch was handed to the operating system, with this port.
    Launched {
        /// The port that the app is told to listen on.
        port: u16,
    },
    /// It could not even be handed over; there is no process.
    NotLaunched {
        /// The stage of the ASP.NET Core Module at which it ended: `SetupListenPort`, `SetupAppToken`.
        stage: &'static str,
        /// What went wrong, one sentence.
        reason: String,
    },
    /// The program was executed.
    Started {
        /// The app's own process.
        pid: u32,
    },
    /// It could not be: nothing runs.
    SpawnFailed {
        /// What the keeper was doing: `fork`, `chdir`, `execve`, …
        stage: String,
        /// The system's error number.
        errno: i32,
        /// The path that the stage was about.
        path: String,
    },
    /// The log file could not be made; the app runs without it.
    LogFileFailed {
        /// The file.
        path: String,
        /// Why, in the system's words.
        error: String,
    },
    /// The port is listened on and the listener belongs to the keeper's subtree.
    Listening {
        /// What requests need to use it; its gates are open.
        serving: Arc<ServingWorker>,
    },
    /// It will not listen where it was told; it may still run.
    NotListening {
        /// Why.
        why: NotListening,
        /// What is known by now.
        evidence: Evidence,
    },
    /// The started process ended; the subtree may live on.
    Exited {
        /// How.
        exit: Exit,
        /// What is known by now.
        evidence: Evidence,
    },
    /// The process that owned the listener ended.
    OwnerGone,
    /// The whole subtree and the keeper are gone.
    Gone {
        /// Everything that will ever be known.
        evidence: Evidence,
    },
}

/// What explains the end of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The end of what it printed, token masked.
    pub output: String,
    /// Somebody holds its port although nobody of ours should.
    pub port_held: bool,
}

/// Something to be done, in this order, after the new face is published.
#[derive(Debug)]
pub enum Effect {
    /// Start a process for this worker.
    Launch(WorkerId),
    /// SIGTERM to its process group.
    Terminate(WorkerId),
    /// SIGKILL to its whole subtree.
    Kill(WorkerId),
    /// Let no request in any more; the end of the last one is reported as [`Event::GateEmpty`].
    CloseGate(Arc<ServingWorker>),
    /// Forget the process of this worker: it is gone.
    Forget(WorkerId),
    /// Remove what a .NET process leaves in the temporary folder when it had no chance to clean up.
    SweepDiagnostics {
        /// Whose temporary folder.
        worker: WorkerId,
        /// The process that is gone.
        pid: u32,
    },
    /// Tell every data thread.
    Tell(ToProxy),
    /// Tell the operator.
    Report(AppEvent),
}
