//! A gate is enter-or-retry: open or closed and the count sit in one atomic per data thread and worker.
//!
//! A request is either counted before the drain begins or refused and tried on the next worker; there is no
//! third case. The last release of the last shard after closing sends `GateEmpty`.
//!
//! The same word counts how many requests ever entered, so that counting them costs nothing; what the supervisor reads
//! of it once a second tells it which workers are idle.
//!
//! Built with `--cfg loom`, the atomics are the model checker's and the tests below try every interleaving.

use std::cell::Cell;
use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc::UnboundedSender;

use crate::messages::{ToSupervisor, WorkerId};

const CLOSED: u64 = 1;
/// One request inside.
const ONE: u64 = 2;
/// One request that ever entered.
const ENTERED: u64 = 1 << 32;
/// Closed or not, and who is inside.
const INSIDE: u64 = ENTERED - 1;

/// One data thread's door to one worker. Alone on its cache lines, so that threads do not slow each other.
#[derive(Debug)]
#[repr(align(128))]
pub struct Gate {
    /// From the lowest bit: closed, 31 bits of requests inside, 32 bits of requests ever, which wrap.
    state: AtomicU64,
    /// An answer came from the worker.
    answered: AtomicBool,
    all: Arc<Set>,
}

/// What the gates of one worker share; touched only when closing.
#[derive(Debug)]
struct Set {
    worker: WorkerId,
    busy: AtomicUsize,
    empty: UnboundedSender<ToSupervisor>,
}

/// Permission to send one request to one worker. Counts until it is released, at the latest by drop.
#[derive(Debug)]
pub struct Lease {
    gate: Arc<Gate>,
    released: Cell<bool>,
}

