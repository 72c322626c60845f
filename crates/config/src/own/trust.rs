//! Who could change a file that a server obeys: everybody who may write it, or a folder or symlink on the way.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::input::{Files, Kind};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;
const STICKY: u32 = 0o1000;

/// The first thing on the way to a file that somebody else than root can change, and why.
pub(super) fn weak_spot(file: &Path, files: &dyn Files) -> Option<(PathBuf, String)> {
    on_the_way(file, files, |at, link| {
        let why = match link {
            Some(owner) => (owner != 0).then(|| belongs_to(owner)),
            None => weakness(at, files),
        };
        Some((at.to_owned(), why?))
    })
}

/// Whether a file, or a symlink on the way to it, stands in a folder or below; the folder is named without symlinks.
pub(super) fn leads_through(file: &Path, folder: &Path, files: &dyn Files) -> bool {
    on_the_way(file, files, |at, _| at.starts_with(folder).then_some(())).is_some()
}

/// What is found first at a folder, a symlink or the file itself; of a symlink with its owner. None too for what leads in a
/// circle, which nobody can read.
fn on_the_way<T>(
    file: &Path,
    files: &dyn Files,
    find: impl Fn(&Path, Option<u32>) -> Option<T>,
) -> Option<T> {
    let mut to_go = backwards(file);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    loop {
        if let Some(found) = find(&at, None) {
            return Some(found);
        }
        let name = to_go.pop()?;
        if name == ".." {
            at.pop();
            continue;
        }
        let step = at.join(&name);
        let Some((target, owner)) = files.link(&step) else {
            at = step;
            continue;
        };
        if let Some(found) = find(&step, Some(owner)) {
            return Some(found);
        }
        if links == MOST_LINKS {
            return None;
        }
        links += 1;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        to_go.extend(backwards(&target));
    }
}

/// The names of a path, the last one first.
fn backwards(path: &Path) -> Vec<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut names: Vec<OsString> = names.collect();
    names.reverse();
    names
}

/// In a sticky folder, such as `/tmp`, nobody moves what is another user's.
fn weakness(path: &Path, files: &dyn Files) -> Option<String> {
    let owner = files.owner(path)?;
    if owner != 0 {
        return Some(belongs_to(owner));
    }
    let mode = files.mode(path)?;
    let sticky = mode & STICKY != 0 && files.kind(path) == Some(Kind::Folder);
    (mode & 0o022 != 0 && !sticky).then(|| format!("may be written by others: its mode is {mode:04o}"))
}

fn belongs_to(owner: u32) -> String {
    format!("belongs to the user {owner}")
}
