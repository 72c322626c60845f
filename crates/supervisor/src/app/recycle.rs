//! How one worker takes another's place, and what makes that due.
//!
//! With overlap, the new one must serve before the old one is drained, and if it never does the old one stays. A
//! recycle is a worker of an older plan than the app's, or one that is due, nothing more: so causes that come while one is under way merge
//! into the next one by themselves. Pure like its parent, which alone calls it.

#![deny(clippy::wildcard_enum_match_arm)]

use std::time::{Duration, Instant};

use super::App;
use super::start::Start;
use crate::event::RecycleCause;
use crate::face::WorkerId;
use crate::report::Settings;
use crate::worker::{State, Used, Worker};

/// How long a worker that is to be replaced for its age, its use or its size is left alone when its successor could
/// not start.
pub const RETRY_RECYCLE: Duration = Duration::from_secs(60);

/// What a start still gets when the app may have been mended since it began.
pub const DOUBTED: Duration = Duration::from_secs(3);

impl App {
    /// Everything is to be replaced. What is known of failures is forgotten where the app may be another one now.
    pub(super) fn recycle(&mut self, cause: RecycleCause, settings: Option<Box<Settings>>, now: Instant) {
        let changed = settings.is_some();
        if let Some(settings) = settings {
            self.settings = *settings;
        }
        if matches!(self.start, Start::Over) {
            return;
        }
        self.protection.forget_exits();
        if cause.is_news() {
            self.protection.forget();
            self.calm_until = None;
            if matches!(self.start, Start::Failed { .. }) {
                self.start = Start::Idle;
                // Counts like a start, so that whoever waited for the failed one is not taken for newer than it.
                self.starts += 1;
            }
        }
        self.plan += 1;
        if self.live() == 0 {
            return;
        }
        self.report(self.settings.recycled(cause, None));
        self.drop_surplus(now);
        for id in self.ids() {
            let worker = self.known(id);
            match worker.state {
                // One that follows the same plan may come, and is replaced then.
                State::Launching { .. } | State::Warming { .. } if changed || !self.settings.overlaps() => {
                    self.give_up_launch(id, now);
                }
                // Unless it hangs: what it hangs on may be what was mended.
                State::Launching { .. } | State::Warming { .. } if cause.is_news() => {
                    self.worker(id).doubt(now + DOUBTED);
                }
                State::Serving { .. } if !self.settings.overlaps() => {
                    self.drain(id, now + self.settings.drain_limit, now);
                }
                State::Launching { .. }
                | State::Warming { .. }
                | State::Serving { .. }
                | State::Draining { .. }
                | State::Stopping { .. }
                | State::Gone => {}
            }
        }
    }

    /// Its place is taken by another launch, for which those who wait go on waiting.
    pub(super) fn give_up_launch(&mut self, id: WorkerId, now: Instant) {
        self.call_off(id, now);
        if matches!(&self.start, Start::Running { worker, .. } if *worker == id) {
            self.begin();
        }
    }

    /// The new plan may want fewer workers than there are. One that only starts takes nobody's place yet.
    fn drop_surplus(&mut self, now: Instant) {
        let serving: Vec<_> =
            self.workers.iter().filter(|worker| worker.serving().is_some()).map(|worker| worker.id).collect();
        let surplus = serving.len().saturating_sub(self.settings.instances);
        for id in serving.into_iter().take(surplus) {
            self.drain(id, now + self.settings.drain_limit, now);
        }
    }

    /// A worker has begun to serve: as many older ones go as there are too many.
    pub(super) fn retire(&mut self, now: Instant) {
        while self.live() > self.target() {
            let newest =
                self.workers.iter().filter(|worker| worker.serving().is_some()).map(|w| w.plan).max();
            let stale =
                |worker: &&Worker| worker.serving().is_some() && (worker.due || Some(worker.plan) < newest);
            let Some(oldest) = self.workers.iter().filter(stale).min_by_key(|worker| worker.plan) else {
                return;
            };
            let id = oldest.id;
            self.drain(id, now + self.settings.drain_limit, now);
        }
    }

