//! The only door to the operating system: spawning through the keeper, proving who owns a port, reading the
//! app's output, stopping. Everything above this folder is portable.
//!
//! Two processes run this code. The server: [`Spawner`] starts keepers, `watch` and `running` follow one of them
//! to its end, `output` reads what the app prints. The keeper: [`keep`] is its whole life, `stop` its signals.
//! `wire` is what they say to each other; `raw` holds every line of unsafe code.

mod child;
mod configs;
pub(crate) mod disk;
pub(crate) mod ears;
pub mod environ;
mod harden;
mod holder;
mod keeper;
#[cfg(test)]
mod kept_port;
mod leftovers;
mod links;
pub mod liveness;
mod logfile;
mod mask;
mod memory;
mod network;
pub(crate) mod offline;
mod output;
pub mod ownership;
pub mod port;
mod proctcp;
mod raw;
mod readiness;
mod reap;
mod running;
mod sockdiag;
mod spawn;
mod stamp;
mod stop;
mod subtree;
mod watch;
mod wire;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use config::StdoutLog;
use contract::PairingToken;

use crate::face::WorkerId;
use crate::process::ownership::KeptListeners;

pub use harden::{harden, schedule_as_batch};
pub use holder::holder_of;
pub use keeper::keep;
pub use leftovers::{sweep_diagnostics, sweep_diagnostics_in};
pub use memory::private_memory;
pub use spawn::{ProcessHandle, Spawner};

/// Everything that one start needs; complete, so that the keeper holds no configuration.
pub struct Launch {
    /// For which worker; comes back with every [`ProcessEvent`].
    pub worker: WorkerId,
    /// The executable. Without a `/` it is looked up in the PATH of `environment`.
    pub program: PathBuf,
    /// Arguments without the program, placeholders replaced.
    pub arguments: Vec<OsString>,
    /// Working directory, absolute.
    pub folder: PathBuf,
    /// The whole environment of the app.
    pub environment: Vec<(OsString, OsString)>,
    /// Its bytes are masked in everything that the app prints.
    pub token: PairingToken,
    /// The port that the app must listen on.
    pub port: u16,
    /// How long it may take to listen.
    pub startup_time_limit: Duration,
    /// Where stdout and stderr go besides the report.
    pub stdout_log: Option<StdoutLog>,
    /// False: the app gets /dev/null for stdout and stderr.
    pub console_redirection: bool,
    /// The app gets a network of its own, in which there is nothing but it and us. Needs `CAP_SYS_ADMIN`.
    pub private_network: bool,
}

/// Without arguments and environment, which hold the token and the app's own secrets.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, program, folder, port, .. } = self;
        let mut launch = f.debug_struct("Launch");
        launch.field("worker", worker).field("program", program).field("folder", folder).field("port", port);
        launch.finish_non_exhaustive()
    }
}

/// What happens to a process, in this order (`LogFile` at any time). `Gone` always comes, and nothing follows.
#[derive(Debug)]
pub enum ProcessEvent {
    /// The program was executed.
    Started {
        /// The app's own process.
        pid: u32,
    },
    /// It could not be: nothing runs.
    SpawnFailed {
        /// `fork`, `setpgid`, `limits`, `chdir`, `execve`, `keeper`, `network`, …
        stage: String,
        /// The system's error number.
        errno: i32,
        /// The path that the stage was about.
        path: String,
    },
    /// The port is listened on and the listener belongs to the keeper's subtree.
    Listening {
        /// Where to connect: the IPv4 loopback when that is answered, else the IPv6 one.
        address: SocketAddr,
        /// The process that owns the listener.
        owner: u32,
        /// The proof, for the published worker.
        listeners: KeptListeners,
    },
    /// It will not listen where it was told: the start failed, the process may still run.
    NotListening {
        /// Why.
        why: NotListening,
    },
    /// The started process ended. The subtree may live on.
    Exited(Exit),
    /// The process that owned the listener ended (after `Listening` only).
    OwnerGone,
    /// Its log file could not be created or written; the app runs on and is still read. At most once.
    LogFile {
        /// The file, or its folder when that is what failed.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// The whole subtree is gone and the keeper with it.
    Gone,
}

/// Why a process that runs is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotListening {
    /// `startupTimeLimit` is over; the subtree listens at these addresses instead, if any.
    Deadline {
        /// TCP listeners of the subtree.
        elsewhere: Vec<SocketAddr>,
    },
    /// The port is listened on by a process outside the subtree.
    Stranger {
        /// The owner's pid and name where /proc shows them.
        owner: Option<(u32, String)>,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}
