//! Who could change a file that a server of root obeys: everybody who may write it, or a folder or symlink on the way.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::input::{Files, Kind};

/// As many as Linux follows.
const MOST_LINKS: usize = 40;
const STICKY: u32 = 0o1000;

/// The first thing on the way to a file that somebody else than root can change, and why.
pub(super) fn weak_spot(file: &Path, files: &dyn Files) -> Option<(PathBuf, String)> {
    let mut to_go = backwards(file);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    loop {
        if let Some(why) = weakness(&at, files) {
            return Some((at, why));
        }
        let name = to_go.pop()?;
        if name == ".." {
            at.pop();
            continue;
        }
        let step = at.join(&name);
        match files.link(&step) {
            None => at = step,
            Some((_, owner)) if owner != 0 => return Some((step, belongs_to(owner))),
            Some(_) if links == MOST_LINKS => return Some((step, "leads in a circle".to_owned())),
            Some((target, _)) => {
                links += 1;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                to_go.extend(backwards(&target));
            }
        }
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
