//! Whether a web.config changed: the app's own, and those above it that it inherits from.
//!
//! Only looked at, never opened: what counts is that somebody wrote, touched, brought or took one (IIS: a touch is
//! enough), not what it says. Called by `disk`.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::process::ears::Watches;
use crate::process::stamp::{self, Stamp};

/// The files of one app's plan. Its calls block.
#[derive(Debug, Default)]
pub(super) struct Configs(Vec<Config>);

#[derive(Debug)]
struct Config {
    path: PathBuf,
    name: CString,
    /// The folder at the last look.
    stamp: Option<Stamp>,
    /// Everything that the name may mean; none before the first look.
    found: Option<Vec<Found>>,
    /// Its folder is listened to.
    heard: bool,
}

/// What stands there under one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    name: CString,
    stamp: Stamp,
    /// What it leads to when it is a symlink.
    target: Option<Stamp>,
}

impl Configs {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let mut configs = Self::default();
        configs.replace(paths);
        configs
    }

    /// Looks at these from now on. One that was looked at before is still compared with what was seen then.
    pub(super) fn replace(&mut self, paths: &[PathBuf]) {
        let mut old = std::mem::take(&mut self.0);
        for path in paths {
            match old.iter().position(|one| one.path == *path) {
                Some(known) => self.0.push(old.swap_remove(known)),
                None => self.0.extend(Config::new(path)),
            }
        }
    }

    /// Whether a change of one of them would be missed.
    pub(super) fn is_deaf(&self) -> bool {
        self.0.iter().any(|config| !config.heard)
    }

    /// Whether this may be one of them.
    pub(super) fn is_name(&self, name: &CStr) -> bool {
        self.0.iter().any(|config| stamp::is_same_name(name, &config.name))
    }

    /// Whether one changed since the last look. `thoroughly`: look at all names although the folders seem unchanged.
    pub(super) fn look(&mut self, thoroughly: bool, watches: &mut Watches) -> bool {
        let mut changed = false;
        for config in &mut self.0 {
            changed |= config.look(thoroughly, watches);
        }
        changed
    }
}

impl Config {
    fn new(path: &Path) -> Option<Self> {
        let name = CString::new(path.file_name()?.as_bytes()).ok()?;
        Some(Self { path: path.to_owned(), name, stamp: None, found: None, heard: false })
    }

    /// A folder that is not there or cannot be looked into says nothing of its files: they are taken to be as they
    /// were, until they are seen again.
    fn look(&mut self, thoroughly: bool, watches: &mut Watches) -> bool {
        match self.try_look(thoroughly, watches) {
            Ok(found) => {
                let before = self.found.replace(found);
                before.is_some_and(|before| self.found.as_ref() != Some(&before))
            }
            Err(_) => {
                (self.stamp, self.heard) = (None, false);
                false
            }
        }
    }

    fn try_look(&mut self, thoroughly: bool, watches: &mut Watches) -> Result<Vec<Found>, Errno> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        // Before the names are read, so that nothing can come unnoticed in between.
        self.heard = watches.listen_to(&folder);
        let stamp = Stamp::of(&rustix::fs::fstat(&folder)?);
        let known = self.found.as_ref().filter(|_| !thoroughly && self.stamp == Some(stamp));
        let names = match known {
            Some(found) => found.iter().map(|found| found.name.clone()).collect(),
            // A folder may let us pass and not list it: then there is only the usual spelling.
            None => stamp::names(&folder, |name| stamp::is_same_name(name, &self.name))
                .unwrap_or_else(|_| vec![self.name.clone()]),
        };
        self.stamp = Some(stamp);
        Ok(names.into_iter().filter_map(|name| Found::at(&folder, name)).collect())
    }
}

impl Found {
    fn at(folder: &std::os::fd::OwnedFd, name: CString) -> Option<Self> {
        let stamp = Stamp::of(&stamp::stat(folder, &name)?);
        let target = stamp.is_symlink().then(|| rustix::fs::statat(folder, &name, AtFlags::empty()).ok());
        Some(Self { name, stamp, target: target.flatten().as_ref().map(Stamp::of) })
    }
}

#[cfg(test)]
mod tests;
