//! What decides the Plan, for every verb that loads a folder. Text and numbers only; config says what is wrong with them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use config::Input;

/// Flags that `serve` and `check` share.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Settings that IIS keeps outside of web.config [default: falconer.toml in the working directory, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect: PORT, :PORT, ADDR:PORT, localhost:PORT, *:PORT, with https:// before it for TLS; port 0 draws one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// The certificate of https addresses and the intermediate ones behind it, in PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM, readable by this user alone
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Whom certificates of clients must come from, in PEM, where web.config asks for them
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Whose X-Forwarded-* headers are believed: an address or a range; may be repeated
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// Open connections of clients, as far as the system affords them [default: 8192]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    /// How long a connection may be unused, and a client neither send nor take [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    connection_timeout: Option<u16>,
    /// How long the headers of a request may take [default: 15]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    header_wait_timeout: Option<u16>,
    /// Requests that may wait for a start, or for a connection to a process [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(10..))]
    queue_length: Option<u16>,
    /// Requests that one process gets at once [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    upstream_connections: Option<u16>,
    /// The folder of the site above the app, whose web.config files are inherited
    #[arg(long, value_name = "DIR")]
    site_root: Option<PathBuf>,
    /// The path below which the app lives, such as /shop
    #[arg(long, value_name = "PATH")]
    path_base: Option<String>,
    /// A variable for the app; beats web.config
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Start the app at once and keep it running, not only from the first request on
    #[arg(long, value_name = SWITCH, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    always_running: Option<bool>,
    /// Start the app at once, but after an end only with the next request
    #[arg(long, value_name = SWITCH, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    preload: Option<bool>,
    /// Stop the app after so long without a request; 0 for never [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=30 * DAY))]
    idle_timeout: Option<u64>,
    /// A recycle stops the old process before it starts the new one
    #[arg(long, value_name = SWITCH, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    disallow_overlapping_rotation: Option<bool>,
    /// Recycle the app after so long; 0 for never [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=300 * DAY))]
    recycle_time: Option<u64>,
    /// Recycle the app after so many requests; 0 for never [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=u64::from(u32::MAX)))]
    recycle_requests: Option<u64>,
    /// Recycle the app when it holds more private memory; 0 for never [default: 0]
    #[arg(long, value_name = "KB", value_parser = clap::value_parser!(u64).range(..=u64::from(u32::MAX)))]
    recycle_memory: Option<u64>,
    /// Recycle the app at this time of each day; may be repeated
    #[arg(long, value_name = "HH:MM")]
    recycle_at: Vec<String>,
    /// Follow a stdout log that is so large by another one; 0 for no limit [default: 0]
    #[arg(long, value_name = "BYTES")]
    stdout_log_max_size: Option<u64>,
    /// Keep so many stdout logs; 0 for all [default: 0]
    #[arg(long, value_name = "N")]
    stdout_log_max_files: Option<u32>,
    /// How long one request may take to the end of its answer; 0 for no limit [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=15 * DAY))]
    total_timeout: Option<u64>,
    /// How long requests under way may take when the server stops or the app is recycled [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=15 * DAY))]
    drain_timeout: Option<u64>,
    /// Run the app in a network of its own, so that no other process reaches its port
    #[arg(long, value_name = SWITCH, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    private_network: Option<bool>,
}

const DAY: u64 = 24 * 60 * 60;
/// A flag that is there is on, unless `=false` follows: falconer.toml may have switched it on.
const SWITCH: &str = "true|false";

impl Options {
    /// Everything that decides the Plan of a folder.
    ///
    /// # Errors
    /// When a path cannot be made absolute, as a sentence.
    pub(crate) fn input(self, folder: PathBuf, descriptors: u64) -> Result<Input, String> {
        // Absolute, but with the operator's symlinks: the app is told the path that the operator knows.
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).map_err(|error| format!("{} cannot be named: {error}", path.display()))
        };
        Ok(Input {
            folder: absolute(folder)?,
            config: self.config.map(absolute).transpose()?,
            // Where it cannot be named there is no file in it that could be read.
            working_folder: std::env::current_dir().ok(),
            is_root: rustix::process::geteuid().is_root(),
            listen: self.listen,
            tls_cert: self.tls_cert.map(absolute).transpose()?,
            tls_key: self.tls_key.map(absolute).transpose()?,
            tls_client_ca: self.tls_client_ca.map(absolute).transpose()?,
            trusted_proxies: self.trusted_proxy,
            private_network: self.private_network,
            max_connections: self.max_connections,
            connection_timeout: self.connection_timeout.map(u64::from).map(Duration::from_secs),
            header_wait_timeout: self.header_wait_timeout.map(u64::from).map(Duration::from_secs),
            queue_length: self.queue_length,
            upstream_connections: self.upstream_connections,
            site_root: self.site_root.map(absolute).transpose()?,
            path_base: self.path_base,
            env: self.env,
            always_running: self.always_running,
            preload: self.preload,
            idle_timeout: self.idle_timeout.map(Duration::from_secs),
            disallow_overlapping_rotation: self.disallow_overlapping_rotation,
            recycle_time: self.recycle_time.map(Duration::from_secs),
            recycle_requests: self.recycle_requests,
            recycle_memory: self.recycle_memory,
            recycle_at: self.recycle_at,
            stdout_log_max_size: self.stdout_log_max_size,
            stdout_log_max_files: self.stdout_log_max_files,
            total_timeout: self.total_timeout.map(Duration::from_secs),
            drain_timeout: self.drain_timeout.map(Duration::from_secs),
            environment: own_environment(),
            descriptors,
        })
    }
}

