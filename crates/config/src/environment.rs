//! The variables that web.config and `--env` give to the app, and which of them they may not give.

use contract::{APPL_PATH, HTTP_PLATFORM_PORT, PORT, TOKEN, URLS};

use crate::code::Code;
use crate::diagnostic::Place;
use crate::expand::{canonical_placeholders, expand};
use crate::input::Input;
use crate::plan::{EnvironmentEntry, Origin, PortChoice};
use crate::report::{Report, Spanned};

/// What the app gets on top of Falconer's own environment.
#[derive(Debug)]
pub(crate) struct Environment {
    /// At most one entry per name, ignoring case.
    pub(crate) entries: Vec<EnvironmentEntry>,
    /// From `ASPNETCORE_PORT`.
    pub(crate) port: PortChoice,
    /// Where that was said.
    pub(crate) port_origin: Origin,
}

impl Environment {
    /// The value of a variable, ignoring case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|entry| entry.name.eq_ignore_ascii_case(name))
            .map(|entry| entry.value.as_str())
    }

    fn set(&mut self, entry: EnvironmentEntry) {
        let folded = entry.name.to_lowercase();
        match self.entries.iter_mut().find(|other| other.name.to_lowercase() == folded) {
            Some(other) => *other = entry,
            None => self.entries.push(entry),
        }
    }
}

/// web.config first, then `--env`; the last one of a name wins, its case aside, and gives the spelling.
pub(crate) fn build(
    section: &[(Spanned<String>, String)],
    input: &Input,
    report: &mut Report,
) -> Environment {
    let mut built = Environment { entries: Vec::new(), port: PortChoice::Draw, port_origin: Origin::Default };
    let prefers_own = input
        .variable("ANCM_PREFER_ENVIRONMENT_VARIABLES")
        .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    for (name, value) in section {
        if let Some(own) = input.variable(&name.value).filter(|_| prefers_own) {
            // The app inherits it, but for the port, which is ours to give.
            if name.value.eq_ignore_ascii_case(PORT) {
                built.port = port(own);
                built.port_origin = Origin::At(Place::whole(PORT));
            }
            continue;
        }
        let origin = Origin::At(name.place.clone());
        let (name, value) = (name.value.clone(), expand(value, input));
        take(EnvironmentEntry { name, value, origin }, &mut built, report);
    }
    for text in &input.env {
        let place = Place::whole("--env");
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
                // The shell has expanded what the operator wanted expanded.
                let (name, value) = (name.to_owned(), canonical_placeholders(value));
                take(EnvironmentEntry { name, value, origin: Origin::At(place) }, &mut built, report);
            }
            Some(_) | None => {
                // A value may be a secret: only the part before "=" is shown, and nothing where there is none.
                let message = "a variable is written without a name or without \"=\"".to_owned();
                report.error(Code::BadVariable, &place, message).hint("write --env NAME=VALUE");
            }
        }
    }
    if let (PortChoice::Invalid(value), Origin::At(place)) = (&built.port, &built.port_origin) {
        let message =
            format!("{PORT} \"{value}\" is not an integer from 1025 to 65535; every start will fail");
        report
            .missing(Code::BadPort, Some(place.clone()), message)
            .hint("leave it out to have a free port drawn");
    }
    built
}

fn take(entry: EnvironmentEntry, built: &mut Environment, report: &mut Report) {
    if entry.name.eq_ignore_ascii_case(PORT) {
        built.port = port(&entry.value);
        built.port_origin = entry.origin;
        return;
    }
    let upper = entry.name.to_ascii_uppercase();
    let owned = [TOKEN, APPL_PATH, URLS, HTTP_PLATFORM_PORT].contains(&upper.as_str());
    if !owned && !upper.starts_with("ASPNETCORE_IIS_") {
        built.set(entry);
        return;
    }
    let hint = match upper.as_str() {
        TOKEN => "a new token is drawn for each start",
        URLS => "the app is told to listen where requests are sent to",
        _ => "the server sets it for each start",
    };
    if let Origin::At(place) = &entry.origin {
        report.warning(Code::ReservedVariable, place, format!("{} is ignored", entry.name)).hint(hint);
    }
}

/// Empty is as good as unset. IIS takes 1025 to 48000; there is no reason for its upper end here.
fn port(value: &str) -> PortChoice {
    let digits = value.trim();
    if digits.is_empty() {
        return PortChoice::Draw;
    }
    let number =
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    match number {
        Some(port) if port >= 1025 => PortChoice::Fixed(port),
        Some(_) | None => PortChoice::Invalid(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_checked_before_an_app_could_listen_on_every_interface() {
        assert_eq!(port(" 24998 "), PortChoice::Fixed(24998));
        assert_eq!(port("65535"), PortChoice::Fixed(65535));
        assert_eq!(port(" "), PortChoice::Draw);
        for wrong in ["abc", "0", "1024", "65536", "-1", "+5000", "5000.0", "%X%"] {
            assert_eq!(port(wrong), PortChoice::Invalid(wrong.into()), "{wrong}");
        }
    }
}
