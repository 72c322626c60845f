//! Waiting for processes by pidfd: exact, at once, and without a SIGCHLD handler in the server.
//!
//! A number may come to mean another process; a pidfd never does. Keepers are the server's only children, and
//! this is the only place that reaps them.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;

use crate::process::raw;

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

    /// Takes the remains of a child of ours that has ended, so that its number is free.
    pub(super) fn reap(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let _ = rustix::process::waitid(WaitId::PidFd(self.0.get_ref().as_fd()), options);
    }
}
