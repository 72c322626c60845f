//! A disk in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use config::{Files, Keeping, Kind};

#[derive(Debug, Clone)]
enum Entry {
    Folder,
    File { bytes: Vec<u8>, executable: bool, mode: u32 },
    Link(PathBuf),
}

/// Files by absolute path.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryFiles(BTreeMap<PathBuf, Entry>);

impl MemoryFiles {
    pub(crate) fn folder(&mut self, path: &str) {
        for parent in Path::new(path).ancestors() {
            self.0.entry(parent.to_owned()).or_insert(Entry::Folder);
        }
    }

    pub(crate) fn file(&mut self, path: &str, bytes: &[u8], executable: bool) {
        let mode = if executable { 0o755 } else { 0o644 };
        self.put(path, Entry::File { bytes: bytes.to_owned(), executable, mode });
    }

    pub(crate) fn change_mode(&mut self, path: &str, to: u32) {
        match self.0.get_mut(Path::new(path)) {
            Some(Entry::File { mode, .. }) => *mode = to,
            _ => panic!("{path} is no file"),
        }
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Entry::Link(PathBuf::from(target)));
    }

    /// An installation that has both frameworks in each of the versions.
    pub(crate) fn dotnet(&mut self, root: &str, versions: &str) {
        self.file(&format!("{root}/dotnet"), b"\x7FELF", true);
        for version in versions.split_whitespace() {
            self.folder(&format!("{root}/shared/Microsoft.NETCore.App/{version}"));
            self.folder(&format!("{root}/shared/Microsoft.AspNetCore.App/{version}"));
        }
    }

    fn put(&mut self, path: &str, entry: Entry) {
        let parent = Path::new(path).parent().expect("a file has a folder");
        self.folder(&parent.to_string_lossy());
        self.0.insert(PathBuf::from(path), entry);
    }

    fn entry(&self, path: &Path) -> Option<&Entry> {
        match self.0.get(path)? {
            Entry::Link(target) => self.0.get(target),
            entry => Some(entry),
        }
    }
}

impl Files for MemoryFiles {
    fn kind(&self, path: &Path) -> Option<Kind> {
        assert!(path.is_absolute(), "{} is looked for and depends on where we run", path.display());
        match self.entry(path)? {
            Entry::Folder => Some(Kind::Folder),
            Entry::File { executable, .. } => Some(Kind::File { executable: *executable }),
            Entry::Link(_) => None,
        }
    }

    fn read(&self, path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
        match self.entry(path) {
            Some(Entry::File { bytes, .. }) => Ok(bytes[..bytes.len().min(at_most)].to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        match self.entry(path)? {
            Entry::File { mode, .. } => Some(*mode),
            Entry::Folder | Entry::Link(_) => None,
        }
    }

    fn keeping(&self, folder: &Path) -> Keeping {
        match folder.to_str() {
            Some("/dev/shm") => Keeping::Volatile,
            Some("/proc") => Keeping::ReadOnly,
            _ => Keeping::Lasting,
        }
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let here = self.0.keys().filter(|path| path.parent() == Some(folder));
        // Backwards, so that nothing depends on an order that no disk promises.
        here.rev().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    fn real(&self, path: &Path) -> PathBuf {
        match self.0.get(path) {
            Some(Entry::Link(target)) => target.clone(),
            _ => path.to_owned(),
        }
    }
}
