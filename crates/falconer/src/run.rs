//! The server's life: everything is started here, told to stop here, and waited for here.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use config::Plan;
use proxy::{Bound, Proxy, Site, Totals, Wires};
use supervisor::process::Spawner;
use supervisor::{AppControl, AppEvent, AppSetup, Level};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::cli::print::{self, Printer};
use crate::events::{LISTENING, NO_RELOAD, STOPPED, STOPPING};
use crate::signals::{Signals, Told};

/// Runs until a signal ends it.
///
/// # Errors
/// When the system refuses what a server needs at its start.
pub(crate) fn run(
    plan: Plan,
    inherited: Vec<(OsString, OsString)>,
    threads: usize,
    bound: Bound,
) -> io::Result<()> {
    let spawner = Spawner::start()?;
    let printer = Printer::start()?;
    // The control side: one thread, this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(plan, inherited, threads, bound, (spawner, &printer)))?;
    printer.finish();
    Ok(())
}

async fn serve(
    plan: Plan,
    inherited: Vec<(OsString, OsString)>,
    threads: usize,
    bound: Bound,
    (spawner, printer): (Spawner, &Printer),
) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    printer.text(print::plan(&plan));
    for address in bound.addresses() {
        let base = plan.app.path_base.trim_end_matches('/');
        printer.line(LISTENING, Level::Information, format!("Listening on http://{address}{base}"));
    }
    let wires = Wires::new(threads);
    let (events, mut happened) = tokio::sync::mpsc::unbounded_channel();
    let drain_timeout = plan.drain_timeout;
    let site = Site {
        path_base: plan.app.path_base.clone(),
        limits: plan.limits.clone(),
        forward_connection_header: plan.app.forward_response_connection_header,
        disable_start_up_error_page: plan.app.disable_start_up_error_page,
        development: is_development(&plan, &inherited),
        access_log: None,
    };
    let setup = AppSetup {
        plan: plan.app,
        inherited,
        threads,
        limits: plan.limits,
        to_proxy: wires.senders(),
        events,
        https_port: None,
    };
    let (app, control) = supervisor::start_app(setup, spawner);
    let proxy = proxy::start(bound, wires, &app, site)?;
    until_told(&mut signals, &mut happened, printer).await;
    stop(&proxy, &control, drain_timeout, (&mut signals, &mut happened, printer)).await;
    Ok(())
}

/// Whether the app runs in the Development environment: `ASPNETCORE_ENVIRONMENT`, else `DOTNET_ENVIRONMENT`, from
/// web.config and flags before our own.
fn is_development(plan: &Plan, inherited: &[(OsString, OsString)]) -> bool {
    let value = |name: &str| {
        let own = inherited.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        let set = plan.app.environment.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
        set.map(|entry| entry.value.clone())
            .or_else(|| own.map(|(_, value)| value.to_string_lossy().into_owned()))
    };
    value("ASPNETCORE_ENVIRONMENT")
        .or_else(|| value("DOTNET_ENVIRONMENT"))
        .is_some_and(|environment| environment.eq_ignore_ascii_case("Development"))
}

/// Prints events until the first signal to stop.
async fn until_told(signals: &mut Signals, happened: &mut UnboundedReceiver<AppEvent>, printer: &Printer) {
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::HangUp => no_reload(printer),
                Told::Stop(signal) => {
                    printer.line(STOPPING, Level::Information, format!("{signal}: stopping; a second signal stops at once"));
                    return;
                }
            },
            Some(event) = happened.recv() => printer.event(&event),
        }
    }
}

fn no_reload(printer: &Printer) {
    printer.line(NO_RELOAD, Level::Warning, "SIGHUP is ignored: there is no reload yet");
}

/// Drains, then stops the app; a second signal shortens both.
async fn stop(
    proxy: &Proxy,
    control: &AppControl,
    drain_timeout: Duration,
    (signals, happened, printer): (&mut Signals, &mut UnboundedReceiver<AppEvent>, &Printer),
) {
    let stopping = async {
        let totals = proxy.drain(now() + drain_timeout).await;
        control.stop(now()).await;
        totals
    };
    let mut stopping = std::pin::pin!(stopping);
    let totals = loop {
        tokio::select! {
            totals = &mut stopping => break totals,
            told = signals.next() => match told {
                Told::HangUp => no_reload(printer),
                Told::Stop(signal) => {
                    printer.line(STOPPING, Level::Warning, format!("{signal} again: stopping at once"));
                    proxy.end();
                    control.stop_now();
                }
            },
            Some(event) = happened.recv() => printer.event(&event),
        }
    };
    while let Ok(event) = happened.try_recv() {
        printer.event(&event);
    }
    let Totals { exchanges, cut, .. } = totals;
    let level = if cut == 0 { Level::Information } else { Level::Warning };
    printer.line(STOPPED, level, format!("Stopped after {exchanges} requests; {cut} of them were cut"));
}

#[expect(clippy::disallowed_methods, reason = "the control side reads the clock here")]
fn now() -> Instant {
    Instant::now()
}