impl Gate {
    pub(crate) fn set(
        worker: WorkerId,
        threads: usize,
        empty: &UnboundedSender<ToSupervisor>,
    ) -> Vec<Arc<Self>> {
        let all = Arc::new(Set { worker, busy: AtomicUsize::new(threads), empty: empty.clone() });
        let gate =
            |_| Self { state: AtomicU64::new(0), answered: AtomicBool::new(false), all: Arc::clone(&all) };
        (0..threads).map(gate).map(Arc::new).collect()
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Option<Lease> {
        // A plain add would count a request in after the last one has left, and report "empty" twice.
        let mut state = self.state.load(Ordering::Acquire);
        while state & CLOSED == 0 {
            let entered = state.wrapping_add(ONE + ENTERED);
            match self.state.compare_exchange_weak(state, entered, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(Lease { gate: Arc::clone(self), released: Cell::new(false) }),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Requests inside.
    pub(crate) fn inside(&self) -> u64 {
        (self.state.load(Ordering::Relaxed) & INSIDE) / ONE
    }

    /// Requests that ever entered; wraps.
    pub(crate) fn entered(&self) -> u32 {
        u32::try_from(self.state.load(Ordering::Relaxed) / ENTERED).expect("32 bits are left")
    }

    /// Whether a request got an answer.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Lets nobody in any more. Closing twice is harmless.
    pub(crate) fn close(&self) {
        let before = self.state.fetch_or(CLOSED, Ordering::AcqRel);
        if before & INSIDE == 0 {
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

    /// The worker answered: an end of it from now on is no failed start. A read but for the first time.
    pub fn answered(&self) {
        if !self.gate.has_answered() {
            self.gate.answered.store(true, Ordering::Relaxed);
        }
    }

    /// The worker has nothing more to do for the request. Whoever sees the end of the answer afterwards sees the worker
    /// without it, and a client that takes long to read the last of it keeps no worker from its end.
    pub fn release(&self) {
        if !self.released.replace(true)
            && self.gate.state.fetch_sub(ONE, Ordering::AcqRel) & INSIDE == CLOSED + ONE
        {
            self.gate.all.one_is_empty();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::sync::Arc as ModelArc;
    use loom::sync::atomic::AtomicBool;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn gates(threads: usize) -> (Vec<Arc<Gate>>, UnboundedReceiver<ToSupervisor>) {
        let (sender, receiver) = unbounded_channel();
        (Gate::set(WorkerId(1), threads, &sender), receiver)
    }

    /// `GateEmpty` is sent exactly once, and nothing more.
    fn assert_empty_once(receiver: &mut UnboundedReceiver<ToSupervisor>) {
        assert!(matches!(receiver.try_recv(), Ok(ToSupervisor::GateEmpty(WorkerId(1)))), "nobody said empty");
        assert!(receiver.try_recv().is_err(), "empty was said twice");
    }

    #[test]
    fn a_request_is_counted_before_the_drain_or_refused() {
        loom::model(|| {
            let (gates, mut receiver) = gates(1);
            let inside = ModelArc::new(AtomicBool::new(false));
            let request = {
                let (gate, inside) = (Arc::clone(&gates[0]), ModelArc::clone(&inside));
                loom::thread::spawn(move || {
                    for _ in 0..2 {
                        if let Some(lease) = gate.enter() {
                            inside.store(true, Ordering::SeqCst);
                            inside.store(false, Ordering::SeqCst);
                            drop(lease);
                        }
                    }
                })
            };
            gates[0].close();
            assert!(gates[0].enter().is_none(), "a closed gate let somebody in");
            // Once empty was said, nobody is inside and nobody ever gets in.
            if receiver.try_recv().is_ok() {
                assert!(!inside.load(Ordering::SeqCst), "somebody was inside an empty gate");
                request.join().expect("the request's thread does not panic");
                assert!(receiver.try_recv().is_err(), "empty was said twice");
            } else {
                request.join().expect("the request's thread does not panic");
                assert_empty_once(&mut receiver);
            }
        });
    }

    #[test]
    fn empty_is_said_once_when_nobody_is_behind_any_shard() {
        loom::model(|| {
            let (gates, mut receiver) = gates(2);
            let inside = [0, 1].map(|_| ModelArc::new(AtomicBool::new(false)));
            let requests = [0, 1].map(|shard: usize| {
                let (gate, inside) = (Arc::clone(&gates[shard]), ModelArc::clone(&inside[shard]));
                loom::thread::spawn(move || {
                    if let Some(lease) = gate.enter() {
                        inside.store(true, Ordering::SeqCst);
                        inside.store(false, Ordering::SeqCst);
                        drop(lease);
                    }
                })
            });
            for gate in &gates {
                gate.close();
                gate.close();
            }
            let said = receiver.try_recv().is_ok();
            assert!(
                !said || !inside.iter().any(|inside| inside.load(Ordering::SeqCst)),
                "empty with somebody inside"
            );
            for request in requests {
                request.join().expect("a request's thread does not panic");
            }
            if said {
                assert!(receiver.try_recv().is_err(), "empty was said twice");
            } else {
                assert_empty_once(&mut receiver);
            }
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn the_end_of_the_last_request_behind_closed_gates_is_told_once() {
        let (sender, mut receiver) = unbounded_channel();
        let gates = Gate::set(WorkerId(7), 2, &sender);
        let (one, two) = (gates[0].enter().unwrap(), gates[1].enter().unwrap());
        assert_eq!(one.worker(), WorkerId(7));
        gates.iter().for_each(|gate| gate.close());
        assert!(gates[0].enter().is_none());
        drop(one);
        assert!(receiver.try_recv().is_err());
        drop(two);
        assert!(matches!(receiver.try_recv(), Ok(ToSupervisor::GateEmpty(WorkerId(7)))));
        gates.iter().for_each(|gate| gate.close());
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn requests_are_counted_inside_and_ever() {
        let (sender, mut receiver) = unbounded_channel();
        let gates = Gate::set(WorkerId(7), 1, &sender);
        // Just before the count of all requests wraps.
        gates[0].state.store(u64::from(u32::MAX) * ENTERED, Ordering::Relaxed);
        let (one, two) = (gates[0].enter().unwrap(), gates[0].enter().unwrap());
        assert_eq!((gates[0].inside(), gates[0].entered()), (2, 1));
        assert!(!gates[0].has_answered());
        one.answered();
        assert!(gates[0].has_answered());
        gates[0].close();
        one.release();
        one.release();
        drop(one);
        assert_eq!(gates[0].inside(), 1);
        assert!(receiver.try_recv().is_err());
        drop(two);
        assert!(receiver.try_recv().is_ok());
        assert_eq!((gates[0].inside(), gates[0].entered()), (0, 1));
    }

    #[test]
    fn a_gate_is_alone_on_its_cache_lines() {
        assert_eq!(std::mem::align_of::<Gate>(), 128);
    }
}
