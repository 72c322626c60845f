//! The state machine of one managed app: when its workers start, serve, drain and stop.
//!
//! [`App::step`] is pure: the time comes in as an argument, everything to be done goes out as [`Effect`]s, and
//! what requests see ([`App::face`]) is computed from the state. No clock, no I/O, no wildcard arms: a new
//! event or state must be thought about in every place. `runner.rs` calls it, `tests/simulate.rs` tries to
//! break it.
//!
//! Here is what all of it shares. `life` is what happens to a worker, `going` how it is told to go, `start` how the
//! next one comes, `recycle` how one takes another's place, `protection` when nothing is started, `late` who waited in vain.

#![deny(clippy::wildcard_enum_match_arm)]

mod going;
mod late;
mod life;
mod offline;
mod protection;
mod recycle;
mod start;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{Effect, Event};
use crate::face::{Face, WorkerId};
use crate::messages::StartReport;
use crate::report::Settings;
use crate::worker::Worker;

pub use self::late::LATE_LINES;
use self::late::Late;
use self::protection::Protection;
pub use self::protection::{PAUSES, RAPID_FAILS_WINDOW, STEADY};
pub use self::recycle::{DOUBTED, RETRY_RECYCLE};
use self::start::Start;
pub use self::start::{ATTEMPTS_MOST, LAUNCH_GRACE};

/// The least time to drain: a gate that nobody is behind reports so within it.
pub const GATE_GRACE: Duration = Duration::from_millis(100);
/// What the oldest of too many draining workers still gets.
pub const CROWDED_DRAIN: Duration = Duration::from_secs(1);
/// How long a killed subtree may take to be gone before it is reported and killed again.
pub const KILL_LIMIT: Duration = Duration::from_secs(5);

/// One managed app.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    /// Plans there were, and how often everything was to be replaced: a worker of an older one must go.
    plan: u64,
    /// Oldest first; the gone ones are removed.
    workers: Vec<Worker>,
    /// Workers there ever were.
    made: u64,
    /// Workers that requests have asked for; those of a recycle are not among them.
    wanted: usize,
    start: Start,
    /// Starts there ever were; the number of the one that is under way.
    starts: u64,
    /// When nothing is started, since starts fail or workers end too often.
    protection: Protection,
    /// What visitors are shown while `app_offline.htm` is there: nothing runs and nothing is started then.
    offline: Option<Arc<[u8]>>,
    /// The last start that failed, until one goes well.
    last_failure: Option<(u64, Arc<StartReport>)>,
    /// Nobody is replaced for its age, its use or its size before this, since such a recycle has just failed.
    calm_until: Option<Instant>,
    late: Late,
    effects: Vec<Effect>,
}

impl App {
    /// An app of which nothing runs yet. Its first event must be [`Event::Tick`], or [`Event::Offline`] where it
    /// must not be started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            wanted: usize::from(settings.preload),
            settings,
            plan: 0,
            workers: Vec::new(),
            made: 0,
            start: Start::Idle,
            starts: 0,
            protection: Protection::default(),
            offline: None,
            last_failure: None,
            calm_until: None,
            late: Late::default(),
            effects: Vec::new(),
        }
    }

    /// Takes note of an event and says what is to be done, in this order, after publishing [`App::face`].
    #[must_use]
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        match event {
            Event::Tick => {}
            Event::Wake { seen } => self.wake(seen),
            Event::More => self.want_more(),
            Event::GateEmpty(id) => self.gate_is_empty(id, now),
            Event::Suspect(id, why) => self.suspect(id, why, now),
            Event::Warmed(id, result) => self.warmed(id, result, now),
            Event::Worker(id, what) => self.worker_event(id, what, now),
            Event::TimedOut { limit } => self.timed_out(limit),
            Event::Look => self.look(now),
            Event::Memory(id, bytes) => self.weigh(id, bytes, now),
            Event::Recycle { cause, settings } => self.recycle(cause, settings, now),
            Event::Offline(page) => self.take_offline(page, now),
            Event::Online => self.bring_online(),
            Event::Stop { drain_until } => self.stop(drain_until, now),
            Event::StopNow => self.stop_now(now),
        }
        self.expire(now);
        self.go_on(now);
        self.uncrowd(now);
        std::mem::take(&mut self.effects)
    }

    /// What requests see.
    #[must_use]
    pub fn face(&self) -> Face {
        let serving: Vec<_> = self.workers.iter().filter_map(Worker::serving).map(Arc::clone).collect();
        if let (Some(page), false) = (&self.offline, matches!(self.start, Start::Over)) {
            return Face::Offline { page: Arc::clone(page) };
        }
        let failed = || self.last_failure.clone();
        match &self.start {
            Start::Over => Face::Stopped,
            _ if !serving.is_empty() => Face::Up(serving),
            Start::Idle => Face::Asleep { start: self.starts, failed: failed() },
            Start::Due { .. } | Start::Running { .. } => {
                Face::Starting { start: self.starts, failed: failed() }
            }
            Start::Failed { until } => {
                let (start, report) = failed().expect("a failed start leaves its report");
                Face::Failed { start, until: *until, report }
            }
        }
    }

    /// How many workers requests may still ask for with [`Event::More`].
    #[must_use]
    pub fn more(&self) -> usize {
        match self.serving() {
            0 => 0,
            _ => self.settings.instances.saturating_sub(self.target()),
        }
    }

    /// When [`Event::Tick`] is due if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let start = match &self.start {
            Start::Failed { until } => Some(*until),
            Start::Idle | Start::Due { .. } | Start::Running { .. } | Start::Over => None,
        };
        let workers = self.workers.iter().filter_map(Worker::deadline);
        workers.chain(start).chain(self.next_age()).chain(self.late.due()).min()
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

    fn count(&self, which: impl Fn(&Worker) -> bool) -> usize {
        self.workers.iter().filter(|worker| which(worker)).count()
    }

    fn live(&self) -> usize {
        self.count(Worker::is_live)
    }

    fn serving(&self) -> usize {
        self.count(|worker| worker.serving().is_some())
    }

    /// It follows the newest plan, and nothing speaks against it.
    fn is_fresh(&self, worker: &Worker) -> bool {
        worker.is_live() && worker.plan == self.plan && !worker.due
    }

    /// Workers that should live, apart from one more while it takes the place of another.
    fn target(&self) -> usize {
        if self.offline.is_some() || matches!(self.start, Start::Over) {
            return 0;
        }
        let most = self.settings.instances;
        if self.settings.always_running { most } else { self.wanted.min(most) }
    }

    /// Workers that may be on their way out at the same time.
    fn leaving_most(&self) -> usize {
        self.settings.instances.max(2)
    }

    fn report(&mut self, event: crate::messages::AppEvent) {
        self.effects.push(Effect::Report(event));
    }
}
