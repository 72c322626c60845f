//! What requests see of an app.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use contract::PairingToken;

use crate::gate::{Gate, Lease};
use crate::messages::StartReport;
pub(crate) use crate::messages::WorkerId;
use crate::process::ownership::KeptListeners;

/// Where a worker listens. A Unix socket may join later; only `forward/pool.rs` of the proxy may look inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A loopback address.
    Tcp(SocketAddr),
}

/// What requests see of an app: computed after each step, never set by hand, published as a snapshot.
#[derive(Debug)]
pub enum Face {
    /// Lease from one of these; never empty.
    Up(Vec<Arc<ServingWorker>>),
    /// A start is under way or about to be: wait. `start` counts the starts of this app from 1.
    Starting {
        /// The start that is awaited.
        start: u64,
        /// The last start that failed since one went well: requests that waited for that one are answered with
        /// it, even if they look only now.
        failed: Option<(u64, Arc<StartReport>)>,
    },
    /// Nothing runs; `Wake` starts a worker.
    Asleep {
        /// The last start there was, 0 for none.
        start: u64,
        /// As in `Starting`.
        failed: Option<(u64, Arc<StartReport>)>,
    },
    /// Nothing runs and nothing is started for a while, since starts failed: 502.5 with the report, at once.
    Failed {
        /// The start that failed.
        start: u64,
        /// Until when.
        until: Instant,
        /// What happened.
        report: Arc<StartReport>,
    },
    /// Taken offline by `app_offline.htm`: 503 with that page, and nothing is started.
    Offline {
        /// The file's bytes; empty when it could not be read.
        page: Arc<[u8]>,
    },
    /// The server is stopping: 503.
    Stopped,
}

impl Face {
    /// Nothing that a request could notice differs: same kind, same start, same workers.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Up(ours), Self::Up(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(our, their)| our.id == their.id)
            }
            (Self::Starting { start: ours, .. }, Self::Starting { start: theirs, .. })
            | (Self::Asleep { start: ours, .. }, Self::Asleep { start: theirs, .. })
            | (Self::Failed { start: ours, .. }, Self::Failed { start: theirs, .. }) => ours == theirs,
            (Self::Offline { page: ours }, Self::Offline { page: theirs }) => ours == theirs,
            (Self::Stopped, Self::Stopped) => true,
            (
                Self::Up(_)
                | Self::Starting { .. }
                | Self::Asleep { .. }
                | Self::Failed { .. }
                | Self::Offline { .. }
                | Self::Stopped,
                _,
            ) => false,
        }
    }
}

/// A worker that requests may be sent to.
#[derive(Debug)]
pub struct ServingWorker {
    /// Its name.
    pub id: WorkerId,
    /// The process that owns the listener, for the record.
    pub pid: u32,
    /// Where it listens.
    pub address: Address,
    /// What it expects as `MS-ASPNETCORE-TOKEN`.
    pub token: PairingToken,
    /// The listeners that were proved to be this worker's.
    pub listeners: KeptListeners,
    /// Set before the worker is withdrawn when SIGKILL from outside ended it: whatever was under way did not.
    pub killed: AtomicBool,
    /// One gate per data thread.
    pub(crate) gates: Vec<Arc<Gate>>,
}

impl ServingWorker {
    /// Counts one request in, on the gate of this data thread; none when the gate is closed.
    #[must_use]
    pub fn enter(&self, thread: usize) -> Option<Lease> {
        self.gates[thread].enter()
    }

    /// Requests that it has now, over all data threads.
    #[must_use]
    pub fn busy(&self) -> u64 {
        self.gates.iter().map(|gate| gate.inside()).sum()
    }

    /// Requests that it ever got; wraps.
    pub(crate) fn entered(&self) -> u32 {
        self.gates.iter().fold(0, |sum, gate| sum.wrapping_add(gate.entered()))
    }

    /// Requests that it ever got from one data thread; wraps.
    pub(crate) fn entered_by(&self, thread: usize) -> u32 {
        self.gates[thread].entered()
    }

    /// Whether it answered any.
    pub(crate) fn has_answered(&self) -> bool {
        self.gates.iter().any(|gate| gate.has_answered())
    }

    /// A worker outside any supervisor, for tests of the proxy: always open, never told to go.
    #[must_use]
    pub fn fixed(id: WorkerId, address: SocketAddr, token: PairingToken, threads: usize) -> Arc<Self> {
        let (silent, _) = tokio::sync::mpsc::unbounded_channel();
        Arc::new(Self {
            id,
            pid: 0,
            address: Address::Tcp(address),
            token,
            listeners: KeptListeners::any(),
            killed: AtomicBool::new(false),
            gates: Gate::set(id, threads, &silent),
        })
    }
}
