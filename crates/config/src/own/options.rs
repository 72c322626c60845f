//! Every setting of `falconer.toml`: the reader knows no other names, and `docs/configuration.md` is written from here.

/// One setting that is not web.config's.
#[derive(Debug, Clone, Copy)]
pub struct OptionInfo {
    /// Where it stands in `falconer.toml`: `applicationPool.processModel.idleTimeout`.
    pub key: &'static str,
    /// The flag that says the same and beats it, with the name of its value; empty where there is none.
    pub flag: &'static str,
    /// What it may be, with its default.
    pub values: &'static str,
    /// What it does, or what IIS calls it.
    pub meaning: &'static str,
}

const fn option(
    key: &'static str,
    flag: &'static str,
    values: &'static str,
    meaning: &'static str,
) -> OptionInfo {
    OptionInfo { key, flag, values, meaning }
}

pub(super) const TRUSTED_PROXIES: &str = "trustedProxies";
pub(super) const PRIVATE_NETWORK: &str = "privateNetwork";
pub(super) const BINDINGS: &str = "site.bindings";
pub(super) const CERTIFICATE: &str = "site.tls.certificate";
pub(super) const KEY: &str = "site.tls.key";
pub(super) const CLIENT_CA: &str = "site.tls.clientCa";
pub(super) const MAX_CONNECTIONS: &str = "site.limits.maxConnections";
pub(super) const CONNECTION_TIMEOUT: &str = "site.limits.connectionTimeout";
pub(super) const PATH: &str = "application.path";
pub(super) const SITE_ROOT: &str = "application.siteRoot";
pub(super) const PRELOAD: &str = "application.preloadEnabled";
pub(super) const START_MODE: &str = "applicationPool.startMode";
pub(super) const QUEUE_LENGTH: &str = "applicationPool.queueLength";
pub(super) const IDLE_TIMEOUT: &str = "applicationPool.processModel.idleTimeout";
pub(super) const NO_OVERLAP: &str = "applicationPool.recycling.disallowOverlappingRotation";
pub(super) const NO_ROTATION: &str = "applicationPool.recycling.disallowRotationOnConfigChange";
pub(super) const TIME: &str = "applicationPool.recycling.periodicRestart.time";
pub(super) const REQUESTS: &str = "applicationPool.recycling.periodicRestart.requests";
pub(super) const MEMORY: &str = "applicationPool.recycling.periodicRestart.privateMemory";
pub(super) const SCHEDULE: &str = "applicationPool.recycling.periodicRestart.schedule";
pub(super) const LOG_SIZE: &str = "stdoutLog.stdoutLogMaxSize";
pub(super) const LOG_FILES: &str = "stdoutLog.stdoutLogMaxFiles";
pub(super) const TOTAL_TIMEOUT: &str = "limits.totalTimeout";
pub(super) const DRAIN_TIMEOUT: &str = "limits.drainTimeout";
pub(super) const UPSTREAM_CONNECTIONS: &str = "limits.upstreamConnections";
pub(super) const HEADER_WAIT: &str = "webLimits.headerWaitTimeout";

