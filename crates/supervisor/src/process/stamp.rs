//! What tells one state of a file from another, and one folder from the next at its path. Looked at, never opened.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, StatxFlags};
use rustix::io::Errno;

/// Two that are equal are of one file that has not changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) place: (u64, u64),
    mode: u32,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    #[allow(
        clippy::useless_conversion,
        clippy::cast_possible_wrap,
        reason = "the widths of these fields differ from machine to machine"
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            place: (stat.st_dev.into(), stat.st_ino.into()),
            mode: stat.st_mode,
            size: stat.st_size,
            modified: (stat.st_mtime.into(), stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime.into(), stat.st_ctime_nsec as i64),
        }
    }

    pub(super) fn is_symlink(&self) -> bool {
        FileType::from_raw_mode(self.mode).is_symlink()
    }
}

/// Which folder it is. Its birth is part of that where the file system knows it: the number of a folder that was
/// removed is often given to the next one that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    place: (u64, u64),
    born: Option<(i64, u32)>,
}

impl Identity {
    pub(super) fn of(folder: &OwnedFd, stamp: &Stamp) -> Self {
        let asked = rustix::fs::statx(folder, c"", AtFlags::EMPTY_PATH, StatxFlags::BTIME);
        let known = asked.ok().filter(|found| found.stx_mask & StatxFlags::BTIME.bits() != 0);
        let born = known.map(|found| (found.stx_btime.tv_sec, found.stx_btime.tv_nsec));
        Self { place: stamp.place, born }
    }

    /// Whether two that are equal are certainly one folder, also when it was away in between.
    pub(super) fn is_sure(&self) -> bool {
        self.born.is_some()
    }
}

/// What stands under this name itself, a link not followed.
pub(super) fn stat(folder: impl AsFd, name: &CStr) -> Option<Stat> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()
}

/// The names in a folder that match, sorted.
///
/// # Errors
/// The folder cannot be listed.
pub(super) fn names(folder: impl AsFd, matches: impl Fn(&CStr) -> bool) -> Result<Vec<CString>, Errno> {
    // A description of its own: the position in a folder belongs to it.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = rustix::fs::openat(folder, c".", flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::new(listed)? {
        let entry = entry?;
        if matches(entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Compared without regard to case, as IIS does.
pub(super) fn is_same_name(name: &CStr, other: &CStr) -> bool {
    name.to_bytes().eq_ignore_ascii_case(other.to_bytes())
}
