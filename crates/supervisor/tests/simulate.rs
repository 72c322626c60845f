//! Random events against the state machine of an app, invariants after each step.
//!
//! Touches [`App::step`] alone: time, processes and requests are a model in here. A failure names its seed;
//! `named(seed)` repeats it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use config::PortChoice;
use supervisor::process::{Exit, NotListening};
use supervisor::{
    ATTEMPTS_MOST, App, CROWDED_DRAIN, Effect, Event, EventId, Evidence, Face, KILL_LIMIT, RecycleCause,
    Settings, State, Suspicion, ToProxy, Worker, WorkerEvent, WorkerId,
};

#[path = "simulate/parts.rs"]
mod parts;
#[path = "simulate/random.rs"]
mod random;

use parts::{deadline, gone, is_launching, listening, rank, settings};
use random::Random;

const SEEDS: u64 = 6000;
const STEPS: u32 = 150;

/// What the operating system would know of one worker's process.
#[derive(Debug, Default, Clone)]
struct Process {
    started: bool,
    listening: bool,
    behind_launcher: bool,
    exited: bool,
    owner_gone: bool,
    told_to_end: bool,
    killed: bool,
    /// Not even SIGKILL helps, for a while.
    stuck: bool,
}

struct World {
    app: App,
    settings: Settings,
    instances: usize,
    /// As many as there ever were to be.
    widest: usize,
    /// Two workers must never exist at the same time.
    alone: bool,
    random: Random,
    now: Instant,
    processes: BTreeMap<WorkerId, Process>,
    open_gates: BTreeSet<WorkerId>,
    closed_gates: BTreeSet<WorkerId>,
    ranks: BTreeMap<WorkerId, u8>,
    last_start: u64,
    failures_told: u64,
    failed_starts: BTreeSet<u64>,
    last_attempts: u64,
    starts_failed: u64,
    stopped: bool,
    offline: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let instances = random.pick(&[1, 1, 1, 2, 3]);
        let fixed_port = instances == 1 && random.one_in(4);
        let settings = settings(&mut random, instances, fixed_port);
        let alone = instances == 1 && (fixed_port || settings.disallow_overlap);
        let mut world = Self {
            app: App::new(settings.clone()),
            settings,
            instances,
            widest: instances,
            alone,
            random,
            now: beginning(),
            processes: BTreeMap::new(),
            open_gates: BTreeSet::new(),
            closed_gates: BTreeSet::new(),
            ranks: BTreeMap::new(),
            last_start: 0,
            failures_told: 0,
            failed_starts: BTreeSet::new(),
            last_attempts: 0,
            starts_failed: 0,
            stopped: false,
            offline: false,
        };
        world.step(Event::Tick);
        world
    }

    fn step(&mut self, event: Event) {
        let mut due = vec![event];
        while let Some(event) = due.pop() {
            match event {
                Event::Stop { .. } | Event::StopNow => self.stopped = true,
                Event::Offline(_) => self.offline = true,
                Event::Online => self.offline = false,
                _ => {}
            }
            let news = matches!(event, Event::Recycle { .. } | Event::Online | Event::Offline(_));
            let held = matches!(self.app.face(), Face::Failed { until, .. } if until > self.now) && !news;
            let effects = self.app.step(self.now, event);
            let serving = |worker: &&Worker| matches!(worker.state, State::Serving { .. });
            self.open_gates.extend(self.app.workers().iter().filter(serving).map(|worker| worker.id));
            for effect in effects {
                assert!(!held || !matches!(effect, Effect::Launch(_)), "a launch within the pause");
                due.extend(self.perform(effect));
            }
        }
        self.check();
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Launch(id) => {
                assert!(!self.stopped, "a launch after the stop");
                assert!(!self.offline, "a launch while offline");
                assert!(self.processes.insert(id, Process::default()).is_none(), "{id} is launched twice");
                let what = if self.random.one_in(30) {
                    WorkerEvent::NotLaunched { stage: "SetupListenPort", reason: "no port".to_owned() }
                } else {
                    WorkerEvent::Launched { port: 5000 }
                };
                return Some(Event::Worker(id, what));
            }
            Effect::Terminate(id) => self.process(id).told_to_end = true,
            Effect::Kill(id) => self.process(id).killed = true,
            Effect::CloseGate(serving) => {
                assert!(self.open_gates.remove(&serving.id), "a gate is closed that is not open");
                self.closed_gates.insert(serving.id);
            }
            Effect::Forget(id) => {
                self.processes.remove(&id).expect("only what is known is forgotten");
                self.closed_gates.remove(&id);
            }
            Effect::SweepDiagnostics { worker, .. } => {
                assert!(
                    self.processes.contains_key(&worker),
                    "the sweep comes before the process is forgotten"
                );
            }
            Effect::Tell(ToProxy::EndTunnels { by, .. }) => assert!(by >= self.now),
            Effect::Tell(ToProxy::Warm { worker, by, .. }) => {
                assert!(by >= self.now);
                // Not even the request for its pages may come to an answer.
                if self.random.one_in(4) {
                    return None;
                }
                let result = if self.random.one_in(3) { Err("no".to_owned()) } else { Ok(()) };
                return Some(Event::Warmed(worker.id, result));
            }
            Effect::Report(event) => self.told(event.id, &event.message),
        }
        None
    }

    fn told(&mut self, id: u16, message: &str) {
        let with_output = [EventId::StartFailed.number(), EventId::Unanswered.number()].contains(&id);
        assert!(message.ends_with('.') || with_output, "no sentence: {message}");
        // The last attempt of a start and its failure are told together.
        let last = self.last_attempts - self.starts_failed;
        if id == EventId::StartAttemptFailed.number() {
            assert!(last == 0, "an attempt after the last one");
            self.last_attempts += u64::from(message.contains("retryCounter '0'"));
        }
        if id == EventId::StartFailed.number() {
            assert!(last == 1, "a start failed without a last attempt");
            self.starts_failed += 1;
        }
        if with_output || id == EventId::RapidFails.number() {
            self.failures_told += 1;
            assert!(!self.stopped, "a start failed after the stop");
            assert!(!self.offline, "a start failed while offline");
        }
    }

    fn process(&mut self, id: WorkerId) -> &mut Process {
        self.processes.get_mut(&id).expect("effects name processes that are known")
    }

    /// The invariants of the house.
    fn check(&mut self) {
        let workers = self.app.workers();
        let count = |which: fn(&State) -> bool| workers.iter().filter(|worker| which(&worker.state)).count();
        let launching = count(|state| matches!(state, State::Launching { .. } | State::Warming { .. }));
        let serving = count(|state| matches!(state, State::Serving { .. }));
        let leaving = count(|state| matches!(state, State::Draining { .. } | State::Stopping { .. }));
        assert!(launching + serving <= self.instances + 1, "{launching} launching, {serving} serving");
        assert!(launching <= 1, "one start at a time");
        let most = self.instances.max(2);
        // Only suspicions are not held back by those that are on their way out.
        assert!(leaving <= self.widest.max(2) + self.widest + 1, "{leaving} leaving");
        let draining = |worker: &&Worker| matches!(worker.state, State::Draining { .. });
        let drain = workers.iter().filter(draining).count();
        if let Some(oldest) = workers.iter().find(draining).and_then(deadline).filter(|_| drain > most) {
            assert!(oldest <= self.now + CROWDED_DRAIN, "{drain} drain, and the oldest has time");
        }
        assert!(!self.alone || workers.len() <= 1, "two processes where only one may be");
        for worker in workers {
            let rank = rank(worker);
            assert!(self.ranks.get(&worker.id).is_none_or(|before| *before <= rank), "{worker:?} went back");
            self.ranks.insert(worker.id, rank);
            let is_serving = matches!(worker.state, State::Serving { .. });
            assert_eq!(
                self.open_gates.contains(&worker.id),
                is_serving,
                "gate open and serving differ: {worker:?}"
            );
            assert!(!matches!(worker.state, State::Gone), "a gone worker is forgotten");
            let deadline = deadline(worker);
            assert_eq!(deadline.is_none(), is_serving, "no deadline: {worker:?}");
            assert!(deadline.is_none_or(|at| self.app.deadline().is_some_and(|next| next <= at)));
        }
        assert!(
            self.open_gates.iter().all(|id| workers.iter().any(|worker| worker.id == *id)),
            "an orphaned gate"
        );
        assert!(self.processes.len() == workers.len(), "a live process was forgotten");
        assert!(
            self.app.deadline().is_none_or(|at| at > self.now),
            "a deadline that is over would be spun on"
        );
        assert!(self.app.more() < self.instances.max(1), "more than there may be");
        self.check_face(serving);
    }

    fn check_face(&mut self, serving: usize) {
        let face = self.app.face();
        match &face {
            Face::Up(up) => assert!(!up.is_empty() && up.len() == serving),
            Face::Stopped => assert!(self.stopped),
            Face::Offline { .. } => {
                assert_eq!((serving, self.app.workers().iter().filter(is_launching).count()), (0, 0))
            }
            Face::Starting { .. } | Face::Asleep { .. } | Face::Failed { .. } => assert_eq!(serving, 0),
        }
        assert!(
            !self.settings.always_running || !matches!(face, Face::Asleep { .. }),
            "it does not always run"
        );
        assert_eq!(matches!(face, Face::Offline { .. }), self.offline && !self.stopped);
        assert_eq!(matches!(face, Face::Stopped), self.stopped);
        if let Face::Starting { start, .. } | Face::Asleep { start, .. } | Face::Failed { start, .. } = face {
            assert!(start >= self.last_start, "starts count up");
            self.last_start = start;
        }
        if let Face::Failed { until, .. } = &face {
            assert!(*until > self.now, "a pause that is over");
        }
        let failed = match &face {
            Face::Failed { start, report, .. } => Some((*start, report)),
            Face::Starting { failed: Some((start, report)), .. }
            | Face::Asleep { failed: Some((start, report)), .. } => Some((*start, report)),
            _ => None,
        };
        if let Some((start, report)) = failed {
            let stages = ["SetupListenPort", "CreateProcess", "PostStartCheck", "RapidFailProtection"];
            assert!(stages.contains(&report.stage));
            assert!(!report.reason.is_empty() && report.attempts <= ATTEMPTS_MOST);
            self.failed_starts.insert(start);
        }
        assert!(self.failures_told >= self.failed_starts.len() as u64, "a failure that nobody was told of");
    }

    /// Something happens.
    fn happen(&mut self) {
        match self.random.below(24) {
            0..4 => {
                let seen = self.last_start.saturating_sub(self.random.below(3));
                self.step(Event::Wake { seen });
            }
            4..7 => {
                self.now += Duration::from_millis(self.random.below(1500));
                self.step(Event::Tick);
            }
            7 => self.reach_the_deadline(),
            8 => {
                let id = WorkerId(1 + self.random.below(1 + self.ranks.len() as u64));
                let why = self.random.pick(&[Suspicion::NoListener, Suspicion::Stranger]);
                self.step(Event::Suspect(id, why));
            }
            9..11 => self.a_gate_empties(),
            11 if self.random.one_in(20) => {
                let drain_until = self.now + Duration::from_secs(self.random.below(40));
                self.step(Event::Stop { drain_until });
            }
            11 if self.random.one_in(20) => self.step(Event::StopNow),
            11 if self.random.one_in(4) => self.step(Event::Offline([1].into())),
            11 if self.random.one_in(2) => self.step(Event::Online),
            20 if self.random.one_in(2) => self.recycle(),
            21 => self.step(Event::More),
            22 => {
                self.now += Duration::from_secs(1);
                self.step(Event::Look);
            }
            23 if self.random.one_in(4) => {
                let id = WorkerId(1 + self.random.below(1 + self.ranks.len() as u64));
                self.step(Event::Memory(id, self.random.0));
            }
            _ => self.a_process_moves(),
        }
    }

    fn recycle(&mut self) {
        let cause = self.random.pick(&[RecycleCause::Config, RecycleCause::Folder, RecycleCause::Schedule]);
        let changed = self.random.one_in(2);
        if changed && self.widest > 1 {
            self.instances = self.random.pick(&[1, 2, 3]);
            self.widest = self.widest.max(self.instances);
            self.settings.instances = self.instances;
        }
        let settings = changed.then(|| Box::new(self.settings.clone()));
        let serving = |app: &App| match app.face() {
            Face::Up(workers) => workers.len(),
            _ => 0,
        };
        let before = serving(&self.app);
        self.step(Event::Recycle { cause, settings });
        let overlaps = !self.settings.disallow_overlap && self.settings.port == PortChoice::Draw;
        let kept = before.min(self.instances);
        assert!(!overlaps || serving(&self.app) >= kept, "a worker went before the next one came");
    }

    fn reach_the_deadline(&mut self) {
        if let Some(at) = self.app.deadline() {
            self.now = at;
            self.step(Event::Tick);
        }
    }

    fn a_gate_empties(&mut self) {
        if let Some(id) = self.closed_gates.pop_first() {
            self.step(Event::GateEmpty(id));
        }
    }

    fn a_process_moves(&mut self) {
        let ids: Vec<_> = self.processes.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = self.random.pick(&ids);
        let what = self.next_of(id);
        if let Some(what) = what {
            self.step(Event::Worker(id, what));
        }
    }

    /// What this process may do next; anything that a keeper could report in this order.
    fn next_of(&mut self, id: WorkerId) -> Option<WorkerEvent> {
        let mut process = self.processes[&id].clone();
        let pid = u32::try_from(id.0).expect("few workers") * 10;
        let what = if process.killed && !process.stuck {
            process.stuck = self.random.one_in(10);
            if process.stuck { None } else { Some(gone()) }
        } else if process.stuck {
            process.stuck = !self.random.one_in(4);
            None
        } else if process.exited && (!process.listening || process.owner_gone) && self.random.one_in(2) {
            Some(gone())
        } else if !process.started {
            process.started = true;
            process.behind_launcher = self.random.one_in(4);
            Some(match self.random.below(12) {
                0 => {
                    WorkerEvent::SpawnFailed { stage: "execve".to_owned(), errno: 2, path: "app".to_owned() }
                }
                1 => gone(),
                _ => WorkerEvent::Started { pid },
            })
        } else {
            self.next_of_running(id, &mut process)
        };
        self.processes.insert(id, process);
        what
    }

    fn next_of_running(&mut self, id: WorkerId, process: &mut Process) -> Option<WorkerEvent> {
        let pid = u32::try_from(id.0).expect("few workers") * 10;
        match self.random.below(12) {
            0..4 if !process.listening && !process.exited => {
                process.listening = true;
                Some(listening(id, pid + u32::from(process.behind_launcher)))
            }
            0..4 if !process.listening && process.behind_launcher => {
                process.listening = true;
                Some(listening(id, pid + 1))
            }
            4 if !process.listening => Some(self.not_listening()),
            5..7 if process.told_to_end || self.random.one_in(4) => self.exit(process),
            7 if process.listening
                && !process.owner_gone
                && (process.told_to_end || self.random.one_in(4)) =>
            {
                process.owner_gone = true;
                Some(WorkerEvent::OwnerGone)
            }
            8 if self.random.one_in(10) => Some(gone()),
            9 => Some(WorkerEvent::LogFileFailed { path: "/log".to_owned(), error: "denied".to_owned() }),
            _ => None,
        }
    }

    fn exit(&mut self, process: &mut Process) -> Option<WorkerEvent> {
        if process.exited {
            return None;
        }
        process.exited = true;
        process.owner_gone |= process.listening && !process.behind_launcher;
        let exit = self.random.pick(&[Exit::Code(0), Exit::Code(134), Exit::Code(150), Exit::Signal(9)]);
        Some(WorkerEvent::Exited { exit, evidence: self.evidence() })
    }

    fn not_listening(&mut self) -> WorkerEvent {
        let why = match self.random.below(3) {
            0 => NotListening::Deadline { elsewhere: Vec::new() },
            1 => NotListening::Deadline { elsewhere: vec![([127, 0, 0, 1], 5000).into()] },
            _ => NotListening::Stranger { owner: Some((1, "thief".to_owned())) },
        };
        WorkerEvent::NotListening { why, evidence: self.evidence() }
    }

    fn evidence(&mut self) -> Evidence {
        let output = if self.random.one_in(3) { "address already in use" } else { "Unhandled exception." };
        Evidence { output: output.to_owned(), port_held: self.random.one_in(4) }
    }

    /// From here on the world is kind: what is killed goes, what is told to end ends. Returns when `done`.
    fn settle(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if done(self) {
                return;
            }
            // A request that waits asks again whenever nothing is under way.
            if let Face::Asleep { start, .. } = self.app.face() {
                self.step(Event::Wake { seen: start });
            }
            let going = self.processes.iter().find(|(_, process)| process.killed || process.told_to_end);
            if let Some((&id, _)) = going {
                self.step(Event::Worker(id, gone()));
            } else if !self.closed_gates.is_empty() {
                self.a_gate_empties();
            } else if self.app.deadline().is_some() {
                self.reach_the_deadline();
            } else {
                break;
            }
        }
        panic!("{what} never comes: {:?}", self.app);
    }
}