/// Every setting that is known.
pub const OPTIONS: &[OptionInfo] = &[
    option(
        TRUSTED_PROXIES,
        "--trusted-proxy CIDR",
        "list of networks, empty",
        "whose `X-Forwarded-For` and `-Proto` are believed; nobody's by default",
    ),
    option(
        PRIVATE_NETWORK,
        "--private-network",
        "true or false, false",
        "the app runs in a network of its own, in which no other process of the machine can reach its port",
    ),
    option(
        BINDINGS,
        "--listen ADDR",
        "list of addresses, 127.0.0.1:8080",
        "where clients connect: `8080`, `:80`, `localhost:5000`, `https://*:443`",
    ),
    option(CERTIFICATE, "--tls-cert FILE", "path", "the certificate of https addresses, in PEM"),
    option(KEY, "--tls-key FILE", "path", "the key of that certificate, in PEM"),
    option(
        CLIENT_CA,
        "--tls-client-ca FILE",
        "path",
        "whom certificates of clients must come from, in PEM, where `sslFlags` of web.config asks for them",
    ),
    option(
        MAX_CONNECTIONS,
        "--max-connections N",
        "1 to 4294967295, 8192",
        "open connections of clients; beyond it new ones wait. Two descriptors are kept for each, so `RLIMIT_NOFILE` may \
         afford fewer, which is told; 4294967295, the default of IIS, is as many as it affords",
    ),
    option(
        CONNECTION_TIMEOUT,
        "--connection-timeout SECONDS",
        "time span from 00:00:01 to 18:12:15, 00:02:00",
        "how long a connection may wait for its next request, and a request for a client that neither sends nor takes",
    ),
    option(
        PATH,
        "--path-base PATH",
        "text, /",
        "the path below which the app lives; below a site root it follows from that",
    ),
    option(
        SITE_ROOT,
        "--site-root DIR",
        "path, none",
        "the folder of the site above the app: each web.config from there down to the app's counts, as in IIS",
    ),
    option(
        PRELOAD,
        "--preload",
        "true or false, false",
        "start the app at once, but after an end only with the next request",
    ),
    option(
        START_MODE,
        "--always-running",
        "OnDemand or AlwaysRunning, OnDemand",
        "`AlwaysRunning`: start the app at once and after every end, not at the first request",
    ),
    option(
        QUEUE_LENGTH,
        "--queue-length N",
        "10 to 65535, 1000",
        "requests that may wait for a start, and for a connection to one process; more are answered 503 with `Retry-After`",
    ),
    option(
        IDLE_TIMEOUT,
        "--idle-timeout SECONDS",
        "time span to 720:00:00, 00:00:00",
        "how long without a request until the app is stopped; 00:00:00 is never (IIS: 20 minutes)",
    ),
    option(
        NO_OVERLAP,
        "--disallow-overlapping-rotation",
        "true or false, false",
        "a recycle stops the old process before it starts the new one, for apps that bear only one",
    ),
    option(NO_ROTATION, "", "true or false, false", "a changed web.config recycles nothing"),
    option(
        TIME,
        "--recycle-time SECONDS",
        "time span to 7200:00:00, 00:00:00",
        "recycle after so long; 00:00:00 is never (IIS: 29 hours)",
    ),
    option(
        REQUESTS,
        "--recycle-requests N",
        "0 to 4294967295, 0",
        "recycle after so many requests; 0 is never",
    ),
    option(
        MEMORY,
        "--recycle-memory KB",
        "0 to 4294967295 KB, 0",
        "recycle when the app's processes together hold more than so much private memory; 0 is never",
    ),
    option(
        SCHEDULE,
        "--recycle-at HH:MM",
        "list of times, empty",
        "recycle at these times of each day, by the local clock",
    ),
    option(
        LOG_SIZE,
        "--stdout-log-max-size BYTES",
        "0 to 2^63-1 bytes, 0",
        "a stdout log that has grown so large is followed by another one; 0 is no limit",
    ),
    option(
        LOG_FILES,
        "--stdout-log-max-files N",
        "0 to 4294967295, 0",
        "so many stdout logs are kept, and older ones removed; 0 is all",
    ),
    option(
        TOTAL_TIMEOUT,
        "--total-timeout SECONDS",
        "time span to 360:00:00, 00:00:00",
        "from a request's head to the end of its answer, WebSockets excepted; 00:00:00 is no limit",
    ),
    option(
        DRAIN_TIMEOUT,
        "--drain-timeout SECONDS",
        "time span to 360:00:00, 00:00:30",
        "how long requests under way may take when the server stops, and when the app is recycled",
    ),
    option(
        UPSTREAM_CONNECTIONS,
        "--upstream-connections N",
        "1 to 65535, 256",
        "requests that one process gets at once, open WebSockets and event streams not counted; raise it for long polling. \
         Others wait: as many as `queueLength`, as long as `requestTimeout`, then 503. Changed by SIGHUP, it holds for the \
         process that takes over",
    ),
    option(
        HEADER_WAIT,
        "--header-wait-timeout SECONDS",
        "time span from 00:00:01 to 18:12:15, 00:00:15",
        "from the first byte of a request to the end of its headers, else 408 (IIS: off, `connectionTimeout` holds)",
    ),
];

/// A file with a bit of everything, for the documents.
pub const OPTIONS_EXAMPLE: &str = r#"trustedProxies = ["10.0.0.0/8", "::1"]

[site]
bindings = ["80", "https://*:443"]
tls = { certificate = "/etc/tls/shop.crt", key = "/etc/tls/shop.key" }
limits = { maxConnections = 20_000, connectionTimeout = "00:01:00" }

[application]
siteRoot = "/srv/www"

[applicationPool]
startMode = "AlwaysRunning"
queueLength = 2_000

[applicationPool.recycling.periodicRestart]
time = "1.05:00:00"
privateMemory = 1_048_576
schedule = ["03:00", "15:30"]

[stdoutLog]
stdoutLogMaxSize = 10_000_000
stdoutLogMaxFiles = 20

[limits]
upstreamConnections = 1_000
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_listed_twice() {
        for option in OPTIONS {
            let same = |other: &&OptionInfo| {
                other.key == option.key || (!other.flag.is_empty() && other.flag == option.flag)
            };
            assert_eq!(OPTIONS.iter().filter(same).count(), 1, "{}", option.key);
        }
    }
}
