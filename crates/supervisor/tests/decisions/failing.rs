//! Starts and workers that fail, and how seldom it is tried again.

use super::*;

/// Ends in the first second of service.
fn crash(case: &mut Case, id: u64) -> Vec<Effect> {
    let exit = Exit::Signal(9);
    let mut effects = case.worker(id, WorkerEvent::Exited { exit, evidence: Evidence::default() });
    effects.extend(case.worker(id, gone()));
    effects
}

/// Follows the deadlines, lets every start fail, and says how many milliseconds after the first each came.
fn failures(case: &mut Case, mut due: Vec<u64>, fail: impl Fn(&mut Case, u64) -> Vec<Effect>) -> Vec<u128> {
    let begun = case.now;
    let mut starts = Vec::new();
    while starts.len() < 10 {
        match due.pop() {
            Some(id) => {
                starts.push((case.now - begun).as_millis());
                due = launched(&fail(case, id));
            }
            None => {
                case.now = case.app.deadline().expect("it always runs");
                due = launched(&case.step(Event::Tick));
            }
        }
    }
    starts
}

const STARTS: [u128; 10] = [0, 0, 500, 1500, 3500, 7500, 15_500, 31_500, 61_500, 91_500];

#[test]
fn an_app_that_always_runs_is_tried_ever_more_seldom() {
    let mut case = Case::always_running();
    let first = launched(&case.step(Event::Tick));
    assert_eq!(failures(&mut case, first, Case::fail), STARTS);
}

#[test]
fn one_that_listens_and_ends_at_once_as_well() {
    let mut case =
        Case::with(Settings { always_running: true, rapid_fails_per_minute: 100, ..Case::settings() });
    let first = launched(&case.step(Event::Tick));
    let ends = |case: &mut Case, id| {
        case.serve(id);
        crash(case, id)
    };
    assert_eq!(failures(&mut case, first, ends), STARTS);
}

#[test]
fn one_that_serves_for_long_says_nothing_of_a_second_that_cannot_start() {
    let mut case = Case::with(Settings { always_running: true, instances: 2, ..Case::settings() });
    assert_eq!(launched(&case.step(Event::Tick)), [1]);
    case.serve(1);
    case.serve(2);
    case.now += Duration::from_secs(100);
    let due = launched(&crash(&mut case, 2));
    assert_eq!(due, [3], "the first failure costs nothing");
    assert_eq!(failures(&mut case, due, Case::fail)[..9], STARTS[1..]);
}

#[test]
fn a_minute_of_service_ends_the_back_off() {
    let mut case = Case::new(PortChoice::Draw);
    let mut id = 1;
    for _ in 0..3 {
        while case.wake(u64::MAX).is_empty() {
            case.now = case.app.deadline().expect("it is held back");
            let _ = case.step(Event::Tick);
        }
        let _ = case.fail(id);
        id += 1;
    }
    let Face::Failed { until, .. } = case.app.face() else { panic!("it is held back") };
    case.now = until;
    let _ = case.step(Event::Tick);
    assert_eq!(launched(&case.wake(u64::MAX)), [id]);
    case.serve(id);
    case.now += Duration::from_secs(60);
    let _ = crash(&mut case, id);
    assert!(matches!(case.app.face(), Face::Asleep { .. }), "a first failure, which costs nothing");
}

#[test]
fn every_recycle_of_all_forgets_how_many_ended() {
    for cause in [RecycleCause::Config, RecycleCause::Operator, RecycleCause::Schedule] {
        let mut case = Case::with(Settings { rapid_fails_per_minute: 0, ..Case::settings() });
        assert_eq!(launched(&case.wake(0)), [1]);
        case.serve(1);
        let Face::Up(workers) = case.app.face() else { panic!("it serves") };
        workers[0].enter(0).expect("it is open").answered();
        let _ = crash(&mut case, 1);
        let _ = case.step(Event::Recycle { cause, settings: None });
        assert_eq!(launched(&case.wake(u64::MAX)), [2], "{cause:?}");
    }
}

