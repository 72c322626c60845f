//! The Plan: everything the operator asked for. Plain data; nothing here can fail.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::Place;
use crate::effective::Amount;
use crate::pool::{DebugLog, Network, Recycling, SslFlags, WarmUpPage};

/// Everything the operator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where clients connect. Never empty.
    pub bindings: Vec<Binding>,
    /// What every https binding shows to its clients; none exactly when there is no such binding.
    pub tls: Option<TlsPlan>,
    /// `security/access sslFlags`: what a request's connection must have.
    pub ssl_flags: SslFlags,
    /// The one managed app.
    pub app: AppPlan,
    /// Every limit and deadline.
    pub limits: Limits,
    /// How long busy exchanges, tunnels and streams may go on after SIGTERM, and on a worker that is replaced
    /// (`--drain-timeout`).
    pub drain_timeout: Duration,
    /// `--trusted-proxy`: whose `X-Forwarded-*` are believed; empty for nobody's.
    pub trusted_proxies: Vec<Network>,
    /// What was taken from where, for the table that `serve` prints: name, value, origin.
    pub origins: Vec<(String, String, Origin)>,
}

/// One `--listen`: an IIS binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// As the operator wrote it.
    pub text: String,
    /// What clients speak there.
    pub scheme: Scheme,
    /// The addresses that it stands for: `localhost` and `*` stand for one of each family. When the port is 0
    /// all of them share the port that the first one draws.
    pub addresses: Vec<SocketAddr>,
}

/// What clients speak at a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL and in `X-Forwarded-Proto`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A certificate and its key, as they were read: what is checked is what is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPlan {
    /// `--tls-cert`: the server's certificate and the intermediate ones behind it.
    pub certificate: PemFile,
    /// `--tls-key`: the key of that certificate.
    pub key: PemFile,
    /// `--tls-client-ca`: whom the certificates of clients must come from; none when no client is asked for one.
    pub client_ca: Option<PemFile>,
}

/// A file in PEM (RFC 7468). Prints as its path alone: it may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    /// Where it lies, absolute.
    pub path: PathBuf,
    /// What it holds.
    pub text: Vec<u8>,
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// Read off the folder because no file said it.
    Inferred,
    /// A place in a file, or a flag.
    At(Place),
}

/// One managed backend application at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPlan {
    /// The publish folder: absolute, symlinks as the operator gave them. Working directory of the app.
    pub folder: PathBuf,
    /// The path base, percent-decoded: `/` for the site root, otherwise starting with `/` and not ending in it.
    pub path_base: String,
    /// Which section asked for it.
    pub handler: Handler,
    /// What to run.
    pub program: Program,
    /// Variables from web.config (expanded) and `--env` (as given), at most one per name without regard to case (the
    /// last one wins and gives the spelling); `--env` beats web.config. `%HTTP_PLATFORM_PORT%` and
    /// `%ASPNETCORE_PORT%` stand in the values until a start knows the port. Names that the pairing owns
    /// (PORT, TOKEN, APPL_PATH, IIS_*, URLS, HTTP_PLATFORM_PORT) are not in here.
    pub environment: Vec<EnvironmentEntry>,
    /// Set for the app unless something else sets it: the root of the `dotnet` that was chosen.
    pub dotnet_root: Option<PathBuf>,
    /// The port to give to the app.
    pub port: PortChoice,
    /// `startupTimeLimit`: how long a start may take until the port is listened on, per attempt.
    pub startup_time_limit: Duration,
    /// `shutdownTimeLimit`: how long a graceful stop may take before the subtree is killed.
    pub shutdown_time_limit: Duration,
    /// `rapidFailsPerMinute`.
    pub rapid_fails_per_minute: u32,
    /// `processesPerApplication`.
    pub processes_per_application: u32,
    /// `stdoutLogEnabled` and `stdoutLogFile`; none when disabled.
    pub stdout_log: Option<StdoutLog>,
    /// handlerSetting `enableOutOfProcessConsoleRedirection`: false leaves the app without stdout and stderr.
    pub console_redirection: bool,
    /// `disableStartUpErrorPage`: a failed start answers 502.3 without the report.
    pub disable_start_up_error_page: bool,
    /// handlerSetting `forwardResponseConnectionHeader`.
    pub forward_response_connection_header: bool,
    /// `startMode` AlwaysRunning, `--always-running`: start at once and after every end, not at the first request.
    pub always_running: bool,
    /// `preloadEnabled`: start at once, but after an end only with the next request.
    pub preload: bool,
    /// `applicationInitialization`: what is asked of a worker before it counts as serving.
    pub warm_up: Vec<WarmUpPage>,
    /// `idleTimeout`: how long without a request until the app is stopped; none for never.
    pub idle_timeout: Option<Duration>,
    /// `disallowOverlappingRotation`: a recycle stops the old worker before the new one is started.
    pub disallow_overlapping_rotation: bool,
    /// `disallowRotationOnConfigChange`: a changed web.config recycles nothing.
    pub disallow_rotation_on_config_change: bool,
    /// When workers are replaced although nothing is wrong with them.
    pub recycling: Recycling,
    /// `<webSocket enabled>`: false hides WebSockets from the app and its clients.
    pub web_sockets: bool,
    /// `ANCM_ADDITIONAL_ERROR_PAGE_LINK`: where the page of a failed start (502.5) points its reader to.
    pub error_page_link: Option<String>,
    /// `debugFile` and `debugLevel`: where the event lines of this app go besides.
    pub debug_log: Option<DebugLog>,
    /// The app runs in a network of its own, which no other process of this machine can reach.
    pub private_network: bool,
    /// Every web.config that this plan comes from or would come from if it were there, the app's own first.
    pub config_files: Vec<PathBuf>,
}

