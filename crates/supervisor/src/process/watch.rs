//! One launch, from its first descriptor to `Gone`: one task on the control runtime per worker. What happens
//! while the keeper lives is in `running`. Called by `spawn`.

use std::os::unix::net::UnixStream as Pair;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout};

use crate::face::WorkerId;
use crate::process::logfile::Queue;
use crate::process::output::{Ends, Output};
use crate::process::ownership::KeptListeners;
use crate::process::reap::Watched;
use crate::process::running::Running;
use crate::process::spawn::{Commands, NotStarted, Spawner};
use crate::process::{Launch, ProcessEvent, wire};

/// A keeper reads its order at once; one that does not is broken.
const ORDER_DEADLINE: Duration = Duration::from_secs(10);
/// At the end the pipes have no writer left, so this is far more than the reader needs, and the log where its disk does
/// not hang. Who waits for the end of the app may end the server then, and the log with it.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// Tells events of one worker, until `Gone` is told.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    worker: WorkerId,
    /// None once `Gone` was told.
    events: Arc<Mutex<Option<Events>>>,
}

type Events = UnboundedSender<(WorkerId, ProcessEvent)>;

impl Teller {
    pub(super) fn new(worker: WorkerId, events: Events) -> Self {
        Self { worker, events: Arc::new(Mutex::new(Some(events))) }
    }

    pub(super) fn tell(&self, event: ProcessEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let last = matches!(event, ProcessEvent::Gone);
        if let Some(events) = &*events {
            // A supervisor that is gone needs no news.
            let _ = events.send((self.worker, event));
        }
        if last {
            *events = None;
        }
    }

    fn keeper_failed(&self, failure: &NotStarted, path: &str) {
        let NotStarted { stage, error } = failure;
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        self.tell(ProcessEvent::SpawnFailed { stage: (*stage).to_owned(), errno, path: path.to_owned() });
    }
}

/// Starts the app's reader and the task that follows it. Returns at once.
pub(super) fn start(spawner: Spawner, launch: Launch, commands: Commands, teller: Teller) -> Output {
    let redirected = launch.console_redirection;
    let queue = launch.stdout_log.as_ref().filter(|_| redirected).map(|_| Arc::new(Queue::default()));
    let started =
        if redirected { Output::start(launch.token.clone(), queue.clone()) } else { Output::nowhere() };
    match started {
        Ok((output, ends)) => {
            let launched = Instant::now();
            let follow = follow(
                spawner,
                Follow { launch, commands, teller, queue, output: output.clone(), launched },
                ends,
            );
            let task = tokio::spawn(follow);
            // A worker that nobody follows any more is worse than no server. Asked of the task, not in its
            // destructor: that also runs when somebody else's panic takes the runtime down.
            tokio::spawn(async move {
                if task.await.is_err_and(|error| error.is_panic()) {
                    std::process::abort();
                }
            });
            output
        }
        Err(error) => {
            teller.keeper_failed(&error.into(), "");
            teller.tell(ProcessEvent::Gone);
            Output::default()
        }
    }
}

/// What is known before there is a keeper.
pub(super) struct Follow {
    pub(super) launch: Launch,
    pub(super) commands: Commands,
    pub(super) teller: Teller,
    /// The way to the log file, where there is to be one.
    pub(super) queue: Option<Arc<Queue>>,
    pub(super) output: Output,
    pub(super) launched: Instant,
}

async fn follow(spawner: Spawner, follow: Follow, ends: Ends) {
    let (teller, output) = (follow.teller.clone(), follow.output.clone());
    if let Err(failure) = run(spawner, follow, ends).await {
        let path = if failure.stage == "keeper" { "/proc/self/exe" } else { "" };
        teller.keeper_failed(&failure, path);
    }
    output.end();
    let last = async {
        output.settle().await;
        output.written().await;
    };
    let _ = timeout(LAST_OUTPUT, last).await;
    teller.tell(ProcessEvent::Gone);
}

/// Returns when the keeper has ended.
///
/// # Errors
/// There is none, and never was one with an app.
async fn run(spawner: Spawner, follow: Follow, (stdout, stderr): Ends) -> Result<(), NotStarted> {
    // The keeper's end blocks, ours does not.
    let (ours, theirs) = Pair::pair()?;
    ours.set_nonblocking(true)?;
    let mut channel = UnixStream::from_std(ours)?;
    let order = wire::write_order(&follow.launch, std::process::id());
    let keeper = spawner.keeper([theirs.into(), stdout, stderr], follow.launch.private_network).await?;
    let (pid, listeners) = (keeper.pid, KeptListeners::within(keeper.pid, keeper.network));
    let keeper = Watched::new(keeper.pidfd)?;
    let sent = match order {
        Ok(order) => timeout(ORDER_DEADLINE, channel.write_all(&order)).await.is_ok_and(|sent| sent.is_ok()),
        Err(errno) => {
            let path = follow.launch.program.display().to_string();
            let event =
                ProcessEvent::SpawnFailed { stage: "execve".to_owned(), errno: errno.raw_os_error(), path };
            follow.teller.tell(event);
            keeper.kill();
            keeper.ended().await;
            keeper.reap(pid);
            return Ok(());
        }
    };
    if !sent {
        // Without an order it has no app, so nothing is left behind.
        keeper.kill();
    }
    Running::new(follow, channel, (keeper, pid), listeners).run().await;
    Ok(())
}
