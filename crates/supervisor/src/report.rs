//! What the operator is told: event lines with the ids of the ASP.NET Core Module, and the report of a start
//! that failed.
//!
//! Texts only. The ids are the module's where it has the event (the messages are its own, adapted to what
//! happens here), 2000 to 2099 where it has not.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use config::{AppPlan, PortChoice, Recycling, WarmUpPage};

use crate::event::RecycleCause;
use crate::failures::{self, FailedAttempt, Told};
use crate::messages::{AppEvent, Level, StartReport, Suspicion};
use crate::process::Exit;
use crate::worker::{Means, Worker};

/// Characters of output in a report, as many as the ASP.NET Core Module keeps.
pub const OUTPUT_MOST: usize = 30_000;

macro_rules! event_ids {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $level:ident;)+) => {
        /// Every event of an app.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum EventId {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl EventId {
            /// Number, usual level and meaning of every event, for the docs.
            pub const TABLE: &[(EventId, Level, &str)] =
                &[$((EventId::$name, Level::$level, concat!($($doc, " "),+)),)+];

            fn level(self) -> Level {
                match self {
                    $(Self::$name => Level::$level,)+
                }
            }
        }
    };
}

event_ids! {
    /// One attempt to start the app failed; `retryCounter` counts the attempts that are left.
    StartAttemptFailed = 1000, Warning;
    /// The app listens and takes requests.
    Started = 1001, Information;
    /// More processes of the app ended within a minute than rapidFailsPerMinute allows.
    RapidFails = 1003, Warning;
    /// The file for stdout and stderr could not be made; the app runs without it.
    LogFileFailed = 1004, Warning;
    /// The app did not end within shutdownTimeLimit and was killed.
    NotStoppedGracefully = 1005, Warning;
    /// The app was told to end.
    SentTerminate = 1006, Information;
    /// The app was taken offline by app_offline.htm: its process ends when the requests in it have ended.
    RecycledOffline = 1012, Information;
    /// The start failed for good; the event carries the end of what the app printed.
    StartFailed = 1020, Error;
    /// A web.config changed: another process takes the place of the one that serves.
    RecycledConfig = 1021, Information;
    /// The app's process is gone; a warning when nobody had told it to go.
    ShutDown = 1030, Information;
    /// The process that was started ended, but the one that listens lives: a launcher.
    LauncherExited = 2000, Information;
    /// The port of a worker did not lead to its listener; another one takes its place.
    Suspected = 2001, Warning;
    /// A worker was told to end before its last request had ended.
    DrainCut = 2002, Warning;
    /// A killed process is still there.
    NotGone = 2003, Error;
    /// The app is offline because app_offline.htm is there; nothing of it ran.
    Offline = 2004, Information;
    /// app_offline.htm is gone; the next request starts the app.
    Online = 2005, Information;
    /// Starts of the app fail, or it ends before it answers a request: it is not started again for a while.
    Pausing = 2006, Warning;
    /// Another process takes the place of the one that serves.
    Recycled = 2007, Information;
    /// The process that was to take the place of another one did not start; the other one goes on serving.
    RecycleFailed = 2008, Warning;
    /// Nobody used the app for idleTimeout, and its processes are stopped; the next request starts it.
    Idle = 2009, Information;
    /// A page of applicationInitialization could not be had; the app serves all the same.
    NotWarmed = 2010, Warning;
    /// The app listened and ended before it answered a request; the event carries the end of what it printed.
    Unanswered = 2011, Error;
    /// Requests took longer than requestTimeout and were given up; at most one line in 10 seconds, with their number.
    TimedOut = 2012, Warning;
}

impl EventId {
    /// As printed.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    pub(crate) fn says(self, message: String) -> AppEvent {
        AppEvent { id: self.number(), level: self.level(), message }
    }
}

