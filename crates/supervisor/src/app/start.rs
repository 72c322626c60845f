//! The starting half of the state machine: when a worker is due, when it may be launched, and what becomes of
//! an attempt that failed.
//!
//! A start is up to two attempts, each a worker of its own. Pure like its parent, which alone calls it.

#![deny(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::PortChoice;

use super::App;
use crate::event::{Effect, Evidence};
use crate::face::WorkerId;
use crate::failures::{Cause, FailedAttempt};
use crate::worker::Worker;

/// Attempts per start, as the ASP.NET Core Module makes; the second only where another port may help.
pub const ATTEMPTS_MOST: u32 = 2;
/// Never more launches than [`LAUNCHES_MOST`] within this time.
pub const LAUNCH_WINDOW: Duration = Duration::from_secs(1);
/// See [`LAUNCH_WINDOW`].
pub const LAUNCHES_MOST: usize = 2;
/// What a launch gets beyond `startupTimeLimit` before it is given up although its watcher says nothing.
pub const LAUNCH_GRACE: Duration = Duration::from_secs(5);
/// How long an app that should always run is left alone after a start that failed.
pub const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What becomes of the next worker. One start at a time, whatever the number of instances.
#[derive(Debug)]
pub(super) enum Start {
    /// Nobody needs one.
    Idle,
    /// Its next attempt is due, held back by rate or room.
    Due { failed: Vec<FailedAttempt> },
    /// This worker is the attempt; when it is bound to fail, `cause` says why and its end is waited for, since
    /// only then its output is complete and its port free.
    Running { worker: WorkerId, failed: Vec<FailedAttempt>, cause: Option<Cause>, evidence: Evidence },
    /// The last one failed; an app that should always run is started again then.
    Failed { again: Instant },
    /// The server stops: there will be none.
    Over,
}

impl App {
    pub(super) fn wake(&mut self, seen: u64) {
        let begins = match &self.start {
            // Whoever asks is about to see the face that says so.
            _ if self.offline.is_some() => false,
            Start::Idle => self.serving() == 0,
            // One that woke before it could know of this failure is answered with it.
            Start::Failed { .. } => seen >= self.starts,
            Start::Due { .. } | Start::Running { .. } | Start::Over => false,
        };
        if begins {
            self.begin();
        }
    }

    pub(super) fn begin(&mut self) {
        self.starts += 1;
        self.start = Start::Due { failed: Vec::new() };
    }

    /// Starts what is due and possible.
    pub(super) fn go_on(&mut self, now: Instant) {
        let missing = self.wants_workers() && self.live() < self.settings.instances;
        match &self.start {
            Start::Idle if missing => self.begin(),
            Start::Failed { again } if missing && *again <= now => self.begin(),
            Start::Idle | Start::Due { .. } | Start::Running { .. } | Start::Failed { .. } | Start::Over => {}
        }
        if !matches!(self.start, Start::Due { .. }) {
            return;
        }
        if !self.has_room() {
            self.make_room(now);
        } else if self.launch_allowed().is_none_or(|at| at <= now) {
            self.launch(now);
        }
    }

    pub(super) fn launch(&mut self, now: Instant) {
        let Start::Due { failed } = std::mem::replace(&mut self.start, Start::Idle) else {
            unreachable!("only a due start is launched");
        };
        self.launches.rotate_left(1);
        self.launches[LAUNCHES_MOST - 1] = Some(now);
        if let PortChoice::Invalid(text) = &self.settings.port {
            let cause = Cause::InvalidPort(text.clone());
            return self.attempt_failed(
                failed,
                FailedAttempt { cause, port: 0, evidence: Evidence::default() },
                now,
            );
        }
        self.made += 1;
        let id = WorkerId(self.made);
        self.workers.push(Worker::new(id, now + self.settings.startup_time_limit + LAUNCH_GRACE));
        self.start = Start::Running { worker: id, failed, cause: None, evidence: Evidence::default() };
        self.effects.push(Effect::Launch(id));
    }

    /// Workers are wanted although no request says so.
    pub(super) fn wants_workers(&self) -> bool {
        self.offline.is_none() && (self.settings.always_running || self.serving() > 0)
    }

    /// When the rate allows the next launch; none when it always did.
    pub(super) fn launch_allowed(&self) -> Option<Instant> {
        self.launches[0].map(|oldest| oldest + LAUNCH_WINDOW)
    }

    /// However many must go at once, no more than this many processes exist, so that neither the live nor the
    /// leaving ones ever exceed their share. With a fixed port, a second one could not listen.
    pub(super) fn has_room(&self) -> bool {
        let most = match self.settings.port {
            PortChoice::Draw => self.settings.instances.max(2),
            PortChoice::Fixed(_) => 1,
            PortChoice::Invalid(_) => usize::MAX,
        };
        self.workers.len() < most
    }

    /// Requests that wait for a worker go before those that linger on one that must go anyway. Not with a fixed
    /// port: there the new worker needs what the old one holds, and a clean end is the surest way to it.
    pub(super) fn make_room(&mut self, now: Instant) {
        let fixed = matches!(self.settings.port, PortChoice::Fixed(_));
        if fixed || self.live() > 0 || self.workers.iter().any(Worker::is_killed) {
            return;
        }
        if let Some(oldest) = self.workers.first() {
            self.kill(oldest.id, now);
        }
    }

    /// The attempt that `worker` was is over; nothing of it is left, or nobody waits for the rest.
    pub(super) fn conclude(&mut self, id: WorkerId, last: Evidence, now: Instant) {
        let Start::Running { worker, .. } = &self.start else { return };
        if *worker != id {
            return;
        }
        let Start::Running { failed, cause, evidence, .. } = std::mem::replace(&mut self.start, Start::Idle)
        else {
            unreachable!("looked at above");
        };
        let worker = self.workers.iter().find(|worker| worker.id == id);
        let cause = cause.unwrap_or_else(|| Cause::Ended(worker.and_then(|worker| worker.exit)));
        let evidence = if last == Evidence::default() { evidence } else { last };
        let port = worker.map_or(0, |worker| worker.port);
        self.attempt_failed(failed, FailedAttempt { cause, port, evidence }, now);
    }

    pub(super) fn attempt_failed(
        &mut self,
        mut failed: Vec<FailedAttempt>,
        last: FailedAttempt,
        now: Instant,
    ) {
        let attempts = u32::try_from(failed.len()).expect("there are two attempts at most") + 1;
        let may_help = match self.settings.port {
            PortChoice::Draw => last.may_be_the_port(),
            PortChoice::Fixed(_) => last.may_pass_on_the_same_port(),
            PortChoice::Invalid(_) => false,
        };
        let again = may_help && attempts < ATTEMPTS_MOST;
        let line = self.settings.attempt_failed(&last, u32::from(again));
        self.effects.push(Effect::Report(line));
        if again {
            failed.push(last);
            self.start = Start::Due { failed };
            return;
        }
        let report = self.settings.start_report(&failed, &last);
        self.effects.push(Effect::Report(self.settings.start_failed(&report)));
        self.last_failure = Some((self.starts, Arc::new(report)));
        self.start = Start::Failed { again: now + PAUSE_AFTER_FAILURE };
    }

    /// Notes why the attempt that this worker is will fail; the first reason is the true one.
    pub(super) fn blame(&mut self, id: WorkerId, why: Cause, known: Evidence) {
        if let Start::Running { worker, cause: cause @ None, evidence, .. } = &mut self.start
            && *worker == id
        {
            *cause = Some(why);
            *evidence = known;
        }
    }
}
