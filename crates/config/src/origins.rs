//! The table that `serve` prints at the start: what was taken from where. No secrets: names of variables, not
//! their values.

use std::time::Duration;

use crate::assemble::Said;
use crate::diagnostic::Place;
use crate::own::Own;
use crate::plan::{Limits, Origin, PemFile, Plan, PortChoice};
use crate::report::Spanned;
use crate::resolve::Parts;
use crate::settings::{self, Setting};
use crate::value::write_time_span;
use crate::webconfig::AppSection;

type Row = (String, String, Origin);

/// Every row, the important ones first.
pub(crate) fn table(plan: &Plan, from: Said) -> Vec<Row> {
    let Said { parts, own, .. } = from;
    let row = |name: &str, value: String, origin: Origin| (name.to_owned(), value, origin);
    let listen: Vec<&str> = plan.bindings.iter().map(|binding| binding.text.as_str()).collect();
    let base = match (&own.path_base, &own.site_root) {
        (None, Some(root)) => at(root),
        (base, _) => said(base.as_ref()),
    };
    let mut rows = vec![
        row("command", command(plan), parts.origin.clone()),
        row("folder", plan.app.folder.display().to_string(), Origin::At(Place::whole("DIR"))),
        row("path base", plan.app.path_base.clone(), base),
        row("listen", listen.join(", "), said(own.listen.first())),
    ];
    if let Some(root) = &own.site_root {
        rows.push(row("site root", root.value.display().to_string(), at(root)));
    }
    if let Some(tls) = &plan.tls {
        let path = |file: &PemFile| file.path.display().to_string();
        rows.push(row("certificate", path(&tls.certificate), said(own.tls_cert.as_ref())));
        rows.push(row("key", path(&tls.key), said(own.tls_key.as_ref())));
        if let Some(ca) = &tls.client_ca {
            rows.push(row("client CA", path(ca), said(own.tls_client_ca.as_ref())));
        }
    }
    if let Some(root) = &plan.app.dotnet_root {
        rows.push(row("dotnet", root.display().to_string(), Origin::Inferred));
    }
    match &plan.app.port {
        PortChoice::Draw => {}
        PortChoice::Fixed(port) => {
            rows.push(row("port", port.to_string(), parts.environment.port_origin.clone()))
        }
        PortChoice::Invalid(text) => {
            rows.push(row("port", text.clone(), parts.environment.port_origin.clone()))
        }
    }
    rows.extend(settings(plan, parts));
    rows.extend(limits(plan, parts, own));
    rows.extend(
        settings::all(plan, from).into_iter().filter(|row| row.origin != Origin::Default).map(Setting::short),
    );
    if let (Some(log), Some(section)) = (&plan.app.stdout_log, parts.section()) {
        let origin = section.stdout_log_file.as_ref().map_or(Origin::Default, at);
        rows.push(row("stdout log", format!("{}_*.log", log.folder.join(&log.prefix).display()), origin));
    }
    rows.extend(environment(plan));
    rows
}

/// Where an own setting was made.
pub(crate) fn said<T>(value: Option<&Spanned<T>>) -> Origin {
    value.map_or(Origin::Default, at)
}

fn at<T>(value: &Spanned<T>) -> Origin {
    Origin::At(value.place.clone())
}

/// The command as it could be typed, as far as its words allow.
fn command(plan: &Plan) -> String {
    let program = plan.app.program.path.display().to_string();
    let words = std::iter::once(&program).chain(&plan.app.program.arguments);
    words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it for one.
pub(crate) fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains([' ', '\t', '"', '\'', '\\', '$', '`']);
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// What web.config sets to something else than the default.
fn settings(plan: &Plan, parts: &Parts) -> Vec<Row> {
    let Some(section) = parts.section() else { return Vec::new() };
    let app = &plan.app;
    let seconds = |span: Duration| format!("{} s", span.as_secs());
    let all = [
        ("startupTimeLimit", &section.startup_time_limit, seconds(app.startup_time_limit)),
        ("shutdownTimeLimit", &section.shutdown_time_limit, seconds(app.shutdown_time_limit)),
        ("rapidFailsPerMinute", &section.rapid_fails_per_minute, app.rapid_fails_per_minute.to_string()),
        (
            "processesPerApplication",
            &section.processes_per_application,
            app.processes_per_application.to_string(),
        ),
    ];
    all.into_iter()
        .filter_map(|(name, written, value)| Some((name.to_owned(), value, at(written.as_ref()?))))
        .collect()
}

/// Limits that differ from their default, and what of the operator's own settings decides one.
fn limits(plan: &Plan, parts: &Parts, own: &Own) -> Vec<Row> {
    let (limits, default) = (&plan.limits, Limits::default());
    let mut rows = Vec::new();
    if let (Some(bytes), true) = (&parts.config.body_bytes, limits.body_bytes != default.body_bytes) {
        rows.push(("maxAllowedContentLength".to_owned(), format!("{} bytes", limits.body_bytes), at(bytes)));
    }
    let write = |span: Duration| write_time_span(span.as_secs());
    let timeout = parts.section().and_then(AppSection::request_timeout_place);
    if let (Some(timeout), true) = (timeout, limits.request_timeout != default.request_timeout) {
        let value = match limits.request_timeout {
            Duration::MAX => "none".to_owned(),
            span => write(span),
        };
        rows.push(("requestTimeout".to_owned(), value, Origin::At(timeout.clone())));
    }
    if limits.total_timeout != default.total_timeout {
        rows.push(("totalTimeout".to_owned(), write(limits.total_timeout), said(own.total_timeout.as_ref())));
    }
    let own = [
        ("headerWaitTimeout", write(limits.header_deadline), said(own.header_wait_timeout.as_ref())),
        ("connectionTimeout", write(limits.keep_alive), said(own.connection_timeout.as_ref())),
        ("maxConnections", limits.connections.to_string(), connections(limits, own)),
        ("queueLength", limits.start_queue.to_string(), said(own.queue_length.as_ref())),
        (
            "upstreamConnections",
            limits.upstream_connections.to_string(),
            said(own.upstream_connections.as_ref()),
        ),
    ];
    let own = own.into_iter().filter(|(.., origin)| *origin != Origin::Default);
    rows.extend(own.map(|(name, value, origin)| (name.to_owned(), value, origin)));
    rows
}

/// Whoever asked for more connections than the system affords did not ask for these.
pub(crate) fn connections(limits: &Limits, own: &Own) -> Origin {
    let said = own.max_connections.as_ref();
    let wanted = said.map_or(Limits::default().connections as u64, |said| said.value);
    if wanted == limits.connections as u64 { self::said(said) } else { Origin::Inferred }
}

/// The names of the app's variables, one row for each file or flag that they come from.
fn environment(plan: &Plan) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for entry in &plan.app.environment {
        let file = match &entry.origin {
            Origin::At(place) => Origin::At(Place::whole(place.file.clone())),
            Origin::Default | Origin::Inferred => entry.origin.clone(),
        };
        match rows.iter_mut().find(|(.., origin)| *origin == file) {
            Some((_, names, _)) => {
                names.push_str(", ");
                names.push_str(&entry.name);
            }
            None => rows.push(("environment".to_owned(), entry.name.clone(), file)),
        }
    }
    rows
}
