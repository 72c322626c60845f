//! The starting half of the state machine: when a worker is due, when it may be launched, and what becomes of
//! an attempt that failed.
//!
//! A start is up to two attempts, each a worker of its own; one start at a time. Pure like its parent, which alone
//! calls it.

#![deny(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::PortChoice;

use super::App;
use crate::event::{Effect, Evidence};
use crate::face::WorkerId;
use crate::failures::{Cause, FailedAttempt};
use crate::messages::StartReport;
use crate::worker::Worker;

/// Attempts per start, as the ASP.NET Core Module makes; the second only where another port may help.
pub const ATTEMPTS_MOST: u32 = 2;
/// What a launch gets beyond `startupTimeLimit` before it is given up although its watcher says nothing.
pub const LAUNCH_GRACE: Duration = Duration::from_secs(5);

/// What becomes of the next worker. One start at a time, whatever the number of instances.
#[derive(Debug)]
pub(super) enum Start {
    /// Nobody needs one, or none is begun yet.
    Idle,
    /// Its next attempt is due, held back by those that must go first.
    Due { failed: Vec<FailedAttempt> },
    /// This worker is the attempt; when it is bound to fail, `cause` says why and its end is waited for, since
    /// only then its output is complete and its port free.
    Running { worker: WorkerId, failed: Vec<FailedAttempt>, cause: Option<Cause>, evidence: Evidence },
    /// The last one failed; nothing is started before that.
    Failed { until: Instant },
    /// The server stops: there will be none.
    Over,
}

impl App {
    /// A request waits. One that woke before it could know of the last start is answered by what became of that.
    pub(super) fn wake(&mut self, seen: u64) {
        // While the app is offline, whoever asks is about to see the face that says so.
        let asleep = matches!(self.start, Start::Idle) && self.serving() == 0 && self.offline.is_none();
        if asleep && seen >= self.starts {
            self.wanted = self.wanted.max(1);
        }
    }

    /// A request came and would have been given another worker in IIS.
    pub(super) fn want_more(&mut self) {
        if self.serving() > 0 {
            self.wanted = (self.wanted + 1).min(self.settings.instances);
        }
    }

    pub(super) fn begin(&mut self) {
        self.starts += 1;
        self.start = Start::Due { failed: Vec::new() };
    }

    /// Starts what is due and possible. More than once where a start fails on the spot.
    pub(super) fn go_on(&mut self, now: Instant) {
        loop {
            let missing = self.count(|worker| self.is_fresh(worker)) < self.target();
            if matches!(self.start, Start::Idle) && missing {
                self.begin();
            }
            if !matches!(self.start, Start::Due { .. }) {
                return;
            }
            if !self.has_room() {
                return self.make_room(now);
            }
            self.launch(now);
        }
    }

    fn launch(&mut self, now: Instant) {
        let Start::Due { failed } = std::mem::replace(&mut self.start, Start::Idle) else {
            unreachable!("only a due start is launched");
        };
        if let Some(until) = self.protection.refuses(self.settings.rapid_fails_per_minute, now) {
            return self.refuse(until);
        }
        if let PortChoice::Invalid(text) = &self.settings.port {
            let cause = Cause::InvalidPort(text.clone());
            let last = FailedAttempt { cause, port: 0, evidence: Evidence::default() };
            return self.attempt_failed(failed, last, self.plan, now);
        }
        self.made += 1;
        let id = WorkerId(self.made);
        let deadline = now + self.settings.startup_time_limit + LAUNCH_GRACE;
        self.workers.push(Worker::new(id, self.plan, deadline));
        self.start = Start::Running { worker: id, failed, cause: None, evidence: Evidence::default() };
        self.effects.push(Effect::Launch(id));
    }

    /// No more than this many processes exist, so that neither the live nor the leaving ones ever exceed their share.
    /// Where two must not run at the same time, none may.
    pub(super) fn has_room(&self) -> bool {
        if !self.settings.overlaps() {
            return self.workers.iter().all(|worker| self.is_fresh(worker))
                && (self.workers.is_empty() || matches!(self.settings.port, PortChoice::Draw));
        }
        let most = self.leaving_most();
        // Whoever is replaced will leave too.
        let leaving = self.count(Worker::is_leaving);
        leaving < most || (leaving == most && self.live() < self.target())
    }

    /// Requests that wait for a worker go before those that linger on one that must go anyway: these get a second, and
    /// one that was told to end gets no time to do so cleanly. Not where two must not run at the same time: there the new
    /// worker needs what the old one holds, and a clean end is the surest way to it.
    fn make_room(&mut self, now: Instant) {
        if !self.settings.overlaps() || self.workers.iter().any(Worker::is_killed) {
            return;
        }
        if self.live() > 0 {
            // As many drain as may, and whoever is replaced would be one more. Else the next one has time.
            if self.count(Worker::is_draining) >= self.leaving_most() {
                self.hurry_oldest(now);
            }
            return;
        }
        match self.workers.iter().find(|worker| !worker.is_draining()) {
            Some(ending) => self.kill(ending.id, now),
            None => self.hurry_oldest(now),
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
        let evidence = if last == Evidence::default() { evidence } else { last };
        let worker = self.known(id);
        let (port, exit, plan) = (worker.port, worker.exit, worker.plan);
        match cause {
            Some(Cause::Crashed) if worker.has_answered() => self.starts += 1,
            Some(Cause::Crashed) => {
                let cause = Cause::Unanswered(exit);
                self.unanswered(&FailedAttempt { cause, port, evidence }, now);
            }
            cause => {
                let cause = cause.unwrap_or(Cause::Ended(exit));
                self.attempt_failed(failed, FailedAttempt { cause, port, evidence }, plan, now);
            }
        }
    }

    /// A worker listened and ended before it answered. Whoever waits for what follows is not to blame: the first time
    /// the next start is tried for them.
    fn unanswered(&mut self, last: &FailedAttempt, now: Instant) {
        let report = self.settings.start_report(&[], last);
        self.report(self.settings.unanswered(&report));
        match self.fail(now) {
            pause if pause.is_zero() => self.starts += 1,
            pause => self.end_start(report, now + pause),
        }
    }

    fn attempt_failed(
        &mut self,
        mut failed: Vec<FailedAttempt>,
        last: FailedAttempt,
        plan: u64,
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
        self.report(line);
        if again {
            failed.push(last);
            self.start = Start::Due { failed };
            return;
        }
        let report = self.settings.start_report(&failed, &last);
        self.report(self.settings.start_failed(&report));
        self.start_failed(report, plan, now);
    }

    /// The whole start came to nothing: what serves goes on, and nothing is started for a while.
    fn start_failed(&mut self, report: StartReport, plan: u64, now: Instant) {
        let pause = self.fail(now);
        self.end_start(report, now + pause);
        if pause.is_zero() {
            self.start = Start::Idle;
        }
        self.recycle_failed(plan, now);
    }

    /// Counts a failure; how long nothing is started for it.
    fn fail(&mut self, now: Instant) -> Duration {
        self.note_steadiness(now);
        let pause = self.protection.failed(now);
        if !pause.is_zero() {
            self.report(self.settings.pausing(pause, self.protection.failures()));
        }
        pause
    }

    /// Too many workers ended within the minute.
    fn refuse(&mut self, until: Instant) {
        let report = self.settings.rapid_fails_report();
        self.report(self.settings.rapid_fails(&report));
        self.end_start(report, until);
    }

    fn end_start(&mut self, report: StartReport, until: Instant) {
        self.last_failure = Some((self.starts, Arc::new(report)));
        self.wanted = self.live();
        self.start = Start::Failed { until };
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
