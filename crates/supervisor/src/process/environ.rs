//! Composes the environment of an app. Pure: what was inherited comes in as an argument.

use std::ffi::{OsStr, OsString};

use config::AppPlan;
use contract::PairingToken;

/// Variables that are for the server alone: its service manager's, its own, its credentials.
const NOT_FOR_APPS: &[&str] = &[
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "KRB5_KTNAME",
    "SSLKEYLOGFILE",
    "CREDENTIALS_DIRECTORY",
];
const NOT_FOR_APPS_PREFIXES: &[&str] = &["WATCHDOG_", "LISTEN_", "FALCONER_"];

/// Names that we set, so that an inherited spelling of them never reaches an app: .NET reads names without
/// regard to case, and two spellings of one name would fight.
const OURS: &[&str] = &[
    contract::PORT,
    contract::TOKEN,
    contract::APPL_PATH,
    contract::IIS_HTTPAUTH,
    contract::IIS_WEBSOCKETS_SUPPORTED,
    contract::IIS_PHYSICAL_PATH,
    contract::ANCM_HTTPS_PORT,
    contract::HOSTINGSTARTUPASSEMBLIES,
    contract::URLS,
    contract::FORWARDEDHEADERS_ENABLED,
    contract::SHUTDOWNTIMEOUTSECONDS,
    contract::HTTP_PLATFORM_PORT,
];

/// What only a start knows, and the plan that it starts from.
#[derive(Debug)]
pub struct Computed<'a> {
    /// The port that the app must listen on.
    pub port: u16,
    /// The token of this start.
    pub token: &'a PairingToken,
    /// The app.
    pub plan: &'a AppPlan,
    /// The port of the server's one https binding; none when there is none or more than one.
    pub https_port: Option<u16>,
}

/// The whole environment of an app. Lowest first: what the server inherited less what is not for apps,
/// web.config and `--env`, then what pairs the app with its server, which always wins. What only makes an app
/// behave better (forwarded headers, its shutdown timeout, the https port, the hosting startup) is set where
/// web.config and `--env` say nothing.
#[must_use]
pub fn compose(inherited: &[(OsString, OsString)], computed: &Computed<'_>) -> Vec<(OsString, OsString)> {
    let mut all =
        Variables(Vec::with_capacity(inherited.len() + computed.plan.environment.len() + OURS.len() + 1));
    for (name, value) in inherited {
        let first_of_its_name = !all.0.iter().any(|(known, _)| known == name);
        if is_for_apps(name) && first_of_its_name {
            all.0.push((name.clone(), value.clone()));
        }
    }
    for entry in &computed.plan.environment {
        all.replace(&entry.name, fill_port(&entry.value, computed.port).into());
    }
    if let Some(port) = plain_port(computed) {
        all.replace(contract::PLAIN_PORT, port);
    }
    for (name, value) in optional(inherited, computed) {
        if !all.has(name) {
            all.replace(name, value);
        }
    }
    for (name, value) in pairing(computed) {
        all.replace(name, value);
    }
    all.0
}

/// Newer modules also set names of the site, the pool and their files (`ASPNETCORE_IIS_SITE_NAME` and seven more). Only
/// an app inside the IIS process reads them, and what has no counterpart here would be made up.
fn pairing(computed: &Computed<'_>) -> [(&'static str, OsString); 8] {
    let port = computed.port.to_string();
    [
        (contract::TOKEN, computed.token.as_str().into()),
        (contract::APPL_PATH, computed.plan.path_base.as_str().into()),
        (contract::IIS_HTTPAUTH, "anonymous;".into()),
        (contract::IIS_WEBSOCKETS_SUPPORTED, computed.plan.web_sockets.to_string().into()),
        (contract::IIS_PHYSICAL_PATH, computed.plan.folder.clone().into()),
        (contract::URLS, format!("http://127.0.0.1:{port}").into()),
        (contract::HTTP_PLATFORM_PORT, port.as_str().into()),
        (contract::PORT, port.into()),
    ]
}

