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
        [stem] if is_program(&folder.join(stem), files) => return Ok((format!("./{stem}"), Vec::new())),
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
        [] => Err(format!("found neither among {} entries", names.len())),
        _ => Err(format!("found {} programs: {}", programs.len(), list(&programs))),
    }
}

/// What [`infer`] looks for, in words.
pub(crate) const LOOKED_FOR: &str = "looked for a web.config with <aspNetCore> or <httpPlatform>, one NAME.runtimeconfig.json with NAME.dll, or one \
     executable without an extension";

/// An executable in Linux's format; scripts beside an app are no apps.
fn is_program(path: &Path, files: &dyn Files) -> bool {
    paths::is_executable(path, files) && files.read(path, 4).is_ok_and(|start| start == b"\x7FELF")
}

fn list(names: &[&str]) -> String {
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown}, ...") } else { shown }
}
