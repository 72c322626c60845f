//! The server's life: everything is started here, told to stop here, and waited for here.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use config::{Input, Plan};
use jiff::{SignedDuration, Zoned};
use proxy::{Bound, Proxy, Site, Totals, Wires};
use supervisor::process::Spawner;
use supervisor::{AppControl, AppEvent, AppSetup, Change, Level, RecycleCause};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cli::print::{self, Format, Printer};
use crate::events::{ACCESS_LOG_FAILS, COUNTED, LISTENING, NOT_RELOADED, RELOADED, STOPPED, STOPPING};
use crate::observe::access_log::{Target, Writer};
use crate::observe::event_log::EventLog;
use crate::reload::{Outcome, Reloader};
use crate::schedule;
use crate::signals::{Signals, Told};

/// How the server speaks.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// How event lines are written.
    pub(crate) format: Format,
    /// Where the access log goes; none for nowhere.
    pub(crate) access_log: Option<Target>,
}

/// Runs until a signal ends it. `input` is what the plan was made of.
///
/// # Errors
/// When the system refuses what a server needs at its start.
pub(crate) fn run(plan: Plan, input: Input, threads: usize, bound: Bound, output: Output) -> io::Result<()> {
    let spawner = Spawner::start()?;
    let journal = input.environment.iter().find(|(name, _)| name == "JOURNAL_STREAM");
    let printer =
        Printer::start(output.format, journal.is_some_and(|(_, stream)| print::is_journal(stream)))?;
    let (events, happened) = unbounded_channel();
    let writer = output.access_log.map(|target| Writer::start(target, events.clone())).transpose()?;
    let log = RefCell::new(event_log(&plan, &events));
    let voice = Voice { printer: &printer, writer: writer.as_ref(), log: &log };
    let reloader = Reloader::new(input, plan);
    // The control side: one thread, this one.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(reloader, bound, (spawner, threads), (voice, events, happened)))?;
    if writer.is_some_and(|writer| !writer.finish()) {
        printer.line(
            ACCESS_LOG_FAILS,
            Level::Warning,
            "the end of the access log is lost: its reader is too slow",
        );
    }
    if let Some(log) = log.into_inner() {
        log.finish();
    }
    printer.finish();
    Ok(())
}

fn event_log(plan: &Plan, events: &UnboundedSender<AppEvent>) -> Option<EventLog> {
    plan.app.debug_log.as_ref().map(|log| EventLog::start(log, events.clone()))
}

async fn serve(
    reloader: Reloader,
    bound: Bound,
    (spawner, threads): (Spawner, usize),
    (voice, events, mut happened): (Voice<'_>, UnboundedSender<AppEvent>, UnboundedReceiver<AppEvent>),
) -> io::Result<()> {
    let printer = voice.printer;
    let mut signals = Signals::listen()?;
    let plan = reloader.plan();
    printer.plan(plan);
    for endpoint in bound.endpoints() {
        let base = plan.app.path_base.trim_end_matches('/');
        printer.line(LISTENING, Level::Information, format!("Listening on {endpoint}{base}"));
    }
    let wires = Wires::new(threads);
    let (changes, changed) = unbounded_channel();
    let setup = AppSetup {
        plan: plan.app.clone(),
        inherited: reloader.inherited().to_vec(),
        threads,
        limits: plan.limits.clone(),
        to_proxy: wires.senders(),
        events: events.clone(),
        https_port: bound.https_port(),
        drain_timeout: plan.drain_timeout,
        changes,
    };
    let site = site(plan, reloader.inherited(), voice);
    let (app, control) = supervisor::start_app(setup, spawner);
    let proxy = proxy::start(bound, wires, &app, site)?;
    let mut running = Running { reloader, voice, proxy, control, events, changed };
    running.until_told(&mut signals, &mut happened).await;
    running.stop(&mut signals, &mut happened).await;
    Ok(())
}

fn site(plan: &Plan, inherited: &[(OsString, OsString)], voice: Voice<'_>) -> Site {
    Site::of(plan, plan.app.is_development(inherited), voice.writer.map(Writer::log))
}

/// Who tells what happens: event lines, and the access log's part of the sums.
#[derive(Clone, Copy)]
struct Voice<'a> {
    printer: &'a Printer,
    writer: Option<&'a Writer>,
    log: &'a RefCell<Option<EventLog>>,
}

