//! What works and will still surprise: things that no file is wrong about, and that cost people their evenings.

use std::path::Path;

use crate::code::Code;
use crate::diagnostic::{Place, Severity};
use crate::input::{Files, Input, Keeping};
use crate::plan::{Handler, Limits, Origin, PortChoice};
use crate::report::Report;
use crate::resolve::Parts;

/// Every advice for an app that was found.
pub(crate) fn advise(parts: &Parts, input: &Input, files: &dyn Files, report: &mut Report) {
    body_limit(parts, report);
    processes(parts, report);
    let handler = parts.section().map_or(Handler::AspNetCore, |section| section.handler);
    let is_dotnet = parts.resolved.runtime.is_some() || parts.resolved.search.is_some();
    if handler == Handler::AspNetCore && is_dotnet {
        home(parts, input, files, report);
    }
}

/// Measured: behind a server that pairs with it, Kestrel 10 keeps its own limit of 30,000,000 bytes; in IIS it
/// was lifted.
fn body_limit(parts: &Parts, report: &mut Report) {
    let Some(bytes) = &parts.config.body_bytes else { return };
    let lifted = parts.resolved.runtime.as_ref().is_none_or(|runtime| runtime.lifts_body_limit);
    if bytes.value <= Limits::default().body_bytes || lifted {
        return;
    }
    let message = format!(
        "maxAllowedContentLength is {}, but the app itself answers 413 above 30000000 bytes",
        bytes.value
    );
    let hint = "set \"Microsoft.AspNetCore.Server.IISIntegration.ClearMaxRequestBodySize\": true in \
                configProperties of the app's runtimeconfig.json, or MaxRequestBodySize in the app; it is right as it \
                is if the app does the latter";
    report.warning(Code::BodyLimit, &bytes.place, message).hint(hint);
}

/// Two processes cannot listen on one port.
fn processes(parts: &Parts, report: &mut Report) {
    let count = parts.section().and_then(|section| section.processes_per_application.as_ref());
    if let (PortChoice::Fixed(port), Some(count)) =
        (&parts.environment.port, count.filter(|count| count.value > 1))
    {
        let message = format!(
            "processesPerApplication is {}, but the port is fixed at {port}: one process serves",
            count.value
        );
        report
            .warning(Code::FixedPort, &count.place, message)
            .hint("leave ASPNETCORE_PORT out to have a port drawn for each");
    }
}

/// Where ASP.NET Core keeps the keys that protect cookies: below `HOME`, whatever the user's own folder is.
fn home(parts: &Parts, input: &Input, files: &dyn Files, report: &mut Report) {
    let entry = parts.environment.entries.iter().find(|entry| entry.name == "HOME");
    let (home, place) = match entry {
        Some(entry) => {
            let place = match &entry.origin {
                Origin::At(place) => place.clone(),
                Origin::Default | Origin::Inferred => Place::whole("environment"),
            };
            (Some(entry.value.as_str()), place)
        }
        None => (input.variable("HOME"), Place::whole("environment")),
    };
    let wrong = match home.filter(|home| home.starts_with('/')) {
        None => "HOME is not set".to_owned(),
        Some(home) => match files.keeping(Path::new(home)) {
            Keeping::Lasting => return,
            Keeping::ReadOnly => format!("HOME is {home}, which cannot be written"),
            Keeping::Volatile => format!("HOME is {home}, which is kept in memory only"),
        },
    };
    let message = format!("{wrong}: keys that protect cookies are lost when the app ends");
    let hint = "set HOME to a folder that lasts and can be written, as with --env HOME=/var/lib/shop; an app that keeps \
                its keys elsewhere needs none";
    report.add(Severity::Warning, Code::HomeNotKept, Some(place), message).hint(hint);
}
