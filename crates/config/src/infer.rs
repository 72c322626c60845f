//! What to run when no file says it. Publishing for a Linux runtime identifier writes no web.config.

use std::path::Path;

use crate::input::Files;
use crate::paths;

/// The program as web.config would name it: `processPath` and the words of `arguments`.
pub(crate) type Inferred = (String, Vec<String>);

const SUFFIX: &str = ".runtimeconfig.json";

/// The one app of a folder, or what was found instead of one.
pub(crate) fn infer(folder: &Path, files: &dyn Files) -> Result<Inferred, String> {
    let mut names = files.list(folder);
    names.sort();
    let stems = names.iter().filter_map(|name| name.strip_suffix(SUFFIX)).filter(|stem| !stem.is_empty());
    let apps: Vec<&str> =
        stems.filter(|stem| paths::is_file(&folder.join(format!("{stem}.dll")), files)).collect();
    match apps[..] {
        // Also one that lost its executable bit: whoever runs it says so.
        [stem] if is_elf(&folder.join(stem), files) => return Ok((format!("./{stem}"), Vec::new())),
        [stem] => return Ok(("dotnet".to_owned(), vec![format!("./{stem}.dll")])),
        [] => {}
        _ => return Err(format!("found {} apps: {}", apps.len(), list(&apps))),
    }
    let programs: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !name.contains('.') && is_program(&folder.join(name), files))
        .collect();
    match programs[..] {
        [name] => Ok((format!("./{name}"), Vec::new())),
        [] if names.is_empty() => Err("found nothing: the folder is empty or cannot be read".to_owned()),
        [] => match one_without_bit(&names, folder, files) {
            Some(name) => Ok((format!("./{name}"), Vec::new())),
            None => Err(format!("found neither among {} entries", names.len())),
        },
        _ => Err(format!("found {} programs: {}", programs.len(), list(&programs))),
    }
}

/// What [`infer`] looks for, in words.
pub(crate) const LOOKED_FOR: &str = "looked for a web.config with <aspNetCore> or <httpPlatform>, one NAME.runtimeconfig.json with NAME.dll, or one \
     executable without an extension";

/// The only program of the folder, which may not be executed: that is said of it, rather than that there is none.
fn one_without_bit<'a>(names: &'a [String], folder: &Path, files: &dyn Files) -> Option<&'a str> {
    let mut programs = names.iter().filter(|name| !name.contains('.') && is_elf(&folder.join(name), files));
    programs.next().filter(|_| programs.next().is_none()).map(String::as_str)
}

/// An executable in Linux's format; scripts beside an app are no apps.
fn is_program(path: &Path, files: &dyn Files) -> bool {
    paths::is_executable(path, files) && is_elf(path, files)
}

fn is_elf(path: &Path, files: &dyn Files) -> bool {
    paths::is_file(path, files) && files.read(path, 4).is_ok_and(|start| start == b"\x7FELF")
}

fn list(names: &[&str]) -> String {
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown}, ...") } else { shown }
}
