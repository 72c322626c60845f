//! The tests' clock: the only place that reads it, and the only loop that waits.

use std::time::{Duration, Instant};

use crate::outcome::{Failure, Outcome};

/// How often a wait looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The time of this moment.
#[expect(clippy::disallowed_methods, reason = "the tests read the clock here")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
pub fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Looks again and again until there is something.
///
/// # Errors
/// When there is nothing after `limit`; `what` names it.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let end = now() + limit;
    loop {
        // Before the look, so that there is one after the limit however long this thread was held up.
        let last = now() >= end;
        if let Some(found) = look() {
            return Ok(found);
        }
        if last {
            return Err(Failure(format!("waited {limit:?} in vain for {what}")));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Seconds as a duration, for the many deadlines of tests.
#[must_use]
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
