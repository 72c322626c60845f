//! The environment that the app would be given, with secrets masked. Composed by the supervisor, as for a start.

use std::ffi::OsString;

use config::{Origin, Plan, PortChoice, Scheme};
use contract::PairingToken;
use supervisor::process::environ::{self, Computed};

/// One variable of the app.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    /// None when its name or its looks say that it is a secret.
    pub(super) value: Option<String>,
    pub(super) source: Source,
}

/// Who sets a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// web.config, or `--env`.
    Written(Origin),
    /// This server, for each start.
    Server,
    /// Whoever started this server.
    Inherited,
}

/// What stands where only a start knows the port.
const PORT: &str = "PORT";

/// All of them: what is set first, then what is inherited, each by name.
pub(super) fn of_app(plan: &Plan, inherited: &[(OsString, OsString)]) -> Result<Vec<Variable>, String> {
    let token = PairingToken::generate().map_err(|error| error.to_string())?;
    let drawn = match plan.app.port {
        PortChoice::Fixed(_) => None,
        PortChoice::Draw | PortChoice::Invalid(_) => Some("64999"),
    };
    let compose = |port: u16| {
        let computed = Computed { port, token: &token, plan: &plan.app, https_port: https_port(plan) };
        environ::compose(inherited, &computed)
    };
    // Two drawn ports show what depends on the port.
    let (first, second) = match plan.app.port {
        PortChoice::Fixed(port) => (compose(port), compose(port)),
        PortChoice::Draw | PortChoice::Invalid(_) => (compose(64_999), compose(64_998)),
    };
    let text = |value: &OsString| value.to_string_lossy().into_owned();
    let mut all: Vec<Variable> = first
        .iter()
        .zip(&second)
        .map(|((name, value), (_, other))| {
            let value = match drawn {
                Some(port) if value != other => text(value).replace(port, PORT),
                _ => text(value),
            };
            let source = source(name, plan, inherited);
            let name = text(name);
            Variable { value: Some(value).filter(|value| !is_secret(&name, value)), name, source }
        })
        .collect();
    all.sort_by_key(|one| (one.source == Source::Inherited, one.name.clone()));
    Ok(all)
}

/// The port of the one https address, as far as it is known before anything is bound.
fn https_port(plan: &Plan) -> Option<u16> {
    let https = plan.bindings.iter().filter(|binding| binding.scheme == Scheme::Https);
    let mut ports: Vec<u16> =
        https.flat_map(|one| one.addresses.iter().map(|address| address.port())).collect();
    ports.dedup();
    match ports[..] {
        [port] if port != 0 => Some(port),
        _ => None,
    }
}

fn source(name: &OsString, plan: &Plan, inherited: &[(OsString, OsString)]) -> Source {
    let written = plan.app.environment.iter().find(|entry| name.as_os_str() == entry.name.as_str());
    if let Some(entry) = written {
        return Source::Written(entry.origin.clone());
    }
    let set_by_us = [
        contract::PORT,
        contract::TOKEN,
        contract::APPL_PATH,
        contract::URLS,
        contract::HTTP_PLATFORM_PORT,
        contract::HOSTINGSTARTUPASSEMBLIES,
        contract::IIS_HTTPAUTH,
        contract::IIS_WEBSOCKETS_SUPPORTED,
        contract::IIS_PHYSICAL_PATH,
        contract::ANCM_HTTPS_PORT,
        contract::FORWARDEDHEADERS_ENABLED,
        contract::SHUTDOWNTIMEOUTSECONDS,
    ];
    let plain_port = name.eq_ignore_ascii_case(contract::PLAIN_PORT);
    let ours = set_by_us.iter().any(|known| name.eq_ignore_ascii_case(known))
        || (plain_port && plan.app.runs_other_program());
    if !ours && inherited.iter().any(|(known, _)| known == name) { Source::Inherited } else { Source::Server }
}

/// Names that hold secrets, whatever stands between their letters.
const SECRET_NAMES: &[&str] =
    &["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "KEY", "TOKEN", "CONNECTIONSTRING", "CREDENTIAL"];
/// What secrets look like under other names: connection strings and URLs with a password.
const SECRET_LOOKS: &[&str] = &["password=", "pwd=", "accountkey=", "sharedaccesskey=", "-----begin"];

fn is_secret(name: &str, value: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_uppercase();
    let lower = value.to_ascii_lowercase();
    // user:password@host, in any kind of URL.
    let url = lower.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
        || SECRET_LOOKS.iter().any(|look| lower.contains(look))
        || url.is_some_and(|(user, _)| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_and_by_looks() {
        for (name, value) in [
            ("DB_PASSWORD", "x"),
            ("ConnectionStrings__Default", "x"),
            ("CONNECTION_STRING", "x"),
            ("Api:Key", "x"),
            ("ASPNETCORE_TOKEN", "x"),
            ("client_secret", "x"),
            ("DATABASE_URL", "postgres://ann:pw@db/shop"),
            ("DB", "Server=db;User Id=ann;Password=pw"),
            ("CERT", "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert!(is_secret(name, value), "{name}={value}");
        }
        for (name, value) in
            [("HOME", "/root"), ("URL", "http://db/a@b:c"), ("ASPNETCORE_URLS", "http://127.0.0.1:PORT")]
        {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }
}