impl Options {
    /// The first flag that says something about a folder or how it is served: all of them but `--env`.
    pub(crate) fn of_a_folder(&self) -> Option<&'static str> {
        let given = [
            ("--config", self.config.is_some()),
            ("--listen", !self.listen.is_empty()),
            ("--tls-cert", self.tls_cert.is_some()),
            ("--tls-key", self.tls_key.is_some()),
            ("--tls-client-ca", self.tls_client_ca.is_some()),
            ("--trusted-proxy", !self.trusted_proxy.is_empty()),
            ("--max-connections", self.max_connections.is_some()),
            ("--connection-timeout", self.connection_timeout.is_some()),
            ("--header-wait-timeout", self.header_wait_timeout.is_some()),
            ("--queue-length", self.queue_length.is_some()),
            ("--upstream-connections", self.upstream_connections.is_some()),
            ("--site-root", self.site_root.is_some()),
            ("--path-base", self.path_base.is_some()),
            ("--always-running", self.always_running.is_some()),
            ("--preload", self.preload.is_some()),
            ("--idle-timeout", self.idle_timeout.is_some()),
            ("--disallow-overlapping-rotation", self.disallow_overlapping_rotation.is_some()),
            ("--recycle-time", self.recycle_time.is_some()),
            ("--recycle-requests", self.recycle_requests.is_some()),
            ("--recycle-memory", self.recycle_memory.is_some()),
            ("--recycle-at", !self.recycle_at.is_empty()),
            ("--stdout-log-max-size", self.stdout_log_max_size.is_some()),
            ("--stdout-log-max-files", self.stdout_log_max_files.is_some()),
            ("--total-timeout", self.total_timeout.is_some()),
            ("--drain-timeout", self.drain_timeout.is_some()),
            ("--private-network", self.private_network.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }
}

/// Of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn own_environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::{Cli, Command};

    fn options(flag: &str) -> super::Options {
        match Cli::try_parse_from(["falconer", "check", "web.config", flag]).map(|cli| cli.command) {
            Ok(Command::Check(arguments)) => arguments.options,
            other => panic!("{flag}: {other:?}"),
        }
    }

    #[test]
    fn every_flag_that_decides_a_plan_is_of_a_folder() {
        let mut cli = Cli::command();
        cli.build();
        let check = cli.find_subcommand("check").expect("the verb");
        let names: Vec<&str> = check.get_arguments().filter_map(clap::Arg::get_long).collect();
        assert!(names.len() > 25, "{names:?}");
        for name in names.into_iter().filter(|name| !["help", "json", "start", "env"].contains(name)) {
            let flag = format!("--{name}");
            let switch = ["always-running", "preload", "disallow-overlapping-rotation", "private-network"];
            let value = if switch.contains(&name) { "false" } else { "10" };
            assert_eq!(options(&format!("{flag}={value}")).of_a_folder(), Some(flag.as_str()));
        }
        assert_eq!(options("--env=A=1").of_a_folder(), None);
    }

    #[test]
    fn a_switch_is_on_alone_and_off_when_told() {
        for (flag, value) in [("--preload", true), ("--preload=true", true), ("--preload=false", false)] {
            assert_eq!(options(flag).preload, Some(value), "{flag}");
        }
        for wrong in ["--preload=no", "--preload=", "--preload=0"] {
            assert!(Cli::try_parse_from(["falconer", "check", "x", wrong]).is_err(), "{wrong}");
        }
        // What follows is another argument: the folder.
        let Ok(Command::Check(arguments)) =
            Cli::try_parse_from(["falconer", "check", "--preload", "false"]).map(|cli| cli.command)
        else {
            panic!("--preload DIR is understood");
        };
        assert_eq!((arguments.options.preload, arguments.target.to_str()), (Some(true), Some("false")));
    }
}
