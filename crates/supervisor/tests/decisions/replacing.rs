//! One worker takes another's place while more happens.

use super::*;

fn serving(case: &Case) -> Vec<u64> {
    match case.app.face() {
        Face::Up(workers) => workers.iter().map(|worker| worker.id.0).collect(),
        _ => Vec::new(),
    }
}

fn up() -> Case {
    let mut case = Case::new(PortChoice::Draw);
    let _ = case.wake(0);
    case.serve(1);
    case
}

#[test]
fn an_edit_while_the_last_one_starts_leaves_the_old_worker_serving() {
    for changed in [true, false] {
        let mut case = up();
        assert_eq!(launched(&case.recycle(Some(case.settings.clone()))), [2]);
        let settings = changed.then(|| case.settings.clone());
        let _ = case.recycle(settings);
        assert_eq!(serving(&case), [1], "changed: {changed}");
    }
}

#[test]
fn a_touch_while_the_last_one_starts_is_a_recycle_of_its_own_when_that_start_fails() {
    let mut case = up();
    assert_eq!(launched(&case.recycle(None)), [2]);
    assert_eq!(launched(&case.recycle(None)), [0; 0], "the same plan is started already");
    let effects = case.fail(2);
    assert_eq!(launched(&effects), [3], "the app may have been mended meanwhile");
    assert!(!told(&effects).contains(&EventId::RecycleFailed.number()));
    let effects = case.fail(3);
    assert_eq!(launched(&effects), [0; 0]);
    assert!(told(&effects).contains(&EventId::RecycleFailed.number()));
    assert_eq!(serving(&case), [1]);
}

#[test]
fn a_start_that_hangs_is_given_up_for_a_touch() {
    for serves in [true, false] {
        let mut case = Case::new(PortChoice::Draw);
        let mut id = 1;
        assert_eq!(launched(&case.wake(0)), [1]);
        if serves {
            case.serve(1);
            id = 2;
            assert_eq!(launched(&case.recycle(None)), [2]);
        }
        let _ = case.worker(id, WorkerEvent::Started { pid: 1 });
        let _ = case.after(Duration::from_secs(1));
        let _ = case.recycle(None);
        let _ = case.after(DOUBTED / 2);
        let _ = case.recycle(None);
        let effects = case.after(DOUBTED / 2);
        assert_eq!((terminated(&effects), launched(&effects)), (vec![id], vec![id + 1]), "serves: {serves}");
        case.serve(id + 1);
        assert_eq!(launched(&case.after(Duration::from_secs(60))), [0; 0]);
    }
}

#[test]
fn requests_inside_get_a_second_before_they_make_room() {
    let mut case = up();
    for id in 2..=3 {
        let _ = case.suspect(id - 1);
        case.serve(id);
    }
    assert_eq!(killed(&case.suspect(3)), [0; 0]);
    assert_eq!(killed(&case.after(Duration::from_millis(900))), [0; 0]);
    assert_eq!(killed(&case.after(Duration::from_millis(100))), [1]);
    assert_eq!(launched(&case.worker(1, gone())), [4]);
}

#[test]
fn an_app_that_ends_slowly_costs_no_request_its_time() {
    let mut case = up();
    for id in 1..=2 {
        assert_eq!(launched(&case.recycle(None)), [id + 1]);
        case.serve(id + 1);
    }
    // The second one was told to end and takes its time; the first one has a request in it.
    assert_eq!(terminated(&case.step(Event::GateEmpty(WorkerId(2)))), [2]);
    assert_eq!(launched(&case.recycle(None)), [0; 0], "two are on their way out");
    assert_eq!(terminated(&case.after(Duration::from_secs(2))), [0; 0]);
    assert_eq!(launched(&case.worker(2, gone())), [4]);
    case.serve(4);
    assert_eq!(terminated(&case.after(Duration::from_secs(2))), [0; 0], "no more than two drain");
    assert_eq!(launched(&case.recycle(None)), [0; 0]);
    assert_eq!(terminated(&case.after(Duration::from_secs(1))), [1], "three would");
}
