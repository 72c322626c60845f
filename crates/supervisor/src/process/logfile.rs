//! The app's log file (`stdoutLogFile`): its name, how it is opened, and the thread that writes it.
//!
//! The reader of the app's output never waits for a disk: it puts bytes into a bounded queue, and what does
//! not fit is counted and dropped. Called by `output` alone.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use config::StdoutLog;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// How far the file may be behind, in bytes.
const LIMIT: usize = 1 << 20;
/// Once it was too far behind, it must catch up to here: one line about a gap, not one for each read.
const RESUME: usize = LIMIT / 2;
/// Names tried beside the first one.
const OTHER_NAMES: u32 = 1000;
const STACK: usize = 128 << 10;

/// Bytes on their way to the file.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Dropped since the last chunk that fitted.
    dropped: u64,
    ended: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    Bytes(Vec<u8>),
    /// So many bytes are missing here.
    Gap(u64),
}

impl Queue {
    /// Takes what fits, and counts what does not. Never waits.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let limit = if state.dropped > 0 { RESUME } else { LIMIT };
        if state.ended || bytes.is_empty() {
            return;
        }
        if state.bytes + bytes.len() > limit {
            state.dropped += bytes.len() as u64;
            return;
        }
        state.close_gap();
        state.bytes += bytes.len();
        state.chunks.push_back(Chunk::Bytes(bytes.to_vec()));
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.close_gap();
        state.ended = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Forgets everything, also what comes: there is no file.
    fn give_up(&self) {
        *self.lock() = State { ended: true, ..State::default() };
    }

    /// Waits for the next chunk; none at the end. Its room is free again only when the next one is asked for,
    /// so that a write that hangs counts as being behind.
    fn next(&self, written: usize) -> Option<Chunk> {
        let mut state = self.lock();
        state.bytes -= written;
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                return Some(chunk);
            }
            if state.dropped > 0 {
                state.close_gap();
                continue;
            }
            if state.ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close_gap(&mut self) {
        if self.dropped > 0 {
            self.chunks.push_back(Chunk::Gap(std::mem::take(&mut self.dropped)));
        }
    }
}

/// Starts the thread that opens the file for the app with this process id and writes it until the queue's end.
/// `failed` is called at most once, with what could not be created or written; the queue then takes and
/// forgets everything.
pub(super) fn write_to_file(
    queue: Arc<Queue>,
    log: StdoutLog,
    pid: u32,
    failed: impl FnOnce(PathBuf, io::Error) + Clone + Send + 'static,
) {
    let thread = std::thread::Builder::new().name("app-log".into()).stack_size(STACK);
    let without_thread = (Arc::clone(&queue), log.folder.clone(), failed.clone());
    let started = thread.spawn(move || {
        if let Err((path, error)) = write(&queue, &log, pid) {
            queue.give_up();
            failed(path, error);
        }
    });
    if let Err(error) = started {
        let (queue, folder, failed) = without_thread;
        queue.give_up();
        failed(folder, error);
    }
}

fn write(queue: &Queue, log: &StdoutLog, pid: u32) -> Result<(), (PathBuf, io::Error)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (path, mut file) = create(log, now, pid).map_err(|error| (log.folder.clone(), error))?;
    copy(queue, &mut file).map_err(|error| (path, error))
}

fn copy(queue: &Queue, file: &mut impl io::Write) -> io::Result<()> {
    let (mut written, mut at_line_start) = (0, true);
    while let Some(chunk) = queue.next(written) {
        match chunk {
            Chunk::Bytes(bytes) => {
                file.write_all(&bytes)?;
                at_line_start = bytes.ends_with(b"\n");
                written = bytes.len();
            }
            Chunk::Gap(bytes) => {
                let start = if at_line_start { "" } else { "\n" };
                file.write_all(format!("{start}[falconer: {bytes} bytes of output dropped]\n").as_bytes())?;
                (at_line_start, written) = (true, 0);
            }
        }
    }
    Ok(())
}

/// Creates the file beneath a handle of its folder: whoever may write into that folder can neither have it
/// overwrite a file nor lead it elsewhere by a link.
fn create(log: &StdoutLog, now: u64, pid: u32) -> io::Result<(PathBuf, File)> {
    if log.prefix.contains('/') {
        return Err(Errno::INVAL.into());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(&log.folder)?;
    let folder =
        rustix::fs::open(&log.folder, OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for other in 0..=OTHER_NAMES {
        let name = file_name(&log.prefix, now, pid, other);
        match rustix::fs::openat(&folder, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok((Path::new(&log.folder).join(name), File::from(file))),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EXIST.into())
}

/// IIS: `PREFIX_yyyyMMddHHmmss_PID.log` in UTC; ours says the app's process id, and `_N` when the name is taken.
fn file_name(prefix: &str, now: u64, pid: u32, other: u32) -> String {
    let (year, month, day) = date(now / 86_400);
    let (hour, minute, second) = (now / 3600 % 24, now / 60 % 60, now % 60);
    let name = format!("{prefix}_{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}_{pid}");
    if other == 0 { format!("{name}.log") } else { format!("{name}_{other}.log") }
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Counted from 0000-03-01, so
/// that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, date)
}

#[cfg(test)]
mod tests;
