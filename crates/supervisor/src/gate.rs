//! A gate is enter-or-retry: open or closed and the count sit in one atomic per data thread and worker.
//!
//! A request is either counted before the drain begins or refused and tried on the next worker; there is no
//! third case. The last release of the last shard after closing sends `GateEmpty`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc::UnboundedSender;

use crate::face::WorkerId;
use crate::messages::ToSupervisor;

const CLOSED: u64 = 1;
const ONE: u64 = 2;

/// One data thread's door to one worker. Alone on its cache lines, so that threads do not slow each other.
#[derive(Debug)]
#[repr(align(128))]
pub struct Gate {
    state: AtomicU64,
    all: Arc<Set>,
}

/// What the gates of one worker share; touched only when closing.
#[derive(Debug)]
struct Set {
    worker: WorkerId,
    busy: AtomicUsize,
    empty: UnboundedSender<ToSupervisor>,
}

/// Permission to send one request to one worker. Counts while held; released by drop.
#[derive(Debug)]
pub struct Lease {
    gate: Arc<Gate>,
}

impl Gate {
    pub(crate) fn set(worker: WorkerId, threads: usize, empty: &UnboundedSender<ToSupervisor>) -> Vec<Arc<Self>> {
        let all = Arc::new(Set { worker, busy: AtomicUsize::new(threads), empty: empty.clone() });
        (0..threads).map(|_| Arc::new(Self { state: AtomicU64::new(0), all: Arc::clone(&all) })).collect()
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Option<Lease> {
        // A plain add would count a request in after the last one has left, and report "empty" twice.
        self.state
            .try_update(Ordering::AcqRel, Ordering::Acquire, |state| (state & CLOSED == 0).then_some(state + ONE))
            .ok()
            .map(|_| Lease { gate: Arc::clone(self) })
    }

    /// Lets nobody in any more. Closing twice is harmless.
    pub(crate) fn close(&self) {
        let before = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if before == 0 {
            self.all.one_is_empty();
        }
    }
}

impl Set {
    fn one_is_empty(&self) {
        if self.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            // A supervisor that is gone needs no message.
            let _ = self.empty.send(ToSupervisor::GateEmpty(self.worker));
        }
    }
}

impl Lease {
    /// The worker that this lease counts on.
    #[must_use]
    pub fn worker(&self) -> WorkerId {
        self.gate.all.worker
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.gate.state.fetch_sub(ONE, Ordering::AcqRel) == CLOSED + ONE {
            self.gate.all.one_is_empty();
        }
    }
}