/// `PORT`, which no .NET app reads and an app's own settings may be called, for other programs alone. What is inherited
/// is the port of the server itself, where a platform of containers gave it one.
fn plain_port(computed: &Computed<'_>) -> Option<OsString> {
    let plan = computed.plan;
    let written = plan.environment.iter().any(|entry| entry.name.eq_ignore_ascii_case(contract::PLAIN_PORT));
    (plan.runs_other_program() && !written).then(|| computed.port.to_string().into())
}

fn optional(inherited: &[(OsString, OsString)], computed: &Computed<'_>) -> Vec<(&'static str, OsString)> {
    let mut values = vec![
        (contract::FORWARDEDHEADERS_ENABLED, "true".into()),
        (contract::SHUTDOWNTIMEOUTSECONDS, shutdown_seconds(computed.plan).to_string().into()),
        (contract::HOSTINGSTARTUPASSEMBLIES, hosting_startup(inherited)),
    ];
    if let Some(port) = computed.https_port {
        values.push((contract::ANCM_HTTPS_PORT, port.to_string().into()));
    }
    if let Some(root) = &computed.plan.dotnet_root {
        values.push((contract::DOTNET_ROOT, root.clone().into()));
    }
    values
}

/// A little less than the app is given before it is killed: an app with open streams uses all of it
/// (measured: without this, Kestrel waits 30 s for them).
fn shutdown_seconds(plan: &AppPlan) -> u64 {
    let limit = plan.shutdown_time_limit.as_secs();
    limit.saturating_sub(1 + limit / 20).max(1)
}

/// The assemblies that the server's surroundings already name, then `;` and the one that pairs, also when they
/// name none (IIS: the module writes it so).
fn hosting_startup(inherited: &[(OsString, OsString)]) -> OsString {
    let named = inherited.iter().find(|(name, _)| is(name, contract::HOSTINGSTARTUPASSEMBLIES));
    let named = named.map(|(_, value)| value.clone()).unwrap_or_default();
    let listed =
        named.to_string_lossy().split(';').any(|one| one.trim() == contract::IIS_INTEGRATION_ASSEMBLY);
    if listed {
        return named;
    }
    let mut all = named;
    all.push(";");
    all.push(contract::IIS_INTEGRATION_ASSEMBLY);
    all
}

fn is_for_apps(name: &OsStr) -> bool {
    let prefixed = |prefix: &&str| {
        let start = name.as_encoded_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    !NOT_FOR_APPS.iter().chain(OURS).any(|ours| is(name, ours)) && !NOT_FOR_APPS_PREFIXES.iter().any(prefixed)
}

fn is(name: &OsStr, other: &str) -> bool {
    name.eq_ignore_ascii_case(other)
}

struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| is(known, name))
    }

    /// Sets one name, whatever spelling it had.
    fn replace(&mut self, name: &str, value: OsString) {
        self.0.retain(|(known, _)| !is(known, name));
        self.0.push((name.into(), value));
    }
}

/// Puts the port where `%HTTP_PLATFORM_PORT%` or `%ASPNETCORE_PORT%` stand, in any case (IIS: the variables
/// that a module sets are expanded in its `arguments`; HttpPlatformHandler does so).
#[must_use]
pub fn fill_port(text: &str, port: u16) -> String {
    let placeholders = [format!("%{}%", contract::HTTP_PLATFORM_PORT), format!("%{}%", contract::PORT)];
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let placeholder = placeholders.iter().find(|one| {
            rest.as_bytes().get(..one.len()).is_some_and(|start| start.eq_ignore_ascii_case(one.as_bytes()))
        });
        if let Some(placeholder) = placeholder {
            filled.push_str(&port.to_string());
            rest = &rest[placeholder.len()..];
        } else {
            filled.push('%');
            rest = &rest[1..];
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests;
