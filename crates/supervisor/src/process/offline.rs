//! Looks for `app_offline.htm` in the folder of an app, and hears when something arrives there.
//!
//! Who may write to the folder may put anything there under that name, so that nothing but a small regular file is
//! ever opened, beneath the folder's descriptor and without following a link. No decisions: `triggers.rs`, which
//! alone calls this, says when to look.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use crate::process::raw;

/// Compared without regard to case, as IIS does.
const NAME: &CStr = c"app_offline.htm";
/// The largest page that is sent, in bytes; in place of a larger one an empty body is.
pub(crate) const PAGE_MOST: u64 = 1 << 20;
/// Reads of the event queue before other tasks get their turn.
const READS: u32 = 16;

/// What is in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    /// No `app_offline.htm`.
    Absent,
    /// Something of that name, with its content: empty when it is no regular file, too large or not readable.
    Present(Arc<[u8]>),
}

/// One folder by its path, whatever folder that is at the moment. Its calls block.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    ears: Option<OwnedFd>,
    /// The watch of the folder that was there at the last look.
    watch: Option<i32>,
    /// That folder, as it was then.
    stamp: Option<Stamp>,
    /// What was found under which name; none of both when it was not there, no stamp when it must be read again.
    name: Option<CString>,
    file: Option<Stamp>,
    sight: Sight,
}

/// Two that are equal are of one file that has not changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
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
    fn of(stat: &Stat) -> Self {
        Self {
            place: (stat.st_dev.into(), stat.st_ino.into()),
            mode: stat.st_mode,
            size: stat.st_size,
            modified: (stat.st_mtime.into(), stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime.into(), stat.st_ctime_nsec as i64),
        }
    }
}

impl Folder {
    /// With ears where the system gives them. Must be called inside a runtime.
    pub(crate) fn new(path: PathBuf) -> (Self, Option<Ears>) {
        let (ears, own) = match Ears::open() {
            Ok((ears, own)) => (Some(ears), Some(own)),
            // Out of inotify instances, or none in this sandbox: who is deaf looks often.
            Err(_) => (None, None),
        };
        let folder =
            Self { path, ears: own, watch: None, stamp: None, name: None, file: None, sight: Sight::Absent };
        (folder, ears)
    }

    /// Whether an arrival in the folder of the last look is not heard of.
    pub(crate) fn is_deaf(&self) -> bool {
        self.watch.is_none()
    }

    /// What the last look found.
    pub(crate) fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Looks. `thoroughly`: read all names although the folder seems unchanged. A folder that cannot be looked into
    /// is taken to be as it was; one that is not there has no file.
    pub(crate) fn look(&mut self, thoroughly: bool) {
        match self.try_look(thoroughly) {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::NOTDIR) => {
                (self.watch, self.stamp) = (None, None);
                self.absent();
            }
            Err(_) => self.stamp = None,
        }
    }

    fn try_look(&mut self, thoroughly: bool) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&self.path, flags, Mode::empty())?;
        // Before the names are read, so that nothing can come unnoticed in between.
        self.listen_to(&folder);
        let stamp = Stamp::of(&rustix::fs::fstat(&folder)?);
        let changed = self.stamp != Some(stamp);
        let mut found = self.name.take().and_then(|name| Some((stat(&folder, &name)?, name)));
        if found.is_none() && (thoroughly || changed || self.sight != Sight::Absent) {
            found = find(&folder)?;
        }
        self.stamp = Some(stamp);
        match found {
            Some((stat, name)) => self.present(&folder, &stat, name),
            None => self.absent(),
        }
        Ok(())
    }

    fn absent(&mut self) {
        (self.name, self.file, self.sight) = (None, None, Sight::Absent);
    }

    fn present(&mut self, folder: &OwnedFd, stat: &Stat, name: CString) {
        let stamp = Stamp::of(stat);
        if self.file != Some(stamp) {
            self.file = Some(stamp);
            let page = content(folder, stat, &name).unwrap_or_else(|_| {
                // It may be readable later, without a change that would show.
                self.file = None;
                match &self.sight {
                    Sight::Present(page) => Arc::clone(page),
                    Sight::Absent => Arc::default(),
                }
            });
            self.sight = Sight::Present(page);
        }
        self.name = Some(name);
    }

    /// Hears of arrivals in this very folder, even if another one stands at the path by now.
    fn listen_to(&mut self, folder: &OwnedFd) {
        let Some(ears) = &self.ears else { return };
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
        // The same folder keeps its number.
        let watch = inotify::add_watch(ears, path, flags).ok();
        if let Some(old) = self.watch.filter(|_| self.watch != watch) {
            // One whose folder is gone is gone by itself.
            let _ = inotify::remove_watch(ears, old);
        }
        self.watch = watch;
    }
}

