//! Exit codes, signals and errors in words: why a start failed or a worker ended, and what to do about it.
//!
//! Sentences only: nothing in here decides anything but whether a failure may be the port's fault. The exit
//! codes of .NET were measured with .NET 10; their source is `error_codes.h` of the .NET host.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::event::Evidence;
use crate::process::{Exit, NotListening};
use crate::worker::Worker;

/// Why one attempt to start came to nothing.
#[derive(Debug)]
pub(crate) enum Cause {
    /// `ASPNETCORE_PORT` of web.config is no port.
    InvalidPort(String),
    /// Something that comes before the process failed.
    NotLaunched { stage: &'static str, reason: String },
    /// The process could not be made.
    SpawnFailed { stage: String, errno: i32, path: String },
    /// It runs but does not listen where it should.
    NotListening(NotListening),
    /// It ended before it listened; how is not known when its keeper ended first.
    Ended(Option<Exit>),
    /// It listened, and ended by itself; whether it had answered by then is not judged yet.
    Crashed,
    /// It listened, and ended before it answered a request.
    Unanswered(Option<Exit>),
    /// It listened, and ended while it was asked for its warm-up pages.
    Warming(Option<Exit>),
}

/// One attempt that came to nothing.
#[derive(Debug)]
pub(crate) struct FailedAttempt {
    pub(crate) cause: Cause,
    pub(crate) port: u16,
    pub(crate) evidence: Evidence,
}

/// For the operator: what happened, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
}

impl Cause {
    /// The ASP.NET Core Module's name of the stage that failed.
    pub(crate) fn stage(&self) -> &'static str {
        match self {
            Self::InvalidPort(_) => "SetupListenPort",
            Self::NotLaunched { stage, .. } => stage,
            Self::SpawnFailed { .. } => "CreateProcess",
            Self::NotListening(_)
            | Self::Ended(_)
            | Self::Crashed
            | Self::Unanswered(_)
            | Self::Warming(_) => "PostStartCheck",
        }
    }
}

impl FailedAttempt {
    /// Another attempt on another port may succeed. One that listens elsewhere will do so again.
    pub(crate) fn may_be_the_port(&self) -> bool {
        match &self.cause {
            Cause::NotListening(NotListening::Stranger { .. }) => true,
            Cause::NotListening(NotListening::Deadline { elsewhere }) => elsewhere.is_empty(),
            Cause::Ended(_) => self.port_was_taken(),
            Cause::InvalidPort(_)
            | Cause::NotLaunched { .. }
            | Cause::SpawnFailed { .. }
            | Cause::Crashed
            | Cause::Unanswered(_)
            | Cause::Warming(_) => false,
        }
    }

    /// Another attempt on the very same port may succeed: its owner may have gone meanwhile.
    pub(crate) fn may_pass_on_the_same_port(&self) -> bool {
        self.may_be_the_port() && !matches!(self.cause, Cause::NotListening(NotListening::Deadline { .. }))
    }

    fn port_was_taken(&self) -> bool {
        let output = &self.evidence.output;
        self.evidence.port_held || (says_address_in_use(output) && self.other_port().is_none())
    }

    /// A port that it was not given and could not have: it is fixed in its code or its settings.
    fn other_port(&self) -> Option<u16> {
        let lines = self.evidence.output.lines().filter(|line| says_address_in_use(line));
        let ports: Vec<u16> = lines.flat_map(ports_in).collect();
        ports.first().copied().filter(|_| !ports.contains(&self.port))
    }

    /// What happened and what to do about it.
    pub(crate) fn explain(&self, startup_time_limit: Duration) -> Told {
        let Self { cause, port, evidence } = self;
        match cause {
            Cause::InvalidPort(text) => told(
                format!("ASPNETCORE_PORT is '{text}', which is not a port from 1025 to 65535"),
                "Remove ASPNETCORE_PORT from web.config to have a free port chosen for each start.",
            ),
            Cause::NotLaunched { reason, .. } => Told { reason: reason.clone(), hint: None },
            Cause::SpawnFailed { stage, errno, path } => spawn_failed(stage, *errno, path),
            Cause::NotListening(NotListening::Stranger { owner }) => stranger(*port, owner.as_ref()),
            Cause::NotListening(NotListening::Deadline { elsewhere }) => {
                deadline(*port, elsewhere, startup_time_limit, &evidence.output)
            }
            Cause::Ended(exit) => self.ended(*exit),
            Cause::Crashed | Cause::Unanswered(None) => told(
                format!("The process that listened on port {port} ended before it answered a request"),
                "See its output for why; how it ended is known only of a process that was started directly.",
            ),
            Cause::Unanswered(Some(exit)) => self.listened_and(*exit, "before it answered a request"),
            Cause::Warming(None) => told(
                format!(
                    "The process that listened on port {port} ended while it was asked for its warm-up pages"
                ),
                "See its output for why, and which pages applicationInitialization of web.config names.",
            ),
            Cause::Warming(Some(exit)) => {
                self.listened_and(*exit, "while it was asked for its warm-up pages")
            }
        }
    }

