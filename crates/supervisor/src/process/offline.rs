//! Looks for `app_offline.htm` in the folder of an app.
//!
//! Who may write to the folder may put anything there under that name, so that nothing but a small regular file is
//! ever opened, beneath the folder's descriptor and without following a link. No decisions. Called by `disk`.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::process::ears::Watches;
use crate::process::stamp::{self, Identity, Stamp, stat};

/// Compared without regard to case, as IIS does.
const NAME: &CStr = c"app_offline.htm";
/// The largest page that is sent, in bytes; in place of a larger one an empty body is.
pub(crate) const PAGE_MOST: u64 = 1 << 20;

/// What is in the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Sight {
    /// No `app_offline.htm`.
    #[default]
    Absent,
    /// Something of that name, with its content: empty when it is no regular file, too large or not readable.
    Present(Arc<[u8]>),
}

/// One folder by its path, whatever folder that is at the moment. Its calls block.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The folder of the last look is listened to.
    heard: bool,
    /// Which folder was seen there last; none when there never was one.
    identity: Option<Identity>,
    /// Nothing was there at the last look.
    gone: bool,
    /// The folder as it was at the last look.
    stamp: Option<Stamp>,
    /// What was found under which name; none of both when it was not there, no stamp when it must be read again.
    name: Option<CString>,
    file: Option<Stamp>,
    sight: Sight,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, ..Self::default() }
    }

    /// Whether an arrival in the folder of the last look is not heard of.
    pub(super) fn is_deaf(&self) -> bool {
        !self.heard
    }

    /// What the last look found.
    pub(super) fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Looks, and says whether another folder stands at the path than the last one that was seen there.
    /// `thoroughly`: read all names although the folder seems unchanged. A folder that cannot be looked into is taken
    /// to be as it was; one that is not there has no file, and is no other one until it comes back.
    pub(super) fn look(&mut self, thoroughly: bool, watches: &mut Watches) -> bool {
        self.heard = false;
        match self.try_look(thoroughly, watches) {
            Ok(other) => other,
            Err(Errno::NOENT | Errno::NOTDIR) => {
                (self.stamp, self.gone) = (None, true);
                self.absent();
                false
            }
            Err(_) => {
                self.stamp = None;
                false
            }
        }
    }

    fn try_look(&mut self, thoroughly: bool, watches: &mut Watches) -> Result<bool, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&self.path, flags, Mode::empty())?;
        // Before the names are read, so that nothing can come unnoticed in between.
        self.heard = watches.listen_to(&folder);
        let stamp = Stamp::of(&rustix::fs::fstat(&folder)?);
        let other = self.recognize(Identity::of(&folder, &stamp));
        let changed = self.stamp != Some(stamp);
        let found = match self.find(&folder, thoroughly || changed) {
            Ok(found) => found,
            Err(_) => {
                // The names could not be read; what is known of the folder itself holds.
                self.stamp = None;
                return Ok(other);
            }
        };
        self.stamp = Some(stamp);
        match found {
            Some((stat, name)) => self.present(&folder, &stat, name),
            None => self.absent(),
        }
        Ok(other)
    }

    fn recognize(&mut self, identity: Identity) -> bool {
        let gone = std::mem::take(&mut self.gone);
        match self.identity.replace(identity) {
            Some(known) => known != identity || (gone && !identity.is_sure()),
            None => gone,
        }
    }

    fn find(&mut self, folder: &OwnedFd, all: bool) -> Result<Option<(Stat, CString)>, Errno> {
        let known = self.name.take().and_then(|name| Some((stat(folder, &name)?, name)));
        if known.is_some() || !(all || self.sight != Sight::Absent) {
            return Ok(known);
        }
        find(folder)
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
}

/// The usual spelling, else the first of all others.
fn find(folder: &OwnedFd) -> Result<Option<(Stat, CString)>, Errno> {
    if let Some(stat) = stat(folder, NAME) {
        return Ok(Some((stat, NAME.to_owned())));
    }
    let names = stamp::names(folder, is_name)?;
    // One that went meanwhile is as good as one that was never there.
    Ok(names.into_iter().find_map(|name| Some((stat(folder, &name)?, name))))
}

/// Whether this is a spelling of it.
pub(super) fn is_name(name: &CStr) -> bool {
    stamp::is_same_name(name, NAME)
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

#[cfg(test)]
pub(crate) mod tests;