/// What of the Plan one app's state machine and its messages need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The app as events call it: its path.
    pub application: String,
    /// Its folder.
    pub folder: String,
    /// Its command line, for people.
    pub command: String,
    /// The port to give to it.
    pub port: PortChoice,
    /// Workers that should serve at the same time; at least 1.
    pub instances: usize,
    /// Start at once and after each end, not at the first request.
    pub always_running: bool,
    /// How long one attempt to start may take.
    pub startup_time_limit: Duration,
    /// How long a graceful stop may take.
    pub shutdown_time_limit: Duration,
    /// Start at once, but after an end only with the next request.
    pub preload: bool,
    /// How long requests on a worker that must go may take to end, when the server itself goes on.
    pub drain_limit: Duration,
    /// Ends of workers within a minute that are still followed by a start.
    pub rapid_fails_per_minute: u32,
    /// A worker must be gone before the one that takes its place is started.
    pub disallow_overlap: bool,
    /// How long without a request until nothing runs; none for ever.
    pub idle_timeout: Option<Duration>,
    /// When workers are replaced although nothing is wrong.
    pub recycling: Recycling,
    /// What a worker is asked for before it serves.
    pub warm_up: Arc<[WarmUpPage]>,
}

impl Settings {
    /// Those of this plan.
    #[must_use]
    pub fn of(plan: &AppPlan, drain_limit: Duration) -> Self {
        let instances = match plan.port {
            PortChoice::Draw => plan.processes_per_application as usize,
            // Two cannot listen on the same port.
            PortChoice::Fixed(_) | PortChoice::Invalid(_) => 1,
        };
        Self {
            application: plan.path_base.clone(),
            folder: plan.folder.display().to_string(),
            command: command_line(plan),
            port: plan.port.clone(),
            instances: instances.max(1),
            always_running: plan.always_running,
            startup_time_limit: plan.startup_time_limit,
            shutdown_time_limit: plan.shutdown_time_limit,
            preload: plan.preload,
            drain_limit,
            rapid_fails_per_minute: plan.rapid_fails_per_minute,
            disallow_overlap: plan.disallow_overlapping_rotation,
            idle_timeout: plan.idle_timeout,
            recycling: plan.recycling.clone(),
            warm_up: plan.warm_up.clone().into(),
        }
    }

    /// Two workers may run at the same time.
    pub(crate) fn overlaps(&self) -> bool {
        !self.disallow_overlap && self.port == PortChoice::Draw
    }

    fn subject(&self) -> String {
        format!("Application '{}' with physical root '{}'", self.application, self.folder)
    }

    pub(crate) fn attempt_failed(&self, attempt: &FailedAttempt, left: u32) -> AppEvent {
        let Told { reason, .. } = attempt.explain(self.startup_time_limit);
        EventId::StartAttemptFailed.says(format!(
            "{} failed to start process with commandline '{}' at stage '{}', assigned port {}, retryCounter '{left}': \
             {reason}.",
            self.subject(),
            self.command,
            attempt.cause.stage(),
            attempt.port,
        ))
    }

    /// The report of a start whose attempts all failed; the last one explains it.
    pub(crate) fn start_report(&self, failed: &[FailedAttempt], last: &FailedAttempt) -> StartReport {
        let Told { reason, hint } = last.explain(self.startup_time_limit);
        let mut output = String::new();
        for attempt in failed.iter().chain([last]) {
            output.push_str(&attempt.evidence.output);
        }
        StartReport {
            command: self.command.clone(),
            folder: self.folder.clone(),
            stage: last.cause.stage(),
            reason,
            hint,
            port: last.port,
            attempts: u32::try_from(failed.len() + 1).expect("there are two attempts at most"),
            output: last_characters(output),
        }
    }

    pub(crate) fn start_failed(&self, report: &StartReport) -> AppEvent {
        let message = format!(
            "{} failed to start process with commandline '{}': {}.",
            self.subject(),
            self.command,
            report.reason
        );
        EventId::StartFailed.says(with_output(message, report))
    }

    pub(crate) fn unanswered(&self, report: &StartReport) -> AppEvent {
        let message = format!("{} with commandline '{}': {}.", self.subject(), self.command, report.reason);
        EventId::Unanswered.says(with_output(message, report))
    }

    pub(crate) fn started(&self, worker: &Worker) -> AppEvent {
        let owner = worker.owner.unwrap_or_default();
        EventId::Started.says(format!(
            "Application '{}' started process '{}' successfully and process '{owner}' is listening on port '{}'.",
            self.application,
            worker.pid.unwrap_or(owner),
            worker.port
        ))
    }

