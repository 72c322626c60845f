//! What happened to one exchange; sealed exactly once, when the last byte is gone.

use std::cell::Cell;
use std::rc::Rc;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was said on both sides.
    Done,
    /// The client went away.
    ClientGone,
    /// We cut it: a deadline, a broken app, or the server's own end.
    Cut,
}

/// One thread's sums.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    exchanges: Cell<u64>,
    client_gone: Cell<u64>,
    cut: Cell<u64>,
}

/// Sums over all exchanges of a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exchanges that ended, however.
    pub exchanges: u64,
    /// Those whose client went away first.
    pub client_gone: u64,
    /// Those that we cut: a deadline, a broken app, or the server's own end.
    pub cut: u64,
}

impl Totals {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            exchanges: self.exchanges + other.exchanges,
            client_gone: self.client_gone + other.client_gone,
            cut: self.cut + other.cut,
        }
    }
}

impl Counters {
    pub(crate) fn totals(&self) -> Totals {
        Totals { exchanges: self.exchanges.get(), client_gone: self.client_gone.get(), cut: self.cut.get() }
    }
}

/// The record of one exchange. Dropping it seals it, so that an exchange whose future is dropped is counted too.
#[derive(Debug)]
pub(crate) struct Record {
    counters: Rc<Counters>,
    end: Cell<End>,
}

impl Record {
    pub(crate) fn new(counters: &Rc<Counters>) -> Self {
        Self { counters: Rc::clone(counters), end: Cell::new(End::Cut) }
    }

    pub(crate) fn ended(&self, end: End) {
        self.end.set(end);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let add = |cell: &Cell<u64>| cell.set(cell.get() + 1);
        add(&self.counters.exchanges);
        match self.end.get() {
            End::Done => {}
            End::ClientGone => add(&self.counters.client_gone),
            End::Cut => add(&self.counters.cut),
        }
    }
}