    fn listened_and(&self, exit: Exit, when: &str) -> Told {
        let how = exit_in_words(exit);
        Told {
            reason: format!("The app listened on port {} and {how} {when}", self.port),
            hint: exit_hint(exit, &self.evidence.output).map(str::to_owned),
        }
    }

    fn ended(&self, exit: Option<Exit>) -> Told {
        let Self { port, evidence, .. } = self;
        if self.port_was_taken() {
            return told(
                format!("The app ended because its port {port} was already in use"),
                "Another process took the port between its choice and its use. With a fixed ASPNETCORE_PORT, end \
                 the process that holds it or remove the setting.",
            );
        }
        match (exit, self.other_port()) {
            (Some(_), Some(other)) => other_port_in_use(*port, other),
            (Some(exit), None) => Told {
                reason: format!("The app {} before it listened on port {port}", exit_in_words(exit)),
                hint: exit_hint(exit, &evidence.output).map(str::to_owned),
            },
            (None, _) => told(
                "The app's keeper process ended before the app listened, and took the app with it".to_owned(),
                "Something killed it, perhaps for want of memory: see the kernel's log.",
            ),
        }
    }
}

fn told(reason: String, hint: &str) -> Told {
    Told { reason, hint: Some(hint.to_owned()) }
}

/// Kestrel, Node, Python, Go and Java all say it nearly alike.
fn says_address_in_use(output: &str) -> bool {
    let lower = output.to_ascii_lowercase();
    lower.contains("address already in use")
        || lower.contains("eaddrinuse")
        || lower.contains("address in use")
}

/// The ports of addresses in a line, and nothing of a time of day.
fn ports_in(line: &str) -> impl Iterator<Item = u16> + '_ {
    let after_colon = line.split(':').skip(1);
    after_colon
        .filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok())
        .filter(|number| *number > 60)
}

fn other_port_in_use(port: u16, other: u16) -> Told {
    told(
        format!(
            "The app ended because port {other}, which is not the port {port} that it was given, was in use"
        ),
        "Its code or its settings name that address (UseUrls, app.Run(url), Listen, Kestrel:Endpoints): remove it, or \
         end the process that holds it. Where that is the app's own process before this one, recycle it without \
         overlap (--disallow-overlapping-rotation).",
    )
}

fn stranger(port: u16, owner: Option<&(u32, String)>) -> Told {
    let who = owner.map_or_else(
        || "a process that is not part of the app".to_owned(),
        |(pid, name)| format!("process {pid} ({name}), which is not part of the app"),
    );
    told(
        format!("Port {port} is listened on by {who}; it was sent nothing"),
        "With a fixed ASPNETCORE_PORT, end that process or remove the setting.",
    )
}

fn deadline(port: u16, elsewhere: &[SocketAddr], limit: Duration, output: &str) -> Told {
    let seconds = limit.as_secs();
    if elsewhere.is_empty() {
        return told(
            format!("The app runs but did not listen on port {port} within {seconds} seconds"),
            "See its output for what it waits for. If it needs longer, raise startupTimeLimit; if it listens where \
             its own settings say, let it listen on ASPNETCORE_PORT (or ASPNETCORE_URLS).",
        );
    }
    let places: Vec<_> = elsewhere.iter().map(ToString::to_string).collect();
    // Measured: `dotnet run` sets ASPNETCORE_URLS from that file, and nothing but that reaches a slim app.
    let hint = if output.contains("Using launch settings from ") {
        "With dotnet run, applicationUrl of launchSettings.json wins: write arguments=\"run --no-launch-profile\"."
    } else {
        "UseUrls, app.Run(url) or Listen in the app's code wins over the port that it is given: remove it, or set \
         ASPNETCORE_PORT in web.config to the port that the code names."
    };
    told(format!("The app listens on {} and not on port {port} that it was given", places.join(", ")), hint)
}

