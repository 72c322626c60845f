//! Single decisions of the state machine that no invariant of the simulation pins down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::PortChoice;
use contract::PairingToken;
use supervisor::process::Exit;
use supervisor::{
    App, AppHandle, DOUBTED, Effect, Event, EventId, Evidence, Face, LATE_LINES, LAUNCH_GRACE, RecycleCause,
    ServingWorker, Settings, Suspicion, ToProxy, WorkerEvent, WorkerId,
};

const DRAIN_LIMIT: Duration = Duration::from_secs(30);

#[path = "decisions/failing.rs"]
mod failing;
#[path = "decisions/replacing.rs"]
mod replacing;

struct Case {
    app: App,
    now: Instant,
    settings: Settings,
}

impl Case {
    fn new(port: PortChoice) -> Self {
        let mut case = Self::of(port, false);
        assert!(case.step(Event::Tick).is_empty());
        case
    }

    /// Before its first event.
    fn always_running() -> Self {
        Self::of(PortChoice::Draw, true)
    }

    fn of(port: PortChoice, always_running: bool) -> Self {
        Self::with(Settings { port, always_running, ..Self::settings() })
    }

    /// Before its first event.
    fn with(settings: Settings) -> Self {
        Self { app: App::new(settings.clone()), now: now(), settings }
    }

    fn settings() -> Settings {
        Settings {
            application: "/".to_owned(),
            folder: "/srv/app".to_owned(),
            command: "dotnet app.dll".to_owned(),
            port: PortChoice::Draw,
            instances: 1,
            always_running: false,
            preload: false,
            startup_time_limit: Duration::from_secs(10),
            shutdown_time_limit: Duration::from_secs(3),
            drain_limit: DRAIN_LIMIT,
            rapid_fails_per_minute: 10,
            disallow_overlap: false,
            idle_timeout: None,
            recycling: config::Recycling::default(),
            warm_up: [].into(),
        }
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        self.app.step(self.now, event)
    }

    fn after(&mut self, time: Duration) -> Vec<Effect> {
        self.now += time;
        self.step(Event::Tick)
    }

    fn worker(&mut self, id: u64, what: WorkerEvent) -> Vec<Effect> {
        self.step(Event::Worker(WorkerId(id), what))
    }

    fn wake(&mut self, seen: u64) -> Vec<Effect> {
        self.step(Event::Wake { seen })
    }

    fn serve(&mut self, id: u64) {
        let _ = self.worker(id, WorkerEvent::Launched { port: 5000 });
        let _ = self.worker(id, WorkerEvent::Started { pid: 1 });
        let _ = self.worker(id, WorkerEvent::Listening { serving: serving(id) });
        assert!(matches!(self.app.face(), Face::Up(_)));
    }

    /// It ends before it listens, and nothing of it is left.
    fn fail(&mut self, id: u64) -> Vec<Effect> {
        let _ = self.worker(id, WorkerEvent::Started { pid: 1 });
        let exit = Exit::Code(3);
        let _ = self.worker(id, WorkerEvent::Exited { exit, evidence: Evidence::default() });
        self.worker(id, gone())
    }

    /// web.config was touched, or says something else.
    fn recycle(&mut self, settings: Option<Settings>) -> Vec<Effect> {
        self.step(Event::Recycle { cause: RecycleCause::Config, settings: settings.map(Box::new) })
    }

    fn suspect(&mut self, id: u64) -> Vec<Effect> {
        self.step(Event::Suspect(WorkerId(id), Suspicion::Stranger))
    }
}

fn serving(id: u64) -> Arc<ServingWorker> {
    let token = PairingToken::from_bits([0; PairingToken::LENGTH / 2]);
    ServingWorker::fixed(WorkerId(id), ([127, 0, 0, 1], 5000).into(), token, 1)
}

#[expect(clippy::disallowed_methods, reason = "any instant will do; all later ones are computed")]
fn now() -> Instant {
    Instant::now()
}

fn launched(effects: &[Effect]) -> Vec<u64> {
    let launch = |effect: &Effect| match effect {
        Effect::Launch(id) => Some(id.0),
        _ => None,
    };
    effects.iter().filter_map(launch).collect()
}

fn killed(effects: &[Effect]) -> Vec<u64> {
    let kill = |effect: &Effect| match effect {
        Effect::Kill(id) => Some(id.0),
        _ => None,
    };
    effects.iter().filter_map(kill).collect()
}

