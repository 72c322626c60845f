//! The disk, as config sees it. Reads only; nothing is decided here. Called by the verbs that load a folder.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use config::{Files, Keeping, Kind};
use rustix::fs::OFlags;

/// tmpfs and ramfs, as statfs(2) numbers them.
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// The disk of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskFiles;

impl Files for DiskFiles {
    fn kind(&self, path: &Path) -> Option<Kind> {
        let metadata = fs::metadata(path).ok()?;
        if metadata.is_dir() {
            return Some(Kind::Folder);
        }
        // Any of the three bits: the app may run as another user than this one.
        metadata.is_file().then(|| Kind::File { executable: metadata.permissions().mode() & 0o111 != 0 })
    }

    fn read(&self, path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
        let refuse = || Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        // Opening a device does something; looking at it does not.
        if !fs::metadata(path)?.is_file() {
            return refuse();
        }
        // And a pipe that took the file's place just now would wait for somebody to write into it.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        if !file.metadata()?.is_file() {
            return refuse();
        }
        let mut bytes = Vec::new();
        file.take(at_most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        Some(fs::metadata(path).ok()?.permissions().mode() & 0o7777)
    }

    fn owner(&self, path: &Path) -> Option<u32> {
        Some(fs::metadata(path).ok()?.uid())
    }

    fn link(&self, path: &Path) -> Option<(PathBuf, u32)> {
        let target = fs::read_link(path).ok()?;
        Some((target, fs::symlink_metadata(path).ok()?.uid()))
    }

    fn keeping(&self, folder: &Path) -> Keeping {
        // A folder that is not there yet is made below the nearest one that is.
        let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
        let kind = rustix::fs::statfs(there).map(|found| found.f_type);
        if rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_err() {
            Keeping::ReadOnly
        } else if kind.is_ok_and(|kind| IN_MEMORY.iter().any(|known| i128::from(kind) == i128::from(*known)))
        {
            Keeping::Volatile
        } else {
            Keeping::Lasting
        }
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        // A name that is not UTF-8 cannot be written in any file that config reads.
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    fn real(&self, path: &Path) -> PathBuf {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_answers_as_config_asks() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(DiskFiles.kind(here), Some(Kind::Folder));
        assert_eq!(DiskFiles.kind(&here.join("Cargo.toml")), Some(Kind::File { executable: false }));
        assert_eq!(DiskFiles.kind(Path::new("/bin/sh")), Some(Kind::File { executable: true }));
        assert_eq!(DiskFiles.kind(&here.join("nothing")), None);
        assert_eq!(DiskFiles.kind(Path::new("/dev/null")), None);
        assert_eq!(DiskFiles.mode(Path::new("/tmp")), Some(0o1777));
        assert_eq!(DiskFiles.mode(&here.join("nothing")), None);
        let own = fs::metadata(here).expect("the folder is there").uid();
        assert_eq!((DiskFiles.owner(here), DiskFiles.owner(Path::new("/proc"))), (Some(own), Some(0)));
        assert_eq!(DiskFiles.owner(&here.join("nothing")), None);
        let (target, owner) = DiskFiles.link(Path::new("/proc/mounts")).expect("it is a link");
        assert_eq!((target.as_path(), owner), (Path::new("self/mounts"), 0));
        assert_eq!(DiskFiles.link(here), None);
        assert_eq!(DiskFiles.keeping(here), Keeping::Lasting);
        assert_eq!(DiskFiles.keeping(Path::new("/dev/shm/not/yet")), Keeping::Volatile);
        assert!(DiskFiles.list(here).contains(&"src".to_owned()));
        assert!(DiskFiles.list(&here.join("nothing")).is_empty());
        assert_eq!(DiskFiles.read(&here.join("Cargo.toml"), 9).expect("the file is there"), b"[package]");
        assert!(DiskFiles.read(here, 9).is_err() && DiskFiles.read(Path::new("/dev/zero"), 9).is_err());
        assert_eq!(
            DiskFiles.real(&here.join("src/..")),
            fs::canonicalize(here).expect("the folder is there")
        );
    }
}
