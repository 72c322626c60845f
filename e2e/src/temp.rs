//! Folders that go away with the test.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::outcome::{Context, Outcome};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of its own for one test; removed on drop.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new() -> Outcome<Self> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("falconer-e2e-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Of a process with our number that was killed: what is in there is not ours.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(path.display()),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes one file into it, with the folders that it needs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Outcome<PathBuf> {
        let path = self.0.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text).context(path.display())?;
        Ok(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for temporary files, which is cleared by others.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder with everything in it; modes stay.
///
/// # Errors
/// When the disk refuses.
pub fn copy_tree(from: &Path, to: &Path) -> Outcome {
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        std::fs::create_dir_all(&to).context(to.display())?;
        for entry in std::fs::read_dir(&from).context(from.display())? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push((entry.path(), target));
            } else {
                std::fs::copy(entry.path(), &target).context(target.display())?;
            }
        }
    }
    Ok(())
}
