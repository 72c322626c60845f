//! The state machine of one managed app: when its workers start, serve, drain and stop.
//!
//! [`App::step`] is pure: the time comes in as an argument, everything to be done goes out as [`Effect`]s, and
//! what requests see ([`App::face`]) is computed from the state. No clock, no I/O, no wildcard arms: a new
//! event or state must be thought about in every place. `runner.rs` calls it, `tests/simulate.rs` tries to
//! break it.

#![deny(clippy::wildcard_enum_match_arm)]

mod offline;
mod start;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Effect, Event, Evidence, WorkerEvent};
use crate::face::{Face, ServingWorker, WorkerId};
use crate::failures::Cause;
use crate::messages::{StartReport, Suspicion, ToProxy};
use crate::process::{Exit, NotListening};
use crate::report::Settings;
use crate::worker::{Means, State, Worker};

use self::start::Start;
pub use self::start::{ATTEMPTS_MOST, LAUNCH_GRACE, LAUNCH_WINDOW, LAUNCHES_MOST, PAUSE_AFTER_FAILURE};

/// How long requests on a worker that must go may take to end, when the server itself goes on.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// The least time to drain: a gate that nobody is behind reports so within it.
pub const GATE_GRACE: Duration = Duration::from_millis(100);
/// How long a killed subtree may take to be gone before it is reported and killed again.
pub const KILL_LIMIT: Duration = Duration::from_secs(5);
/// One managed app.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    /// Oldest first; the gone ones are removed.
    workers: Vec<Worker>,
    /// Workers there ever were.
    made: u64,
    start: Start,
    /// Starts there ever were; the number of the one that is under way.
    starts: u64,
    /// What visitors are shown while `app_offline.htm` is there: nothing runs and nothing is started then.
    offline: Option<Arc<[u8]>>,
    /// The last start that failed, until one goes well.
    last_failure: Option<(u64, Arc<StartReport>)>,
    /// The last launches, oldest first.
    launches: [Option<Instant>; LAUNCHES_MOST],
    effects: Vec<Effect>,
}

