//! What one data thread owns; everything in here stays on its thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use http1::RequestHead;
use supervisor::AppHandle;
use supervisor::process::ownership::ListenerProbe;

use crate::access_log::ThreadLog;
use crate::buffer::Buffers;
use crate::clock::Clock;
use crate::counters::{Counters, Totals};
use crate::forward::pool::Pools;
use crate::runtime::Site;

/// How far the server's own end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// New connections and requests are welcome.
    Running,
    /// Idle connections close, busy ones after their answer.
    Draining,
    /// Whatever is still open is cut; tunnels get a close frame.
    Ending,
}

#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) index: usize,
    /// The newest one; an exchange keeps the one that it began with.
    site: RefCell<Rc<Site>>,
    pub(crate) app: AppHandle,
    pub(crate) clock: Rc<Clock>,
    pub(crate) buffers: Buffers,
    pub(crate) pools: Pools,
    pub(crate) probe: RefCell<ListenerProbe>,
    pub(crate) counters: Counters,
    /// None while nobody reads one.
    pub(crate) log: Option<ThreadLog>,
    pub(crate) phase: Cell<Phase>,
    /// Client connections that are open on this thread.
    pub(crate) open: Cell<usize>,
    heads: RefCell<Vec<RequestHead>>,
    next_request: Cell<u64>,
}

impl Thread {
    pub(crate) fn new(index: usize, site: Site, app: AppHandle, pools: Pools) -> Self {
        // The high half tells threads and server starts apart, the low half counts.
        let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let start = start.map_or(0, |since| since.as_millis() as u64);
        let log = site.access_log.as_ref().map(ThreadLog::new);
        Self {
            index,
            site: RefCell::new(Rc::new(site)),
            app,
            clock: Rc::new(Clock::default()),
            buffers: Buffers::default(),
            pools,
            probe: RefCell::default(),
            counters: Counters::default(),
            log,
            phase: Cell::new(Phase::Running),
            open: Cell::new(0),
            heads: RefCell::default(),
            next_request: Cell::new((start << 24) ^ ((index as u64) << 56)),
        }
    }

    /// What holds for whatever begins now.
    pub(crate) fn site(&self) -> Rc<Site> {
        Rc::clone(&self.site.borrow())
    }

    /// Exchanges that begin from now on follow this one.
    pub(crate) fn reconfigure(&self, site: Site) {
        self.site.replace(Rc::new(site));
    }

    /// A head to parse into, with room from earlier requests.
    pub(crate) fn head(&self) -> RequestHead {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give_back_head(&self, mut head: RequestHead) {
        head.reset();
        self.heads.borrow_mut().push(head);
    }

    /// Names one exchange in our answers and logs: unique for this machine, not secret.
    pub(crate) fn request_id(&self) -> u64 {
        let id = self.next_request.get();
        self.next_request.set(id.wrapping_add(1));
        id
    }

    /// What was counted here since the start.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            connections_open: self.open.get() as u64,
            unlogged: self.log.as_ref().map_or(0, ThreadLog::dropped),
            ..self.counters.totals()
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.phase.get() == Phase::Running
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.clock.wake_all();
    }
}
