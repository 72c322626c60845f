//! Waiting for processes by pidfd: exact, at once, and without a SIGCHLD handler in the server.
//!
//! A number may come to mean another process; a pidfd never does. Keepers are the only children that the server
//! makes, and this is the only place that reaps them. The first process of a container is also given the orphans of
//! everybody else in it (`docker exec`, a killed shell): [`adopt`] reaps those, and never a keeper.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;

use crate::process::{raw, subtree};

/// Keepers from just before their start until they are reaped. A number in here is nobody else's.
static OURS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// How soon [`adopt`] looks again when what has ended is a keeper whose watcher has not come yet, or when there is
/// nobody to wait for.
const AGAIN: Duration = Duration::from_millis(200);

/// A process that is watched for its end.
#[derive(Debug)]
pub(super) struct Watched(AsyncFd<OwnedFd>);

/// Opens the pidfd of a process.
///
/// # Errors
/// There is no such process (any more), or no descriptor.
pub(super) fn open(pid: u32) -> io::Result<OwnedFd> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    Ok(rustix::process::pidfd_open(number, PidfdFlags::empty())?)
}

impl Watched {
    /// Watches a pidfd, on the runtime that this is called in.
    ///
    /// # Errors
    /// The runtime cannot watch one more descriptor.
    pub(super) fn new(pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self(raw::register(pidfd)?))
    }

    /// Resolves when the process has ended; may be called again.
    pub(super) async fn ended(&self) {
        // The readiness is never cleared: a process does not come back.
        let _ = self.0.readable().await;
    }

    /// Continues a process that somebody stopped.
    pub(super) fn resume(&self) {
        let _ = rustix::process::pidfd_send_signal(self.0.get_ref(), Signal::CONT);
    }

    /// Ends a child of ours that does not do what it was told.
    pub(super) fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(self.0.get_ref(), Signal::KILL);
    }

    /// Takes the remains of a keeper that has ended, so that its number is free.
    pub(super) fn reap(&self, pid: u32) {
        // Held over the call: until the number is struck off, no stranger can be mistaken for this keeper.
        let mut ours = ours();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        if let Ok(Some(_)) = rustix::process::waitid(WaitId::PidFd(self.0.get_ref().as_fd()), options) {
            ours.remove(&pid);
        }
    }
}

/// Starts a keeper, so that it is known as ours before anybody can see its end.
///
/// # Errors
/// The system refused.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    let mut ours = ours();
    let child = command.spawn()?;
    ours.insert(child.id());
    Ok(child)
}

/// Ends a keeper that nobody will watch.
pub(super) fn discard(mut child: Child) {
    let mut ours = ours();
    let _ = child.kill();
    let _ = child.wait();
    ours.remove(&child.id());
}

/// As the first process of a container, reaps whoever is given to us, for ever, on a thread of its own. Nothing to do
/// for any other process: orphans do not come to it.
///
/// # Errors
/// The system has no thread left.
pub(super) fn adopt() -> io::Result<()> {
    if std::process::id() == 1 {
        std::thread::Builder::new().name("reaper".into()).spawn(adopt_forever)?;
    }
    Ok(())
}

fn adopt_forever() {
    loop {
        // Only looks, so that a keeper's end is left to its watcher.
        let looked = rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let me = std::process::id();
        let children = subtree::processes().filter(|process| process.parent == me).map(|process| process.pid);
        if looked.is_err() || reap_strangers(children) == 0 {
            std::thread::sleep(AGAIN);
        }
    }
}

/// Reaps those who have ended and are no keepers; how many.
fn reap_strangers(children: impl Iterator<Item = u32>) -> usize {
    let ours = ours();
    let strangers = children.filter(|pid| !ours.contains(pid));
    let numbers = strangers.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    numbers.filter(|&pid| matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(Some(_)))).count()
}

fn ours() -> MutexGuard<'static, BTreeSet<u32>> {
    // Each holder leaves the set whole at every step.
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::kept_port::nobody_starts;

    #[expect(clippy::disallowed_methods, reason = "a child that ends by itself")]
    fn short() -> Command {
        Command::new("true")
    }

    fn is_left(child: &Child) -> bool {
        subtree::processes().any(|process| process.pid == child.id())
    }

    #[expect(clippy::zombie_processes, reason = "that somebody else waits for it is what is tested")]
    #[test]
    fn strangers_are_reaped_and_keepers_are_not() {
        let alone = nobody_starts();
        let keeper = start(&mut short()).unwrap();
        let stranger = short().spawn().unwrap();
        drop(alone);
        let mut reaped = 0;
        for _ in 0..500 {
            reaped += reap_strangers([keeper.id(), stranger.id()].into_iter());
            if reaped > 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(reaped, 1);
        assert!(is_left(&keeper) && !is_left(&stranger));
        let pid = keeper.id();
        discard(keeper);
        assert!(!ours().contains(&pid));
    }
}
