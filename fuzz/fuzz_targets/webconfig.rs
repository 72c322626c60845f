//! web.config: no input panics, and there is a plan exactly when nothing is an error.

#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use config::{Files, Input, Keeping, Kind, Severity};
use libfuzzer_sys::fuzz_target;

/// A folder with an app and one web.config.
struct OneFolder<'a>(&'a [u8]);

impl Files for OneFolder<'_> {
    fn kind(&self, path: &Path) -> Option<Kind> {
        match path.to_str()? {
            "/srv" | "/srv/app" => Some(Kind::Folder),
            "/srv/app/web" => Some(Kind::File { executable: true }),
            "/srv/app/web.dll" | "/srv/web.config" | "/srv/app/web.config" => Some(Kind::File { executable: false }),
            _ => None,
        }
    }

    fn read(&self, path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
        // What is no web.config gets the same bytes: the runtimeconfig's reader is worth a visit too.
        let _ = path;
        Ok(self.0[..self.0.len().min(at_most)].to_owned())
    }

    fn mode(&self, _: &Path) -> Option<u32> {
        Some(0o600)
    }

    fn owner(&self, _: &Path) -> Option<u32> {
        Some(0)
    }

    fn link(&self, _: &Path) -> Option<(PathBuf, u32)> {
        None
    }

    fn keeping(&self, _: &Path) -> Keeping {
        Keeping::Lasting
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let names: &[&str] = match folder.to_str() {
            Some("/srv/app") => &["web.config", "web.dll", "web"],
            Some("/srv") => &["web.config"],
            _ => &[],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn real(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

fuzz_target!(|data: &[u8]| {
    let environment = vec![("HOME".into(), "/home/ann".into()), ("PATH".into(), "/usr/bin".into())];
    let input = Input { folder: "/srv/app".into(), descriptors: 1024, environment, ..Input::default() };
    let below = Input { site_root: Some("/srv".into()), ..input.clone() };
    // For itself, and inherited from the folder above as well.
    for input in [input, below] {
        let loaded = config::load(&input, &OneFolder(data));
        let error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        assert_eq!(loaded.plan.is_none(), error);
    }
});
