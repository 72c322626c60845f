//! What came of a load, as text: what differs from the defaults, then every diagnostic.

use std::fmt::Write as _;
use std::time::Duration;

use config::{AppPlan, Handler, Limits, Loaded, Origin, Plan, PortChoice, Recycling, SslFlags};

pub(crate) fn show(loaded: &Loaded) -> String {
    let mut out = String::new();
    match &loaded.plan {
        Some(plan) => show_plan(plan, &mut out),
        None => line(&mut out, "plan", "none"),
    }
    for diagnostic in &loaded.diagnostics {
        let text = diagnostic.to_string();
        // `Missing` reads as an error to the operator; here the two must be told apart.
        let text = match diagnostic.severity {
            config::Severity::Missing => text.replacen("error[", "missing[", 1),
            config::Severity::Warning | config::Severity::Error => text,
        };
        let _ = write!(out, "\n{text}\n");
    }
    out.trim().to_owned()
}

fn line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name}: {value}");
}

fn show_plan(plan: &Plan, out: &mut String) {
    let app = &plan.app;
    line(out, "run", &app.program.path.display().to_string());
    for argument in &app.program.arguments {
        line(out, "  argument", argument);
    }
    if let Some(root) = &app.dotnet_root {
        line(out, "dotnet", &root.display().to_string());
    }
    if plan.bindings.len() != 1 || plan.bindings[0].text != "127.0.0.1:8080" {
        for binding in &plan.bindings {
            line(out, "listen", &format!("{} = {:?}", binding.text, binding.addresses));
        }
    }
    if let Some(tls) = &plan.tls {
        line(out, "tls", &format!("{:?}", tls));
    }
    if plan.ssl_flags != SslFlags::default() {
        line(out, "ssl_flags", &format!("{:?}", plan.ssl_flags));
    }
    if !plan.trusted_proxies.is_empty() {
        let all: Vec<String> = plan.trusted_proxies.iter().map(ToString::to_string).collect();
        line(out, "trusted_proxies", &all.join(" "));
    }
    show_app(app, out);
    show_limits(&plan.limits, out);
    if plan.drain_timeout != Duration::from_secs(30) {
        line(out, "drain_timeout", &format!("{:?}", plan.drain_timeout));
    }
    for (name, value, origin) in &plan.origins {
        let origin = match origin {
            Origin::Default => continue,
            Origin::Inferred => "inferred".to_owned(),
            Origin::At(place) => place.to_string(),
        };
        line(out, "  row", &format!("{name} | {value} | {origin}"));
    }
}

fn show_app(app: &AppPlan, out: &mut String) {
    let defaults = [
        ("handler", format!("{:?}", app.handler), format!("{:?}", Handler::AspNetCore)),
        ("path_base", app.path_base.clone(), "/".to_owned()),
        ("port", format!("{:?}", app.port), format!("{:?}", PortChoice::Draw)),
        ("startup_time_limit", format!("{:?}", app.startup_time_limit), "120s".to_owned()),
        ("shutdown_time_limit", format!("{:?}", app.shutdown_time_limit), "10s".to_owned()),
        ("rapid_fails_per_minute", app.rapid_fails_per_minute.to_string(), "10".to_owned()),
        ("processes_per_application", app.processes_per_application.to_string(), "1".to_owned()),
        ("console_redirection", app.console_redirection.to_string(), "true".to_owned()),
        ("disable_start_up_error_page", app.disable_start_up_error_page.to_string(), "false".to_owned()),
        ("forward_connection", app.forward_response_connection_header.to_string(), "false".to_owned()),
        ("always_running", app.always_running.to_string(), "false".to_owned()),
        ("preload", app.preload.to_string(), "false".to_owned()),
        ("warm_up", format!("{:?}", app.warm_up), "[]".to_owned()),
        ("idle_timeout", format!("{:?}", app.idle_timeout), "None".to_owned()),
        ("no_overlap", app.disallow_overlapping_rotation.to_string(), "false".to_owned()),
        ("no_config_recycle", app.disallow_rotation_on_config_change.to_string(), "false".to_owned()),
        ("recycling", format!("{:?}", app.recycling), format!("{:?}", Recycling::default())),
        ("web_sockets", app.web_sockets.to_string(), "true".to_owned()),
        ("error_page_link", format!("{:?}", app.error_page_link), "None".to_owned()),
        ("debug_log", format!("{:?}", app.debug_log), "None".to_owned()),
        ("private_network", app.private_network.to_string(), "false".to_owned()),
    ];
    for (name, value, default) in defaults {
        if value != default {
            line(out, name, &value);
        }
    }
    if let Some(log) = &app.stdout_log {
        let most = match (log.max_size, log.max_files) {
            (None, None) => String::new(),
            most => format!(" at most {most:?}"),
        };
        line(out, "stdout_log", &format!("{} + {}{most}", log.folder.display(), log.prefix));
    }
    if app.config_files != [app.folder.join("web.config")] {
        let all: Vec<String> = app.config_files.iter().map(|path| path.display().to_string()).collect();
        line(out, "config_files", &all.join(" "));
    }
    for entry in &app.environment {
        line(out, "env", &format!("{}={}", entry.name, entry.value));
    }
}

fn show_limits(limits: &Limits, out: &mut String) {
    let default = Limits::default();
    if limits.body_bytes != default.body_bytes {
        line(out, "body_bytes", &limits.body_bytes.to_string());
    }
    if limits.request_timeout != default.request_timeout {
        let text = if limits.request_timeout == Duration::MAX {
            "none".into()
        } else {
            format!("{:?}", limits.request_timeout)
        };
        line(out, "request_timeout", &text);
    }
    if limits.total_timeout != default.total_timeout {
        line(out, "total_timeout", &format!("{:?}", limits.total_timeout));
    }
    if limits.connections != default.connections {
        line(out, "connections", &limits.connections.to_string());
    }
    let times = [
        ("header_deadline", limits.header_deadline, default.header_deadline),
        ("keep_alive", limits.keep_alive, default.keep_alive),
        ("client_stall", limits.client_stall, default.client_stall),
    ];
    for (name, value, _) in times.into_iter().filter(|(_, value, default)| value != default) {
        line(out, name, &format!("{value:?}"));
    }
    let numbers = [
        ("start_queue", limits.start_queue, default.start_queue),
        ("upstream_connections", limits.upstream_connections, default.upstream_connections),
    ];
    for (name, value, _) in numbers.into_iter().filter(|(_, value, default)| value != default) {
        line(out, name, &value.to_string());
    }
    let plain = Limits {
        header_deadline: default.header_deadline,
        keep_alive: default.keep_alive,
        client_stall: default.client_stall,
        start_queue: default.start_queue,
        upstream_connections: default.upstream_connections,
        body_bytes: default.body_bytes,
        request_timeout: default.request_timeout,
        total_timeout: default.total_timeout,
        connections: default.connections,
        ..limits.clone()
    };
    assert_eq!(plain, default, "no file sets any other limit yet");
}