    /// A start that followed this plan failed. Where it was to replace a worker, that one stays, as if nothing had been
    /// asked. What was asked for since is still to be done.
    pub(super) fn recycle_failed(&mut self, plan: u64, now: Instant) {
        if plan != self.plan {
            return;
        }
        let mut kept = Vec::new();
        for worker in self.workers.iter_mut().filter(|worker| worker.serving().is_some()) {
            if worker.plan != plan || worker.due {
                (worker.plan, worker.due) = (plan, false);
                kept.push(worker.owner.unwrap_or_default());
            }
        }
        if !kept.is_empty() {
            self.calm_until = Some(now + RETRY_RECYCLE);
            self.report(self.settings.recycle_failed(&kept));
        }
    }

    // What makes it due.

    /// A second is over: looks at what requests use of whom.
    pub(super) fn look(&mut self, now: Instant) {
        for worker in &mut self.workers {
            if let Some(used) = &mut worker.used {
                used.look(now);
            }
        }
        self.note_steadiness(now);
        if let Some(most) = self.settings.recycling.requests {
            for id in self.serving_where(|used| used.requests >= most) {
                self.replace(id, RecycleCause::Requests, now);
            }
        }
        self.stop_idle(now);
    }

    pub(super) fn weigh(&mut self, id: WorkerId, bytes: u64, now: Instant) {
        let most = self.settings.recycling.private_memory;
        let serves = self.workers.iter().any(|worker| worker.id == id && worker.serving().is_some());
        if serves && most.is_some_and(|most| bytes > most) {
            self.replace(id, RecycleCause::Memory, now);
        }
    }

    pub(super) fn replace_aged(&mut self, now: Instant) {
        if let Some(age) = self.settings.recycling.time {
            for id in self.serving_where(|used| now.saturating_duration_since(used.since) >= age) {
                self.replace(id, RecycleCause::Age, now);
            }
        }
    }

    /// When the next worker is old enough.
    pub(super) fn next_age(&self) -> Option<Instant> {
        let age = self.settings.recycling.time?;
        let fresh = self.workers.iter().filter(|worker| self.is_fresh(worker) && worker.serving().is_some());
        let due = fresh.filter_map(|worker| Some(worker.used.as_ref()?.since + age)).min()?;
        Some(self.calm_until.map_or(due, |calm| due.max(calm)))
    }

    fn serving_where(&self, which: impl Fn(&Used) -> bool) -> Vec<WorkerId> {
        let due = |worker: &&Worker| worker.serving().is_some() && worker.used.as_ref().is_some_and(&which);
        self.workers.iter().filter(due).map(|worker| worker.id).collect()
    }

    /// This one alone is to be replaced, unless it is already.
    fn replace(&mut self, id: WorkerId, cause: RecycleCause, now: Instant) {
        let due = self.is_fresh(self.known(id));
        if !due || self.calm_until.is_some_and(|calm| calm > now) {
            return;
        }
        self.report(self.settings.recycled(cause, self.known(id).owner));
        self.protection.forget_exits();
        self.worker(id).due = true;
        if !self.settings.overlaps() {
            self.drain(id, now + self.settings.drain_limit, now);
        }
    }

    /// IIS ends the worker process of a pool that nobody used for `idleTimeout`; here the app's own.
    fn stop_idle(&mut self, now: Instant) {
        let Some(limit) = self.settings.idle_timeout else { return };
        let idle = |worker: &Worker| {
            worker.used.as_ref().is_some_and(|used| now.saturating_duration_since(used.active) >= limit)
        };
        let all_idle = self.workers.iter().filter(|worker| worker.is_live()).all(idle);
        let may = matches!(self.start, Start::Idle) && !self.settings.always_running;
        if !may || self.serving() == 0 || !all_idle {
            return;
        }
        self.report(self.settings.idle());
        self.wanted = 0;
        for id in self.serving_where(|_| true) {
            self.drain(id, now + self.settings.drain_limit, now);
        }
    }
}
