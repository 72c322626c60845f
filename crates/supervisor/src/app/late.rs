//! Requests that took longer than `requestTimeout`: an app that hangs has many of them, and the operator few lines.
//!
//! Pure like its parent, which alone calls it.

use std::time::{Duration, Instant};

use super::App;

/// No more than one line within this.
pub const LATE_LINES: Duration = Duration::from_secs(10);

/// Those that nobody was told of.
#[derive(Debug, Default)]
pub(super) struct Late {
    requests: u64,
    /// Of the last one.
    limit: Duration,
    /// When the next line may be written.
    next: Option<Instant>,
}

impl Late {
    /// When they are to be told. None when there are none, or when it is at once.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next.filter(|_| self.requests > 0)
    }
}

impl App {
    pub(super) fn timed_out(&mut self, limit: Duration) {
        self.late.requests = self.late.requests.saturating_add(1);
        self.late.limit = limit;
    }

    /// The first is told at once, and those of the next ten seconds together.
    pub(super) fn tell_late(&mut self, now: Instant) {
        if self.late.requests > 0 && self.late.next.is_none_or(|next| next <= now) {
            let line = self.settings.timed_out(self.late.requests, self.late.limit);
            self.report(line);
            self.late = Late { next: Some(now + LATE_LINES), ..Late::default() };
        }
    }
}
