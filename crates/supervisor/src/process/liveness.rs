//! Whether a worker still takes connections: the queue of its listener, as the kernel shows it.
//!
//! The kernel completes a connection without asking the app, so that one that hangs is noticed by nobody until its
//! queue is full. One that was stopped hangs on the connections that it has just as well. Looked at once a second by
//! whoever runs the worker; what follows from a verdict is not decided here.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::process::ownership::{KeptListeners, ListenerProbe};

/// Looks without any progress until a worker counts as stuck.
const LOOKS: u32 = 10;
/// They must cover at least this: after a pause of the whole machine many come at once.
const SPAN: Duration = Duration::from_secs(9);
/// From so many on, it is also looked at who was accepted: that costs more.
const CLOSER: u32 = LOOKS / 2;

/// What a look saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes connections, or none wait, or nothing can be said.
    Alive,
    /// Connections wait, or it was stopped with requests in it, and over ten looks in a row none was taken.
    Stuck,
}

/// Looks at one serving worker.
#[derive(Debug)]
pub struct Liveness {
    probe: ListenerProbe,
    listeners: KeptListeners,
    address: SocketAddr,
    owner: u32,
    judge: Judge,
    /// Who had been accepted at the last close look.
    accepted: Option<BTreeSet<u64>>,
    /// What it had run when it was last seen stopped.
    ran: Option<u64>,
}

impl Liveness {
    /// For a worker that is listening: where, which process owns the listener, and the proof of that.
    #[must_use]
    pub fn new(address: SocketAddr, owner: u32, listeners: KeptListeners) -> Self {
        let (probe, judge) = (ListenerProbe::default(), Judge::default());
        Self { probe, listeners, address, owner, judge, accepted: None, ran: None }
    }

    /// Looks; to be called once a second, with whether it has requests. One question to the kernel, and a closer look
    /// only while there is a suspicion. A process that a debugger holds is never stuck, and neither is one of a system
    /// that cannot be asked.
    pub fn look(&mut self, now: Instant, busy: bool) -> Verdict {
        let waiting = self.waiting();
        let progress = match waiting {
            0 => !busy || !self.stays_stopped(),
            _ => is_traced(self.owner) || self.accepts(),
        };
        self.judge.note(waiting, progress, now)
    }

    /// Whether it is stopped and has not run since the last look: who keeps a process to its share of a processor (cpulimit)
    /// stops it and lets it go on many times a second.
    fn stays_stopped(&mut self) -> bool {
        let before = std::mem::replace(&mut self.ran, ran_until_stopped(self.owner));
        self.ran.is_some_and(|ran| before.is_none_or(|before| ran == before))
    }

    /// Somebody else's queue says nothing of this worker.
    fn waiting(&mut self) -> u32 {
        let queue = self.probe.find_queue(self.address, &self.listeners);
        queue.filter(|(found, _)| self.listeners.believes(*found)).map_or(0, |(_, waiting)| waiting)
    }

    /// Whether somebody was accepted since the last look, although the queue got no shorter.
    fn accepts(&mut self) -> bool {
        if self.judge.looks < CLOSER {
            self.accepted = None;
            return false;
        }
        let Some(accepted) = self.probe.accepted(self.address.port(), &self.listeners) else { return false };
        let accepted: BTreeSet<u64> = accepted.into_iter().collect();
        let more = self.accepted.as_ref().is_some_and(|before| !accepted.is_subset(before));
        self.accepted = Some(accepted);
        more
    }
}

/// Counts looks without progress. Pure.
#[derive(Debug, Default)]
struct Judge {
    /// At the last look.
    waiting: u32,
    looks: u32,
    since: Option<Instant>,
}

impl Judge {
    fn note(&mut self, waiting: u32, progress: bool, now: Instant) -> Verdict {
        let shorter = waiting < std::mem::replace(&mut self.waiting, waiting);
        if progress || shorter {
            (self.looks, self.since) = (0, None);
            return Verdict::Alive;
        }
        let since = *self.since.get_or_insert(now);
        self.looks = self.looks.saturating_add(1);
        let stuck = self.looks >= LOOKS && now.saturating_duration_since(since) >= SPAN;
        if stuck { Verdict::Stuck } else { Verdict::Alive }
    }
}

/// Whether a debugger holds this process. Not where we may not look.
fn is_traced(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| has_tracer(&status))
}

/// Of one that somebody sent SIGSTOP, in clock ticks; one that its debugger stopped is in another state. Not where we may
/// not look.
fn ran_until_stopped(pid: u32) -> Option<u64> {
    let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
    ran_if_stopped(&line)
}

/// The name stands in brackets and may itself hold brackets and blanks: the fields follow the last one.
fn ran_if_stopped(line: &[u8]) -> Option<u64> {
    let fields = &line[line.iter().rposition(|&byte| byte == b')')? + 1..];
    let mut fields = str::from_utf8(fields).ok()?.split_ascii_whitespace();
    fields.next().filter(|state| *state == "T")?;
    let user: u64 = fields.nth(10)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn has_tracer(status: &str) -> bool {
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "some point in time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// The look, from 1, at which it is stuck.
    fn stuck_at(queue: impl Fn(u32) -> u32, progress: impl Fn(u32) -> bool, pace: Duration) -> Option<u32> {
        let (mut judge, start) = (Judge::default(), start());
        let mut look = |look| judge.note(queue(look), progress(look), start + pace * look);
        (1..100).find(|&number| look(number) == Verdict::Stuck)
    }

    #[test]
    fn ten_looks_without_progress_are_enough_and_nine_are_not() {
        const SECOND: Duration = Duration::from_secs(1);
        let never = |_| false;
        assert_eq!(stuck_at(|_| 1, never, SECOND), Some(10));
        assert_eq!(stuck_at(|look| look, never, SECOND), Some(10), "it grows");
        assert_eq!(stuck_at(|look| look.min(5), never, SECOND), Some(10), "it is full");
        assert_eq!(stuck_at(|look| if look < 20 { look } else { 7 }, never, SECOND), Some(10));
        assert_eq!(stuck_at(|look| 5 - look % 5, never, SECOND), None, "it shrinks");
        assert_eq!(stuck_at(|_| 3, |look| look % 10 == 0, SECOND), None, "one was taken");
        assert_eq!(stuck_at(|look| if look < 9 { 9 } else { 5 }, never, SECOND), Some(19));
    }

    #[test]
    fn many_looks_at_once_count_as_few() {
        assert_eq!(stuck_at(|_| 1, |_| false, Duration::from_millis(200)), Some(46));
    }

    #[test]
    fn what_a_stopped_one_ran_is_read_off_its_line() {
        let line =
            |state: &str| format!("7 (a) T b) {state} 1 7 7 0 -1 4194304 9 8 7 6 31 11 5 4 20 0 1 0 9\n");
        assert_eq!(ran_if_stopped(line("T").as_bytes()), Some(42));
        assert_eq!(ran_if_stopped(line("t").as_bytes()), None, "by its debugger");
        assert_eq!(ran_if_stopped(line("S").as_bytes()), None);
        assert_eq!(ran_if_stopped(b"7 (a) T 1 7"), None);
        assert_eq!(ran_if_stopped(b""), None);
    }

    #[test]
    fn a_tracer_is_read_off_the_status() {
        assert!(has_tracer("Name:\tapp\nTracerPid:\t4711\nUid:\t0\n"));
        assert!(!has_tracer("Name:\tapp\nTracerPid:\t0\nUid:\t0\n") && !has_tracer(""));
        assert!(!is_traced(std::process::id()) && !is_traced(u32::MAX));
    }
}
