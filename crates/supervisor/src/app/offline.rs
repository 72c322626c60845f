//! `app_offline.htm` arrives and goes: what becomes of the workers and of those who wait.
//!
//! Pure like its parent, which alone calls it. Who looks for the file is in `triggers.rs`.

#![deny(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::time::Instant;

use super::App;
use super::start::Start;
use crate::event::Effect;
use crate::worker::State;

impl App {
    /// From here on every request is answered with the page; those that are in may end. A start that is under way
    /// is called off, and what is known of failed ones is forgotten: a deployment follows, so that it is about an
    /// app that will not be there any more.
    pub(super) fn take_offline(&mut self, page: Arc<[u8]>, now: Instant) {
        if matches!(self.start, Start::Over) {
            return;
        }
        if self.offline.replace(page).is_some() {
            return;
        }
        let ran = self.live() > 0 || !matches!(self.start, Start::Idle);
        self.effects.push(Effect::Report(self.settings.offline(ran)));
        self.start = Start::Idle;
        self.wanted = 0;
        self.last_failure = None;
        self.protection.forget();
        for id in self.ids() {
            match self.known(id).state {
                State::Serving { .. } => self.drain(id, now + self.settings.drain_limit, now),
                State::Launching { .. } | State::Warming { .. } => self.call_off(id, now),
                State::Draining { .. } | State::Stopping { .. } | State::Gone => {}
            }
        }
    }

    /// The next request starts the app, or the rules for an app that should always run do.
    pub(super) fn bring_online(&mut self) {
        if self.offline.take().is_none() || matches!(self.start, Start::Over) {
            return;
        }
        // Counts like a start, so that a request whose `Wake` came while the app was offline, and that has not
        // seen that face, asks again.
        self.starts += 1;
        self.effects.push(Effect::Report(self.settings.online()));
    }
}