fn told(effects: &[Effect]) -> Vec<u16> {
    let id = |effect: &Effect| match effect {
        Effect::Report(event) => Some(event.id),
        _ => None,
    };
    effects.iter().filter_map(id).collect()
}

fn gone() -> WorkerEvent {
    WorkerEvent::Gone { evidence: Evidence::default() }
}

#[test]
fn a_request_that_woke_before_a_failure_it_did_not_know_of_starts_nothing() {
    let mut case = Case::new(PortChoice::Draw);
    assert_eq!(launched(&case.wake(0)), [1]);
    let failed =
        case.worker(1, WorkerEvent::SpawnFailed { stage: "execve".into(), errno: 2, path: "x".into() });
    assert_eq!(told(&failed), [1000, 1020]);
    assert!(matches!(case.app.face(), Face::Asleep { start: 1, failed: Some((1, _)) }));
    assert_eq!(launched(&case.wake(0)), [0; 0]);
    assert_eq!(launched(&case.wake(1)), [2]);
    // Those who waited for the first start and look only now still find its end.
    assert!(matches!(case.app.face(), Face::Starting { start: 2, failed: Some((1, _)) }));
}

#[test]
fn waiting_requests_go_before_those_that_linger_on_suspects() {
    let mut case = Case::new(PortChoice::Draw);
    let _ = case.wake(0);
    case.serve(1);
    assert_eq!(launched(&case.suspect(1)), [2]);
    case.serve(2);
    assert_eq!(launched(&case.suspect(2)), [3], "two may be on their way out");
    case.serve(3);
    assert_eq!(launched(&case.suspect(3)), [0; 0]);
    // Three drain, so that the oldest has a second; whoever has no request in it makes room at once.
    assert_eq!(killed(&case.step(Event::GateEmpty(WorkerId(2)))), [2]);
    assert_eq!(launched(&case.worker(2, gone())), [4]);
}

#[test]
fn with_a_fixed_port_the_next_worker_waits_for_the_end_of_the_last() {
    let mut case = Case::new(PortChoice::Fixed(5000));
    let _ = case.wake(0);
    case.serve(1);
    assert_eq!(launched(&case.suspect(1)), [0; 0]);
    assert!(matches!(case.app.face(), Face::Starting { start: 2, .. }));
    let effects = case.after(DRAIN_LIMIT);
    assert_eq!(told(&effects), [EventId::DrainCut.number(), EventId::SentTerminate.number()]);
    let _ = case.worker(1, WorkerEvent::Exited { exit: Exit::Code(0), evidence: Evidence::default() });
    assert_eq!(launched(&case.worker(1, gone())), [2]);
}

#[test]
fn a_fixed_port_that_is_not_listened_on_is_not_tried_again() {
    for (port, attempts) in [(PortChoice::Fixed(5000), 1), (PortChoice::Draw, 2)] {
        let mut case = Case::new(port);
        let mut launches = case.wake(0);
        for id in 1..=attempts {
            assert_eq!(launched(&launches), [id]);
            let _ = case.worker(id, WorkerEvent::Started { pid: 1 });
            // Nobody says a word: the machine's own deadline.
            assert_eq!(killed(&case.after(Duration::from_secs(10) + LAUNCH_GRACE)), [id]);
            launches = case.worker(id, gone());
        }
        assert_eq!(launched(&launches), [0; 0]);
        let Face::Asleep { failed: Some((1, report)), .. } = case.app.face() else {
            panic!("the start failed")
        };
        assert_eq!(u64::from(report.attempts), attempts);
    }
}

#[test]
fn a_launcher_that_ends_while_its_child_listens_is_an_event_line() {
    let mut case = Case::new(PortChoice::Draw);
    let _ = case.wake(0);
    let _ = case.worker(1, WorkerEvent::Started { pid: 7 });
    // Owned by pid 0, which is not the started one.
    let _ = case.worker(1, WorkerEvent::Listening { serving: serving(1) });
    let effects = case.worker(1, WorkerEvent::Exited { exit: Exit::Code(0), evidence: Evidence::default() });
    assert_eq!(told(&effects), [EventId::LauncherExited.number()]);
    assert!(matches!(case.app.face(), Face::Up(_)));
    assert_eq!(killed(&case.worker(1, WorkerEvent::OwnerGone)), [1]);
    assert!(matches!(case.app.face(), Face::Starting { start: 2, .. }), "it never answered");
    let effects = case.worker(1, gone());
    assert_eq!(told(&effects), [EventId::Unanswered.number(), EventId::ShutDown.number()]);
    assert!(matches!(case.app.face(), Face::Asleep { start: 3, failed: None }));
}

