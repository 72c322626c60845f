//! One worker: one process of a managed app. It lives once and only moves forward.
//!
//! The states and what is known about the process are here; when to move is decided in `app.rs`.

use std::sync::Arc;
use std::time::Instant;

use crate::face::{ServingWorker, WorkerId};
use crate::process::Exit;

/// One process of a managed app, from its launch until nothing of it is left.
#[derive(Debug)]
pub struct Worker {
    /// Its name.
    pub id: WorkerId,
    /// The port it was given, 0 until it is known.
    pub port: u16,
    /// The process that we started.
    pub pid: Option<u32>,
    /// How that process ended.
    pub exit: Option<Exit>,
    /// The process that owned the listener, once it listened: `pid` itself, or a descendant behind a launcher.
    pub owner: Option<u32>,
    /// The strongest thing that it was told; none when it ended, or goes on, by itself.
    pub told: Option<Means>,
    /// Its launch was called off before it could fail.
    pub(crate) called_off: bool,
    /// It is to be replaced for its own age, use or size.
    pub(crate) due: bool,
    /// The plan that it was started from; an older one than the app's means that it is to be replaced.
    pub(crate) plan: u64,
    /// When its start is given up, since the app may have been mended after it began.
    doubted: Option<Instant>,
    /// What requests used of it since it listened.
    pub(crate) used: Option<Used>,
    /// Where it stands.
    pub state: State,
}

/// What requests used of a worker.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) by: Arc<ServingWorker>,
    /// When it began to serve.
    pub(crate) since: Instant,
    /// When it was last seen with a request in it or with one more than before.
    pub(crate) active: Instant,
    /// Requests so far, as of the last look.
    pub(crate) requests: u64,
    /// The gates' own count at that look, which wraps.
    seen: u32,
}

/// Where a worker stands. The order of the variants is the order of a life; none is ever gone back to.
#[derive(Debug)]
pub enum State {
    /// Started, or about to be, and not listening yet.
    Launching {
        /// Long after the process side should have given up.
        deadline: Instant,
    },
    /// It listens, and is asked for its warm-up pages before any request gets to it.
    Warming {
        /// What requests will need to use it.
        serving: Arc<ServingWorker>,
        /// When it serves all the same.
        deadline: Instant,
    },
    /// Requests are let in. The only state with an open gate, and the only living one without a deadline.
    Serving {
        /// What requests need to use it.
        serving: Arc<ServingWorker>,
    },
    /// The gate is closed; requests that were let in before may end.
    Draining {
        /// When they are cut.
        deadline: Instant,
    },
    /// It was told to end.
    Stopping {
        /// How.
        means: Means,
        /// When the next stronger thing is done.
        deadline: Instant,
    },
    /// Nothing of it is left.
    Gone,
}

/// How a worker was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// With SIGTERM.
    Terminate,
    /// With SIGKILL to all that is left of its subtree, for the n-th time, counted from 1.
    Kill(u32),
}

impl Used {
    pub(crate) fn new(by: Arc<ServingWorker>, now: Instant) -> Self {
        let seen = by.entered();
        Self { by, since: now, active: now, requests: 0, seen }
    }

    /// Looks at the gates.
    pub(crate) fn look(&mut self, now: Instant) {
        let entered = self.by.entered();
        let new = entered.wrapping_sub(self.seen);
        self.seen = entered;
        self.requests += u64::from(new);
        if new > 0 || self.by.busy() > 0 {
            self.active = now;
        }
    }
}

impl Worker {
    pub(crate) fn new(id: WorkerId, plan: u64, deadline: Instant) -> Self {
        Self {
            id,
            port: 0,
            pid: None,
            exit: None,
            owner: None,
            told: None,
            called_off: false,
            due: false,
            plan,
            doubted: None,
            used: None,
            state: State::Launching { deadline },
        }
    }

    /// It serves, or may come to serve.
    pub(crate) fn is_live(&self) -> bool {
        match self.state {
            State::Launching { .. } | State::Warming { .. } | State::Serving { .. } => true,
            State::Draining { .. } | State::Stopping { .. } | State::Gone => false,
        }
    }

    pub(crate) fn is_launching(&self) -> bool {
        matches!(self.state, State::Launching { .. })
    }

    pub(crate) fn is_warming(&self) -> bool {
        matches!(self.state, State::Warming { .. })
    }

    pub(crate) fn is_draining(&self) -> bool {
        matches!(self.state, State::Draining { .. })
    }

    /// It was told to go, or is about to be.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Draining { .. } | State::Stopping { .. })
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    pub(crate) fn is_killed(&self) -> bool {
        matches!(self.state, State::Stopping { means: Means::Kill(_), .. })
    }

    /// What requests may use.
    pub(crate) fn serving(&self) -> Option<&Arc<ServingWorker>> {
        match &self.state {
            State::Serving { serving } => Some(serving),
            State::Launching { .. }
            | State::Warming { .. }
            | State::Draining { .. }
            | State::Stopping { .. }
            | State::Gone => None,
        }
    }

    /// It answered a request.
    pub(crate) fn has_answered(&self) -> bool {
        self.used.as_ref().is_some_and(|used| used.by.has_answered())
    }

    /// Its start gets no longer than this; the first doubt counts.
    pub(crate) fn doubt(&mut self, until: Instant) {
        self.doubted.get_or_insert(until);
    }

    /// When its start is given up for another.
    pub(crate) fn doubted(&self) -> Option<Instant> {
        match self.state {
            State::Launching { .. } | State::Warming { .. } => self.doubted,
            State::Serving { .. } | State::Draining { .. } | State::Stopping { .. } | State::Gone => None,
        }
    }

    /// When something must be done about it, whatever happens until then.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = match self.state {
            State::Launching { deadline }
            | State::Warming { deadline, .. }
            | State::Draining { deadline }
            | State::Stopping { deadline, .. } => Some(deadline),
            State::Serving { .. } | State::Gone => None,
        };
        own.into_iter().chain(self.doubted()).min()
    }

    /// A launcher was started: another process of its subtree owns the listener.
    pub(crate) fn owner_is_another(&self) -> bool {
        self.owner.is_some() && self.owner != self.pid
    }

    /// Its processes, gone by now, that may have had no chance to clean up behind themselves.
    pub(crate) fn unclean(&self) -> Vec<u32> {
        let started = self.pid.filter(|_| self.exit != Some(Exit::Code(0)));
        // Nobody tells how a process ended that is no child of the keeper.
        let owner = self.owner.filter(|_| self.owner_is_another());
        started.into_iter().chain(owner).collect()
    }
}
