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
}

impl Liveness {
    /// For a worker that is listening: where, which process owns the listener, and the proof of that.
    #[must_use]
    pub fn new(address: SocketAddr, owner: u32, listeners: KeptListeners) -> Self {
        let (probe, judge) = (ListenerProbe::default(), Judge::default());
        Self { probe, listeners, address, owner, judge, accepted: None }
    }

    /// Looks; to be called once a second, with whether it has requests. One question to the kernel, and a closer look
    /// only while there is a suspicion. A process that a debugger holds is never stuck, and neither is one of a system
    /// that cannot be asked.
    pub fn look(&mut self, now: Instant, busy: bool) -> Verdict {
        let waiting = self.waiting();
        let progress = match waiting {
            0 => !busy || !is_stopped(self.owner),
            _ => is_traced(self.owner) || self.accepts(),
        };
        self.judge.note(waiting, progress, now)
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
    status(pid).is_some_and(|status| has_tracer(&status))
}

/// Whether somebody sent it SIGSTOP; one that its debugger stopped is in another state. Not where we may not look.
fn is_stopped(pid: u32) -> bool {
    status(pid).is_some_and(|status| status.lines().any(|line| line.starts_with("State:\tT")))
}

fn status(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok()
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
    fn a_tracer_is_read_off_the_status() {
        assert!(has_tracer("Name:\tapp\nTracerPid:\t4711\nUid:\t0\n"));
        assert!(!has_tracer("Name:\tapp\nTracerPid:\t0\nUid:\t0\n") && !has_tracer(""));
        assert!(!is_traced(std::process::id()) && !is_traced(u32::MAX));
    }
}
