//! Words of web.config to checked primitives, by the rules of the IIS schema. Pure; the caller reports.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::pool::Network;

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

/// `hh:mm:ss` or `d.hh:mm:ss` in a range of seconds, in steps of `step` seconds (IIS type `timeSpan` with a
/// `timeSpanRange`). Without days the hours may go beyond 23, as `360:00:00` is how the schema itself writes
/// its limit.
pub(crate) fn time_span(text: &str, within: RangeInclusive<u64>, step: u64) -> Result<Duration, String> {
    let (least, most) = (write_time_span(*within.start()), write_time_span(*within.end()));
    let range = || format!("must be {least} to {most}");
    let seconds = read_time_span(text.trim()).ok_or_else(|| format!("is not a time span; it {}", range()))?;
    if !within.contains(&seconds) {
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

/// `hh:mm` or `hh:mm:ss`, from midnight to the last second of a day.
pub(crate) fn time_of_day(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let clock = if text.matches(':').count() == 1 { format!("{text}:00") } else { text.to_owned() };
    let seconds = read_time_span(&clock).filter(|seconds| *seconds < 24 * 3600 && !clock.contains('.'));
    seconds.map(Duration::from_secs).ok_or_else(|| "is not a time of day".to_owned())
}

/// An address for itself, or a range such as `10.0.0.0/8`; IPv4-mapped ones become IPv4. What is wrong, and what to do.
pub(crate) fn network(text: &str) -> Result<Network, (&'static str, String)> {
    let form = || "write an address such as 10.1.2.3 or ::1, or a range such as 10.0.0.0/8".to_owned();
    let (address, prefix) = match text.trim().split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text.trim(), None),
    };
    let address: IpAddr = address.parse().map_err(|_| ("is not an address or a range of them", form()))?;
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    let written =
        prefix.map(|prefix| digits(prefix, most.into()).and_then(|prefix| u8::try_from(prefix).ok()));
    let prefix = written.unwrap_or(Some(most));
    let prefix = prefix.ok_or_else(|| ("has a wrong prefix", format!("it is a number from 0 to {most}")))?;
    let (address, prefix) = match address.to_canonical() {
        v4 @ IpAddr::V4(_) if address.is_ipv6() && prefix >= 96 => (v4, prefix - 96),
        _ => (address, prefix),
    };
    let network = Network { address, prefix };
    match network.first() {
        first if first == address => Ok(network),
        first => Err((
            "has bits beyond its prefix",
            format!("write {first}/{prefix} for the range, or the address alone"),
        )),
    }
}

fn digits(text: &str, most: u64) -> Option<u64> {
    number(text, 0, most).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Seconds as `hh:mm:ss`, with as many hours as there are.
#[must_use]
pub fn write_time_span(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_the_schema_writes_them() {
        let read = |text| time_span(text, 0..=1_296_000, 1).ok().map(|span| span.as_secs());
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
        assert_eq!(time_span("00:01:30", 0..=2_592_000, 60), Err("must be a multiple of 00:01:00".into()));
        let short = Err("is out of range; it must be 00:00:01 to 18:12:15".into());
        assert_eq!(time_span("00:00:00", 1..=65_535, 1), short);
        assert_eq!(time_span("18:12:16", 1..=65_535, 1), short);
        assert_eq!(time_span("18:12:15", 1..=65_535, 1), Ok(Duration::from_secs(65_535)));
    }

    #[test]
    fn times_of_a_day_end_with_it() {
        let read = |text| time_of_day(text).ok().map(|time| time.as_secs());
        assert_eq!(read("03:00"), Some(10_800));
        assert_eq!(read(" 23:59:59 "), Some(86_399));
        for wrong in ["", "3", "24:00", "03:60", "1.03:00:00", "-1:00", "03:00:00:00", "03h00"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks_begin_where_they_say() {
        let read = |text| network(text).map(|network| format!("{}/{}", network.address, network.prefix));
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            (" 192.0.2.7 ", "192.0.2.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(read(text), Ok(expected.to_owned()), "{text}");
        }
        for wrong in
            ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::1/129", "10.0.0/8", "host", "1.2.3.4/8/8"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let hint = |text| network(text).unwrap_err().1;
        assert!(hint("10.1.2.3/8").starts_with("write 10.0.0.0/8 "));
        assert!(hint("2001:db8:1::1/32").starts_with("write 2001:db8::/32 "));
        assert!(hint("::ffff:10.1.2.3/104").starts_with("write 10.0.0.0/8 "));
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
