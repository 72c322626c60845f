//! Processes as the system shows them: who lives, who belongs to whom, what they hold and cost.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::outcome::{Context, Outcome};

/// A command; the only place that makes one.
#[expect(clippy::disallowed_methods, reason = "the tests start processes here")]
#[must_use]
pub fn command(program: &Path) -> Command {
    Command::new(program)
}

/// One process, told apart from a later one with the same number by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// In clock ticks since boot.
    pub started: u64,
}

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// `R`, `S`, `Z` and so on.
    pub state: char,
    /// The parent.
    pub parent: u32,
    /// User and system time, in clock ticks.
    pub ticks: u64,
    /// How many threads it has left. A process whose first thread has ended is `Z` though others still run.
    pub threads: u64,
    /// Since boot, in clock ticks.
    pub started: u64,
}

impl Stat {
    /// Nothing of it runs any more, though nobody may have asked how it ended.
    fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads < 2
    }
}

/// Reads `/proc/PID/stat`; none when there is no such process.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, so the fields are counted from the last bracket.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
        threads: number(17)?,
        started: number(19)?,
    })
}

/// The process with that number, unless it is gone or a zombie.
#[must_use]
pub fn living(pid: u32) -> Option<Process> {
    let stat = stat(pid)?;
    (!stat.is_over()).then_some(Process { pid, started: stat.started })
}

/// Whether it still runs.
#[must_use]
pub fn lives(process: Process) -> bool {
    living(process.pid) == Some(process)
}

/// Every process of the machine.
#[must_use]
pub fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Everything below a process, itself not included.
#[must_use]
pub fn descendants(root: u32) -> BTreeSet<Process> {
    let parents: Vec<(u32, Stat)> = all().into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let mut found = BTreeSet::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        for (pid, stat) in parents.iter().filter(|(_, stat)| stat.parent == parent) {
            if !stat.is_over() && found.insert(Process { pid: *pid, started: stat.started }) {
                next.push(*pid);
            }
        }
    }
    found
}

/// Living processes whose environment holds this text.
#[must_use]
pub fn marked(mark: &str) -> BTreeSet<Process> {
    all().into_iter().filter(|pid| environment_holds(*pid, mark)).filter_map(living).collect()
}

fn environment_holds(pid: u32, mark: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes()))
}

/// Sends a signal.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, signal: Signal) -> Outcome {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a pid")?;
    kill_process(number, signal).context(format!("signal to {pid}"))
}

/// Resident memory in bytes.
///
/// # Errors
/// When the process is gone.
pub fn resident(pid: u32) -> Outcome<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// Clock ticks of user and system time of a process and everything below it.
#[must_use]
pub fn ticks_of_tree(root: u32) -> u64 {
    let own = stat(root).map_or(0, |stat| stat.ticks);
    own + descendants(root).iter().filter_map(|process| stat(process.pid)).map(|stat| stat.ticks).sum::<u64>()
}

/// How a process was started, words joined by blanks.
#[must_use]
pub fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// What a set of processes is, for a failure's text.
#[must_use]
pub fn describe<'a>(processes: impl IntoIterator<Item = &'a Process>) -> String {
    processes
        .into_iter()
        .map(|one| format!("{} ({})", one.pid, command_line(one.pid)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A path as an attribute or an argument.
#[must_use]
pub fn text(path: &Path) -> String {
    OsStr::to_string_lossy(path.as_os_str()).into_owned()
}
