//! Everything on disk that concerns one running app: its folder, the page that takes it offline, and every web.config
//! that its plan comes from. No decisions: `triggers.rs`, which alone calls this, says when to look. Its calls block.

use std::ffi::CStr;
use std::path::PathBuf;

use crate::process::configs::Configs;
use crate::process::ears::{Ears, Noise, Watches};
use crate::process::links::{Link, links};
use crate::process::offline::{self, Folder, Sight};

/// What is looked at.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    path: PathBuf,
    folder: Folder,
    configs: Configs,
    links: Vec<Link>,
    watches: Watches,
}

/// What is another than at the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The folder at the path.
    pub(crate) folder: bool,
    /// A web.config.
    pub(crate) config: bool,
}

impl Disk {
    /// With ears where the system gives them. Must be called inside a runtime.
    pub(crate) fn new(folder: PathBuf, config_files: &[PathBuf]) -> (Self, Option<Ears>) {
        let (watches, ears) = Watches::open();
        (Self::with(folder, config_files, watches), ears)
    }

    pub(crate) fn with(folder: PathBuf, config_files: &[PathBuf], watches: Watches) -> Self {
        Self {
            folder: Folder::new(folder.clone()),
            path: folder,
            configs: Configs::new(config_files),
            links: Vec::new(),
            watches,
        }
    }

    /// Looks at these web.configs from the next look on.
    pub(crate) fn replace_config_files(&mut self, config_files: &[PathBuf]) {
        self.configs.replace(config_files);
    }

    /// Whether something may happen to what was there at the last look without being heard.
    pub(crate) fn is_deaf(&self) -> bool {
        self.folder.is_deaf() || self.configs.is_deaf()
    }

    /// What the last look found of `app_offline.htm`.
    pub(crate) fn sight(&self) -> &Sight {
        self.folder.sight()
    }

    /// Looks. `thoroughly`: read all names although the folders seem unchanged. Every folder is listened to before it
    /// is looked at, so that nothing can come unnoticed in between.
    pub(crate) fn look(&mut self, thoroughly: bool) -> Changed {
        self.links = links(&self.path);
        for link in &self.links {
            // Where that is not possible there is the next look.
            self.watches.listen_at(&link.folder);
        }
        let folder = self.folder.look(thoroughly, &mut self.watches);
        let config = self.configs.look(thoroughly, &mut self.watches);
        self.watches.settle();
        Changed { folder, config }
    }

    /// How soon a change of this name, in any of the folders, is to be looked at.
    pub(crate) fn judge(&self, name: &CStr) -> Noise {
        if offline::is_name(name) {
            Noise::Now
        } else if self.configs.is_name(name) || self.links.iter().any(|link| *link.name == *name) {
            Noise::Soon
        } else {
            Noise::None
        }
    }
}