#[test]
fn requests_that_time_out_are_told_at_once_and_then_together() {
    let mut case = Case::new(PortChoice::Draw);
    let late = || Event::TimedOut { limit: Duration::from_secs(120) };
    let line = |effects: &[Effect]| match effects {
        [Effect::Report(event)] if event.id == EventId::TimedOut.number() => event.message.clone(),
        _ => format!("{effects:?}"),
    };
    let said = "to application '/' took longer than requestTimeout (120 s).";
    assert_eq!(line(&case.step(late())), format!("1 request {said}"));
    for _ in 0..1000 {
        assert!(case.step(late()).is_empty());
    }
    assert_eq!(case.app.deadline(), Some(case.now + LATE_LINES));
    assert_eq!(line(&case.after(LATE_LINES)), format!("1000 requests {said}"));
    assert_eq!(case.app.deadline(), None);
    assert!(case.after(LATE_LINES).is_empty());
    assert_eq!(line(&case.step(late())), format!("1 request {said}"));
}

#[test]
fn several_that_are_killed_together_are_one_failure() {
    let mut case = Case::with(Settings { instances: 4, ..Case::settings() });
    assert_eq!(launched(&case.wake(0)), [1]);
    case.serve(1);
    for id in 2..=4 {
        assert_eq!(launched(&case.step(Event::More)), [id]);
        case.serve(id);
    }
    for id in 1..=4 {
        case.now += Duration::from_millis(1);
        let _ = case.worker(id, gone());
    }
    assert_eq!(launched(&case.wake(u64::MAX)), [5], "the first failure costs nothing");
}

#[test]
fn one_that_ends_while_it_is_warmed_is_told_as_one_that_listened() {
    let pages = || [config::WarmUpPage { path: "/warm".to_owned(), host: None }].into();
    let ends = |owner_is_started: bool| {
        let mut case = Case::with(Settings { warm_up: pages(), ..Case::settings() });
        let _ = case.wake(0);
        let _ = case.worker(1, WorkerEvent::Launched { port: 5000 });
        // `serving` says that process 0 listens.
        let pid = u32::from(!owner_is_started);
        let _ = case.worker(1, WorkerEvent::Started { pid });
        let _ = case.worker(1, WorkerEvent::Listening { serving: serving(1) });
        let exit = WorkerEvent::Exited { exit: Exit::Code(5), evidence: Evidence::default() };
        let _ = case.worker(1, exit);
        if !owner_is_started {
            let _ = case.worker(1, WorkerEvent::OwnerGone);
        }
        let _ = case.worker(1, gone());
        let Face::Asleep { failed: Some((_, report)), .. } = case.app.face() else { panic!("it failed") };
        report.reason.clone()
    };
    let warming = "while it was asked for its warm-up pages";
    assert_eq!(ends(true), format!("The app listened on port 5000 and exited with code 5 {warming}"));
    assert_eq!(ends(false), format!("The process that listened on port 5000 ended {warming}"));
}

#[test]
fn who_asks_for_warm_up_pages_tells_which_one_was_late() {
    let warm_up = [config::WarmUpPage { path: "/warm".to_owned(), host: None }].into();
    let mut case = Case::with(Settings { warm_up, ..Case::settings() });
    let _ = case.wake(0);
    let _ = case.worker(1, WorkerEvent::Started { pid: 1 });
    let effects = case.worker(1, WorkerEvent::Listening { serving: serving(1) });
    let by = effects.iter().find_map(|effect| match effect {
        Effect::Tell(ToProxy::Warm { by, .. }) => Some(*by),
        _ => None,
    });
    case.now = by.expect("it is warmed");
    assert_eq!(told(&case.step(Event::Tick)), [0; 0]);
    let late = Err("/warm was not answered in time".to_owned());
    assert_eq!(told(&case.step(Event::Warmed(WorkerId(1), late))), [EventId::NotWarmed.number()]);
    assert!(matches!(case.app.face(), Face::Up(_)));
}

#[test]
fn nobody_goes_on_warming_what_is_to_end() {
    let warm_up = [config::WarmUpPage { path: "/warm".to_owned(), host: None }].into();
    let mut case = Case::with(Settings { warm_up, ..Case::settings() });
    let _ = case.wake(0);
    let _ = case.worker(1, WorkerEvent::Started { pid: 1 });
    let _ = case.worker(1, WorkerEvent::Listening { serving: serving(1) });
    let effects = case.step(Event::Offline([].into()));
    let at = |which: fn(&Effect) -> bool| effects.iter().position(which).expect("it is told");
    let ended = at(|effect| matches!(effect, Effect::Tell(ToProxy::EndTunnels { worker: WorkerId(1), .. })));
    assert!(ended < at(|effect| matches!(effect, Effect::Terminate(WorkerId(1)))), "{effects:?}");
}
