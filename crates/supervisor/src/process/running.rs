//! Follows a keeper that was given its order, until it has ended.
//!
//! Turns what the keeper says, what the kernel shows and what the clock says into [`ProcessEvent`]s, and
//! passes commands on. It takes no decision about the worker; that is the supervisor's. Called by `watch`.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout};

use crate::process::ownership::KeptListeners;
use crate::process::readiness::{Readiness, Seen};
use crate::process::reap::Watched;
use crate::process::watch::Follow;
use crate::process::wire::Reply;
use crate::process::{Exit, ProcessEvent, logfile};

/// How long an exit before readiness may wait for the output that explains it. Far more than the reader needs, unless the
/// machine lets it wait or somebody prints on.
const EXPLANATION: Duration = Duration::from_millis(500);
/// A command is one byte: it is written at once or never.
const COMMAND: Duration = Duration::from_secs(1);
/// The end of an owner that is the started process itself is told after its exit status, which follows within
/// this, also on a machine that lets the keeper wait. Less than a request waits for a dying worker to be withdrawn: only who
/// knows of a SIGKILL by then repeats it.
const STATUS_FOLLOWS: Duration = Duration::from_millis(500);

/// How far the started process has come.
enum Phase {
    /// The keeper has not answered yet.
    Ordered,
    /// It runs, and its port is looked at again at that time.
    Starting(Box<Readiness>, Instant),
    /// It listens, or it is known that it never will.
    Settled,
    /// It has ended, or never ran.
    Ended,
}

/// The process that owns the listener.
enum Owner {
    None,
    Alive {
        pid: u32,
        process: Watched,
    },
    /// Not told yet.
    Ended {
        tell: Instant,
    },
}

/// A keeper and what is known of its app.
pub(super) struct Running {
    follow: Follow,
    channel: UnixStream,
    /// The keeper has not closed its end.
    open: bool,
    received: Vec<u8>,
    keeper: Watched,
    keeper_pid: u32,
    app: Option<u32>,
    /// Its end was told.
    exited: bool,
    kept: KeptListeners,
    phase: Phase,
    owner: Owner,
}

/// What woke the task.
enum Woken {
    Replies,
    Command(u8),
    Owner,
    Keeper,
    Look,
}

impl Running {
    pub(super) fn new(
        follow: Follow,
        channel: UnixStream,
        (keeper, keeper_pid): (Watched, u32),
        kept: KeptListeners,
    ) -> Self {
        Self {
            follow,
            channel,
            open: true,
            received: Vec::new(),
            keeper,
            keeper_pid,
            app: None,
            exited: false,
            kept,
            phase: Phase::Ordered,
            owner: Owner::None,
        }
    }

    /// Until the keeper has ended and is reaped.
    pub(super) async fn run(mut self) {
        loop {
            match self.woken().await {
                Woken::Replies => self.replies().await,
                Woken::Command(command) => self.command(command).await,
                Woken::Owner => self.owner_ended(),
                Woken::Look => self.look(),
                Woken::Keeper => break,
            }
        }
        // What it said before it ended, then what it could not say.
        self.replies().await;
        self.kept.retire();
        self.keeper.reap(self.keeper_pid);
        self.without_keeper();
    }

    async fn woken(&mut self) -> Woken {
        let owner = async {
            match &self.owner {
                Owner::None => pending().await,
                Owner::Alive { process, .. } => process.ended().await,
                Owner::Ended { tell } => sleep_until(*tell).await,
            }
        };
        let look = async {
            match &self.phase {
                Phase::Starting(_, at) => sleep_until(*at).await,
                Phase::Ordered | Phase::Settled | Phase::Ended => pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.channel.readable(), if self.open => Woken::Replies,
            Some(command) = self.follow.commands.recv() => Woken::Command(command),
            () = owner => Woken::Owner,
            () = self.keeper.ended() => Woken::Keeper,
            () = look => Woken::Look,
        }
    }

    async fn command(&mut self, command: u8) {
        // A keeper that somebody stopped would never hear it.
        self.keeper.resume();
        // The socket has room for thousands of commands, and a keeper that has ended needs none.
        let _ = timeout(COMMAND, self.channel.write_all(&[command])).await;
    }

    async fn replies(&mut self) {
        let mut buffer = [0; 4096];
        while self.open {
            match self.channel.try_read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.open = false,
            }
        }
        while let Some(reply) = Reply::take(&mut self.received) {
            match reply {
                Reply::Started { pid } => self.started(pid),
                Reply::Failed { stage, errno, path } => {
                    self.phase = Phase::Ended;
                    self.follow.teller.tell(ProcessEvent::SpawnFailed { stage, errno, path });
                }
                Reply::Exited(exit) => self.exited(exit).await,
            }
        }
    }