fn spawn_failed(stage: &str, errno: i32, path: &str) -> Told {
    let error = io::Error::from_raw_os_error(errno);
    let reason = match stage {
        "execve" => format!("The program '{path}' could not be executed: {error}"),
        "chdir" => format!("The app's folder '{path}' could not be entered: {error}"),
        "network" => format!("No private network could be made for the app: {error}"),
        _ if path.is_empty() => format!("No process could be made (at {stage}): {error}"),
        _ => format!("No process could be made (at {stage}, '{path}'): {error}"),
    };
    let hint = match (stage, errno) {
        // Where dotnet was found, its path is named.
        ("execve", libc::ENOENT) if path == "dotnet" => Some(
            "No .NET was found: install the ASP.NET Core runtime, put dotnet in PATH, or set DOTNET_ROOT.",
        ),
        ("execve", libc::ENOENT) => Some(
            "Check processPath. If the file is there, the program that it needs (the loader of a binary, the \
             interpreter of a script) is not.",
        ),
        ("execve", libc::EACCES | libc::ENOEXEC) if path.ends_with(".exe") => Some(
            "The file is a program for Windows: publish the app for this machine, or framework-dependent, so that its \
             dll can be run.",
        ),
        ("execve", libc::EACCES) => Some(
            "The file is not executable for the app's user: publish folders copied from Windows need 'chmod +x'. A \
             file system mounted noexec does the same.",
        ),
        ("execve", libc::ENOEXEC) => Some(
            "The file is no program for this machine: it was published for another system or processor, or is a \
             script without a '#!' line.",
        ),
        ("execve", libc::ETXTBSY) => Some("The file is still being written: wait for the copy to end."),
        ("execve", libc::E2BIG) => Some("Arguments and environment together are too large for the system."),
        ("network", libc::EPERM) => Some(
            "Only root may make networks (CAP_SYS_ADMIN): run Falconer as root, in a container with that capability, or \
             without --private-network.",
        ),
        ("chdir", libc::ENOENT | libc::EACCES | libc::ENOTDIR) => Some(
            "The folder must exist, and the app's user must be allowed to enter it and every folder above it.",
        ),
        (_, libc::EAGAIN | libc::ENOMEM) => Some(
            "The system gives no more processes or memory: see its limits (ulimit -u, pids.max, memory.max).",
        ),
        (_, libc::EMFILE | libc::ENFILE) => Some("Too many files are open: raise the limit (ulimit -n)."),
        _ => None,
    };
    Told { reason, hint: hint.map(str::to_owned) }
}

/// "exited with code 150 (…)" or "was ended by signal 9 (SIGKILL)".
pub(crate) fn exit_in_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => match meaning(code) {
            Some(meaning) => format!("exited with code {code} ({meaning})"),
            None => format!("exited with code {code}"),
        },
        Exit::Signal(signal) => match signal_name(signal) {
            Some(name) => format!("was ended by signal {signal} ({name})"),
            None => format!("was ended by signal {signal}"),
        },
    }
}

/// What .NET and shells mean by an exit code.
fn meaning(code: i32) -> Option<&'static str> {
    match code {
        // The low byte of StatusCode of the .NET host (error_codes.h).
        131 => Some("the .NET host library was not found"),
        140 => Some("a file that the app's deps.json names is missing"),
        147 => Some("the app's runtimeconfig.json is not valid"),
        150 => Some("the .NET version that the app needs is not installed"),
        154 => Some("the app's dll was not found beside its executable"),
        // What a shell makes of a signal, and what .NET's abort looks like behind one.
        134 => Some("aborted: an unhandled exception or a fatal error"),
        137 => Some("killed by SIGKILL"),
        139 => Some("crashed: SIGSEGV"),
        143 => Some("ended by SIGTERM"),
        126 => Some("a shell could not execute the command"),
        127 => Some("a shell did not find the command"),
        _ => None,
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    match signal {
        libc::SIGHUP => Some("SIGHUP"),
        libc::SIGINT => Some("SIGINT"),
        libc::SIGQUIT => Some("SIGQUIT"),
        libc::SIGILL => Some("SIGILL, an instruction that this processor lacks"),
        libc::SIGTRAP => Some("SIGTRAP"),
        libc::SIGABRT => Some("SIGABRT, an unhandled exception or a fatal error"),
        libc::SIGBUS => Some("SIGBUS"),
        libc::SIGFPE => Some("SIGFPE"),
        libc::SIGKILL => Some("SIGKILL"),
        libc::SIGUSR1 => Some("SIGUSR1"),
        libc::SIGUSR2 => Some("SIGUSR2"),
        libc::SIGSEGV => Some("SIGSEGV, a crash in native code"),
        libc::SIGPIPE => Some("SIGPIPE"),
        libc::SIGTERM => Some("SIGTERM"),
        libc::SIGXCPU => Some("SIGXCPU, the limit of processor time"),
        libc::SIGXFSZ => Some("SIGXFSZ, the limit of file size"),
        libc::SIGSYS => Some("SIGSYS, a forbidden system call"),
        _ => None,
    }
}

