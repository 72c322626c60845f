//! The server's life: everything is started here, told to stop here, and waited for here.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use config::Plan;
use proxy::{Bound, Proxy, Site, Totals, Wires};
use supervisor::process::Spawner;
use supervisor::{AppControl, AppEvent, AppSetup, Level};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cli::print::{self, Format, Printer};
use crate::events::{ACCESS_LOG_FAILS, COUNTED, LISTENING, NO_RELOAD, STOPPED, STOPPING};
use crate::observe::access_log::{Target, Writer};
use crate::observe::event_log::EventLog;
use crate::signals::{Signals, Told};

/// How the server speaks.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// How event lines are written.
    pub(crate) format: Format,
    /// Where the access log goes; none for nowhere.
    pub(crate) access_log: Option<Target>,
}

/// Runs until a signal ends it.
///
/// # Errors
/// When the system refuses what a server needs at its start.
pub(crate) fn run(
    plan: Plan,
    inherited: Vec<(OsString, OsString)>,
    threads: usize,
    bound: Bound,
    output: Output,
) -> io::Result<()> {
    let spawner = Spawner::start()?;
    let journal = inherited.iter().find(|(name, _)| name == "JOURNAL_STREAM");
    let printer =
        Printer::start(output.format, journal.is_some_and(|(_, stream)| print::is_journal(stream)))?;
    let (events, happened) = unbounded_channel();
    let log = plan.app.debug_log.as_ref().map(|log| EventLog::start(log, events.clone()));
    let writer = output.access_log.map(|target| Writer::start(target, events.clone())).transpose()?;
    let voice = Voice { printer: &printer, writer: writer.as_ref(), log: log.as_ref() };
    // The control side: one thread, this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(plan, inherited, bound, (spawner, threads), (voice, events, happened)))?;
    if writer.is_some_and(|writer| !writer.finish()) {
        printer.line(
            ACCESS_LOG_FAILS,
            Level::Warning,
            "the end of the access log is lost: its reader is too slow",
        );
    }
    if let Some(log) = log {
        log.finish();
    }
    printer.finish();
    Ok(())
}

async fn serve(
    plan: Plan,
    inherited: Vec<(OsString, OsString)>,
    bound: Bound,
    (spawner, threads): (Spawner, usize),
    (voice, events, mut happened): (Voice<'_>, UnboundedSender<AppEvent>, UnboundedReceiver<AppEvent>),
) -> io::Result<()> {
    let printer = voice.printer;
    let mut signals = Signals::listen()?;
    printer.plan(&plan);
    for endpoint in bound.endpoints() {
        let base = plan.app.path_base.trim_end_matches('/');
        printer.line(LISTENING, Level::Information, format!("Listening on {endpoint}{base}"));
    }
    let wires = Wires::new(threads);
    let drain_timeout = plan.drain_timeout;
    let site = Site::of(&plan, is_development(&plan, &inherited), voice.writer.map(Writer::log));
    let setup = AppSetup {
        plan: plan.app,
        inherited,
        threads,
        limits: plan.limits,
        to_proxy: wires.senders(),
        events,
        https_port: bound.https_port(),
        drain_timeout,
        changes: unbounded_channel().0,
    };
    let (app, control) = supervisor::start_app(setup, spawner);
    let proxy = proxy::start(bound, wires, &app, site)?;
    until_told(&mut signals, &mut happened, voice, &proxy).await;
    stop(&proxy, &control, drain_timeout, (&mut signals, &mut happened, voice)).await;
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

/// Who tells what happens: event lines, and the access log's part of the sums.
#[derive(Clone, Copy)]
struct Voice<'a> {
    printer: &'a Printer,
    writer: Option<&'a Writer>,
    log: Option<&'a EventLog>,
}

impl Voice<'_> {
    /// Something happened to the app.
    fn event(self, event: &AppEvent) {
        self.printer.event(event);
        if let Some(log) = self.log {
            log.write(event);
        }
    }

    async fn count(self, proxy: &Proxy) {
        self.tell_sums(proxy.totals().await);
    }

    fn tell_sums(self, mut totals: Totals) {
        totals.unlogged += self.writer.map_or(0, Writer::lost);
        self.printer.line(COUNTED, Level::Information, format!("Counted since the start: {totals}"));
    }
}

/// Prints events until the first signal to stop.
async fn until_told(
    signals: &mut Signals,
    happened: &mut UnboundedReceiver<AppEvent>,
    voice: Voice<'_>,
    proxy: &Proxy,
) {
    let printer = voice.printer;
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::HangUp => no_reload(printer),
                Told::Count => voice.count(proxy).await,
                Told::Stop(signal) => {
                    printer.line(STOPPING, Level::Information, format!("{signal}: stopping; a second signal stops at once"));
                    return;
                }
            },
            Some(event) = happened.recv() => voice.event(&event),
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
    (signals, happened, voice): (&mut Signals, &mut UnboundedReceiver<AppEvent>, Voice<'_>),
) {
    let printer = voice.printer;
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
                Told::Count => voice.count(proxy).await,
                Told::Stop(signal) => {
                    printer.line(STOPPING, Level::Warning, format!("{signal} again: stopping at once"));
                    proxy.end();
                    control.stop_now();
                }
            },
            Some(event) = happened.recv() => voice.event(&event),
        }
    };
    while let Ok(event) = happened.try_recv() {
        voice.event(&event);
    }
    voice.tell_sums(totals);
    let Totals { exchanges, cut, .. } = totals;
    let level = if cut == 0 { Level::Information } else { Level::Warning };
    printer.line(STOPPED, level, format!("Stopped after {exchanges} requests; {cut} of them were cut"));
}

#[expect(clippy::disallowed_methods, reason = "the control side reads the clock here")]
fn now() -> Instant {
    Instant::now()
}
