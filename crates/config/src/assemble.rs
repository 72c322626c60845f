//! What was read and checked, put together: which value counts where several say one. Nothing here can fail.

use std::path::PathBuf;
use std::time::Duration;

use crate::input::Input;
use crate::origins;
use crate::own::{Own, affordable};
use crate::plan::{AppPlan, Binding, Handler, Limits, Plan, PortChoice, Program, StdoutLog, TlsPlan};
use crate::pool::{Recycling, SslFlags};
use crate::program::Resolved;
use crate::report::Spanned;
use crate::resolve::Parts;

/// Of our own environment, as the ASP.NET Core Module reads it.
pub(crate) const ERROR_PAGE_LINK: &str = "ANCM_ADDITIONAL_ERROR_PAGE_LINK";

/// Everything that was said: the folder, the operator's own settings, the machine.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) own: &'a Own,
    pub(crate) input: &'a Input,
}

/// The Plan.
pub(crate) fn assemble(
    said: Said,
    (bindings, tls): (Vec<Binding>, Option<TlsPlan>),
    path_base: String,
) -> Plan {
    let Said { parts, own, .. } = said;
    let networks = own.trusted_proxies.as_ref().map(|list| list.value.clone());
    let mut plan = Plan {
        bindings,
        tls,
        ssl_flags: parts.config.ssl_flags.as_ref().map_or_else(SslFlags::default, |flags| flags.value),
        app: app(said, path_base),
        limits: limits(said),
        drain_timeout: own.drain_timeout.as_ref().map_or(Duration::from_secs(30), |span| span.value),
        trusted_proxies: networks.unwrap_or_default(),
        origins: Vec::new(),
    };
    plan.origins = origins::table(&plan, said);
    plan
}

fn number(value: Option<&Spanned<u64>>, default: u64) -> u64 {
    value.map_or(default, |value| value.value)
}

fn on(value: Option<&Spanned<bool>>, default: bool) -> bool {
    value.map_or(default, |value| value.value)
}

/// Zero stands for none.
fn span(value: Option<&Spanned<Duration>>) -> Option<Duration> {
    value.map(|value| value.value).filter(|span| !span.is_zero())
}

fn count(value: Option<&Spanned<u64>>) -> Option<u64> {
    value.map(|value| value.value).filter(|count| *count > 0)
}

fn app(said: Said, path_base: String) -> AppPlan {
    let Said { parts, own, input } = said;
    let section = parts.section();
    let handler = section.map_or(Handler::AspNetCore, |section| section.handler);
    // HttpPlatformHandler waits 10 seconds for a start, the ASP.NET Core Module 120.
    let startup = if handler == Handler::HttpPlatform { 10 } else { 120 };
    let startup = number(section.and_then(|s| s.startup_time_limit.as_ref()), startup);
    let shutdown = number(section.and_then(|s| s.shutdown_time_limit.as_ref()), 10);
    let settings = section.map(|section| &section.settings);
    let small = |value| u32::try_from(value).expect("the schema's range ends at 100");
    let Resolved { program, dotnet, .. } = &parts.resolved;
    AppPlan {
        folder: input.folder.clone(),
        path_base,
        handler,
        program: Program::clone(program),
        environment: parts.environment.entries.clone(),
        dotnet_root: dotnet.as_ref().map(|dotnet| PathBuf::clone(&dotnet.root)),
        port: parts.environment.port.clone(),
        startup_time_limit: Duration::from_secs(startup),
        shutdown_time_limit: Duration::from_secs(shutdown),
        rapid_fails_per_minute: small(number(section.and_then(|s| s.rapid_fails_per_minute.as_ref()), 10)),
        processes_per_application: match parts.environment.port {
            PortChoice::Fixed(_) => 1,
            PortChoice::Draw | PortChoice::Invalid(_) => {
                small(number(section.and_then(|s| s.processes_per_application.as_ref()), 1))
            }
        },
        stdout_log: stdout_log(said),
        console_redirection: on(settings.and_then(|s| s.console_redirection.as_ref()), true),
        disable_start_up_error_page: on(section.and_then(|s| s.disable_start_up_error_page.as_ref()), false),
        forward_response_connection_header: on(settings.and_then(|s| s.forward_connection.as_ref()), false),
        always_running: on(own.always_running.as_ref(), false),
        preload: on(own.preload.as_ref(), false),
        warm_up: parts.config.warm_up.iter().map(|page| page.value.clone()).collect(),
        idle_timeout: span(own.idle_timeout.as_ref()),
        disallow_overlapping_rotation: on(own.disallow_overlapping_rotation.as_ref(), false),
        // Either may say so, as in IIS.
        disallow_rotation_on_config_change: on(own.disallow_rotation_on_config_change.as_ref(), false)
            || on(settings.and_then(|s| s.disallow_rotation.as_ref()), false),
        recycling: recycling(own),
        web_sockets: on(parts.config.web_sockets.as_ref(), true),
        error_page_link: error_page_link(input),
        debug_log: parts.debug_log.as_ref().map(|debug| debug.log.clone()),
        private_network: on(own.private_network.as_ref(), false),
        config_files: parts.config_files.clone(),
    }
}

fn error_page_link(input: &Input) -> Option<String> {
    let link = input.variable(ERROR_PAGE_LINK).map(str::trim);
    link.filter(|link| !link.is_empty()).map(str::to_owned)
}

fn recycling(own: &Own) -> Recycling {
    Recycling {
        time: span(own.recycle_time.as_ref()),
        requests: count(own.recycle_requests.as_ref()),
        private_memory: count(own.recycle_memory.as_ref()).map(|kib| kib.saturating_mul(1024)),
        schedule: own.recycle_at.as_ref().map(|times| times.value.clone()).unwrap_or_default(),
    }
}

fn stdout_log(said: Said) -> Option<StdoutLog> {
    let log = said.parts.stdout_log.clone()?;
    let files = count(said.own.log_max_files.as_ref());
    Some(StdoutLog {
        max_size: count(said.own.log_max_size.as_ref()),
        max_files: files.map(|files| u32::try_from(files).unwrap_or(u32::MAX)),
        ..log
    })
}

fn limits(said: Said) -> Limits {
    let Said { parts, own, input } = said;
    let mut limits = Limits::default();
    if let Some(bytes) = &parts.config.body_bytes {
        limits.body_bytes = bytes.value;
    }
    if let Some(section) = parts.section() {
        limits.request_timeout = match &section.request_timeout {
            // WinHTTP takes 0 for "no timeout".
            Some(timeout) if timeout.value.is_zero() => Duration::MAX,
            Some(timeout) => timeout.value,
            None if section.inprocess.is_some() => Duration::MAX,
            None => limits.request_timeout,
        };
    }
    limits.total_timeout = span(own.total_timeout.as_ref()).unwrap_or(Duration::MAX);
    if let Some(timeout) = &own.connection_timeout {
        (limits.keep_alive, limits.client_stall) = (timeout.value, timeout.value);
    }
    if let Some(timeout) = &own.header_wait_timeout {
        limits.header_deadline = timeout.value;
    }
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let many = |said: Option<&Spanned<u64>>, default| said.map_or(default, |said| size(said.value));
    limits.start_queue = many(own.queue_length.as_ref(), limits.start_queue);
    limits.upstream_connections = many(own.upstream_connections.as_ref(), limits.upstream_connections);
    limits.connections = many(own.max_connections.as_ref(), limits.connections);
    limits.connections = limits.connections.min(size(affordable(input.descriptors)));
    limits
}
