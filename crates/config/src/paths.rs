//! Windows paths to Linux paths, and look-ups that forgive the case of a name: on the machine where the file
//! was written, `\` and `/` are the same and `Web.dll` is `web.dll`.

use std::path::{Component, Path, PathBuf};

use crate::input::{Files, Kind};

/// The path with slashes, without the `\\?\` that switches off length limits, and without the empty start
/// that is left of `.\`.
pub(crate) fn to_linux(path: &str) -> String {
    path.strip_prefix(r"\\?\").unwrap_or(path).replace('\\', "/")
}

/// Whether the text starts with a drive, such as `C:\`.
pub(crate) fn has_drive(path: &str) -> bool {
    let mut bytes = path.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic()) && bytes.next() == Some(b':')
}

/// `base` joined with a path, with `.` and `..` worked out on the text, as Windows does.
pub(crate) fn join(base: &Path, path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(component),
        }
    }
    out
}

/// Where `path` stands below `folder`: as written, or, when nothing stands there, the one entry of each folder
/// on the way that differs in case only.
pub(crate) fn find(folder: &Path, path: &str, files: &dyn Files) -> Option<PathBuf> {
    let exact = join(folder, path);
    if files.kind(&exact).is_some() {
        return Some(exact);
    }
    let below = exact.strip_prefix(folder).ok()?;
    let mut found = folder.to_owned();
    for component in below.components() {
        let name = component.as_os_str().to_str()?;
        let next = found.join(name);
        if files.kind(&next).is_some() {
            found = next;
            continue;
        }
        let mut names = files.list(&found).into_iter().filter(|entry| entry.eq_ignore_ascii_case(name));
        let entry = names.next()?;
        if names.next().is_some() {
            return None;
        }
        found.push(entry);
    }
    files.kind(&found).map(|_| found)
}

/// Whether a file that we may execute stands there.
pub(crate) fn is_executable(path: &Path, files: &dyn Files) -> bool {
    files.kind(path) == Some(Kind::File { executable: true })
}

/// Whether a file stands there.
pub(crate) fn is_file(path: &Path, files: &dyn Files) -> bool {
    matches!(files.kind(path), Some(Kind::File { .. }))
}

/// The text without an ending, which ignores case.
pub(crate) fn without_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let end = text.get(at..)?;
    end.eq_ignore_ascii_case(suffix).then(|| &text[..at])
}