/// What to do about an app that ended by itself.
pub(crate) fn exit_hint(exit: Exit, output: &str) -> Option<&'static str> {
    match exit {
        Exit::Signal(libc::SIGABRT) | Exit::Code(134) => Some(abort_hint(output)),
        Exit::Signal(libc::SIGKILL) | Exit::Code(137) => Some(
            "Somebody killed it; if nobody did, the kernel did for want of memory: see its log and the memory limit \
             of the service or container.",
        ),
        Exit::Signal(libc::SIGILL) => {
            Some("The app was published for a newer processor than this machine has.")
        }
        Exit::Signal(libc::SIGSYS) => Some("A seccomp filter (SystemCallFilter=) forbids what the app does."),
        Exit::Signal(_) => None,
        Exit::Code(code) => code_hint(code, output),
    }
}

fn code_hint(code: i32, output: &str) -> Option<&'static str> {
    match code {
        0 => Some(
            "The app ended by itself without an error: is it a web app, and does its Main wait (app.Run())?",
        ),
        1 if output.contains("Could not execute because the specified command or file was not found") => {
            Some(
                "The dll in the arguments does not exist: names are case-sensitive here, and '.\\' is no path. Was the \
             whole publish folder copied?",
            )
        }
        131 if output.contains("did not specify a framework") => Some(
            "The app was published self-contained, for another system: publish it for this one, or \
             framework-dependent.",
        ),
        131 => Some("The app's runtimeconfig.json is missing or was renamed: copy the whole publish folder."),
        140 => Some("Copy the whole publish folder again: files that its deps.json names are missing."),
        147 => Some("The app's runtimeconfig.json is no valid JSON: publish again or repair it."),
        150 => Some(
            "Install the ASP.NET Core runtime that the output names, point DOTNET_ROOT at one that has it, or set \
             DOTNET_ROLL_FORWARD=Major to run on a newer one.",
        ),
        154 => Some(
            "Copy the whole publish folder: the executable needs its dll beside it, in the same spelling.",
        ),
        126 => Some("A file that the start script calls is not executable: 'chmod +x' it."),
        127 => Some("A program that the start script calls is not in PATH."),
        _ => None,
    }
}

fn abort_hint(output: &str) -> &'static str {
    let says = |text| output.contains(text);
    if says("Stack overflow") {
        "A stack overflow: the end of the output shows the calls that repeat."
    } else if says("Out of memory") {
        "It ran out of memory or of file descriptors: see MemoryMax=, DOTNET_GCHeapHardLimit and 'ulimit -n'."
    } else if says("Bad IL format") {
        "The dll is damaged or is no .NET assembly: publish and copy again, in binary mode."
    } else if says("Hosting failed to start") {
        "The web host could not start: the exception in the output names the address or the setting."
    } else {
        "An exception in the app's start was not handled: it stands in the output."
    }
}

/// How a worker ended that nobody had told to, for the event line.
pub(crate) fn end_in_words(worker: &Worker) -> String {
    match worker.exit {
        Some(exit) if !worker.owner_is_another() => format!("it {}", exit_in_words(exit)),
        Some(exit) => {
            format!("the process that listened ended; the one that was started {}", exit_in_words(exit))
        }
        None if worker.owner_is_another() => "the process that listened ended".to_owned(),
        None => "how it ended is not known".to_owned(),
    }
}

#[cfg(test)]
mod tests;
