use super::*;

fn page(result: Result<Lease, NoLease>) -> Vec<u8> {
    match result {
        Err(NoLease::Offline(page)) => page.to_vec(),
        other => panic!("not offline but {other:?}"),
    }
}

impl Stage {
    async fn tell(&self, event: Event) {
        self.control.commands.send(Command::Event(event)).expect("the runner lives");
        quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_start_are_told_at_once() {
    let mut stage = Stage::new();
    let requests: Vec<_> = (0..100).map(|_| stage.request()).collect();
    let running = stage.launched().await;
    running.says(ProcessEvent::Started { pid: 42 });
    quiet().await;
    let start = tokio::time::Instant::now();
    stage.tell(Event::Offline(b"soon".as_slice().into())).await;
    for request in requests {
        assert_eq!(page(answer(request).await), b"soon");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(stage.told.recv().await, Some((running.id(), Done::Terminate)));
    running.says(ProcessEvent::Exited(Exit::Code(0)));
    running.says(ProcessEvent::Gone);
    quiet().await;
    assert_eq!(stage.event_ids(), [1012, 1006, 1030]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_does_not_hide_that_the_app_is_offline() {
    let stage = Stage::with(plan(), Limits { start_queue: 0, ..Limits::default() });
    stage.tell(Event::Offline(b"soon".as_slice().into())).await;
    assert_eq!(page(answer(stage.request()).await), b"soon");
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_ends_before_the_process_does_and_the_next_start_is_a_new_one() {
    let mut stage = Stage::new();
    let (first, lease) = stage.up().await;
    stage.tell(Event::Offline(b"soon".as_slice().into())).await;
    assert_eq!(page(answer(stage.request()).await), b"soon");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.told.try_recv().is_err(), "it was told to end under a request");
    drop(lease);
    assert_eq!(stage.told.recv().await, Some((first.id(), Done::Terminate)));
    first.says(ProcessEvent::Exited(Exit::Code(0)));
    first.says(ProcessEvent::Gone);
    stage.tell(Event::Online).await;
    assert!(stage.launches.try_recv().is_err(), "nobody asked for it");
    let (second, _lease) = stage.up().await;
    assert_ne!(second.id(), first.id());
}
