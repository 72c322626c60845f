//! Starts other programs (cargo, git) and finds the repository.
//!
//! The only file of this crate that starts processes or asks for the time, so that every check above it can
//! be tested on plain values.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

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
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|error| format!("cannot read from `{self}`: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            see(&line);
        }
        let status = child.wait().map_err(|error| format!("cannot wait for `{self}`: {error}"))?;
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

/// The repository's root: the parent of this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies one folder below the root")
}

/// The text of a file, named from the root.
pub(crate) fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(root().join(name)).map_err(|error| format!("cannot read {name}: {error}"))
}

/// Every file that is part of the repository or about to be: tracked, or new and not ignored.
pub(crate) fn files() -> Result<Vec<PathBuf>, String> {
    let listed =
        Call::new("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).capture()?;
    let names = listed.split('\0').filter(|name| !name.is_empty());
    // A file deleted but not yet committed is still listed.
    Ok(names.map(PathBuf::from).filter(|name| root().join(name).is_file()).collect())
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
