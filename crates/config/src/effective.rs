//! Everything that holds for an app, whoever set it: for `check`. Limits go by our names and by those of IIS.

use std::time::Duration;

use crate::assemble::Said;
use crate::diagnostic::Place;
use crate::origins::{connections, said};
use crate::own::Own;
use crate::plan::{LimitInfo, Limits, Origin, Plan};
use crate::report::Spanned;
use crate::resolve::Parts;
use crate::settings;
use crate::webconfig::AppSection;

/// Which table a value stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What runs, where, and who reaches it.
    App,
    /// How it is started and stopped.
    Settings,
    /// Limits and deadlines of requests.
    Limits,
}

/// One value that holds, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Which table it stands in.
    pub group: Group,
    /// `command`, `startupTimeLimit`, `body_bytes`.
    pub name: String,
    /// What IIS calls a limit, or empty.
    pub iis: &'static str,
    /// The value; a number is in decimal digits, a time in whole seconds. `none` is no limit.
    pub value: String,
    /// Of a number: `bytes`, `seconds`; otherwise empty.
    pub unit: &'static str,
    /// People read this time better as `hh:mm:ss`.
    pub is_time_span: bool,
    /// Where it comes from.
    pub origin: Origin,
}

/// How much, of whatever unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    Count(u64),
    Span(Duration),
}

impl From<usize> for Amount {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u64> for Amount {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Duration> for Amount {
    fn from(span: Duration) -> Self {
        Self::Span(span)
    }
}

/// Rows of the short table that say what runs and who reaches it.
const APP: &[&str] =
    &["command", "folder", "path base", "site root", "listen", "certificate", "key", "client CA", "port"];

/// Every value, in the order of reading.
pub(crate) fn table(plan: &Plan, from: Said) -> Vec<Effective> {
    let Said { parts, own, .. } = from;
    let app = plan.origins.iter().filter(|(name, ..)| APP.contains(&name.as_str()));
    let mut all: Vec<Effective> =
        app.map(|(name, value, origin)| row(Group::App, name, (value.clone(), ""), origin.clone())).collect();
    all.extend(settings(plan, parts));
    all.extend(settings::all(plan, from).into_iter().map(|one| Effective {
        is_time_span: one.is_time_span(),
        ..row(Group::Settings, one.name, one.value(), one.origin)
    }));
    all.extend(limits(plan, parts, own));
    all
}

fn row(group: Group, name: &str, (value, unit): (String, &'static str), origin: Origin) -> Effective {
    Effective { group, name: name.to_owned(), iis: "", value, unit, is_time_span: false, origin }
}

/// Finds what the section says about one value.
type Written = fn(&AppSection) -> Option<&Place>;

fn place<T>(value: &Option<Spanned<T>>) -> Option<&Place> {
    value.as_ref().map(|value| &value.place)
}

fn settings(plan: &Plan, parts: &Parts) -> Vec<Effective> {
    let app = &plan.app;
    let log = app.stdout_log.as_ref().map(|log| log.folder.join(&log.prefix).display().to_string());
    let number = |value: u64| value.to_string();
    let rows: [(&str, String, &'static str, Written); 9] = [
        ("startupTimeLimit", number(app.startup_time_limit.as_secs()), "seconds", |s| {
            place(&s.startup_time_limit)
        }),
        ("shutdownTimeLimit", number(app.shutdown_time_limit.as_secs()), "seconds", |s| {
            place(&s.shutdown_time_limit)
        }),
        ("rapidFailsPerMinute", number(app.rapid_fails_per_minute.into()), "", |s| {
            place(&s.rapid_fails_per_minute)
        }),
        ("processesPerApplication", number(app.processes_per_application.into()), "", |s| {
            place(&s.processes_per_application)
        }),
        ("stdoutLogEnabled", log.is_some().to_string(), "", |s| place(&s.stdout_log_enabled)),
        ("stdoutLogFile", log.unwrap_or_default(), "", |s| place(&s.stdout_log_file)),
        ("disableStartUpErrorPage", app.disable_start_up_error_page.to_string(), "", |s| {
            place(&s.disable_start_up_error_page)
        }),
        ("enableOutOfProcessConsoleRedirection", app.console_redirection.to_string(), "", |s| {
            place(&s.settings.console_redirection)
        }),
        ("forwardResponseConnectionHeader", app.forward_response_connection_header.to_string(), "", |s| {
            place(&s.settings.forward_connection)
        }),
    ];
    let section = parts.section();
    let origin =
        |written: Written| section.and_then(written).map_or(Origin::Default, |at| Origin::At(at.clone()));
    let rows = rows.into_iter().filter(|(_, value, ..)| !value.is_empty());
    rows.map(|(name, value, unit, written)| row(Group::Settings, name, (value, unit), origin(written)))
        .collect()
}

fn limits(plan: &Plan, parts: &Parts, own: &Own) -> Vec<Effective> {
    let timeout = parts.section().and_then(AppSection::request_timeout_place);
    let origin = |info: &LimitInfo| match info.name {
        "body_bytes" => said(parts.config.body_bytes.as_ref()),
        "request_timeout" => timeout.map_or(Origin::Default, |place| Origin::At(place.clone())),
        "total_timeout" => said(own.total_timeout.as_ref()),
        "header_deadline" => said(own.header_wait_timeout.as_ref()),
        "keep_alive" | "client_stall" => said(own.connection_timeout.as_ref()),
        "connections" => connections(&plan.limits, own),
        "start_queue" => said(own.queue_length.as_ref()),
        "upstream_connections" => said(own.upstream_connections.as_ref()),
        _ => Origin::Default,
    };
    let value = |amount: Amount, unit: &'static str| match amount {
        Amount::Count(count) => (count.to_string(), unit),
        Amount::Span(Duration::MAX) => ("none".to_owned(), ""),
        Amount::Span(span) => (span.as_secs().to_string(), unit),
    };
    let all = Limits::INFO.iter().zip(plan.limits.amounts());
    all.map(|(info, amount)| Effective {
        iis: info.iis,
        is_time_span: matches!(amount, Amount::Span(span) if span != Duration::MAX && span.as_secs() >= 3600),
        ..row(Group::Limits, info.name, value(amount, info.unit), origin(info))
    })
    .collect()
}
