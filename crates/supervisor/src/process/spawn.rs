//! Starts keepers, all of them on one thread that never ends.
//!
//! A keeper's parent-death signal is bound to the *thread* that started it: on a thread that could end, it
//! would come too early. The rest of a keeper's life is followed by `watch`.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::face::WorkerId;
use crate::process::network::Network;
use crate::process::output::Output;
use crate::process::watch::{self, Teller};
use crate::process::{Launch, ProcessEvent, reap, wire};

/// Starts apps. Cheap to clone; every clone speaks to the same thread.
#[derive(Clone)]
pub struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

/// One keeper to be started.
pub(super) struct Job {
    /// The keeper's standard input, output and error.
    pub(super) ends: [OwnedFd; 3],
    /// Start it in a network of its own.
    pub(super) private_network: bool,
    pub(super) started: oneshot::Sender<Result<StartedKeeper, NotStarted>>,
}

/// Why there is no keeper.
#[derive(Debug)]
pub(super) struct NotStarted {
    /// `keeper` or `network`.
    pub(super) stage: &'static str,
    pub(super) error: io::Error,
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self { stage: "keeper", error }
    }
}

/// A keeper that waits for its order.
#[derive(Debug)]
pub(super) struct StartedKeeper {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    /// Its own network, if it was asked for.
    pub(super) network: Option<Network>,
}

impl Spawner {
    /// Opens our own binary and starts the thread. A keeper is started from that descriptor, so that it is the
    /// same program as the server even when the file has been replaced by then. A panic of the thread ends the
    /// process: a server that can start nothing is worse than none.
    ///
    /// # Errors
    /// /proc is not there, or the system has no descriptor or thread left.
    pub fn start() -> io::Result<Self> {
        let binary = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        reap::adopt()?;
        let (jobs, receive) = mpsc::channel();
        // The thread holds a sender too, so that it waits for ever instead of ending with the last spawner.
        let held = jobs.clone();
        std::thread::Builder::new().name("spawner".into()).spawn(move || {
            let _end = AbortOnPanic;
            let _held = held;
            for job in receive {
                serve(&binary, job);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Starts an app and follows it to its end; what happens is sent to `events`, `Gone` last. Returns at once.
    ///
    /// # Panics
    /// Outside a tokio runtime with its I/O and time enabled.
    pub fn launch(&self, launch: Launch, events: UnboundedSender<(WorkerId, ProcessEvent)>) -> ProcessHandle {
        let (commands, receive) = tokio::sync::mpsc::unbounded_channel();
        let teller = Teller::new(launch.worker, events);
        let output = watch::start(self.clone(), launch, receive, teller);
        ProcessHandle { commands, output }
    }

    /// Starts a keeper.
    ///
    /// # Errors
    /// The system refused: no process, no descriptor, no network.
    pub(super) async fn keeper(
        &self,
        ends: [OwnedFd; 3],
        private_network: bool,
    ) -> Result<StartedKeeper, NotStarted> {
        let (started, wait) = oneshot::channel();
        let gone = || io::Error::other("the spawning thread is gone");
        self.jobs.send(Job { ends, private_network, started }).map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }
}

/// Ends the process when the thread that holds this unwinds.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

fn serve(binary: &OwnedFd, job: Job) {
    let Job { ends, private_network, started } = job;
    let keeper = if private_network {
        let made = Network::make(|| start_keeper(binary, ends));
        let refused = |error: Errno| NotStarted { stage: "network", error: error.into() };
        made.map_err(refused)
            .and_then(|(network, keeper)| Ok(StartedKeeper { network: Some(network), ..keeper? }))
    } else {
        start_keeper(binary, ends).map_err(NotStarted::from)
    };
    // Nobody waits any more when the server stops: the keeper then finds its socket closed and ends.
    let _ = started.send(keeper);
}

fn start_keeper(binary: &OwnedFd, [stdin, stdout, stderr]: [OwnedFd; 3]) -> io::Result<StartedKeeper> {
    let path = format!("/proc/self/fd/{}", binary.as_raw_fd());
    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    let mut command = Command::new(OsStr::new(&path));
    command.arg0("falconer").arg("__keep").env_clear().current_dir("/");
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    let child = reap::start(&mut command)?;
    let pid = child.id();
    // Nobody else reaps it, so the number is still its own.
    match reap::open(pid) {
        Ok(pidfd) => Ok(StartedKeeper { pid, pidfd, network: None }),
        Err(error) => {
            reap::discard(child);
            Err(error)
        }
    }
}

/// A started app. Dropping it does nothing: the app runs on.
#[derive(Debug)]
pub struct ProcessHandle {
    commands: UnboundedSender<u8>,
    output: Output,
}

/// What `watch` receives from a handle: commands of the wire.
pub(super) type Commands = UnboundedReceiver<u8>;

impl ProcessHandle {
    /// Asks the app to end: SIGTERM to its process group (to the orphans of its subtree where nobody of the
    /// group is left).
    pub fn terminate(&self) {
        let _ = self.commands.send(wire::TERMINATE);
    }

    /// Ends the whole subtree: SIGKILL until nothing is left, then `Gone`.
    pub fn kill(&self) {
        let _ = self.commands.send(wire::KILL);
    }

    /// The end of what the app printed to standard output and error: at most 30,000 characters, the token
    /// masked. Complete when `Gone` has come, and when `Exited` has come before `Listening`.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.report()
    }
}
