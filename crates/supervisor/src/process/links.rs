//! Through which names a folder is reached: its own, and every symlink on the way. Called by `disk`.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows.
const LINKS_MOST: u32 = 40;

/// A name in a folder whose change leads the path elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) folder: PathBuf,
    pub(super) name: CString,
}

/// Every symlink among the parts of an absolute path, then the folder's own name. What cannot be read is left
/// out: this says where to listen, the path itself is looked at anyway.
pub(super) fn links(path: &Path) -> Vec<Link> {
    let mut found = Vec::new();
    let mut at = PathBuf::from("/");
    let mut left: Vec<OsString> = parts(path);
    let mut followed = 0;
    while let Some(part) = left.pop() {
        match part.as_bytes() {
            b"." => {}
            b".." => drop(at.pop()),
            _ => {
                let whole = at.join(&part);
                let Ok(target) = std::fs::read_link(&whole) else {
                    at = whole;
                    continue;
                };
                followed += 1;
                if followed > LINKS_MOST {
                    return found;
                }
                found.extend(link(&at, &part));
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                left.extend(parts(&target));
            }
        }
    }
    if let (Some(parent), Some(name)) = (at.parent(), at.file_name()) {
        found.extend(link(parent, name));
    }
    found
}

fn link(folder: &Path, name: &OsStr) -> Option<Link> {
    Some(Link { folder: folder.to_owned(), name: CString::new(name.as_bytes()).ok()? })
}

/// The last part first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut parts: Vec<_> = named.collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::process::offline::tests::Temporary;

    fn seen(temporary: &Temporary, path: &str) -> Vec<String> {
        let real = std::fs::canonicalize(temporary.path()).expect("it is there");
        let all = links(&real.join(path)).into_iter();
        let within = all.filter_map(|link| {
            let folder = link.folder.strip_prefix(&real).ok()?.display().to_string();
            Some(format!("{folder}:{}", link.name.to_str().expect("ASCII")))
        });
        within.collect()
    }

    #[test]
    fn every_link_and_the_folder_itself_are_named() {
        let temporary = Temporary::new();
        std::fs::create_dir_all(temporary.at("releases/42/app")).expect("folders");
        symlink("releases/42", temporary.at("current")).expect("a link");
        symlink(temporary.at("current"), temporary.at("live")).expect("a link");
        symlink("../releases/../current", temporary.at("releases/back")).expect("a link");
        assert_eq!(seen(&temporary, "releases/42/app"), ["releases/42:app"]);
        assert_eq!(seen(&temporary, "current/app"), [":current", "releases/42:app"]);
        assert_eq!(seen(&temporary, "live/app"), [":live", ":current", "releases/42:app"]);
        assert_eq!(seen(&temporary, "releases/back"), ["releases:back", ":current", "releases:42"]);
    }

    #[test]
    fn a_circle_ends_and_what_is_missing_is_no_link() {
        let temporary = Temporary::new();
        symlink("round", temporary.at("round")).expect("a link");
        assert_eq!(seen(&temporary, "round/app").len(), usize::try_from(LINKS_MOST).expect("small"));
        assert_eq!(seen(&temporary, "not/there"), ["not:there"]);
        assert_eq!(links(Path::new("/")), []);
    }
}