    pub(crate) fn log_file_failed(&self, path: &str, error: &str) -> AppEvent {
        EventId::LogFileFailed.says(format!("Could not create stdoutLogFile {path}: {error}."))
    }

    pub(crate) fn launcher_exited(&self, worker: &Worker, exit: Exit) -> AppEvent {
        EventId::LauncherExited.says(format!(
            "The started process '{}' of application '{}' {}; process '{}' goes on listening on port '{}'.",
            worker.pid.unwrap_or_default(),
            self.application,
            failures::exit_in_words(exit),
            worker.owner.unwrap_or_default(),
            worker.port
        ))
    }

    pub(crate) fn suspected(&self, worker: &Worker, why: Suspicion) -> AppEvent {
        let why = match why {
            Suspicion::NoListener => "is not listened on any more; nothing was sent there",
            // What it had before may hang in it.
            Suspicion::NotAccepting => "takes no connection",
            Suspicion::Stranger => {
                "is listened on by a process that is not part of the app; nothing was sent there"
            }
        };
        EventId::Suspected.says(format!(
            "Port '{}' of process '{}' of application '{}' {why}, and another process takes its place.",
            worker.port,
            worker.owner.unwrap_or_default(),
            self.application
        ))
    }

    pub(crate) fn sent_terminate(&self, worker: &Worker) -> Option<AppEvent> {
        let pid = worker.pid?;
        Some(EventId::SentTerminate.says(format!("Sent SIGTERM to process with Id '{pid}'.")))
    }

    pub(crate) fn not_graceful(&self, worker: &Worker) -> AppEvent {
        EventId::NotStoppedGracefully.says(format!(
            "Failed to gracefully shutdown process with Id '{}' within {} seconds; it was killed.",
            worker.pid.unwrap_or_default(),
            self.shutdown_time_limit.as_secs()
        ))
    }

    pub(crate) fn drain_cut(&self, worker: &Worker) -> AppEvent {
        EventId::DrainCut.says(format!(
            "Process '{}' of application '{}' is told to end although requests on it have not ended.",
            worker.owner.unwrap_or_default(),
            self.application
        ))
    }

    pub(crate) fn not_gone(&self, worker: &Worker) -> AppEvent {
        EventId::NotGone.says(format!(
            "Process '{}' of application '{}' was killed and is still there; it is killed again.",
            worker.pid.unwrap_or_default(),
            self.application
        ))
    }

    pub(crate) fn timed_out(&self, requests: u64, limit: Duration) -> AppEvent {
        let some = if requests == 1 { "request" } else { "requests" };
        EventId::TimedOut.says(format!(
            "{requests} {some} to application '{}' took longer than requestTimeout ({} s).",
            self.application,
            limit.as_secs_f32()
        ))
    }

    pub(crate) fn pausing(&self, pause: Duration, failures: u32) -> AppEvent {
        EventId::Pausing.says(format!(
            "Application '{}' failed {failures} times in a row; it is not started again for {} seconds.",
            self.application,
            pause.as_secs_f32()
        ))
    }

    /// IIS: event 1003, and the same page as for a start that failed.
    pub(crate) fn rapid_fails_report(&self) -> StartReport {
        StartReport {
            command: self.command.clone(),
            folder: self.folder.clone(),
            stage: "RapidFailProtection",
            reason: format!(
                "Maximum rapid fail count per minute of '{}' exceeded",
                self.rapid_fails_per_minute
            ),
            hint: Some(
                "The app's processes end by themselves: events 1030 in the server's log say how. It is started again \
                 when the minute is over, or when its web.config changes."
                    .to_owned(),
            ),
            port: 0,
            attempts: 0,
            output: String::new(),
        }
    }

    pub(crate) fn rapid_fails(&self, report: &StartReport) -> AppEvent {
        EventId::RapidFails.says(format!("Application '{}': {}.", self.application, report.reason))
    }