impl AppPlan {
    /// Whether the app runs in the Development environment: `ASPNETCORE_ENVIRONMENT`, else `DOTNET_ENVIRONMENT`, from
    /// web.config and flags before what it inherits.
    #[must_use]
    pub fn is_development(&self, inherited: &[(OsString, OsString)]) -> bool {
        let value = |name: &str| {
            let own = inherited.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
            let set = self.environment.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
            set.map(|entry| entry.value.clone())
                .or_else(|| own.map(|(_, value)| value.to_string_lossy().into_owned()))
        };
        value("ASPNETCORE_ENVIRONMENT")
            .or_else(|| value("DOTNET_ENVIRONMENT"))
            .is_some_and(|environment| environment.eq_ignore_ascii_case("Development"))
    }

    /// Whether the program is no .NET app, as far as the plan tells: it belongs to `<httpPlatform>`, or it is a program
    /// of the system other than `dotnet`, such as `node`.
    #[must_use]
    pub fn runs_other_program(&self) -> bool {
        let path = &self.program.path;
        let of_system = path.is_absolute() && !path.starts_with(&self.folder);
        self.handler == Handler::HttpPlatform
            || (of_system && path.file_stem().is_none_or(|stem| !stem.eq_ignore_ascii_case("dotnet")))
    }
}

/// Which section of web.config, or its absence, describes the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// `<aspNetCore>`, or inferred from the folder.
    AspNetCore,
    /// `<httpPlatform>`: the program reads `HTTP_PLATFORM_PORT`; no token is checked.
    HttpPlatform,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable: absolute when it was found; otherwise the words of web.config after translation,
    /// and the start will fail and say so.
    pub path: PathBuf,
    /// Arguments after CommandLineToArgvW splitting and translation, without the program itself.
    /// `%HTTP_PLATFORM_PORT%` and `%ASPNETCORE_PORT%` stand in them until a start knows the port.
    pub arguments: Vec<String>,
}

/// One variable for the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentEntry {
    /// The name as spelled by the entry that won.
    pub name: String,
    /// The value after expansion.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
}

/// `ASPNETCORE_PORT` of web.config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortChoice {
    /// Not set, or empty: draw one for each start.
    Draw,
    /// A fixed port, 1025–65535.
    Fixed(u16),
    /// Not an integer in 1025–65535: every start fails with 502.5 (IIS: stage `SetupListenPort`).
    Invalid(String),
}