fn stat(folder: &OwnedFd, name: &CStr) -> Option<Stat> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()
}

/// The usual spelling, else the first of all others.
fn find(folder: &OwnedFd) -> Result<Option<(Stat, CString)>, Errno> {
    if let Some(stat) = stat(folder, NAME) {
        return Ok(Some((stat, NAME.to_owned())));
    }
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if is_name(entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    // One that went meanwhile is as good as one that was never there.
    Ok(names.into_iter().find_map(|name| Some((stat(folder, &name)?, name))))
}

fn is_name(name: &CStr) -> bool {
    name.to_bytes().eq_ignore_ascii_case(NAME.to_bytes())
}

/// # Errors
/// It could not be read now, but may be later.
fn content(folder: &OwnedFd, stat: &Stat, name: &CStr) -> io::Result<Arc<[u8]>> {
    // Opening a FIFO or a device does something; looking at it does not.
    if !is_page(stat) {
        return Ok(Arc::default());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::ACCESS | Errno::PERM | Errno::LOOP) => return Ok(Arc::default()),
        Err(error) => return Err(error.into()),
    };
    // Another file may have taken its place, or it may have grown.
    if !is_page(&rustix::fs::fstat(&file)?) {
        return Ok(Arc::default());
    }
    let mut page = Vec::new();
    File::from(file).take(PAGE_MOST + 1).read_to_end(&mut page)?;
    Ok(if page.len() as u64 > PAGE_MOST { Arc::default() } else { page.into() })
}

fn is_page(stat: &Stat) -> bool {
    let size = u64::try_from(stat.st_size);
    FileType::from_raw_mode(stat.st_mode).is_file() && size.is_ok_and(|size| size <= PAGE_MOST)
}

/// Hears of arrivals.
#[derive(Debug)]
pub(crate) struct Ears(AsyncFd<OwnedFd>);

impl Ears {
    fn open() -> io::Result<(Self, OwnedFd)> {
        let ears = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let own = ears.try_clone()?;
        Ok((Self(raw::register(ears)?), own))
    }

    /// Resolves when a file of the name may have come, or the folder went, or more happened than was noted.
    pub(crate) async fn heard(&self) {
        loop {
            let Ok(mut ready) = self.0.readable().await else {
                return std::future::pending().await;
            };
            match hear(ready.get_inner()) {
                Heard::Something => return,
                Heard::Nothing => ready.clear_ready(),
                Heard::NotAll => {}
            }
        }
    }

    /// Forgets what happened so far: for one who looks anyway.
    pub(crate) fn forget(&self) {
        while let Heard::Something = hear(self.0.get_ref()) {}
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Something,
    Nothing,
    NotAll,
}

fn hear(ears: impl AsFd) -> Heard {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(ears, &mut buffer);
    let mut something = false;
    let mut reads = 0;
    while reads < READS {
        match events.next() {
            Ok(event) => {
                let about_a_name = event.events().intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
                something |= !about_a_name || event.file_name().is_some_and(is_name);
            }
            Err(Errno::INTR) => {}
            Err(_) if something => return Heard::Something,
            Err(_) => return Heard::Nothing,
        }
        reads += u32::from(events.is_buffer_empty());
    }
    if something { Heard::Something } else { Heard::NotAll }
}

#[cfg(test)]
pub(crate) mod tests;
