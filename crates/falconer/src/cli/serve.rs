//! `falconer serve DIR`: from arguments to a running server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use config::{Input, Plan};
use proxy::{BindError, Tls};
use supervisor::process;

use crate::cli::options::Options;
use crate::cli::print::Format;
use crate::cli::{BAD_CONFIGURATION, CANNOT_RUN, print};
use crate::files::DiskFiles;
use crate::observe::access_log::Target;
use crate::run::{self, Output};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The publish folder
    dir: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Threads that carry requests [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Write one JSON object per request to this file, or to stdout with -
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// How event lines are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: Format,
}

/// Runs until told to stop.
pub(crate) fn serve(arguments: Arguments) -> ExitCode {
    let descriptors = match process::harden() {
        Ok(descriptors) => descriptors,
        Err(error) => return cannot_run(&format!("this process could not be hardened: {error}"), None),
    };
    let threads = arguments
        .threads
        .map_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get), usize::from);
    let (format, access_log) = (arguments.log_format, arguments.access_log.clone());
    let input = match arguments.options.input(arguments.dir, descriptors) {
        Ok(input) => input,
        Err(message) => {
            print::failure(&message, None);
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let loaded = config::load(&input, &DiskFiles);
    print::diagnostics(&loaded.diagnostics);
    let Some(plan) = loaded.plan else {
        return ExitCode::from(BAD_CONFIGURATION);
    };
    let access_log = match access_log
        .map(|path| Target::open(&path).map_err(|error| (path, error)))
        .transpose()
    {
        Ok(target) => target,
        Err((path, error)) => {
            return cannot_run(&format!("the access log {} cannot be opened: {error}", path.display()), None);
        }
    };
    start(plan, input, threads, Output { format, access_log })
}

fn start(plan: Plan, input: Input, threads: usize, output: Output) -> ExitCode {
    // Before anything is bound: what cannot be shown to a client must not listen.
    let tls = match plan.tls.as_ref().map(Tls::prepare).transpose() {
        Ok(tls) => tls,
        Err(diagnostic) => {
            print::diagnostics(&[diagnostic]);
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let bound = match proxy::bind(&plan.bindings, tls.as_ref(), threads) {
        Ok(bound) => bound,
        Err(error) => return cannot_bind(&error),
    };
    match run::run(plan, input, threads, bound, output) {
        Ok(()) => ExitCode::from(crate::cli::OK),
        Err(error) => cannot_run(&error.to_string(), None),
    }
}

fn cannot_bind(error: &BindError) -> ExitCode {
    let BindError { address, error } = error;
    let reason = match error.kind() {
        std::io::ErrorKind::AddrInUse => held_by(*address),
        std::io::ErrorKind::PermissionDenied => "the system does not let this user have that port".to_owned(),
        _ => error.to_string(),
    };
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => "stop that process, or choose another address with --listen",
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root, CAP_NET_BIND_SERVICE, or the sysctl net.ipv4.ip_unprivileged_port_start"
        }
        _ => "choose another address with --listen",
    };
    cannot_run(&format!("{address} cannot be listened on: {reason}"), Some(hint))
}

fn held_by(address: SocketAddr) -> String {
    match process::holder_of(address) {
        Some((pid, name)) => format!("process {pid} ({name}) holds it"),
        None => "another process holds it".to_owned(),
    }
}

fn cannot_run(message: &str, hint: Option<&str>) -> ExitCode {
    print::failure(message, hint);
    ExitCode::from(CANNOT_RUN)
}