#[expect(clippy::disallowed_methods, reason = "any instant will do; all later ones are computed")]
fn beginning() -> Instant {
    Instant::now()
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.happen();
    }
    if !world.stopped {
        world.step(Event::Online);
        // A request that comes now is answered: by a worker or by a failure.
        let before = world.last_start;
        world.step(Event::Wake { seen: before });
        if !matches!(world.app.face(), Face::Up(_)) {
            world.settle("an answer", |world| match world.app.face() {
                Face::Up(_) => true,
                Face::Failed { .. } => true,
                Face::Asleep { failed: Some((start, _)), .. } => start > before,
                Face::Starting { .. } | Face::Asleep { .. } | Face::Offline { .. } | Face::Stopped => false,
            });
        }
        world.step(Event::Stop { drain_until: world.now + Duration::from_secs(20) });
    }
    let stopped_at = world.now;
    world.settle("the end", |world| world.app.is_over());
    let most = Duration::from_secs(20 + 40 + 3) + KILL_LIMIT * 64;
    assert!(world.now - stopped_at <= most, "the stop took {:?}", world.now - stopped_at);
}

/// Runs one seed and names it if it fails.
fn named(seed: u64) {
    if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
        let why =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        panic!("seed {seed}: {}", why.unwrap_or("see above"));
    }
}

#[test]
fn no_sequence_of_events_breaks_an_invariant() {
    (0..SEEDS).for_each(named);
}
