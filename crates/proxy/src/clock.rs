//! Deadlines without timer objects: every connection has a few ticks, swept by one coarse timer per thread.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// How often a thread looks at its deadlines; a deadline may be that much late, never early.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// The exact time, for the few decisions that ticks are too coarse for.
#[expect(clippy::disallowed_methods, reason = "the data plane reads the clock here")]
pub(crate) fn precise() -> Instant {
    Instant::now()
}

/// What a connection may be waiting for; each has one deadline.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    /// Bytes from the client.
    ClientRead = 0,
    /// Room towards the client.
    ClientWrite = 1,
    /// The worker: connecting, sending, its head, its next bytes.
    Upstream = 2,
    /// The end of the whole exchange.
    Total = 3,
    /// How long the exchange keeps its place among the connections to its worker while others wait for one.
    Place = 4,
}

/// One thread's time in ticks since its start, and everybody who waits.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    now: Cell<u32>,
    slots: RefCell<Vec<Weak<Slot>>>,
}

/// The deadlines of one connection.
#[derive(Debug)]
pub(crate) struct Slot {
    clock: Rc<Clock>,
    /// The tick when it is over; 0 for none.
    deadlines: [Cell<u32>; 5],
    waker: RefCell<Option<Waker>>,
}

impl Clock {
    pub(crate) fn slot(self: &Rc<Self>) -> Rc<Slot> {
        let slot = Rc::new(Slot {
            clock: Rc::clone(self),
            deadlines: Default::default(),
            waker: RefCell::new(None),
        });
        self.slots.borrow_mut().push(Rc::downgrade(&slot));
        slot
    }

    /// Ticks since the thread's start.
    pub(crate) fn now(&self) -> u32 {
        self.now.get()
    }

    /// One tick is over: wakes whoever's deadline has come and forgets who is gone.
    pub(crate) fn tick(&self) {
        self.now.set(self.now.get() + 1);
        self.slots.borrow_mut().retain(|slot| match slot.upgrade() {
            Some(slot) => {
                if slot.is_over() {
                    slot.wake();
                }
                true
            }
            None => false,
        });
    }

    /// Wakes every connection, because something that all look at has changed.
    pub(crate) fn wake_all(&self) {
        for slot in self.slots.borrow().iter().filter_map(Weak::upgrade) {
            slot.wake();
        }
    }

    fn after(&self, span: Duration) -> u32 {
        let ticks = span.as_millis().div_ceil(TICK.as_millis());
        // The running tick does not count in full.
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX / 2).min(u32::MAX / 2);
        self.now.get() + ticks + 1
    }
}

impl Slot {
    /// Remembers whom to wake; called at the start of every poll that may wait.
    pub(crate) fn register(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    pub(crate) fn arm(&self, wait: Wait, span: Duration) {
        self.deadlines[wait as usize].set(self.clock.after(span));
    }

    /// [`Slot::arm`] for so many whole ticks: each request does it.
    pub(crate) fn arm_ticks(&self, wait: Wait, ticks: u32) {
        self.deadlines[wait as usize].set(self.clock.now.get() + ticks + 1);
    }

    /// Arms it unless it is running already.
    pub(crate) fn arm_once(&self, wait: Wait, span: Duration) {
        if self.deadlines[wait as usize].get() == 0 {
            self.arm(wait, span);
        }
    }

    pub(crate) fn disarm(&self, wait: Wait) {
        self.deadlines[wait as usize].set(0);
    }

    /// Nothing is waited for; only the exchange itself still has its end.
    pub(crate) fn disarm_waits(&self) {
        for wait in [Wait::ClientRead, Wait::ClientWrite, Wait::Upstream, Wait::Place] {
            self.disarm(wait);
        }
    }

    pub(crate) fn is_armed(&self, wait: Wait) -> bool {
        self.deadlines[wait as usize].get() != 0
    }

    pub(crate) fn expired(&self, wait: Wait) -> bool {
        let deadline = self.deadlines[wait as usize].get();
        deadline != 0 && deadline <= self.clock.now.get()
    }

    fn is_over(&self) -> bool {
        self.deadlines.iter().any(|deadline| (1..=self.clock.now.get()).contains(&deadline.get()))
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early_and_at_most_two_ticks_late() {
        let clock = Rc::new(Clock::default());
        let slot = clock.slot();
        slot.arm(Wait::ClientRead, Duration::from_millis(500));
        for _ in 0..2 {
            clock.tick();
            assert!(!slot.expired(Wait::ClientRead));
        }
        clock.tick();
        assert!(slot.expired(Wait::ClientRead));
        assert!(!slot.expired(Wait::Upstream));
        slot.disarm(Wait::ClientRead);
        assert!(!slot.expired(Wait::ClientRead));
        slot.arm(Wait::Total, Duration::ZERO);
        slot.disarm_waits();
        clock.tick();
        assert!(slot.expired(Wait::Total), "it is the exchange's, not a wait's");
    }

    #[test]
    fn no_limit_never_ends() {
        let clock = Rc::new(Clock::default());
        let slot = clock.slot();
        slot.arm(Wait::Upstream, Duration::MAX);
        clock.tick();
        assert!(!slot.expired(Wait::Upstream));
    }
}
