//! Starts other programs (cargo, git) and finds the repository.
//!
//! The only file of this crate that starts processes or asks for the time, so that every check above it can
//! be tested on plain values.

use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long the output of a program may stay open and silent after its end.
const GRACE: Duration = Duration::from_secs(3);

/// A program with arguments and variables on top of our own environment.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Call {
    /// `cargo` with these arguments: the one that runs us, since rustup puts it first in PATH.
    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        Self::new("cargo", arguments)
    }

    pub(crate) fn new(program: &str, arguments: &[&str]) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn and(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Runs it with our own terminal.
    pub(crate) fn run(&self) -> Result<(), String> {
        println!("$ {self}");
        let status = self.command().status().map_err(|error| format!("cannot start `{self}`: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{self}` failed: {status}")) }
    }

    /// Runs it and shows every line of its output while `see` looks at it.
    pub(crate) fn watch(&self, see: &mut dyn FnMut(&str)) -> Result<(), String> {
        println!("$ {self}");
        let start = |error| format!("cannot start `{self}`: {error}");
        // One pipe for both, so that lines keep their order.
        let (output, input) = std::io::pipe().map_err(start)?;
        let mut command = self.command();
        command.stdout(input.try_clone().map_err(start)?).stderr(input);
        let mut child = command.spawn().map_err(start)?;
        // The writing ends live in the command; the reader would wait for ever while we hold them.
        drop(command);
        let lines = lines_of(output);
        let status = loop {
            match lines.recv_timeout(GRACE) {
                Ok(line) => {
                    println!("{line}");
                    see(&line);
                }
                Err(RecvTimeoutError::Disconnected) => break child.wait(),
                Err(RecvTimeoutError::Timeout) if !matches!(child.try_wait(), Ok(None)) => {
                    return Err(format!("`{self}` ended, but a process that it started outlived it"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        let status = status.map_err(|error| format!("cannot wait for `{self}`: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{self}` failed: {status}")) }
    }

    /// Runs it silently and gives back what it printed.
    pub(crate) fn capture(&self) -> Result<String, String> {
        let output = self
            .command()
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot start `{self}`: {error}"))?;
        if output.status.success() {
            String::from_utf8(output.stdout)
                .map_err(|_| format!("`{self}` printed something that is not UTF-8"))
        } else {
            Err(format!("`{self}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place of this tool that starts processes")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(root());
        command
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={value:?} ")?;
        }
        f.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// The lines of a pipe as they come, read on a thread: whoever holds the other end may outlive our interest.
fn lines_of(output: PipeReader) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// The repository's root: the parent of this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies one folder below the root")
}

/// The text of a file, named from the root.
pub(crate) fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(root().join(name)).map_err(|error| format!("cannot read {name}: {error}"))
}

/// Every file that is part of the repository or about to be: tracked, or new and not ignored. Without git,
/// or in an unpacked archive: all but what builds leave behind.
pub(crate) fn files() -> Result<Vec<PathBuf>, String> {
    let git = Call::new("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let Ok(listed) = git.capture() else { return walk(root()) };
    let names = listed.split('\0').filter(|name| !name.is_empty());
    // A file deleted but not yet committed is still listed.
    Ok(names.map(PathBuf::from).filter(|name| root().join(name).is_file()).collect())
}

fn walk(top: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = |error| format!("cannot list {}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() && !path.is_symlink() {
                if !path.ends_with("target") && !path.ends_with(".git") {
                    folders.push(path);
                }
            } else if let Ok(name) = path.strip_prefix(top) {
                found.push(name.to_owned());
            }
        }
    }
    Ok(found)
}

/// Now, for the times in the summary.
#[expect(clippy::disallowed_methods, reason = "the one place of this tool that reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// One of our own variables.
#[expect(clippy::disallowed_methods, reason = "the one place of this tool that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_see_the_same_files() {
        let walked = walk(root()).expect("the repository can be listed");
        let listed = files().expect("the repository can be listed");
        for name in ["Cargo.toml", "xtask/src/command.rs", ".ci/run"] {
            assert!(walked.contains(&PathBuf::from(name)) && listed.contains(&PathBuf::from(name)), "{name}");
        }
        assert!(
            !walked.iter().chain(&listed).any(|file| file.starts_with("target") || file.starts_with(".git"))
        );
    }

    #[test]
    fn what_outlives_a_program_does_not_hold_us() {
        let call = Call::new("sh", &["-c", "sleep 30 & echo $!"]);
        let mut left = String::new();
        let result = call.watch(&mut |line| left = line.to_owned());
        Call::new("kill", &[&left]).run().expect("the process that was left behind");
        assert!(result.is_err_and(|text| text.contains("outlived it")));
    }

    #[test]
    fn every_line_is_seen_in_order_and_failure_is_told() {
        let mut seen = Vec::new();
        let call = Call::new("sh", &["-c", "echo $WORD; echo two >&2; exit 3"]).with("WORD", "one");
        let result = call.watch(&mut |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two"]);
        assert!(result.is_err_and(|text| text.contains("exit status: 3")));
        assert!(call.run().is_err() && call.capture().is_err_and(|text| text.ends_with("two\n")));
    }
}
