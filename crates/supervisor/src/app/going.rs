//! How workers go: drained, told to end, killed; and what is due when a deadline is over.
//!
//! Pure like its parent, which alone calls it.

#![deny(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::time::Instant;

use super::start::Start;
use super::{App, CROWDED_DRAIN, GATE_GRACE, KILL_LIMIT};
use crate::event::{Effect, Evidence};
use crate::face::WorkerId;
use crate::failures::Cause;
use crate::messages::ToProxy;
use crate::process::NotListening;
use crate::worker::{Means, State, Worker};

impl App {
    pub(super) fn stop(&mut self, drain_until: Instant, now: Instant) {
        self.start = Start::Over;
        for id in self.ids() {
            match &self.known(id).state {
                State::Serving { .. } => self.drain(id, drain_until, now),
                State::Draining { deadline } => {
                    let deadline = drain_until.min(*deadline);
                    self.worker(id).state = State::Draining { deadline };
                }
                State::Launching { .. } | State::Warming { .. } => self.call_off(id, now),
                State::Stopping { .. } | State::Gone => {}
            }
        }
    }

    pub(super) fn stop_now(&mut self, now: Instant) {
        self.start = Start::Over;
        for id in self.ids() {
            if !self.known(id).is_killed() {
                self.kill(id, now);
            }
        }
    }

    /// A launch that nobody waits for any more. Without a process there is nothing to be gentle to.
    pub(super) fn call_off(&mut self, id: WorkerId, now: Instant) {
        self.worker(id).called_off = true;
        if self.known(id).is_warming() {
            // An app that ends in order would first finish our own request.
            self.effects.push(Effect::Tell(ToProxy::EndTunnels { worker: id, by: now }));
        }
        if self.known(id).pid.is_none() {
            self.kill(id, now);
        } else {
            self.terminate(id, now);
        }
    }

    /// Does what is due for every deadline that is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if matches!(self.start, Start::Failed { until } if until <= now) {
            self.start = Start::Idle;
        }
        self.replace_aged(now);
        self.tell_late(now);
        for id in self.ids() {
            if self.known(id).deadline().is_some_and(|deadline| deadline <= now) {
                self.expire_one(id, now);
            }
        }
    }

    fn expire_one(&mut self, id: WorkerId, now: Instant) {
        let worker = self.known(id);
        if worker.doubted().is_some_and(|until| until <= now) {
            return self.give_up_launch(id, now);
        }
        match worker.state {
            State::Launching { .. } => {
                let why = NotListening::Deadline { elsewhere: Vec::new() };
                self.blame(id, Cause::NotListening(why), Evidence::default());
                self.kill(id, now);
            }
            State::Warming { .. } => self.warmed(id, Err("not within startupTimeLimit".to_owned()), now),
            State::Draining { .. } => {
                self.effects.push(Effect::Report(self.settings.drain_cut(worker)));
                self.terminate(id, now);
            }
            State::Stopping { means: Means::Terminate, .. } => {
                self.effects.push(Effect::Report(self.settings.not_graceful(worker)));
                self.kill(id, now);
            }
            State::Stopping { means: Means::Kill(times), .. } => {
                self.effects.push(Effect::Report(self.settings.not_gone(worker)));
                self.send_kill(id, times + 1, now);
                // Requests do not wait for what even SIGKILL cannot end.
                self.conclude(id, Evidence::default(), now);
            }
            State::Serving { .. } | State::Gone => {}
        }
    }

    pub(super) fn drain(&mut self, id: WorkerId, until: Instant, now: Instant) {
        let deadline = until.max(now + GATE_GRACE);
        self.close_gate(id, deadline);
        self.worker(id).state = State::Draining { deadline };
    }

    /// Too many drain at once. Those that only end do not count: requests need not pay for an app that ends slowly.
    pub(super) fn uncrowd(&mut self, now: Instant) {
        if self.count(Worker::is_draining) > self.leaving_most() {
            self.hurry_oldest(now);
        }
    }

    /// The one that drains for longest gets no more than a second.
    pub(super) fn hurry_oldest(&mut self, now: Instant) {
        let oldest = self.workers.iter_mut().find(|worker| worker.is_draining());
        if let Some(Worker { state: State::Draining { deadline }, .. }) = oldest {
            *deadline = (*deadline).min(now + CROWDED_DRAIN);
        }
    }

    pub(super) fn terminate(&mut self, id: WorkerId, now: Instant) {
        let deadline = now + self.settings.shutdown_time_limit;
        let worker = self.worker(id);
        worker.told = Some(Means::Terminate);
        worker.state = State::Stopping { means: Means::Terminate, deadline };
        self.effects.push(Effect::Terminate(id));
        self.effects.extend(self.settings.sent_terminate(self.known(id)).map(Effect::Report));
    }

    pub(super) fn kill(&mut self, id: WorkerId, now: Instant) {
        self.close_gate(id, now);
        self.worker(id).told = Some(Means::Kill(1));
        self.send_kill(id, 1, now);
    }

    /// The app itself has ended; what is left of its subtree goes too.
    pub(super) fn bury(&mut self, id: WorkerId, now: Instant) {
        self.close_gate(id, now);
        self.send_kill(id, 1, now);
    }

    fn send_kill(&mut self, id: WorkerId, times: u32, now: Instant) {
        // Ever more seldom: a process that is stuck in the kernel may stay so for hours.
        let deadline = now + KILL_LIMIT * 2_u32.pow((times - 1).min(5));
        self.worker(id).state = State::Stopping { means: Means::Kill(times), deadline };
        self.effects.push(Effect::Kill(id));
    }

    /// Lets no request in any more and gives tunnels until `by`; nothing if the gate was not open. The state
    /// must be changed by the caller.
    pub(super) fn close_gate(&mut self, id: WorkerId, by: Instant) {
        let worker = self.known(id);
        let serves = worker.serving().map(Arc::clone);
        if serves.is_none() && !worker.is_draining() {
            return;
        }
        self.effects.extend(serves.map(Effect::CloseGate));
        self.effects.push(Effect::Tell(ToProxy::EndTunnels { worker: id, by }));
    }
}
