//! A disk in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use config::{Files, Keeping, Kind};

#[derive(Debug, Clone)]
enum Entry {
    Folder,
    File { bytes: Vec<u8>, executable: bool },
    Link(PathBuf),
    Pipe,
}

/// Files by absolute path, with what is known of them besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryFiles {
    entries: BTreeMap<PathBuf, Entry>,
    modes: BTreeMap<PathBuf, u32>,
    owners: BTreeMap<PathBuf, u32>,
}

impl MemoryFiles {
    pub(crate) fn folder(&mut self, path: &str) {
        for parent in Path::new(path).ancestors() {
            self.entries.entry(parent.to_owned()).or_insert(Entry::Folder);
        }
    }

    pub(crate) fn file(&mut self, path: &str, bytes: &[u8], executable: bool) {
        self.put(path, Entry::File { bytes: bytes.to_owned(), executable });
    }

    pub(crate) fn change_mode(&mut self, path: &str, to: u32) {
        assert!(self.entries.contains_key(Path::new(path)), "{path} is not there");
        self.modes.insert(PathBuf::from(path), to);
    }

    pub(crate) fn change_owner(&mut self, path: &str, to: u32) {
        assert!(self.entries.contains_key(Path::new(path)), "{path} is not there");
        self.owners.insert(PathBuf::from(path), to);
    }

    pub(crate) fn put_link(&mut self, path: &str, target: &str) {
        self.put(path, Entry::Link(PathBuf::from(target)));
    }

    pub(crate) fn pipe(&mut self, path: &str) {
        self.put(path, Entry::Pipe);
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
        self.entries.insert(PathBuf::from(path), entry);
    }

    /// The path without symlinks; none when they lead in a circle.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let mut to_go: Vec<_> = path.components().map(|part| part.as_os_str().to_owned()).rev().collect();
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = to_go.pop() {
            if name == ".." {
                at.pop();
                continue;
            }
            at.push(&name);
            if let Some(Entry::Link(target)) = self.entries.get(&at) {
                links += 1;
                if links > 40 {
                    return None;
                }
                at.pop();
                to_go.extend(target.components().map(|part| part.as_os_str().to_owned()).rev());
            }
        }
        Some(at)
    }

    fn entry(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(&self.resolve(path)?)
    }
}

impl Files for MemoryFiles {
    fn kind(&self, path: &Path) -> Option<Kind> {
        assert!(path.is_absolute(), "{} is looked for and depends on where we run", path.display());
        match self.entry(path)? {
            Entry::Folder => Some(Kind::Folder),
            Entry::File { executable, .. } => Some(Kind::File { executable: *executable }),
            Entry::Link(_) | Entry::Pipe => None,
        }
    }

    fn read(&self, path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
        match self.entry(path) {
            Some(Entry::File { bytes, .. }) => Ok(bytes[..bytes.len().min(at_most)].to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        let usual = match self.entry(path)? {
            Entry::Folder | Entry::File { executable: true, .. } => 0o755,
            Entry::File { executable: false, .. } | Entry::Pipe => 0o644,
            Entry::Link(_) => return None,
        };
        Some(self.modes.get(&self.resolve(path)?).copied().unwrap_or(usual))
    }

    fn owner(&self, path: &Path) -> Option<u32> {
        self.entry(path)?;
        Some(self.owners.get(&self.resolve(path)?).copied().unwrap_or(0))
    }

    fn link(&self, path: &Path) -> Option<(PathBuf, u32)> {
        let name = path.file_name()?;
        let path = self.resolve(path.parent()?)?.join(name);
        match self.entries.get(&path)? {
            Entry::Link(target) => Some((target.clone(), self.owners.get(&path).copied().unwrap_or(0))),
            Entry::Folder | Entry::File { .. } | Entry::Pipe => None,
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
        let Some(folder) = self.resolve(folder) else { return Vec::new() };
        if self.modes.get(&folder).is_some_and(|mode| mode & 0o444 == 0) {
            return Vec::new();
        }
        let here = self.entries.keys().filter(|path| path.parent() == Some(&folder));
        // Backwards, so that nothing depends on an order that no disk promises.
        here.rev().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    fn real(&self, path: &Path) -> PathBuf {
        let resolved = self.resolve(path).filter(|path| self.entries.contains_key(path));
        resolved.unwrap_or_else(|| path.to_owned())
    }
}