    /// `of`: the process that is replaced, unless all are.
    pub(crate) fn recycled(&self, cause: RecycleCause, of: Option<u32>) -> AppEvent {
        let (application, limits) = (&self.application, &self.recycling);
        let why = match cause {
            RecycleCause::Config => {
                return EventId::RecycledConfig.says(format!(
                    "Application '{application}' was recycled after detecting a configuration change."
                ));
            }
            RecycleCause::Folder => "another folder stands at its path".to_owned(),
            RecycleCause::Operator => "the operator asked for it".to_owned(),
            RecycleCause::Schedule => "the time of its schedule has come".to_owned(),
            RecycleCause::Age => {
                format!("it is {} seconds old", limits.time.unwrap_or_default().as_secs())
            }
            RecycleCause::Requests => format!("it got {} requests", limits.requests.unwrap_or_default()),
            RecycleCause::Memory => {
                format!("it holds more than {} bytes", limits.private_memory.unwrap_or_default())
            }
        };
        let whose = of.map_or_else(String::new, |pid| format!("process '{pid}' of "));
        EventId::Recycled.says(format!("Recycling {whose}application '{application}': {why}."))
    }

    pub(crate) fn recycle_failed(&self, kept: &[u32]) -> AppEvent {
        let kept: Vec<_> = kept.iter().map(|pid| format!("'{pid}'")).collect();
        EventId::RecycleFailed.says(format!(
            "Application '{}' could not be recycled, as its new process did not start; process {} goes on serving.",
            self.application,
            kept.join(", ")
        ))
    }

    pub(crate) fn idle(&self) -> AppEvent {
        EventId::Idle.says(format!(
            "Application '{}' is stopped, as nobody used it for {} seconds; the next request starts it.",
            self.application,
            self.idle_timeout.unwrap_or_default().as_secs()
        ))
    }

    pub(crate) fn not_warmed(&self, why: &str) -> AppEvent {
        EventId::NotWarmed
            .says(format!("A warm-up page of application '{}' could not be had: {why}.", self.application))
    }

    /// `ran`: it served or was about to.
    pub(crate) fn offline(&self, ran: bool) -> AppEvent {
        let application = &self.application;
        if ran {
            EventId::RecycledOffline
                .says(format!("Application '{application}' was recycled after detecting app_offline.htm."))
        } else {
            EventId::Offline
                .says(format!("Application '{application}' is offline: app_offline.htm is in its folder."))
        }
    }

    pub(crate) fn online(&self) -> AppEvent {
        EventId::Online
            .says(format!("Application '{}' is online again: app_offline.htm is gone.", self.application))
    }

    pub(crate) fn shut_down(&self, worker: &Worker) -> AppEvent {
        let pid = worker.pid.unwrap_or_default();
        let listening = if worker.owner.is_some() { "listening" } else { "told to listen" };
        let mut event = EventId::ShutDown.says(format!(
            "{} shut down process with Id '{pid}' {listening} on port '{}'",
            self.subject(),
            worker.port
        ));
        match (worker.told, worker.exit) {
            (Some(Means::Terminate), None) => event.message.push('.'),
            (Some(Means::Kill(_)), _) => event.message.push_str("; it was killed."),
            (Some(Means::Terminate), Some(exit)) => {
                let _ = write!(event.message, "; it {}.", failures::exit_in_words(exit));
            }
            (None, exit) => {
                let _ = write!(event.message, "; nobody told it to: {}.", failures::end_in_words(worker));
                if exit != Some(Exit::Code(0)) {
                    event.level = Level::Warning;
                }
            }
        }
        event
    }
}

fn with_output(mut message: String, report: &StartReport) -> String {
    if let Some(hint) = &report.hint {
        let _ = write!(message, " {hint}");
    }
    if report.output.is_empty() {
        message.push_str(" It printed nothing.");
    } else {
        let _ = write!(message, " Last 30,000 characters of its stdout and stderr:\n{}", report.output);
    }
    message
}

fn command_line(plan: &AppPlan) -> String {
    let mut line = quoted(&plan.program.path.display().to_string());
    for argument in &plan.program.arguments {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    line
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(char::is_whitespace) {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}

fn last_characters(text: String) -> String {
    match text.char_indices().rev().nth(OUTPUT_MOST - 1) {
        Some((start, _)) if start > 0 => text[start..].to_owned(),
        _ => text,
    }
}
