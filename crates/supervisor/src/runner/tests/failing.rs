//! Starts that fail, and who is answered how.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failed_start_answers_those_who_wait_and_the_next_request_tries_again() {
    let mut stage = Stage::new();
    let waiting = [stage.request(), stage.request()];
    let running = stage.launched().await;
    "Unhandled exception. No connection string.".clone_into(&mut stage.output.lock().expect("free"));
    running.crashes(Exit::Signal(6));
    for request in waiting {
        let report = failure(answer(request).await);
        assert_eq!((report.stage, report.attempts), ("PostStartCheck", 1));
        assert!(report.output.contains("No connection string"));
        assert!(report.reason.contains("SIGABRT"), "{}", report.reason);
    }
    assert_eq!(stage.event_ids(), [1000, 1020]);
    assert!(stage.launches.try_recv().is_err(), "nobody asked for another start");
    let (_running, lease) = stage.up().await;
    assert_eq!(lease.worker(), WorkerId(2));
}

#[tokio::test(start_paused = true)]
async fn while_starts_fail_requests_are_answered_at_once_and_nothing_is_started() {
    let mut stage = Stage::new();
    let begun = tokio::time::Instant::now();
    // The first failure costs nothing, the second half a second, the third a second.
    for pause in [None, Some(500), Some(1000)] {
        let request = stage.request();
        stage.launched().await.crashes(Exit::Code(150));
        let Err(NoLease::Failed { retry_after, .. }) = answer(request).await else { panic!("it failed") };
        assert_eq!(retry_after, pause.map(Duration::from_millis));
        quiet().await;
        if let Some(pause) = pause {
            let report = failure(answer(stage.request()).await);
            assert!(report.reason.contains("150"));
            assert!(stage.launches.try_recv().is_err(), "a start within the pause");
            tokio::time::sleep(Duration::from_millis(pause + 1)).await;
        }
    }
    let (_running, _lease) = stage.up().await;
    assert_eq!(begun.elapsed().as_millis(), 1502);
}

#[tokio::test(start_paused = true)]
async fn a_port_in_use_is_tried_again_once_with_another_port_and_token() {
    let mut stage = Stage::new();
    let request = stage.request();
    let first = stage.launched().await;
    "Failed to bind to address http://127.0.0.1:1: address already in use."
        .clone_into(&mut stage.output.lock().expect("free"));
    first.crashes(Exit::Signal(6));
    let second = stage.launched().await;
    assert_eq!(stage.told.recv().await, Some((first.id(), Done::Kill)), "what is left of its subtree");
    assert_ne!(first.launch.token, second.launch.token);
    second.says(ProcessEvent::Started { pid: 43 });
    second.says(ProcessEvent::NotListening { why: NotListening::Stranger { owner: None } });
    assert_eq!(stage.told.recv().await, Some((second.id(), Done::Kill)));
    quiet().await;
    assert!(!request.is_finished(), "the answer waits for the end, when the output is complete");
    second.says(ProcessEvent::Gone);
    assert_eq!(failure(answer(request).await).attempts, 2);
    assert_eq!(stage.event_ids(), [1000, 1000, 1020]);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_hangs_twice_is_answered_with_the_report() {
    let mut stage = Stage::new();
    let begun = tokio::time::Instant::now();
    let request = stage.request();
    for _ in 0..2 {
        let running = stage.launched().await;
        tokio::time::sleep(running.launch.startup_time_limit).await;
        running.says(ProcessEvent::Started { pid: 42 });
        running.says(ProcessEvent::NotListening { why: NotListening::Deadline { elsewhere: Vec::new() } });
        running.says(ProcessEvent::Gone);
    }
    assert_eq!(failure(answer(request).await).attempts, 2);
    assert!(begun.elapsed() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_port_fails_every_start_without_a_process() {
    let mut stage =
        Stage::with(AppPlan { port: PortChoice::Invalid("abc".to_owned()), ..plan() }, Limits::default());
    for _ in 0..3 {
        let report = failure(answer(stage.request()).await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((report.stage, report.port), ("SetupListenPort", 0));
        assert!(report.reason.contains("'abc'"));
    }
    assert!(stage.launches.try_recv().is_err());
}