/// Where the app's output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StdoutLog {
    /// The folder, absolute; created when missing.
    pub folder: PathBuf,
    /// The start of the file name; `_yyyyMMddHHmmss_PID.log` follows.
    pub prefix: String,
    /// `stdoutLogMaxSize`, in bytes: a larger file is followed by another one; none for no limit.
    pub max_size: Option<u64>,
    /// `stdoutLogMaxFiles`: so many files of this prefix are kept; none for all.
    pub max_files: Option<u32>,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $unit:literal, $iis:literal;)+) => {
        /// Every limit and deadline of the request path.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Limits {
            /// Name, unit, default and IIS name of every limit, for `check` and the docs.
            pub const INFO: &[LimitInfo] = &[$(LimitInfo {
                name: stringify!($field), unit: $unit, iis: $iis, meaning: concat!($($doc, " "),+),
            },)+];

            /// The value of every limit, in the order of [`Limits::INFO`].
            pub(crate) fn amounts(&self) -> Vec<Amount> {
                vec![$(Amount::from(self.$field)),+]
            }
        }
    };
}

/// What one limit is called and means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitInfo {
    /// Field of [`Limits`].
    pub name: &'static str,
    /// `bytes`, `lines`, `seconds`, `connections`, `requests`.
    pub unit: &'static str,
    /// What IIS calls it, or empty.
    pub iis: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

limits! {
    /// A request head with our own lines added, request line included: Kestrel refuses more.
    head_bytes: usize = 32 * 1024, "bytes", "MaxRequestBytes";
    /// Header lines of a request with our own added: Kestrel refuses more.
    head_lines: usize = 100, "lines", "headerLimits";
    /// The request line with its CRLF (414 beyond).
    request_line_bytes: usize = 8 * 1024, "bytes", "maxUrl";
    /// From the first byte of a head to its end (408 beyond).
    header_deadline: Duration = Duration::from_secs(15), "seconds", "headerWaitTimeout";
    /// From the start of a connection to the end of its TLS handshake.
    tls_handshake: Duration = Duration::from_secs(10), "seconds", "";
    /// How long a connection may wait for its next request.
    keep_alive: Duration = Duration::from_secs(120), "seconds", "connectionTimeout";
    /// How long a client may neither send the body we wait for nor take the answer we send.
    client_stall: Duration = Duration::from_secs(120), "seconds", "connectionTimeout";
    /// Largest request body (413 beyond).
    body_bytes: u64 = 30_000_000, "bytes", "maxAllowedContentLength";
    /// Open client connections; 80 % of half RLIMIT_NOFILE when that is less (then accepting pauses).
    connections: usize = 8192, "connections", "maxConnections";
    /// Requests that may wait for one app's start (503 beyond).
    start_queue: usize = 1000, "requests", "queueLength";
    /// Connections to one worker; open WebSockets and event streams no longer count, nor slow clients while others wait.
    upstream_connections: usize = 256, "connections", "";
    /// Opening one connection to a worker.
    upstream_connect: Duration = Duration::from_secs(5), "seconds", "";
    /// How long an unused connection to a worker is kept; below Kestrel's 130 s.
    upstream_idle: Duration = Duration::from_secs(60), "seconds", "";
    /// Each wait for the app: for its response head, and for each next part of its body (502.3 beyond).
    request_timeout: Duration = Duration::from_secs(120), "seconds", "requestTimeout";
    /// From a request's head to the end of its answer, tunnels excepted (502.3 beyond, or a cut answer).
    total_timeout: Duration = Duration::MAX, "seconds", "";
    /// A response head (502.3 beyond).
    response_head_bytes: usize = 64 * 1024, "bytes", "";
    /// Informational responses before the final one (502.3 beyond).
    informational_responses: usize = 8, "responses", "";
    /// What is read and thrown away of a refused request before the connection closes.
    linger_bytes: u64 = 256 * 1024, "bytes", "";
    /// How long that may take.
    linger: Duration = Duration::from_secs(2), "seconds", "";
}
