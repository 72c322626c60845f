//! Another plan: what holds for requests from then on.

use super::*;

/// With nothing but this app, and these limits.
fn whole(app: AppPlan, limits: Limits) -> config::Plan {
    config::Plan {
        bindings: Vec::new(),
        tls: None,
        ssl_flags: config::SslFlags::default(),
        app,
        limits,
        drain_timeout: Duration::from_secs(30),
        trusted_proxies: Vec::new(),
        origins: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_longer_start_and_another_queue_hold_at_once() {
    let mut stage = Stage::new();
    let app = AppPlan { startup_time_limit: Duration::from_secs(100), ..plan() };
    let limits = Limits { start_queue: 1, ..Limits::default() };
    stage.control.recycle(RecycleCause::Config, whole(app, limits));
    quiet().await;
    let begun = tokio::time::Instant::now();
    let first = stage.request();
    let _running = stage.launched().await;
    assert!(matches!(answer(stage.request()).await, Err(NoLease::QueueFull)));
    assert!(matches!(answer(first).await, Err(NoLease::Deadline)));
    assert_eq!(begun.elapsed().as_secs(), 211);
}

#[tokio::test(start_paused = true)]
async fn where_two_must_not_run_requests_wait_for_the_end_of_the_first() {
    let app =
        AppPlan { startup_time_limit: Duration::from_secs(1), disallow_overlapping_rotation: true, ..plan() };
    let mut stage = Stage::with(app.clone(), Limits::default());
    let (first, lease) = stage.up().await;
    lease.answered();
    stage.control.recycle(RecycleCause::Operator, whole(app, Limits::default()));
    quiet().await;
    let begun = tokio::time::Instant::now();
    let request = stage.request();
    assert_eq!(stage.told.recv().await, Some((first.id(), Done::Terminate)));
    assert_eq!(begun.elapsed().as_secs(), 30, "its request got all the time there is");
    first.says(ProcessEvent::Exited(Exit::Code(0)));
    first.says(ProcessEvent::Gone);
    let second = stage.launched().await;
    second.listens();
    assert_eq!(answer(request).await.expect("a lease").worker(), second.id());
}

#[tokio::test(start_paused = true)]
async fn a_shorter_drain_holds_from_the_recycle_on() {
    let mut stage = Stage::new();
    let (first, _lease) = stage.up().await;
    let plan = config::Plan { drain_timeout: Duration::from_secs(5), ..whole(plan(), Limits::default()) };
    stage.control.recycle(RecycleCause::Operator, plan);
    stage.launched().await.listens();
    let begun = tokio::time::Instant::now();
    assert_eq!(stage.told.recv().await, Some((first.id(), Done::Terminate)));
    assert_eq!(begun.elapsed().as_secs(), 5);
}
