//! When nothing is started: the back-off after starts that fail, and `rapidFailsPerMinute`.
//!
//! One back-off per app, for starts that fail and for workers that end before they answered a request. Ends of workers
//! that did answer are counted against `rapidFailsPerMinute` alone, as in IIS. Pure; called by the rest of `app`.

use std::time::{Duration, Instant};

/// What passes after the first, second, … failure in a row before something is started again; the last one for all
/// further ones.
pub const PAUSES: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
];
/// A worker that served for so long shows that the app is sound: the failures before it are forgotten.
pub const STEADY: Duration = Duration::from_secs(60);
/// The window of `rapidFailsPerMinute`. Fixed, not sliding, as in the ASP.NET Core Module.
pub const RAPID_FAILS_WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Protection {
    /// Failures in a row.
    failures: u32,
    /// The last of them.
    failed: Option<Instant>,
    /// Workers that ended by themselves since the window began.
    exits: u32,
    /// When it did.
    window: Option<Instant>,
}

impl Protection {
    /// A start failed, or a worker ended before it answered. Nothing may be started for so long.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        let pause = PAUSES.get(self.failures as usize).or(PAUSES.last()).copied().unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        self.failed = Some(now);
        pause
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Not before the last failure.
    pub(super) fn is_later(&self, than: Instant) -> bool {
        self.failed.is_none_or(|failed| than >= failed)
    }

    /// A worker serves since then. What failed meanwhile is not made good by one that was sound all along.
    pub(super) fn served(&mut self, since: Instant, now: Instant) {
        let sound = self.failed.map_or(since, |failed| since.max(failed));
        if now.saturating_duration_since(sound) >= STEADY {
            self.failures = 0;
        }
    }

    /// A worker ended although nobody told it to.
    pub(super) fn exited(&mut self) {
        self.exits = self.exits.saturating_add(1);
    }

    /// Looked at just before a start and never else, as in the module: until when there is none, as more workers ended
    /// than the limit allows.
    pub(super) fn refuses(&mut self, limit: u32, now: Instant) -> Option<Instant> {
        let begun = *self.window.get_or_insert(now);
        if now.saturating_duration_since(begun) >= RAPID_FAILS_WINDOW {
            (self.exits, self.window) = (0, Some(now));
            return None;
        }
        (self.exits > limit).then_some(begun + RAPID_FAILS_WINDOW)
    }

    /// A recycle: IIS counts for each application object, and makes another one.
    pub(super) fn forget_exits(&mut self) {
        (self.exits, self.window) = (0, None);
    }

    /// What comes now is another app, as far as one can know.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do; all later ones are computed")]
    fn beginning() -> Instant {
        Instant::now()
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_soundness_ends_them() {
        let (mut protection, start) = (Protection::default(), beginning());
        let told: Vec<u128> = (0..10).map(|_| protection.failed(start).as_millis()).collect();
        assert_eq!(told, [0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(protection.failures(), 10);
        protection.served(start - STEADY, start + STEADY / 2);
        assert_eq!(protection.failures(), 10, "it served already when the last start failed");
        protection.served(start - STEADY, start + STEADY);
        assert_eq!(protection.failed(start + STEADY), Duration::ZERO);
    }

    #[test]
    fn more_ends_than_the_limit_refuse_starts_until_the_window_is_over() {
        let (mut protection, start) = (Protection::default(), beginning());
        assert_eq!(protection.refuses(2, start), None);
        for _ in 0..2 {
            protection.exited();
            assert_eq!(protection.refuses(2, start + Duration::from_secs(30)), None);
        }
        protection.exited();
        let over = start + RAPID_FAILS_WINDOW;
        assert_eq!(protection.refuses(2, start + Duration::from_secs(59)), Some(over));
        assert_eq!(protection.refuses(2, over), None, "the next window begins");
        assert_eq!(protection.refuses(0, over), None);
        protection.exited();
        assert_eq!(protection.refuses(0, over), Some(over + RAPID_FAILS_WINDOW), "0 allows no end at all");
        protection.forget();
        assert_eq!(protection.refuses(0, over), None);
    }
}
