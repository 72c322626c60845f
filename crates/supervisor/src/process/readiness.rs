//! Decides when an app is ready: its port is listened on, and the listener is its own.
//!
//! Looks, it does not wait: `watch` calls it as often as [`Readiness::next`] says.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::process::ownership::{KeptListeners, ListenerProbe};
use crate::process::{NotListening, reap, subtree};

/// Most apps are ready within their first second; a look costs two questions to the kernel.
const EAGER: Duration = Duration::from_secs(1);
const EAGER_PAUSE: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(20);
/// A listener that is between two processes (a fork, an inherited descriptor) may look like a stranger's for
/// a moment.
const STRANGERS: u32 = 3;

/// One start's wait for its port.
#[derive(Debug)]
pub(super) struct Readiness {
    probe: ListenerProbe,
    kept: KeptListeners,
    keeper: u32,
    port: u16,
    launched: Instant,
    limit: Duration,
    strangers: u32,
}

/// What a look saw.
#[derive(Debug)]
pub(super) enum Seen {
    /// Nothing yet.
    Nothing,
    /// The app's own listener.
    Ready {
        /// Where.
        address: SocketAddr,
        /// Whose.
        owner: u32,
        /// The owner itself, for its end.
        pidfd: std::os::fd::OwnedFd,
    },
    /// There is nothing to wait for any more.
    Never(NotListening),
}

impl Readiness {
    pub(super) fn new(
        kept: KeptListeners,
        keeper: u32,
        port: u16,
        launched: Instant,
        limit: Duration,
    ) -> Self {
        Self { probe: ListenerProbe::default(), kept, keeper, port, launched, limit, strangers: 0 }
    }

    /// When to look next.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let pause = if now - self.launched < EAGER { EAGER_PAUSE } else { PAUSE };
        (now + pause).min(self.launched + self.limit)
    }

    /// Looks at both loopbacks, IPv4 first: that is where an app is told to listen.
    pub(super) fn look(&mut self, now: Instant) -> Seen {
        let mut stranger = None;
        for address in [
            SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, self.port)),
        ] {
            let Some(found) = self.probe.find(address, &self.kept) else { continue };
            let Some(owner) = self.kept.prove(found) else {
                stranger = stranger.or(Some(found.inode));
                continue;
            };
            // The owner may end between the proof and the pidfd, and its number be another's: hence the
            // second look at what it holds.
            match reap::open(owner) {
                Ok(pidfd) if subtree::holds(owner, found.inode) => {
                    return Seen::Ready { address, owner, pidfd };
                }
                _ => {}
            }
        }
        self.strangers = if stranger.is_some() { self.strangers + 1 } else { 0 };
        if let Some(inode) = stranger.filter(|_| self.strangers >= STRANGERS) {
            let owner = subtree::owner_anywhere(inode);
            let owner = owner.map(|pid| (pid, subtree::name(pid).unwrap_or_default()));
            return Seen::Never(NotListening::Stranger { owner });
        }
        if now >= self.launched + self.limit {
            return Seen::Never(NotListening::Deadline {
                elsewhere: self.kept.look_inside(|| subtree::listening_addresses(self.keeper)),
            });
        }
        Seen::Nothing
    }
}
