//! What [`crate::load`] is given and gives back. Plain data and one trait; no decisions.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Severity};
use crate::dotnet::DotnetSearch;
use crate::effective::Effective;
use crate::plan::Plan;

/// What stands at a path, symlinks followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Whether it has an executable bit.
        executable: bool,
    },
    /// A folder.
    Folder,
}

/// Whether what is written into a folder is there tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// It is.
    Lasting,
    /// It cannot be written.
    ReadOnly,
    /// It is kept in memory, and gone with the machine or the container.
    Volatile,
}

/// The only way to the disk. A trait rather than a snapshot, because which paths matter is known only after
/// the text was read.
pub trait Files {
    /// What stands at an absolute path, symlinks followed; none when nothing, or nothing that we may see.
    fn kind(&self, path: &Path) -> Option<Kind>;

    /// The first `at_most` bytes of a file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read(&self, path: &Path, at_most: usize) -> io::Result<Vec<u8>>;

    /// The permission bits of a file or folder, symlinks followed; none when it is not there.
    fn mode(&self, path: &Path) -> Option<u32>;

    /// The user that a file or folder belongs to, symlinks followed; none when it is not there.
    fn owner(&self, path: &Path) -> Option<u32>;

    /// Where a symlink leads, as it says itself, and the user that it belongs to; none for all that is no symlink.
    fn link(&self, path: &Path) -> Option<(PathBuf, u32)>;

    /// Whether what this process writes into a folder lasts; the folder may have yet to be made.
    fn keeping(&self, folder: &Path) -> Keeping;

    /// Names in a folder, in any order; empty when it cannot be read.
    fn list(&self, folder: &Path) -> Vec<String>;

    /// The path without symlinks: `/usr/bin/dotnet` is usually a link to the folder that holds `shared/`.
    /// The path itself when it cannot be resolved.
    fn real(&self, path: &Path) -> PathBuf;
}

/// Everything that decides the Plan, apart from the disk.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The publish folder, absolute.
    pub folder: PathBuf,
    /// `--config`, absolute.
    pub config: Option<PathBuf>,
    /// The working directory, absolute: its `falconer.toml` is read where `--config` names no other. None for neither.
    pub working_folder: Option<PathBuf>,
    /// Whether this process is root, who obeys no file that others may write.
    pub is_root: bool,
    /// Every `--listen`, as written; empty for the default.
    pub listen: Vec<String>,
    /// `--tls-cert`, absolute.
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`, absolute.
    pub tls_key: Option<PathBuf>,
    /// `--tls-client-ca`, absolute.
    pub tls_client_ca: Option<PathBuf>,
    /// Every `--trusted-proxy`, as written.
    pub trusted_proxies: Vec<String>,
    /// `--private-network`, and `--private-network=false`.
    pub private_network: Option<bool>,
    /// `--max-connections`.
    pub max_connections: Option<u32>,
    /// `--connection-timeout`; never zero.
    pub connection_timeout: Option<Duration>,
    /// `--header-wait-timeout`; never zero.
    pub header_wait_timeout: Option<Duration>,
    /// `--queue-length`.
    pub queue_length: Option<u16>,
    /// `--upstream-connections`; never zero.
    pub upstream_connections: Option<u16>,
    /// `--site-root`, absolute.
    pub site_root: Option<PathBuf>,
    /// `--path-base`, percent-decoded.
    pub path_base: Option<String>,
    /// Every `--env`, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// `--always-running`, and `--always-running=false`.
    pub always_running: Option<bool>,
    /// `--preload`, and `--preload=false`.
    pub preload: Option<bool>,
    /// `--idle-timeout`; zero for never.
    pub idle_timeout: Option<Duration>,
    /// `--disallow-overlapping-rotation`, and `--disallow-overlapping-rotation=false`.
    pub disallow_overlapping_rotation: Option<bool>,
    /// `--recycle-time`; zero for never.
    pub recycle_time: Option<Duration>,
    /// `--recycle-requests`; zero for never.
    pub recycle_requests: Option<u64>,
    /// `--recycle-memory`, in KiB; zero for never.
    pub recycle_memory: Option<u64>,
    /// Every `--recycle-at`, as written.
    pub recycle_at: Vec<String>,
    /// `--stdout-log-max-size`, in bytes; zero for no limit.
    pub stdout_log_max_size: Option<u64>,
    /// `--stdout-log-max-files`; zero for all.
    pub stdout_log_max_files: Option<u32>,
    /// `--total-timeout`; zero for none.
    pub total_timeout: Option<Duration>,
    /// `--drain-timeout`.
    pub drain_timeout: Option<Duration>,
    /// Falconer's own environment.
    pub environment: Vec<(OsString, OsString)>,
    /// `RLIMIT_NOFILE` as it will be when connections come.
    pub descriptors: u64,
}

impl Input {
    /// A variable of Falconer's own environment: the exact name first, then one that differs in case only, as
    /// names have no case where web.config comes from. None when it is unset or not UTF-8.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let find = |same: &dyn Fn(&str) -> bool| {
            self.environment
                .iter()
                .find(|(key, _)| key.to_str().is_some_and(same))
                .and_then(|(_, value)| value.to_str())
        };
        find(&|key| key == name).or_else(|| find(&|key| key.eq_ignore_ascii_case(name)))
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// None when some diagnostic is a [`Severity::Error`], and when a file was checked for itself.
    pub plan: Option<Plan>,
    /// Every message, in the order of discovery.
    pub diagnostics: Vec<Diagnostic>,
    /// Every value of the plan with its origin; empty without a plan.
    pub effective: Vec<Effective>,
    /// Where .NET was looked for; none when the app needs none, or is not known.
    pub dotnet: Option<DotnetSearch>,
}

impl Loaded {
    /// Whether anything named in the configuration is not there, so that starts will fail with 502.5.
    #[must_use]
    pub fn has_missing(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Missing)
    }
}
