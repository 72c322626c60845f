//! Settings that come from flags and `falconer.toml`, as rows of the tables that `serve` and `check` show.

use std::time::Duration;

use crate::origins::said;
use crate::own::Own;
use crate::plan::{Origin, Plan};
use crate::value::write_time_span;

/// One setting.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Of a number; otherwise empty.
    pub(crate) unit: &'static str,
    pub(crate) origin: Origin,
}

impl Setting {
    /// As the short table has it.
    pub(crate) fn short(self) -> (String, String, Origin) {
        let value = match (self.value.as_str(), self.unit) {
            ("true", _) => "yes".to_owned(),
            ("false", _) => "no".to_owned(),
            (value, "seconds") => format!("{value} s"),
            (value, "") => value.to_owned(),
            (value, unit) => format!("{value} {unit}"),
        };
        (self.name.to_owned(), value, self.origin)
    }
}

fn one(name: &'static str, (value, unit): (String, &'static str), origin: Origin) -> Setting {
    Setting { name, value, unit, origin }
}

fn flag(value: bool) -> (String, &'static str) {
    (value.to_string(), "")
}

fn span(value: Option<Duration>) -> (String, &'static str) {
    (value.map_or_else(|| "none".to_owned(), |span| write_time_span(span.as_secs())), "")
}

fn number(value: Option<u64>, unit: &'static str) -> (String, &'static str) {
    value.map_or_else(|| ("none".to_owned(), ""), |value| (value.to_string(), unit))
}

fn list(items: impl Iterator<Item = String>) -> (String, &'static str) {
    let items = items.collect::<Vec<_>>().join(", ");
    (if items.is_empty() { "none".to_owned() } else { items }, "")
}

/// Every one of them, in the order of reading.
pub(crate) fn own(plan: &Plan, own: &Own) -> Vec<Setting> {
    let (app, recycling) = (&plan.app, &plan.app.recycling);
    let log = app.stdout_log.as_ref();
    let times = recycling.schedule.iter().map(|time| write_time_span(time.as_secs()));
    let drain = (plan.drain_timeout.as_secs().to_string(), "seconds");
    let rotation = app.disallow_rotation_on_config_change;
    vec![
        one("always running", flag(app.always_running), said(own.always_running.as_ref())),
        one("preloadEnabled", flag(app.preload), said(own.preload.as_ref())),
        one("idleTimeout", span(app.idle_timeout), said(own.idle_timeout.as_ref())),
        one("drain timeout", drain, said(own.drain_timeout.as_ref())),
        one(
            "disallowOverlappingRotation",
            flag(app.disallow_overlapping_rotation),
            said(own.disallow_overlapping_rotation.as_ref()),
        ),
        one(
            "disallowRotationOnConfigChange",
            flag(rotation),
            said(own.disallow_rotation_on_config_change.as_ref()),
        ),
        one("periodicRestart time", span(recycling.time), said(own.recycle_time.as_ref())),
        one("periodicRestart requests", number(recycling.requests, ""), said(own.recycle_requests.as_ref())),
        one(
            "periodicRestart privateMemory",
            number(recycling.private_memory.map(|bytes| bytes / 1024), "KB"),
            said(own.recycle_memory.as_ref()),
        ),
        one("periodicRestart schedule", list(times), said(own.recycle_at.as_ref())),
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
            "trusted proxies",
            list(plan.trusted_proxies.iter().map(ToString::to_string)),
            said(own.trusted_proxies.as_ref()),
        ),
        one("private network", flag(app.private_network), said(own.private_network.as_ref())),
    ]
}
