//! falconer.toml: no input panics, and there is a plan exactly when nothing is an error.

#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use config::{Files, Input, Keeping, Kind, Severity};
use libfuzzer_sys::fuzz_target;

const SETTINGS: &str = "/etc/falconer.toml";

/// A folder with an app, and one file of settings.
struct OneFile<'a>(&'a [u8]);

impl Files for OneFile<'_> {
    fn kind(&self, path: &Path) -> Option<Kind> {
        match path.to_str()? {
            "/" | "/etc" | "/srv" | "/srv/app" => Some(Kind::Folder),
            "/srv/app/web" => Some(Kind::File { executable: true }),
            SETTINGS => Some(Kind::File { executable: false }),
            _ => None,
        }
    }

    fn read(&self, path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
        let bytes = if path == Path::new(SETTINGS) { self.0 } else { b"\x7FELF" };
        Ok(bytes[..bytes.len().min(at_most)].to_owned())
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
        if folder == Path::new("/srv/app") { vec!["web".to_owned()] } else { Vec::new() }
    }

    fn real(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

fuzz_target!(|data: &[u8]| {
    let environment = vec![("HOME".into(), "/home/ann".into()), ("PATH".into(), "/usr/bin".into())];
    let input = Input {
        folder: "/srv/app".into(),
        config: Some(SETTINGS.into()),
        is_root: true,
        descriptors: 1024,
        environment,
        ..Input::default()
    };
    let loaded = config::load(&input, &OneFile(data));
    let error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(loaded.plan.is_none(), error);
});
