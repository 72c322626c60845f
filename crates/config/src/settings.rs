//! Settings that come from flags, `falconer.toml` and sections beside the app's own, as rows of the tables that `serve`
//! and `check` show.

use std::time::Duration;

use crate::assemble::{ERROR_PAGE_LINK, Said};
use crate::diagnostic::Place;
use crate::logs::Debug;
use crate::origins::said;
use crate::plan::{Origin, Plan};
use crate::pool::{DebugLevel, DebugLog};
use crate::value::write_time_span;

/// One setting.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    value: Value,
    pub(crate) origin: Origin,
}

/// What a setting is set to.
enum Value {
    Flag(bool),
    Text(String),
    /// With its unit, which may be empty.
    Number(u64, &'static str),
    Span(Duration),
    None,
}

impl Setting {
    /// In decimal digits and with its unit, where it is a number or a time.
    pub(crate) fn value(&self) -> (String, &'static str) {
        match &self.value {
            Value::Flag(value) => (value.to_string(), ""),
            Value::Text(text) => (text.clone(), ""),
            Value::Number(number, unit) => (number.to_string(), unit),
            Value::Span(span) => (span.as_secs().to_string(), "seconds"),
            Value::None => ("none".to_owned(), ""),
        }
    }

    /// Whether `hh:mm:ss` is how it is written.
    pub(crate) fn is_time_span(&self) -> bool {
        matches!(self.value, Value::Span(_))
    }

    /// As the short table has it.
    pub(crate) fn short(self) -> (String, String, Origin) {
        let value = match &self.value {
            Value::Flag(true) => "yes".to_owned(),
            Value::Flag(false) => "no".to_owned(),
            Value::Number(number, "seconds") => format!("{number} s"),
            Value::Span(span) => write_time_span(span.as_secs()),
            Value::Number(..) | Value::Text(_) | Value::None => match self.value() {
                (value, "") => value,
                (value, unit) => format!("{value} {unit}"),
            },
        };
        (self.name.to_owned(), value, self.origin)
    }
}

fn one(name: &'static str, value: Value, origin: Origin) -> Setting {
    Setting { name, value, origin }
}

fn span(value: Option<Duration>) -> Value {
    value.map_or(Value::None, Value::Span)
}

fn number(value: Option<u64>, unit: &'static str) -> Value {
    value.map_or(Value::None, |value| Value::Number(value, unit))
}

fn list(items: impl Iterator<Item = String>) -> Value {
    let items = items.collect::<Vec<_>>().join(", ");
    if items.is_empty() { Value::None } else { Value::Text(items) }
}

/// Every one of them, in the order of reading.
pub(crate) fn all(plan: &Plan, from: Said) -> Vec<Setting> {
    let mut all = starting(plan, from);
    all.extend(recycling(plan, from));
    all.extend(logging(plan, from));
    all.extend(trusting(plan, from));
    all
}

fn starting(plan: &Plan, Said { parts, own, .. }: Said) -> Vec<Setting> {
    let app = &plan.app;
    let pages = app.warm_up.iter().map(|page| match &page.host {
        Some(host) => format!("{} of {host}", page.path),
        None => page.path.clone(),
    });
    let drain = Value::Number(plan.drain_timeout.as_secs(), "seconds");
    vec![
        one("always running", Value::Flag(app.always_running), said(own.always_running.as_ref())),
        one("preloadEnabled", Value::Flag(app.preload), said(own.preload.as_ref())),
        one("initializationPage", list(pages), said(parts.config.warm_up.first())),
        one("idleTimeout", span(app.idle_timeout), said(own.idle_timeout.as_ref())),
        one("drain timeout", drain, said(own.drain_timeout.as_ref())),
    ]
}

fn recycling(plan: &Plan, Said { parts, own, .. }: Said) -> Vec<Setting> {
    let (app, recycling) = (&plan.app, &plan.app.recycling);
    let times = recycling.schedule.iter().map(|time| write_time_span(time.as_secs()));
    let on_change = own.disallow_rotation_on_config_change.as_ref();
    let in_file = parts.section().and_then(|section| section.settings.disallow_rotation.as_ref());
    vec![
        one(
            "disallowOverlappingRotation",
            Value::Flag(app.disallow_overlapping_rotation),
            said(own.disallow_overlapping_rotation.as_ref()),
        ),
        one(
            "disallowRotationOnConfigChange",
            Value::Flag(app.disallow_rotation_on_config_change),
            said(on_change.filter(|on| on.value).or(in_file).or(on_change)),
        ),
        one("periodicRestart time", span(recycling.time), said(own.recycle_time.as_ref())),
        one("periodicRestart requests", number(recycling.requests, ""), said(own.recycle_requests.as_ref())),
        one(
            "periodicRestart privateMemory",
            number(recycling.private_memory.map(|bytes| bytes / 1024), "KB"),
            said(own.recycle_memory.as_ref()),
        ),
        one("periodicRestart schedule", list(times), said(own.recycle_at.as_ref())),
    ]
}

fn logging(plan: &Plan, Said { parts, own, .. }: Said) -> Vec<Setting> {
    let log = plan.app.stdout_log.as_ref();
    let debug = plan.app.debug_log.as_ref();
    let origin = |pick: fn(&Debug) -> &Option<Place>| {
        let place = parts.debug_log.as_ref().and_then(|debug| pick(debug).clone());
        place.map_or(Origin::Default, Origin::At)
    };
    let level = |log: &DebugLog| match log.level {
        DebugLevel::Error => "error",
        DebugLevel::Warning => "warning",
        DebugLevel::Information => "info",
    };
    vec![
        one(
            "stdoutLogMaxSize",
            number(log.and_then(|log| log.max_size), "bytes"),
            said(own.log_max_size.as_ref()),
        ),
        one(
            "stdoutLogMaxFiles",
            number(log.and_then(|log| log.max_files).map(u64::from), ""),
            said(own.log_max_files.as_ref()),
        ),
        one(
            "debugFile",
            list(debug.map(|log| log.file.display().to_string()).into_iter()),
            origin(|debug| &debug.file),
        ),
        one(
            "debugLevel",
            list(debug.map(|log| level(log).to_owned()).into_iter()),
            origin(|debug| &debug.level),
        ),
    ]
}

fn trusting(plan: &Plan, Said { parts, own, .. }: Said) -> Vec<Setting> {
    let app = &plan.app;
    let flags = plan.ssl_flags;
    let flags = [
        (flags.ssl, "Ssl"),
        (flags.negotiate_cert, "SslNegotiateCert"),
        (flags.require_cert, "SslRequireCert"),
    ];
    let flags = flags.into_iter().filter(|(on, _)| *on).map(|(_, name)| name.to_owned());
    let link = match &app.error_page_link {
        Some(_) => Origin::At(Place::whole(ERROR_PAGE_LINK)),
        None => Origin::Default,
    };
    vec![
        one("webSocket enabled", Value::Flag(app.web_sockets), said(parts.config.web_sockets.as_ref())),
        one("sslFlags", list(flags), said(parts.config.ssl_flags.as_ref())),
        one(
            "trusted proxies",
            list(plan.trusted_proxies.iter().map(ToString::to_string)),
            said(own.trusted_proxies.as_ref()),
        ),
        one("private network", Value::Flag(app.private_network), said(own.private_network.as_ref())),
        one("error page link", list(app.error_page_link.clone().into_iter()), link),
    ]
}
