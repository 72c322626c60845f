//! `falconer demo`: a publish folder whose app is our own sample, served as `falconer serve` serves every other.
//!
//! Lives here: making that folder and taking it away again. The sample app is `app`, which runs in a process of its
//! own; only it may use the room `integration`. Nothing of the server knows that it serves a demo.

pub(crate) mod app;
mod echo;
mod journal;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser as _;

use crate::cli::{BAD_CONFIGURATION, Cli, Command, print, serve};
use journal::Journal;

/// The hidden first argument that makes this binary the sample app.
pub(crate) const APP: &str = "__demo-app";

/// Long enough for a request under way; an open WebSocket of the page shall not hold up Ctrl-C any longer.
const DRAIN_TIMEOUT: &str = "--drain-timeout=2";

/// The file that takes an app offline.
const OFFLINE_FILE: &str = "app_offline.htm";
/// How long the demo leaves it there: nobody behind the server is left who could remove it.
const OFFLINE_FOR: Duration = Duration::from_secs(6);
/// How often the demo looks for it.
const LOOK: Duration = Duration::from_millis(250);

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the browser connects, as for serve [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
}

/// Serves the sample app until told to stop.
pub(crate) fn demo(arguments: Arguments) -> ExitCode {
    let folder = match Folder::publish() {
        Ok(folder) => folder,
        Err(error) => return failed(&format!("the demo's folder could not be written: {error}")),
    };
    print::note(&format!(
        "The demo's publish folder is {}: a web.config whose app is Falconer's own sample.\n\
         Open the address of the line \"Listening on\" in a browser; Ctrl-C ends the demo and removes the folder.\n",
        folder.0.display()
    ));
    if let Err(error) = bring_back(folder.0.join(OFFLINE_FILE)) {
        return failed(&format!("no thread for the demo: {error}"));
    }
    let mut line: Vec<OsString> = vec!["falconer".into(), "serve".into(), DRAIN_TIMEOUT.into()];
    line.extend(arguments.listen.iter().map(|address| format!("--listen={address}").into()));
    line.push(folder.0.clone().into());
    // By the command line that anybody could type, so that what the demo shows is what everybody gets.
    match Cli::try_parse_from(line) {
        Ok(Cli { command: Command::Serve(arguments) }) => serve::serve(arguments),
        Ok(other) => failed(&format!("{other:?} does not serve")),
        Err(error) => failed(&error.to_string()),
    }
}

/// Removes the file some seconds after the app has left it, again and again, until this process ends.
fn bring_back(file: PathBuf) -> io::Result<()> {
    let forever = move || {
        loop {
            if file.exists() {
                thread::sleep(OFFLINE_FOR);
                // One that is gone already has been removed by hand.
                let _ = fs::remove_file(&file);
            }
            thread::sleep(LOOK);
        }
    };
    thread::Builder::new().name("demo".to_owned()).spawn(forever).map(drop)
}

fn failed(message: &str) -> ExitCode {
    print::failure(message, None);
    ExitCode::from(BAD_CONFIGURATION)
}

/// The publish folder; removed on drop.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn publish() -> io::Result<Self> {
        let folder = Self::create(&std::env::temp_dir())?;
        fs::write(folder.0.join("web.config"), web_config(&program()))?;
        Journal::in_folder(&folder.0).server_starts()?;
        Ok(folder)
    }

    /// A new folder that nobody else can look into: in a place where everybody may write, a name that is taken is
    /// somebody else's and never used.
    fn create(parent: &Path) -> io::Result<Self> {
        let mut number = 0;
        loop {
            let path = parent.join(format!("falconer-demo-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's folder for temporary files, which is cleared by others.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Our own binary, by its name where web.config can say it: `%` and `\` have a meaning there, and a binary that was
/// replaced or removed meanwhile can still be run through `/proc`.
fn program() -> String {
    let named = std::env::current_exe().ok().filter(|path| path.is_file());
    named
        .and_then(|path| path.into_os_string().into_string().ok())
        .filter(|path| !path.contains(['%', '\\', '"']))
        .unwrap_or_else(|| "/proc/self/exe".to_owned())
}

/// What the .NET SDK writes, but for the program.
fn web_config(program: &str) -> String {
    let program = program.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <system.webServer>
    <handlers>
      <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
    </handlers>
    <aspNetCore processPath="{program}" arguments="{APP}" stdoutLogEnabled="false" hostingModel="outofprocess" />
  </system.webServer>
</configuration>
"#
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_folder_is_our_own_and_goes_away() {
        let one = Folder::publish().unwrap();
        let two = Folder::publish().unwrap();
        assert_ne!(one.0, two.0, "a folder that is there is never used");
        assert_eq!(fs::metadata(&one.0).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(fs::read_to_string(one.0.join("web.config")).unwrap().contains(APP));
        let path = one.0.clone();
        drop(one);
        assert!(!path.exists() && two.0.exists());
    }

    #[test]
    fn a_path_stays_one_attribute() {
        let text = web_config("/a & b/<falconer>");
        assert!(text.contains(r#"processPath="/a &amp; b/&lt;falconer>" arguments="__demo-app""#), "{text}");
    }
}
