//! Who owns a listening socket: proved at readiness, and again on every new connection before its first byte.
//!
//! The proof is the socket's inode among the descriptors of the keeper's subtree. It costs a walk through
//! /proc, so what was proved is remembered by the socket's sock_diag cookie, which the kernel never gives
//! twice; a connection then costs one exact question. Where sock_diag is missing the inode itself is
//! remembered, which is weaker: inodes come back.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use tokio::net::TcpStream;

use crate::process::network::Network;
use crate::process::sockdiag::{Line, Listener};
use crate::process::{proctcp, subtree};

/// The listeners that were proved to be one worker's, by their sock_diag cookie (or inode where sock_diag is
/// missing). Cheap to clone; shared by all threads.
#[derive(Debug, Clone)]
pub struct KeptListeners(Arc<Kept>);

#[derive(Debug)]
enum Kept {
    Any,
    Of {
        keeper: u32,
        /// Its own, where it has one.
        network: Option<Network>,
        proved: Mutex<Proved>,
    },
}

#[derive(Debug, Default)]
struct Proved {
    keys: Vec<Key>,
    /// The keeper is gone: its number may become another process's, so nothing can be proved any more.
    retired: bool,
}

/// How a listener is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Cookie(u64),
    Inode(u32),
}

/// A listener as the kernel showed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    key: Key,
    pub(super) inode: u32,
}

impl Found {
    fn of(Listener { cookie, inode }: Listener) -> Self {
        Self { key: Key::Cookie(cookie), inode }
    }
}

impl KeptListeners {
    /// Believes every listener: for tests of the proxy only.
    #[must_use]
    pub fn any() -> Self {
        Self(Arc::new(Kept::Any))
    }

    #[cfg(test)]
    pub(super) fn of(keeper: u32) -> Self {
        Self::within(keeper, None)
    }

    /// Nothing is proved yet for the subtree of this keeper, which may have a network of its own.
    pub(super) fn within(keeper: u32, network: Option<Network>) -> Self {
        Self(Arc::new(Kept::Of { keeper, network, proved: Mutex::default() }))
    }

    /// Connects to an address of the worker, in its own network where it has one.
    ///
    /// # Errors
    /// As for any connection; who has answered is for [`ListenerProbe::verify`].
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match self.network() {
            Some(network) => network.connect(address).await,
            None => TcpStream::connect(address).await,
        }
    }

    fn network(&self) -> Option<&Network> {
        match &*self.0 {
            Kept::Of { network, .. } => network.as_ref(),
            Kept::Any => None,
        }
    }

    /// Looks at something where the worker's addresses mean what the worker means by them.
    pub(super) fn look_inside<T: Default>(&self, look: impl FnOnce() -> T) -> T {
        match self.network() {
            Some(network) => network.enter(look).unwrap_or_default(),
            None => look(),
        }
    }

    /// Whose subtree the worker is; none when that is gone.
    pub(super) fn keeper(&self) -> Option<u32> {
        match &*self.0 {
            Kept::Of { keeper, proved, .. } if !lock(proved).retired => Some(*keeper),
            Kept::Of { .. } | Kept::Any => None,
        }
    }

    /// Called before the keeper's number can be anybody else's.
    pub(super) fn retire(&self) {
        if let Kept::Of { proved, .. } = &*self.0 {
            *lock(proved) = Proved { keys: Vec::new(), retired: true };
        }
    }

    /// Proves by inode that a process of the subtree holds this listener, and remembers it. Returns that
    /// process, the nearest to the keeper if several do.
    pub(super) fn prove(&self, found: Found) -> Option<u32> {
        let Kept::Of { keeper, proved, .. } = &*self.0 else { return None };
        let owner = subtree::owner(*keeper, found.inode)?;
        let mut proved = lock(proved);
        if proved.retired {
            return None;
        }
        if !proved.keys.contains(&found.key) {
            proved.keys.push(found.key);
        }
        Some(owner)
    }

    pub(super) fn believes(&self, found: Found) -> bool {
        let Kept::Of { proved, .. } = &*self.0 else { return true };
        // The lock is let go before the walk through /proc, which takes it again.
        let known = lock(proved).keys.contains(&found.key);
        known || self.prove(found).is_some()
    }
}

/// Nothing under this lock can panic half-way, so a poisoned one holds no broken value.
fn lock(proved: &Mutex<Proved>) -> MutexGuard<'_, Proved> {
    proved.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One data thread's means to ask the kernel.
#[derive(Debug, Default)]
pub struct ListenerProbe {
    line: Option<Line>,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The listener at this address is a kept one (or was proved now and is kept from now on).
    Ours,
    /// Somebody else listens there.
    Stranger,
    /// Nobody does.
    NoListener,
}

