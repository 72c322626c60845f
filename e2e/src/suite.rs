//! One test binary: its trials, what they need, and how they are run.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::find;
use crate::folder::Puppet;
use crate::outcome::{Failure, Outcome};
use crate::record::Record;
use crate::server::{Server, serve};

/// A text that no other trial of this machine has.
#[must_use]
pub fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A trial against a running server, and what its backend saw.
pub type Check = fn(&mut Server, &Record) -> Outcome;

/// What a trial needs that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The .NET runtime and the sample apps.
    Dotnet,
    /// The .NET SDK beside that runtime.
    Sdk,
    /// Node 18 or newer.
    Node,
    /// Python 3.
    Python,
    /// Chromium.
    Browser,
    /// To be root.
    Root,
    /// To be asked for by name: it takes long, or needs a machine of its own.
    ByName,
}

impl Need {
    /// Why it cannot be had here.
    fn missing(self) -> Option<String> {
        static DOTNET: OnceLock<Option<String>> = OnceLock::new();
        let program =
            |name: &str| find::on_path(name).is_none().then(|| format!("there is no {name} on PATH"));
        match self {
            Self::Dotnet => DOTNET.get_or_init(|| find::dotnet().err().map(|Failure(why)| why)).clone(),
            Self::Sdk => match find::dotnet() {
                Ok(dotnet) if dotnet.root.join("sdk").is_dir() => None,
                Ok(dotnet) => Some(format!("there is no SDK in {}", dotnet.root.display())),
                Err(Failure(why)) => Some(why),
            },
            Self::Node => program("node"),
            Self::Python => program("python3"),
            Self::Browser => find::browser().is_none().then(|| "there is no Chromium on PATH".to_owned()),
            Self::Root => (!rustix::process::getuid().is_root()).then(|| "this user is not root".to_owned()),
            Self::ByName => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Dotnet | Self::Sdk => "dotnet",
            Self::Node => "node",
            Self::Python => "python",
            Self::Browser => "browser",
            Self::Root => "root",
            Self::ByName => "name",
        }
    }

    /// Whether lacking it is a failure here (`FALCONER_REQUIRE`, a list with commas, or `all`).
    fn required(self) -> bool {
        find::variable("FALCONER_REQUIRE")
            .is_some_and(|list| list.split(',').map(str::trim).any(|one| one == self.name() || one == "all"))
    }
}

/// The trials of one file.
#[derive(Debug)]
pub struct Suite {
    trials: Vec<Trial>,
    /// More than cores, since trials mostly wait.
    threads: usize,
}

impl Default for Suite {
    fn default() -> Self {
        Self { trials: Vec::new(), threads: 6 }
    }
}

impl Suite {
    /// A suite without trials.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many trials run at once.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Adds a trial that every machine can run.
    #[must_use]
    pub fn test(self, name: impl Into<String>, run: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        self.needing(name, &[], run)
    }

    /// Adds a trial that runs against a server over a puppet.
    #[must_use]
    pub fn served(self, name: &str, puppet: Puppet, arguments: &'static [&str], check: Check) -> Self {
        self.test(name, move || serve(&puppet, arguments, check))
    }

    /// Adds a trial that is ignored, with the reason, where something is missing.
    #[must_use]
    pub fn needing(
        mut self,
        name: impl Into<String>,
        needs: &'static [Need],
        run: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Self {
        let by_name = needs.contains(&Need::ByName);
        let trial = Trial::ignorable_test(name, move || attempt(needs, run));
        self.trials.push(trial.with_ignored_flag(by_name));
        self
    }

    /// Runs what the command line asks for.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads = arguments.test_threads.or(Some(self.threads));
        // Said once, not once per trial.
        if !arguments.list
            && let Err(Failure(why)) = find::falconer()
        {
            let mut out = std::io::stderr().lock();
            // Where nobody reads, the exit code still says it.
            let _ = writeln!(out, "{why}");
            return ExitCode::FAILURE;
        }
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}

fn attempt(needs: &[Need], run: impl FnOnce() -> Outcome) -> Result<Completion, Failed> {
    for need in needs {
        if let Some(why) = need.missing() {
            if need.required() {
                return Err(format!("FALCONER_REQUIRE names {}, but {why}", need.name()).into());
            }
            return Ok(Completion::ignored_with(why));
        }
    }
    match run() {
        Ok(()) => Ok(Completion::Completed),
        Err(Failure(text)) => Err(Failed::from(text)),
    }
}
