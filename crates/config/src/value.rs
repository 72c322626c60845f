//! Words of web.config to checked primitives, by the rules of the IIS schema. Pure; the caller reports.

use std::time::Duration;

/// `true` or `false`, ignoring case (IIS type `bool`).
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim() {
        word if word.eq_ignore_ascii_case("true") => Ok(true),
        word if word.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

/// A decimal number in a range (IIS type `uint` with an `integerRange`).
pub(crate) fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("is not a number; it must be {least} to {most}"));
    }
    match digits.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("is out of range; it must be {least} to {most}")),
    }
}

/// `hh:mm:ss` or `d.hh:mm:ss` up to `most` seconds, in steps of `step` seconds (IIS type `timeSpan` with a
/// `timeSpanRange`). Without days the hours may go beyond 23, as `360:00:00` is how the schema itself writes
/// its limit.
pub(crate) fn time_span(text: &str, most: u64, step: u64) -> Result<Duration, String> {
    let range = || format!("must be 00:00:00 to {}", write_time_span(most));
    let seconds = read_time_span(text.trim()).ok_or_else(|| format!("is not a time span; it {}", range()))?;
    if seconds > most {
        return Err(format!("is out of range; it {}", range()));
    }
    if seconds % step != 0 {
        return Err(format!("must be a multiple of {}", write_time_span(step)));
    }
    Ok(Duration::from_secs(seconds))
}

fn read_time_span(text: &str) -> Option<u64> {
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) => (Some(days), clock),
        None => (None, text),
    };
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || minutes.len() > 2 || seconds.len() > 2 {
        return None;
    }
    let days = days.map_or(Some(0), |days| digits(days, u64::from(u16::MAX)))?;
    let hours = digits(hours, if text.contains('.') { 23 } else { u64::from(u16::MAX) })?;
    Some(((days * 24 + hours) * 60 + digits(minutes, 59)?) * 60 + digits(seconds, 59)?)
}

fn digits(text: &str, most: u64) -> Option<u64> {
    number(text, 0, most).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Seconds as `hh:mm:ss`.
pub(crate) fn write_time_span(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_the_schema_writes_them() {
        let read = |text| time_span(text, 1_296_000, 1).ok().map(|span| span.as_secs());
        assert_eq!(read("00:02:00"), Some(120));
        assert_eq!(read("5.00:00:00"), Some(432_000));
        assert_eq!(read("360:00:00"), Some(1_296_000));
        assert_eq!(read("15.00:00:00"), Some(1_296_000));
        assert_eq!(read("00:00:00"), Some(0));
        for wrong in [
            "",
            "120",
            "00:02",
            "1:2:3:4",
            "00:60:00",
            "00:00:60",
            "1.24:00:00",
            "-1:00:00",
            "a:00:00",
            "360:00:01",
            "00:002:00",
            "00: 2:00",
            "1.2.03:04:05",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(time_span("00:01:30", 2_592_000, 60), Err("must be a multiple of 00:01:00".into()));
    }

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(number(" 3600 ", 0, 3600), Ok(3600));
        for wrong in ["", "+1", "-1", "1.0", "0x10", "3601", "99999999999999999999999", "ten"] {
            assert!(number(wrong, 0, 3600).is_err(), "{wrong}");
        }
        assert_eq!(boolean("TRUE"), Ok(true));
        assert!(boolean("yes").is_err() && boolean("").is_err() && boolean("1").is_err());
    }
}