impl ListenerProbe {
    /// Asks who listens at `address`, after a connection to it was made and before its first byte.
    ///
    /// One exact question to the kernel; only a listener that was never seen costs a walk through /proc.
    pub fn verify(&mut self, address: SocketAddr, kept: &KeptListeners) -> Ownership {
        if matches!(*kept.0, Kept::Any) {
            return Ownership::Ours;
        }
        match self.find(address, kept) {
            None => Ownership::NoListener,
            Some(found) if kept.believes(found) => Ownership::Ours,
            Some(_) => Ownership::Stranger,
        }
    }

    /// The listener that a connection to `address` of this worker would reach.
    pub(super) fn find(&mut self, address: SocketAddr, kept: &KeptListeners) -> Option<Found> {
        match self.ask(kept, |line| line.find(address)) {
            Some(found) => found.map(Found::of),
            None => kept.look_inside(|| from_table(address)),
        }
    }

    /// The same, and how many connections wait there to be accepted. None also where the kernel cannot be asked.
    pub(super) fn find_queue(&mut self, address: SocketAddr, kept: &KeptListeners) -> Option<(Found, u32)> {
        let (listener, waiting) = self.ask(kept, |line| line.find_queue(address))??;
        Some((Found::of(listener), waiting))
    }

    /// The connections of this port that some process has accepted, by their cookies.
    pub(super) fn accepted(&mut self, port: u16, kept: &KeptListeners) -> Option<Vec<u64>> {
        self.ask(kept, |line| line.accepted(port))
    }

    fn ask<T>(
        &mut self,
        kept: &KeptListeners,
        question: impl Fn(&mut Line) -> Result<T, Errno>,
    ) -> Option<T> {
        match kept.network() {
            Some(network) => network.ask(question),
            None => ask(&mut self.line, Line::open, question),
        }
    }
}

/// A line that broke is opened anew once; none where the kernel has no sock_diag or refuses still.
pub(super) fn ask<T>(
    line: &mut Option<Line>,
    open: impl Fn() -> Option<Line>,
    question: impl Fn(&mut Line) -> Result<T, Errno>,
) -> Option<T> {
    for _ in 0..2 {
        if line.is_none() {
            *line = open();
        }
        match question(line.as_mut()?) {
            Ok(answer) => return Some(answer),
            Err(_) => *line = None,
        }
    }
    None
}

fn from_table(address: SocketAddr) -> Option<Found> {
    let row = proctcp::reached(&proctcp::listeners(), address)?;
    Some(Found { key: Key::Inode(row.inode), inode: row.inode })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::process::kept_port::KeptPort;

    /// The test process is its parent's child: the parent stands for the keeper.
    fn ours() -> KeptListeners {
        KeptListeners::of(std::os::unix::process::parent_id())
    }

    #[test]
    fn a_listener_of_the_subtree_is_proved_once_and_kept() {
        let (mut probe, kept) = (ListenerProbe::default(), ours());
        let port = KeptPort::of("127.0.0.1");
        let (address, listener) = (port.address, port.listen());
        assert_eq!(probe.verify(address, &kept), Ownership::Ours);
        assert_eq!(probe.verify(address, &kept.clone()), Ownership::Ours);
        let Kept::Of { proved, .. } = &*kept.0 else { panic!("not any") };
        assert_eq!(lock(proved).keys.len(), 1, "known the second time");
        drop(listener);
        assert_eq!(probe.verify(address, &kept), Ownership::NoListener);
        let _again = port.listen();
        assert_eq!(probe.verify(address, &kept), Ownership::Ours, "a new listener of ours joins");
        assert_eq!(lock(proved).keys.len(), 2);
    }

    #[test]
    fn a_listener_of_somebody_else_is_a_strangers() {
        let port = KeptPort::of("::1");
        let (address, _listener) = (port.address, port.listen());
        let childless = KeptListeners::of(std::process::id());
        assert_eq!(ListenerProbe::default().verify(address, &childless), Ownership::Stranger);
    }

    #[test]
    fn nothing_is_ours_once_the_keeper_is_gone() {
        let (mut probe, kept) = (ListenerProbe::default(), ours());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(probe.verify(address, &kept), Ownership::Ours);
        kept.retire();
        assert_eq!(probe.verify(address, &kept), Ownership::Stranger);
    }

    #[test]
    fn the_table_serves_where_sock_diag_is_missing() {
        let kept = ours();
        for host in ["127.0.0.1", "::1"] {
            let port = KeptPort::of(host);
            let (address, listener) = (port.address, port.listen());
            let found = from_table(address).expect("it listens");
            assert_eq!(found.key, Key::Inode(found.inode));
            assert!(kept.believes(found));
            drop(listener);
            assert!(from_table(address).is_none());
        }
    }

    #[test]
    fn any_believes_everything() {
        let nobody = "127.0.0.1:1".parse().unwrap();
        assert_eq!(ListenerProbe::default().verify(nobody, &KeptListeners::any()), Ownership::Ours);
    }
}
