//! When the next time of `periodicRestart schedule` comes, by the local clock. Called by `run`.

use std::time::Duration;

use jiff::{SignedDuration, Zoned};

/// When the next of these times comes, counted from midnight. None when there is none.
pub(crate) fn next(times: &[Duration], now: &Zoned) -> Option<Zoned> {
    let today = now.date();
    let days = [Some(today), today.tomorrow().ok()];
    let at = |day: jiff::civil::Date, time: &Duration| {
        let time = SignedDuration::try_from(*time).ok()?;
        // A time that the clock skips or repeats is taken as jiff resolves it: each time comes once a day.
        day.at(0, 0, 0, 0).checked_add(time).ok()?.to_zoned(now.time_zone().clone()).ok()
    };
    let all = days.into_iter().flatten().flat_map(|day| times.iter().filter_map(move |time| at(day, time)));
    all.filter(|at| at > now).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(times: &[u64], now: &str) -> Option<u64> {
        let times: Vec<_> = times.iter().map(|hours| Duration::from_secs(hours * 3600)).collect();
        let now: Zoned = now.parse().expect("a time");
        let rest = now.duration_until(&next(&times, &now)?);
        u64::try_from(rest.as_secs()).ok()
    }

    #[test]
    fn the_next_time_is_today_or_tomorrow() {
        assert_eq!(until(&[], "2026-11-26T12:00:00+00:00[UTC]"), None);
        assert_eq!(until(&[3, 15], "2026-11-26T12:00:00+00:00[UTC]"), Some(3 * 3600));
        assert_eq!(until(&[3, 15], "2026-11-26T15:00:00+00:00[UTC]"), Some(12 * 3600));
        assert_eq!(until(&[3], "2026-11-26T02:59:59+00:00[UTC]"), Some(1));
        assert_eq!(until(&[3], "2026-12-31T23:00:00+01:00[+01:00]"), Some(4 * 3600));
    }

    #[test]
    fn each_time_comes_once_on_the_days_when_the_clock_is_changed() {
        let berlin = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone");
        let at = [Duration::from_secs(2 * 3600 + 1800)];
        let days =
            [("2026-03-29", "03:30:00+02"), ("2026-10-25", "02:30:00+02"), ("2026-10-26", "02:30:00+01")];
        for (day, expected) in days {
            let day: jiff::civil::Date = day.parse().expect("a day");
            let midnight = day.to_zoned(berlin.clone()).expect("a time");
            let first = next(&at, &midnight).expect("a time of that day");
            assert_eq!(first.strftime("%H:%M:%S%:::z").to_string(), expected);
            let second = next(&at, &first).expect("a time of the next day");
            assert_eq!(second.date(), day.tomorrow().expect("a day"));
        }
    }
}
