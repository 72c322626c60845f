//! Ports for tests that must name one before anybody listens there.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::outcome::{Context, Outcome};

/// Below the ports that the server and the system draw for others, so that one that is free stays so.
pub const UNDRAWN: Range<u16> = 6_000..9_900;

/// A free port of these, and none that another test looks at.
///
/// # Errors
/// When all are taken.
pub fn free_of(range: Range<u16>) -> Outcome<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (count, place) = (range.len(), NEXT.fetch_add(1, Ordering::Relaxed));
    // Tests that run at the same time begin at places of their own.
    let first = (std::process::id() as usize * 7 + place as usize) % count.max(1);
    let mut all = range.clone().cycle().skip(first).take(count);
    all.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context(format!("every port of {range:?} is taken"))
}

/// Above the ports that the system draws, where there are some.
///
/// # Errors
/// When the system does not say which it draws.
pub fn above_drawn() -> Outcome<Range<u16>> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").context("the range")?;
    let last: u16 = range.split_ascii_whitespace().nth(1).context("no number")?.parse()?;
    Ok(last.saturating_add(1).min(65_000)..u16::MAX)
}