#[test]
fn the_future_of_a_lease_is_small() {
    let handle = AppHandle::fixed(vec![serving(1)]);
    let size = std::mem::size_of_val(&handle.lease(0));
    assert!(size <= 64, "{size} bytes");
}

#[test]
fn event_ids_are_the_modules_or_ours_and_each_is_there_once() {
    let mut ids: Vec<_> = EventId::TABLE.iter().map(|(id, _, _)| id.number()).collect();
    assert!(ids.is_sorted() && ids.iter().all(|id| (1000..1040).contains(id) || (2000..2100).contains(id)));
    ids.dedup();
    assert_eq!(ids.len(), EventId::TABLE.len());
}

fn page(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn ended_tunnels(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Tell(ToProxy::EndTunnels { .. }))).count()
}

fn terminated(effects: &[Effect]) -> Vec<u64> {
    let terminate = |effect: &Effect| match effect {
        Effect::Terminate(id) => Some(id.0),
        _ => None,
    };
    effects.iter().filter_map(terminate).collect()
}

#[test]
fn offline_drains_before_it_stops_and_starts_nothing_until_it_is_over() {
    let mut case = Case::new(PortChoice::Draw);
    let _ = case.wake(0);
    case.serve(1);
    let offline = case.step(Event::Offline(page("a")));
    assert_eq!(told(&offline), [1012]);
    assert_eq!(ended_tunnels(&offline), 1);
    assert!(offline.iter().any(|effect| matches!(effect, Effect::CloseGate(_))));
    assert!(terminated(&offline).is_empty() && killed(&offline).is_empty());
    assert!(matches!(case.app.face(), Face::Offline { page } if *page == *b"a"));
    assert_eq!(terminated(&case.step(Event::GateEmpty(WorkerId(1)))), [1]);
    let _ = case.worker(1, WorkerEvent::Exited { exit: Exit::Code(0), evidence: Evidence::default() });
    assert_eq!(told(&case.worker(1, gone())), [1030]);
    assert!(case.wake(1).is_empty());
    assert!(case.step(Event::Offline(page("b"))).is_empty(), "a new page is no new arrival");
    assert!(matches!(case.app.face(), Face::Offline { page } if *page == *b"b"));
    assert_eq!(told(&case.step(Event::Online)), [2005]);
    assert!(matches!(case.app.face(), Face::Asleep { .. }));
    case.now += Duration::from_secs(2);
    assert_eq!(launched(&case.wake(2)), [2]);
}

#[test]
fn offline_calls_off_a_start_which_then_has_not_failed() {
    let mut case = Case::new(PortChoice::Draw);
    let _ = case.wake(0);
    let _ = case.worker(1, WorkerEvent::Launched { port: 5000 });
    let _ = case.worker(1, WorkerEvent::Started { pid: 1 });
    let offline = case.step(Event::Offline(page("")));
    assert_eq!((told(&offline), terminated(&offline)), (vec![1012, 1006], vec![1]));
    let exit = Exit::Signal(15);
    let _ = case.worker(1, WorkerEvent::Exited { exit, evidence: Evidence::default() });
    assert_eq!(told(&case.worker(1, gone())), [1030]);
}

#[test]
fn offline_forgets_a_failure_and_holds_back_an_app_that_always_runs() {
    let mut case = Case::new(PortChoice::Draw);
    let _ = case.wake(0);
    let _ = case.worker(1, WorkerEvent::SpawnFailed { stage: "execve".into(), errno: 2, path: "x".into() });
    assert!(matches!(case.app.face(), Face::Asleep { failed: Some(_), .. }));
    let _ = case.wake(1);
    let _ = case.worker(2, WorkerEvent::SpawnFailed { stage: "execve".into(), errno: 2, path: "x".into() });
    assert!(matches!(case.app.face(), Face::Failed { start: 2, .. }));
    assert_eq!(told(&case.step(Event::Offline(page("")))), [1012]);
    let _ = case.step(Event::Online);
    assert!(matches!(case.app.face(), Face::Asleep { failed: None, .. }));

    let mut always = Case::always_running();
    assert_eq!(told(&always.step(Event::Offline(page("")))), [2004]);
    assert!(launched(&always.after(Duration::from_secs(60))).is_empty());
    assert_eq!(launched(&always.step(Event::Online)), [1]);
}
