//! Finds what the tests run: the built binary, the puppet, .NET and the sample apps, programs on PATH.
//!
//! The only place that reads the environment.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::outcome::{Context, Failure, Outcome};
use crate::process;
use crate::puppet::hex::Hash;

/// A variable of this process; none when it is unset or empty.
#[expect(clippy::disallowed_methods, reason = "the tests read the environment here")]
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Every variable of this process.
#[expect(clippy::disallowed_methods, reason = "the tests read the environment here")]
#[must_use]
pub fn variables() -> Vec<(String, String)> {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// An integer variable of this process, such as the number of trials of a long experiment.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    variable(name).and_then(|value| value.parse().ok())
}

/// A program on PATH.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    variable("PATH")?.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// A Chromium: `FALCONER_BROWSER`, or one of its names on PATH.
#[must_use]
pub fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    variable("FALCONER_BROWSER").map(PathBuf::from).or_else(|| names.iter().find_map(|name| on_path(name)))
}

/// The profile's folder of the target directory: this test runs from the `deps` below it.
fn profile_folder() -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    let folder =
        own.parent().and_then(Path::parent).context("a test binary lies two folders below the target's")?;
    Ok(if own.parent().is_some_and(|parent| parent.ends_with("deps")) {
        folder.to_owned()
    } else {
        own.parent().unwrap_or(folder).to_owned()
    })
}

/// The built `falconer`: `FALCONER_BIN`, or built now with the profile of this test.
///
/// # Errors
/// When it cannot be built.
pub fn falconer() -> Outcome<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND
        .get_or_init(|| match variable("FALCONER_BIN") {
            Some(path) => Ok(PathBuf::from(path)),
            None => build_falconer().map_err(|Failure(why)| why),
        })
        .clone()
        .map_err(Failure)
}

fn build_falconer() -> Outcome<PathBuf> {
    build(&["build", "--package", "falconer", "--bin", "falconer"])?;
    let binary = profile_folder()?.join("falconer");
    crate::ensure!(binary.is_file(), "{} is missing after a build", binary.display());
    Ok(binary)
}

/// Runs cargo with the profile of this test.
fn build(arguments: &[&str]) -> Outcome {
    let folder = profile_folder()?;
    let mut cargo = process::command(Path::new(env!("CARGO")));
    cargo.args(arguments).arg("--quiet").current_dir(env!("CARGO_MANIFEST_DIR"));
    match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(profile) => {
            cargo.args(["--profile", profile]);
        }
    }
    let output = cargo.output().context("cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    crate::ensure!(output.status.success(), "cargo {arguments:?} fails: {said}");
    Ok(())
}

/// The built binary of another suite of this package, built now if it is missing or older than its source.
///
/// # Errors
/// When it cannot be built.
pub fn suite(name: &str) -> Outcome<PathBuf> {
    let found = newest_suite(name)?;
    let changed = changed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name));
    match found {
        Some((built, binary)) if built >= changed => Ok(binary),
        _ => {
            build(&["test", "--package", "e2e", "--test", name, "--no-run"])?;
            newest_suite(name)?.map(|(_, binary)| binary).context(format!("no suite {name} after a build"))
        }
    }
}

/// Cargo puts a hash behind the name, one for each way of building it; the newest is what was built last.
fn newest_suite(name: &str) -> Outcome<Option<(SystemTime, PathBuf)>> {
    let mut newest = None;
    for entry in std::fs::read_dir(profile_folder()?.join("deps"))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let hash = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            newest = newest.max(Some((std::fs::metadata(&path)?.modified()?, path)));
        }
    }
    Ok(newest)
}

/// When the source of a suite was changed last: `tests/NAME.rs` and what is in `tests/NAME`.
fn changed(suite: &Path) -> SystemTime {
    let parts = std::fs::read_dir(suite).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = parts.chain([suite.with_extension("rs")]);
    let times = files.filter_map(|file| std::fs::metadata(file).ok()?.modified().ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The backend that misbehaves on order; cargo builds it with every test of this package.
///
/// # Errors
/// When the target folder cannot be found.
pub fn puppet() -> Outcome<PathBuf> {
    let binary = profile_folder()?.join("puppet");
    crate::ensure!(binary.is_file(), "{} is missing", binary.display());
    Ok(binary)
}

/// Where the publish of one of our own apps is kept, in the target folder; its name tells its source and SDK.
///
/// # Errors
/// When the source cannot be read, or there is no .NET.
pub fn built(source: &Path) -> Outcome<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(source)
        .context(source.display())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut hash = Hash::default();
    hash.update(process::text(&dotnet()?.root).as_bytes());
    for file in files.iter().filter(|file| file.is_file()) {
        hash.update(&std::fs::read(file)?);
    }
    let name = source.file_name().and_then(|name| name.to_str()).context("an app's name")?;
    Ok(profile_folder()?.join("apps").join(format!("{name}-{:016x}", hash.value())))
}

/// The .NET runtime and the sample apps.
#[derive(Debug, Clone)]
pub struct Dotnet {
    /// What `DOTNET_ROOT` should be.
    pub root: PathBuf,
    /// Publish folders by name.
    pub apps: PathBuf,
}

/// Finds .NET and the sample apps.
///
/// # Errors
/// Says where it looked.
pub fn dotnet() -> Outcome<Dotnet> {
    static FOUND: OnceLock<Result<Dotnet, String>> = OnceLock::new();
    FOUND.get_or_init(|| find_dotnet().map_err(|Failure(why)| why)).clone().map_err(Failure)
}

fn find_dotnet() -> Outcome<Dotnet> {
    let apps = match variable("FALCONER_DOTNET") {
        Some(folder) => PathBuf::from(folder),
        None => unpack_beside()?,
    };
    let own = apps.join("dotnet");
    let root = if own.join("dotnet").is_file() {
        own
    } else {
        variable("DOTNET_ROOT")
            .map(PathBuf::from)
            .or_else(|| Some(std::fs::canonicalize(on_path("dotnet")?).ok()?.parent()?.to_owned()))
            .context("no .NET: neither FALCONER_DOTNET, DOTNET_ROOT nor PATH leads to one")?
    };
    let found = Dotnet { root, apps: apps.join("apps") };
    crate::ensure!(found.root.join("dotnet").is_file(), "no dotnet in {}", found.root.display());
    crate::ensure!(found.apps.is_dir(), "no sample apps: {} is missing", found.apps.display());
    Ok(found)
}

/// Unpacks the bundle that may lie beside the project; its script prints where to.
fn unpack_beside() -> Outcome<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/dotnet/setup.sh");
    crate::ensure!(
        script.is_file(),
        "no sample apps: FALCONER_DOTNET is unset and the bundle does not lie beside the project"
    );
    let output = process::command(Path::new("/bin/sh")).arg(&script).output().context(script.display())?;
    crate::ensure!(
        output.status.success(),
        "{} failed: {}",
        script.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
