//! When the next time of `periodicRestart schedule` comes, by the local clock. Called by `run`.

use std::time::Duration;

use jiff::{SignedDuration, Zoned};

/// How long until the next of these times, counted from midnight. None when there is none.
pub(crate) fn until_next(times: &[Duration], now: &Zoned) -> Option<Duration> {
    let today = now.date();
    let days = [Some(today), today.tomorrow().ok()];
    let at = |day: jiff::civil::Date, time: &Duration| {
        let time = SignedDuration::try_from(*time).ok()?;
        // A time that the clock skips or repeats is taken as jiff resolves it: each time comes once a day.
        day.at(0, 0, 0, 0).checked_add(time).ok()?.to_zoned(now.time_zone().clone()).ok()
    };
    let all = days.into_iter().flatten().flat_map(|day| times.iter().filter_map(move |time| at(day, time)));
    let next = all.filter(|at| at > now).min()?;
    Duration::try_from(now.duration_until(&next)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(times: &[u64], now: &str) -> Option<u64> {
        let times: Vec<_> = times.iter().map(|hours| Duration::from_secs(hours * 3600)).collect();
        until_next(&times, &now.parse().expect("a time")).map(|rest| rest.as_secs())
    }

    #[test]
    fn the_next_time_is_today_or_tomorrow() {
        assert_eq!(until(&[], "2026-11-26T12:00:00+00:00[UTC]"), None);
        assert_eq!(until(&[3, 15], "2026-11-26T12:00:00+00:00[UTC]"), Some(3 * 3600));
        assert_eq!(until(&[3, 15], "2026-11-26T15:00:00+00:00[UTC]"), Some(12 * 3600));
        assert_eq!(until(&[3], "2026-11-26T02:59:59+00:00[UTC]"), Some(1));
        assert_eq!(until(&[3], "2026-12-31T23:00:00+01:00[+01:00]"), Some(4 * 3600));
    }
}
