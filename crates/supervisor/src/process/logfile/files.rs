//! The files that an app's output goes into: their names, how one is opened, when the next one follows, and which old
//! ones go. Called by `logfile` alone, on its thread.

use std::ffi::CStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use config::StdoutLog;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::process::stamp;

/// Names tried beside the first one.
const OTHER_NAMES: u32 = 1000;
/// A line that began before the end of a file goes on beyond it, but no further.
const LINE_MOST: u64 = 64 << 10;

/// The log of one app, whichever file of it is open.
#[derive(Debug)]
pub(super) struct Files<'a> {
    log: &'a StdoutLog,
    pid: u32,
    open: Open,
    /// Bytes in it.
    size: u64,
    at_line_start: bool,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    /// Where it was made, whatever stands at that path by now.
    folder: OwnedFd,
    file: File,
    /// The second and the number in its name.
    name: (u64, u32),
}

impl<'a> Files<'a> {
    /// Opens the first file.
    ///
    /// # Errors
    /// It cannot be created.
    pub(super) fn create(log: &'a StdoutLog, pid: u32) -> io::Result<Self> {
        let open = create(log, (now(), 0), pid)?;
        let files = Self { log, pid, open, size: 0, at_line_start: true };
        files.clear_up();
        Ok(files)
    }

    /// The file that is open.
    pub(super) fn path(&self) -> &Path {
        &self.open.path
    }

    fn follow(&mut self) -> io::Result<()> {
        let (second, other) = self.open.name;
        // A number that became free in this second would make the new file look older than it is.
        let from = match now() {
            now if now == second => (second, other + 1),
            now => (now, 0),
        };
        self.open = create(self.log, from, self.pid)?;
        (self.size, self.at_line_start) = (0, true);
        self.clear_up();
        Ok(())
    }

    /// How many of these bytes still go into this file: whole lines as long as they fit, and the rest of one that
    /// has begun.
    fn room(&self, bytes: &[u8]) -> usize {
        let Some(most) = self.log.max_size else { return bytes.len() };
        let fits = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let within = fits(most.saturating_sub(self.size));
        if within == bytes.len() {
            return within;
        }
        if let Some(end) = bytes[..within].iter().rposition(|&byte| byte == b'\n') {
            return end + 1;
        }
        if self.at_line_start && self.size > 0 {
            return 0;
        }
        let beyond = fits(most.saturating_add(LINE_MOST).saturating_sub(self.size));
        bytes[..beyond].iter().position(|&byte| byte == b'\n').map_or(beyond, |end| end + 1)
    }

    /// Removes the oldest files beyond `max_files`. What cannot be removed stays: the app's output matters more.
    fn clear_up(&self) {
        let Some(most) = self.log.max_files else { return };
        let folder = &self.open.folder;
        let is_ours = |name: &CStr| age(&self.log.prefix, name).is_some();
        let Ok(mut names) = stamp::names(folder, is_ours) else { return };
        names.sort_by_key(|name| age(&self.log.prefix, name));
        let surplus = names.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        let oldest = names.into_iter().filter(|name| is_unused(folder, name)).take(surplus);
        for name in oldest {
            let _ = rustix::fs::unlinkat(folder, &name, AtFlags::empty());
        }
    }
}

impl io::Write for Files<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room(bytes);
        if room == 0 && !bytes.is_empty() {
            room = match self.follow() {
                Ok(()) => self.room(bytes),
                // So many in one second: this one grows meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bytes.len(),
                Err(error) => return Err(error),
            };
        }
        let written = self.open.file.write(&bytes[..room])?;
        self.size += written as u64;
        if let Some(last) = bytes[..written].last() {
            self.at_line_start = *last == b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Marks a new file as being in use, for as long as it is open, and says whether it is still there. Where the file
/// system has no locks nobody is told, and [`is_unused`] believes none.
fn claim(file: impl AsFd) -> Result<bool, Errno> {
    let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared);
    Ok(rustix::fs::fstat(&file)?.st_nlink > 0)
}

/// Whether this is a regular file that no server writes.
fn is_unused(folder: &OwnedFd, name: &CStr) -> bool {
    // Opening a FIFO or a device does something; looking at it does not.
    if !stamp::stat(folder, name).is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file()) {
        return false;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(folder, name, flags, Mode::empty()) else { return false };
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Creates the file beneath a handle of its folder: whoever may write into that folder can neither have it
/// overwrite a file nor lead it elsewhere by a link.
fn create(log: &StdoutLog, (now, from): (u64, u32), pid: u32) -> io::Result<Open> {
    if log.prefix.contains('/') {
        return Err(Errno::INVAL.into());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(&log.folder)?;
    let folder =
        rustix::fs::open(&log.folder, OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for other in from..=OTHER_NAMES {
        let name = file_name(&log.prefix, now, pid, other);
        match rustix::fs::openat(&folder, &name, flags, Mode::RUSR | Mode::WUSR) {
            // Somebody who clears up may have taken it for one that is not in use.
            Ok(file) if !claim(&file)? => {}
            Ok(file) => {
                let (path, name) = (log.folder.join(name), (now, other));
                return Ok(Open { path, folder, file: File::from(file), name });
            }
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

/// How old a file of this prefix is, by its name alone: time, then number, then process, ascending. None when the name
/// is not exactly one that [`file_name`] makes.
fn age(prefix: &str, name: &CStr) -> Option<(u64, u32, u32)> {
    let rest = name.to_str().ok()?.strip_prefix(prefix)?.strip_prefix('_')?.strip_suffix(".log")?;
    let mut parts = rest.split('_');
    let time = parts.next().filter(|time| time.len() == 14)?;
    let (pid, other) = (parts.next()?, parts.next());
    let number = |text: &str| -> Option<u32> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits && (text == "0" || !text.starts_with('0')))
    };
    let digits = time.bytes().all(|byte| byte.is_ascii_digit());
    let other = other.map_or(Some(0), |other| number(other).filter(|&other| other > 0))?;
    let time = time.parse().ok().filter(|_| digits && parts.next().is_none())?;
    Some((time, other, number(pid)?))
}

#[cfg(test)]
mod tests;