impl App {
    /// An app of which nothing runs yet. Its first event must be [`Event::Tick`], or [`Event::Offline`] where it
    /// must not be started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            workers: Vec::new(),
            made: 0,
            start: Start::Idle,
            starts: 0,
            offline: None,
            last_failure: None,
            launches: [None; LAUNCHES_MOST],
            effects: Vec::new(),
        }
    }

    /// Takes note of an event and says what is to be done, in this order, after publishing [`App::face`].
    #[must_use]
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        match event {
            Event::Tick => {}
            Event::Wake { seen } => self.wake(seen),
            Event::GateEmpty(id) => self.gate_is_empty(id, now),
            Event::Suspect(id, why) => self.suspect(id, why, now),
            Event::Worker(id, what) => self.worker_event(id, what, now),
            Event::Offline(page) => self.take_offline(page, now),
            Event::Online => self.bring_online(),
            Event::Recycle { .. } => {}
            Event::Stop { drain_until } => self.stop(drain_until, now),
            Event::StopNow => self.stop_now(now),
        }
        self.expire(now);
        self.go_on(now);
        std::mem::take(&mut self.effects)
    }

    /// What requests see.
    #[must_use]
    pub fn face(&self) -> Face {
        let serving: Vec<_> = self.workers.iter().filter_map(Worker::serving).map(Arc::clone).collect();
        if let (Some(page), false) = (&self.offline, matches!(self.start, Start::Over)) {
            return Face::Offline { page: Arc::clone(page) };
        }
        match &self.start {
            Start::Over => Face::Stopped,
            _ if !serving.is_empty() => Face::Up(serving),
            Start::Idle => Face::Asleep { start: self.starts },
            Start::Due { .. } | Start::Running { .. } => {
                Face::Starting { start: self.starts, failed: self.last_failure.clone() }
            }
            Start::Failed { .. } => {
                let (start, report) = self.last_failure.clone().expect("a failed start leaves its report");
                Face::Failed { start, report }
            }
        }
    }

    /// When [`Event::Tick`] is due if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let start = match &self.start {
            Start::Due { .. } if self.has_room() => self.launch_allowed(),
            Start::Failed { again } if self.wants_workers() => Some(*again),
            Start::Idle | Start::Due { .. } | Start::Running { .. } | Start::Failed { .. } | Start::Over => {
                None
            }
        };
        self.workers.iter().filter_map(Worker::deadline).chain(start).min()
    }

    /// The server stops and nothing of this app is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.start, Start::Over) && self.workers.is_empty()
    }

    /// Every worker of which something may be left, oldest first.
    #[must_use]
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    // What happens to workers.

    fn worker_event(&mut self, id: WorkerId, what: WorkerEvent, now: Instant) {
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else {
            // The rest of a worker that was gone before: SpawnFailed may be followed by Gone.
            return;
        };
        match what {
            WorkerEvent::Launched { port } => worker.port = port,
            WorkerEvent::Started { pid } => worker.pid = Some(pid),
            WorkerEvent::LogFileFailed { path, error } => {
                self.effects.push(Effect::Report(self.settings.log_file_failed(&path, &error)));
            }
            WorkerEvent::NotLaunched { stage, reason } => {
                self.blame(id, Cause::NotLaunched { stage, reason }, Evidence::default());
                self.gone(id, Evidence::default(), now);
            }
            WorkerEvent::SpawnFailed { stage, errno, path } => {
                self.blame(id, Cause::SpawnFailed { stage, errno, path }, Evidence::default());
                self.gone(id, Evidence::default(), now);
            }
            WorkerEvent::Listening { serving } => self.listening(id, serving),
            WorkerEvent::NotListening { why, evidence } => {
                if worker.is_launching() {
                    self.blame(id, Cause::NotListening(why), evidence);
                    self.kill(id, now);
                }
            }
            WorkerEvent::Exited { exit, evidence } => {
                worker.exit = Some(exit);
                self.exited(id, exit, evidence, now);
            }
            WorkerEvent::OwnerGone => self.owner_gone(id, now),
            WorkerEvent::Gone { evidence } => self.gone(id, evidence, now),
        }
    }

    fn listening(&mut self, id: WorkerId, serving: Arc<ServingWorker>) {
        let worker = self.worker(id);
        if !worker.is_launching() {
            // It was told to go meanwhile: its gate was never published and nobody will enter it.
            return;
        }
        worker.owner = Some(serving.pid);
        worker.state = State::Serving { serving };
        self.last_failure = None;
        let line = self.settings.started(self.known(id));
        self.effects.push(Effect::Report(line));
        match &self.start {
            Start::Running { worker, .. } if *worker == id => self.start = Start::Idle,
            Start::Idle | Start::Due { .. } | Start::Running { .. } | Start::Failed { .. } | Start::Over => {}
        }
    }

    /// The process that we started has ended.
    fn exited(&mut self, id: WorkerId, exit: Exit, evidence: Evidence, now: Instant) {
        let worker = self.known(id);
        match worker.state {
            // A launcher that went well: what it launched may listen yet. Gone or the deadline ends the wait.
            State::Launching { .. } if exit == Exit::Code(0) => {}
            State::Launching { .. } => {
                self.blame(id, Cause::Ended(Some(exit)), evidence);
                self.bury(id, now);
            }
            State::Serving { .. } | State::Draining { .. } if worker.owner_is_another() => {
                let line = self.settings.launcher_exited(worker, exit);
                self.effects.push(Effect::Report(line));
            }
            State::Serving { .. } | State::Draining { .. } => self.bury(id, now),
            // With a launcher, the owner may still be on its way out.
            State::Stopping { means: Means::Terminate, .. } if worker.owner_is_another() => {}
            State::Stopping { means: Means::Terminate, .. } => self.bury(id, now),
            State::Stopping { means: Means::Kill(_), .. } | State::Gone => {}
        }
    }

    /// The process that owned the listener has ended.
    fn owner_gone(&mut self, id: WorkerId, now: Instant) {
        let worker = self.known(id);
        match worker.state {
            State::Serving { .. } | State::Draining { .. } => self.bury(id, now),
            // A launcher (a shell) may still be about to end by itself.
            State::Stopping { means: Means::Terminate, .. } if worker.exit.is_none() => {}
            State::Stopping { means: Means::Terminate, .. } => self.bury(id, now),
            State::Launching { .. } | State::Stopping { means: Means::Kill(_), .. } | State::Gone => {}
        }
    }

    fn gone(&mut self, id: WorkerId, evidence: Evidence, now: Instant) {
        self.close_gate(id, now);
        self.conclude(id, evidence, now);
        let worker = self.worker(id);
        let had_served = worker.owner.is_some();
        worker.state = State::Gone;
        let worker = self.known(id);
        // The end of a failed attempt was told as such; one that was called off has not failed.
        let called_off = self.offline.is_some() || matches!(self.start, Start::Over);
        if worker.pid.is_some() && (had_served || called_off) {
            let line = self.settings.shut_down(worker);
            self.effects.push(Effect::Report(line));
        }
        for pid in self.known(id).unclean() {
            self.effects.push(Effect::SweepDiagnostics { worker: id, pid });
        }
        self.effects.push(Effect::Forget(id));
        self.workers.retain(|worker| !worker.is_gone());
    }

    // Going.

    fn suspect(&mut self, id: WorkerId, why: Suspicion, now: Instant) {
        let Some(worker) = self.workers.iter().find(|worker| worker.id == id && worker.serving().is_some())
        else {
            return;
        };
        let line = self.settings.suspected(worker, why);
        self.effects.push(Effect::Report(line));
        self.drain(id, now + DRAIN_LIMIT, now);
        // Whoever found this out waits for the next worker.
        if matches!(self.start, Start::Idle) && self.serving() == 0 {
            self.begin();
        }
    }

    fn gate_is_empty(&mut self, id: WorkerId, now: Instant) {
        let draining = |worker: &Worker| worker.id == id && matches!(worker.state, State::Draining { .. });
        if self.workers.iter().any(draining) {
            self.terminate(id, now);
        }
    }

    fn stop(&mut self, drain_until: Instant, now: Instant) {
        self.start = Start::Over;
        for id in self.ids() {
            match &self.known(id).state {
                State::Serving { .. } => self.drain(id, drain_until, now),
                State::Draining { deadline } => {
                    let deadline = drain_until.min(*deadline);
                    self.worker(id).state = State::Draining { deadline };
                }
                State::Launching { .. } => self.call_off(id, now),
                State::Stopping { .. } | State::Gone => {}
            }
        }
    }

    /// A launch that nobody waits for any more. Without a process there is nothing to be gentle to.
    fn call_off(&mut self, id: WorkerId, now: Instant) {
        if self.known(id).pid.is_none() {
            self.kill(id, now);
        } else {
            self.terminate(id, now);
        }
    }

    fn stop_now(&mut self, now: Instant) {
        self.start = Start::Over;
        for id in self.ids() {
            if !self.known(id).is_killed() {
                self.kill(id, now);
            }
        }
    }

    /// Does what is due for every deadline that is over.
    fn expire(&mut self, now: Instant) {
        for id in self.ids() {
            let worker = self.known(id);
            if worker.deadline().is_none_or(|deadline| deadline > now) {
                continue;
            }
            match worker.state {
                State::Launching { .. } => {
                    let why = NotListening::Deadline { elsewhere: Vec::new() };
                    self.blame(id, Cause::NotListening(why), Evidence::default());
                    self.kill(id, now);
                }
                State::Draining { .. } => {
                    self.effects.push(Effect::Report(self.settings.drain_cut(worker)));
                    self.terminate(id, now);
                }
                State::Stopping { means: Means::Terminate, .. } => {
                    self.effects.push(Effect::Report(self.settings.not_graceful(worker)));
                    self.kill(id, now);
                }
                State::Stopping { means: Means::Kill(times), .. } => {
                    self.effects.push(Effect::Report(self.settings.not_gone(worker)));
                    self.send_kill(id, times + 1, now);
                    // Requests do not wait for what even SIGKILL cannot end.
                    self.conclude(id, Evidence::default(), now);
                }
                State::Serving { .. } | State::Gone => {}
            }
        }
    }

    fn drain(&mut self, id: WorkerId, until: Instant, now: Instant) {
        let deadline = until.max(now + GATE_GRACE);
        self.close_gate(id, deadline);
        self.worker(id).state = State::Draining { deadline };
    }

    fn terminate(&mut self, id: WorkerId, now: Instant) {
        let deadline = now + self.settings.shutdown_time_limit;
        let worker = self.worker(id);
        worker.told = Some(Means::Terminate);
        worker.state = State::Stopping { means: Means::Terminate, deadline };
        self.effects.push(Effect::Terminate(id));
        self.effects.extend(self.settings.sent_terminate(self.known(id)).map(Effect::Report));
    }

    fn kill(&mut self, id: WorkerId, now: Instant) {
        self.close_gate(id, now);
        self.worker(id).told = Some(Means::Kill(1));
        self.send_kill(id, 1, now);
    }

    /// The app itself has ended; what is left of its subtree goes too.
    fn bury(&mut self, id: WorkerId, now: Instant) {
        self.close_gate(id, now);
        self.send_kill(id, 1, now);
    }

    fn send_kill(&mut self, id: WorkerId, times: u32, now: Instant) {
        // Ever more seldom: a process that is stuck in the kernel may stay so for hours.
        let deadline = now + KILL_LIMIT * 2_u32.pow((times - 1).min(5));
        self.worker(id).state = State::Stopping { means: Means::Kill(times), deadline };
        self.effects.push(Effect::Kill(id));
    }

    /// Lets no request in any more and gives tunnels until `by`; nothing if the gate was not open. The state
    /// must be changed by the caller.
    fn close_gate(&mut self, id: WorkerId, by: Instant) {
        let worker = self.known(id);
        if !worker.is_in_use() {
            return;
        }
        if let Some(serving) = worker.serving() {
            self.effects.push(Effect::CloseGate(Arc::clone(serving)));
            // A failure that a serving worker outlived is old news to requests that come after it.
            self.last_failure = None;
            if let Start::Failed { .. } = self.start {
                self.start = Start::Idle;
            }
        }
        self.effects.push(Effect::Tell(ToProxy::EndTunnels { worker: id, by }));
    }

    // Looking.

    fn ids(&self) -> Vec<WorkerId> {
        self.workers.iter().map(|worker| worker.id).collect()
    }

    fn known(&self, id: WorkerId) -> &Worker {
        self.workers.iter().find(|worker| worker.id == id).expect("callers name a worker of the list")
    }

    fn worker(&mut self, id: WorkerId) -> &mut Worker {
        self.workers.iter_mut().find(|worker| worker.id == id).expect("callers name a worker of the list")
    }

    fn live(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_live()).count()
    }

    fn serving(&self) -> usize {
        self.workers.iter().filter_map(Worker::serving).count()
    }
}