impl Voice<'_> {
    /// Something happened to the app.
    fn event(self, event: &AppEvent) {
        self.printer.event(event);
        if let Some(log) = &*self.log.borrow() {
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

/// How far a timer may be off from the local clock.
const EARLY: SignedDuration = SignedDuration::from_secs(2);
/// How often to look at the local clock again, which somebody may set.
const CLOCK_IS_SET: Duration = Duration::from_secs(3600);

/// The next time of the schedule.
struct Scheduled {
    /// When to look at the clock.
    at: tokio::time::Instant,
    time: Option<Zoned>,
    /// The time before, which does not come again where a timer fires a little early.
    last: Option<Zoned>,
}

impl Scheduled {
    fn after(last: Option<Zoned>, times: &[Duration]) -> Self {
        let now = Zoned::now();
        // Somebody may have set the clock back.
        let last = last.filter(|last| last.duration_since(&now) <= EARLY);
        let time = schedule::next(times, last.as_ref().map_or(&now, |last| last.max(&now)));
        let rest = time.as_ref().and_then(|time| Duration::try_from(now.duration_until(time)).ok());
        let at = tokio::time::Instant::now() + rest.unwrap_or(CLOCK_IS_SET).min(CLOCK_IS_SET);
        Self { at, time, last }
    }

    /// The time that has come, if it has.
    fn take_due(&mut self) -> Option<Zoned> {
        self.time.take_if(|time| time.duration_since(&Zoned::now()) <= EARLY)
    }
}

/// Everything that runs, and who speaks for it.
struct Running<'a> {
    reloader: Reloader,
    voice: Voice<'a>,
    proxy: Proxy,
    control: AppControl,
    events: UnboundedSender<AppEvent>,
    changed: UnboundedReceiver<Change>,
}

impl Running<'_> {
    /// Prints events, follows what changes, until the first signal to stop.
    async fn until_told(&mut self, signals: &mut Signals, happened: &mut UnboundedReceiver<AppEvent>) {
        let mut scheduled = self.scheduled(None);
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::HangUp => self.reloader.ask(RecycleCause::Operator),
                    Told::Count => self.voice.count(&self.proxy).await,
                    Told::Stop(signal) => {
                        let text = format!("{signal}: stopping; a second signal stops at once");
                        return self.voice.printer.line(STOPPING, Level::Information, text);
                    }
                },
                Some(event) = happened.recv() => self.voice.event(&event),
                Some(change) = self.changed.recv() => self.reloader.changed(change),
                outcome = self.reloader.next() => {
                    self.reloaded(outcome);
                    scheduled = self.scheduled(scheduled.last);
                }
                () = tokio::time::sleep_until(scheduled.at) => {
                    let due = scheduled.take_due();
                    if due.is_some() {
                        self.control.recycle(RecycleCause::Schedule, self.reloader.plan().clone());
                    }
                    scheduled = self.scheduled(due.or(scheduled.last));
                }
            }
        }
    }

    fn scheduled(&self, last: Option<Zoned>) -> Scheduled {
        Scheduled::after(last, &self.reloader.plan().app.recycling.schedule)
    }

    fn reloaded(&mut self, outcome: Outcome) {
        let printer = self.voice.printer;
        match outcome {
            Outcome::Accepted { cause, plan, restart, news } => {
                let needs = match &restart[..] {
                    [] => String::new(),
                    parts => format!("; a restart is needed for: {}", parts.join(", ")),
                };
                let quiet = restart.is_empty() && news.is_empty();
                let level = if quiet { Level::Information } else { Level::Warning };
                let news: String = news.iter().map(|one| format!("\n{one}")).collect();
                printer.line(RELOADED, level, format!("The configuration was read again{needs}.{news}"));
                let file =
                    |log: &RefCell<Option<EventLog>>| log.borrow().as_ref().map(|log| log.of().clone());
                if file(self.voice.log) != plan.app.debug_log {
                    // What is queued for the old file is still written.
                    let _ = self.voice.log.replace(event_log(&plan, &self.events));
                }
                self.proxy.reconfigure(site(&plan, self.reloader.inherited(), self.voice));
                self.control.recycle(cause, *plan);
            }
            Outcome::Refused(why) => {
                let text = format!(
                    "The configuration was read again and is not accepted; what held goes on to hold: {why}"
                );
                printer.line(NOT_RELOADED, Level::Error, text);
            }
            Outcome::Ignored => {
                let text = "web.config changed; disallowRotationOnConfigChange says that it means nothing until a restart or SIGHUP.";
                printer.line(RELOADED, Level::Information, text);
            }
        }
    }

    /// Drains, then stops the app; a second signal shortens both.
    async fn stop(&self, signals: &mut Signals, happened: &mut UnboundedReceiver<AppEvent>) {
        let (voice, printer) = (self.voice, self.voice.printer);
        let stopping = async {
            let totals = self.proxy.drain(now() + self.reloader.plan().drain_timeout).await;
            self.control.stop(now()).await;
            totals
        };
        let mut stopping = std::pin::pin!(stopping);
        let totals = loop {
            tokio::select! {
                totals = &mut stopping => break totals,
                told = signals.next() => match told {
                    // Too late for that.
                    Told::HangUp => {}
                    Told::Count => voice.count(&self.proxy).await,
                    Told::Stop(signal) => {
                        printer.line(STOPPING, Level::Warning, format!("{signal} again: stopping at once"));
                        self.proxy.end();
                        self.control.stop_now();
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
}

#[expect(clippy::disallowed_methods, reason = "the control side reads the clock here")]
fn now() -> Instant {
    Instant::now()
}