    fn started(&mut self, pid: u32) {
        self.app = Some(pid);
        self.follow.teller.tell(ProcessEvent::Started { pid });
        if let (Some(queue), Some(log)) = (self.follow.queue.take(), self.follow.launch.stdout_log.clone()) {
            let teller = self.follow.teller.clone();
            logfile::write_to_file(queue, log, pid, move |path, error| {
                teller.tell(ProcessEvent::LogFile { path, error: error.to_string() });
            });
        }
        let Follow { launch, launched, .. } = &self.follow;
        let limit = launch.startup_time_limit;
        let readiness = Readiness::new(self.kept.clone(), self.keeper_pid, launch.port, *launched, limit);
        let at = readiness.next(Instant::now());
        self.phase = Phase::Starting(Box::new(readiness), at);
    }

    fn look(&mut self) {
        let now = Instant::now();
        let Phase::Starting(readiness, at) = &mut self.phase else { return };
        match readiness.look(now) {
            Seen::Nothing => *at = readiness.next(now),
            Seen::Never(why) => {
                self.phase = Phase::Settled;
                self.follow.teller.tell(ProcessEvent::NotListening { why });
            }
            Seen::Ready { address, owner, pidfd } => {
                // Without its pidfd the end of the owner would go unnoticed: looked at again next time.
                let Ok(process) = Watched::new(pidfd) else {
                    *at = readiness.next(now);
                    return;
                };
                self.phase = Phase::Settled;
                self.owner = Owner::Alive { pid: owner, process };
                let listeners = self.kept.clone();
                self.follow.teller.tell(ProcessEvent::Listening { address, owner, listeners });
            }
        }
    }

    async fn exited(&mut self, exit: Exit) {
        if matches!(self.phase, Phase::Starting(..)) {
            // A launcher may have ended just after its app began to listen.
            self.look();
        }
        if matches!(self.owner, Owner::None) {
            // The start has failed, and what the app printed says why.
            let _ = timeout(EXPLANATION, self.follow.output.settle()).await;
        }
        // A launcher that ended well may have left an app behind that is still to listen; the keeper ends when
        // it has not.
        if exit != Exit::Code(0) || !matches!(self.phase, Phase::Starting(..)) {
            self.phase = Phase::Ended;
        }
        self.exited = true;
        self.follow.teller.tell(ProcessEvent::Exited(exit));
        if matches!(self.owner, Owner::Ended { .. }) {
            self.owner_gone();
        }
    }

    fn owner_ended(&mut self) {
        match &self.owner {
            Owner::Alive { pid, .. } if Some(*pid) == self.app && !self.exited => {
                self.owner = Owner::Ended { tell: Instant::now() + STATUS_FOLLOWS };
            }
            Owner::Alive { .. } | Owner::Ended { .. } => self.owner_gone(),
            Owner::None => {}
        }
    }

    fn owner_gone(&mut self) {
        self.owner = Owner::None;
        self.follow.teller.tell(ProcessEvent::OwnerGone);
    }

    /// A keeper that was killed has told no end, but its app has one: its own parent-death signal.
    fn without_keeper(&mut self) {
        match self.phase {
            Phase::Ordered => {
                let path = "/proc/self/exe".to_owned();
                let event =
                    ProcessEvent::SpawnFailed { stage: "keeper".to_owned(), errno: libc::ECHILD, path };
                self.follow.teller.tell(event);
            }
            Phase::Starting(..) | Phase::Settled if !self.exited => {
                self.follow.teller.tell(ProcessEvent::Exited(Exit::Signal(libc::SIGKILL)));
            }
            Phase::Starting(..) | Phase::Settled | Phase::Ended => {}
        }
        if !matches!(self.owner, Owner::None) {
            self.owner_gone();
        }
    }
}
