//! `falconer serve DIR`: from arguments to a running server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use config::{Input, Plan};
use proxy::{BindError, Tls};
use supervisor::process;

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
    /// Where clients connect: PORT, :PORT, ADDR:PORT, localhost:PORT, *:PORT, with https:// before it for TLS; port 0 draws one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// The certificate of https addresses and the intermediate ones behind it, in PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM, readable by this user alone
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The path below which the app lives, such as /shop
    #[arg(long, value_name = "PATH")]
    path_base: Option<String>,
    /// A variable for the app; beats web.config
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Start the app at once and keep it running, not only from the first request on
    #[arg(long)]
    always_running: bool,
    /// How long requests under way may take when the server stops [default: 30]
    #[arg(long, value_name = "SECONDS")]
    drain_timeout: Option<u32>,
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
    let input = match input(arguments, descriptors) {
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
    start(plan, input.environment, threads, Output { format, access_log })
}

fn input(arguments: Arguments, descriptors: u64) -> Result<Input, String> {
    // Absolute, but with the operator's symlinks: the app is told the path that the operator knows.
    let absolute = |path: PathBuf| {
        std::path::absolute(&path).map_err(|error| format!("{} cannot be named: {error}", path.display()))
    };
    let folder = absolute(arguments.dir)?;
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let environment = std::env::vars_os().collect();
    Ok(Input {
        folder,
        listen: arguments.listen,
        tls_cert: arguments.tls_cert.map(absolute).transpose()?,
        tls_key: arguments.tls_key.map(absolute).transpose()?,
        path_base: arguments.path_base,
        env: arguments.env,
        always_running: arguments.always_running,
        drain_timeout: arguments.drain_timeout.map(|seconds| Duration::from_secs(seconds.into())),
        environment,
        descriptors,
    })
}

fn start(
    plan: Plan,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    threads: usize,
    output: Output,
) -> ExitCode {
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
    match run::run(plan, environment, threads, bound, output) {
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
