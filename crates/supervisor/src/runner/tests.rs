//! The runner and the waiting of requests, with paused time and processes that follow a script.

use std::sync::Mutex;
use std::time::Duration;

use config::{Handler, Program};
use tokio::task::JoinHandle;

use super::*;
use crate::face::Face;
use crate::gate::Lease;
use crate::lease::NoLease;
use crate::messages::Suspicion;
use crate::process::{Exit, NotListening};

/// What a process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Terminate,
    Kill,
}

type Events = UnboundedSender<(WorkerId, ProcessEvent)>;

/// Hands every launch to the test instead of the operating system.
#[derive(Debug, Clone)]
pub(super) struct Script {
    launches: UnboundedSender<(Launch, Events)>,
    told: UnboundedSender<(WorkerId, Done)>,
    output: Arc<Mutex<String>>,
}

#[derive(Debug)]
pub(super) struct ScriptHandle {
    worker: WorkerId,
    script: Script,
}

impl Script {
    pub(super) fn launch(&self, launch: Launch, events: Events) -> ScriptHandle {
        let worker = launch.worker;
        self.launches.send((launch, events)).expect("the test listens");
        ScriptHandle { worker, script: self.clone() }
    }
}

impl ScriptHandle {
    pub(super) fn tell(&self, what: Done) {
        self.script.told.send((self.worker, what)).expect("the test listens");
    }

    pub(super) fn output(&self) -> String {
        self.script.output.lock().expect("no test panics while it writes").clone()
    }
}

/// An app under a runner, and the test's ends of everything.
struct Stage {
    handle: AppHandle,
    control: Arc<AppControl>,
    launches: UnboundedReceiver<(Launch, Events)>,
    told: UnboundedReceiver<(WorkerId, Done)>,
    output: Arc<Mutex<String>>,
    to_proxy: UnboundedReceiver<ToProxy>,
    events: UnboundedReceiver<AppEvent>,
}

fn plan() -> AppPlan {
    AppPlan {
        folder: "/srv/app".into(),
        path_base: "/".to_owned(),
        handler: Handler::AspNetCore,
        program: Program {
            path: "/bin/app".into(),
            arguments: vec!["--port=%HTTP_PLATFORM_PORT%".to_owned()],
        },
        environment: Vec::new(),
        dotnet_root: None,
        port: PortChoice::Draw,
        startup_time_limit: Duration::from_secs(10),
        shutdown_time_limit: Duration::from_secs(3),
        rapid_fails_per_minute: 10,
        processes_per_application: 1,
        stdout_log: None,
        console_redirection: true,
        disable_start_up_error_page: false,
        forward_response_connection_header: false,
        always_running: false,
        preload: false,
        warm_up: Vec::new(),
        idle_timeout: None,
        disallow_overlapping_rotation: false,
        disallow_rotation_on_config_change: false,
        recycling: config::Recycling::default(),
        web_sockets: true,
        error_page_link: None,
        debug_log: None,
        private_network: false,
        config_files: Vec::new(),
    }
}

impl Stage {
    fn new() -> Self {
        Self::with(plan(), Limits::default())
    }

    fn with(plan: AppPlan, limits: Limits) -> Self {
        let (launch, launches) = unbounded_channel();
        let (tell, told) = unbounded_channel();
        let (proxy, to_proxy) = unbounded_channel();
        let (report, events) = unbounded_channel();
        let output = Arc::new(Mutex::default());
        let script = Script { launches: launch, told: tell, output: Arc::clone(&output) };
        let setup = AppSetup {
            plan,
            inherited: Vec::new(),
            threads: 2,
            limits,
            to_proxy: vec![proxy],
            events: report,
            https_port: None,
            drain_timeout: Duration::from_secs(30),
            changes: unbounded_channel().0,
        };
        let (handle, control) = start_with(setup, Launcher::Script(script), Event::Tick);
        Self { handle, control: Arc::new(control), launches, told, output, to_proxy, events }
    }

    fn request(&self) -> JoinHandle<Result<Lease, NoLease>> {
        let handle = self.handle.clone();
        tokio::spawn(async move { handle.lease(0).await })
    }

    async fn launched(&mut self) -> Running {
        let launched = tokio::time::timeout(Duration::from_secs(3600), self.launches.recv()).await;
        let (launch, events) = launched.expect("somebody is launched").expect("the runner lives");
        Running { launch, events }
    }

    /// Starts a worker for a request and gives both.
    async fn up(&mut self) -> (Running, Lease) {
        let request = self.request();
        let running = self.launched().await;
        running.listens();
        let lease = request.await.expect("no panic").expect("the worker serves");
        (running, lease)
    }

    /// Ids of all events so far.
    fn event_ids(&mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.events.try_recv().ok()).map(|event| event.id).collect()
    }
}

struct Running {
    launch: Launch,
    events: Events,
}

impl Running {
    fn id(&self) -> WorkerId {
        self.launch.worker
    }

    fn says(&self, event: ProcessEvent) {
        self.events.send((self.id(), event)).expect("the runner lives");
    }

    fn listens(&self) {
        self.says(ProcessEvent::Started { pid: 42 });
        self.says(ProcessEvent::Listening {
            address: ([127, 0, 0, 1], self.launch.port).into(),
            owner: 42,
            listeners: KeptListeners::any(),
        });
    }

    fn crashes(&self, exit: Exit) {
        self.says(ProcessEvent::Started { pid: 42 });
        self.says(ProcessEvent::Exited(exit));
        self.says(ProcessEvent::Gone);
    }
}

async fn answer(request: JoinHandle<Result<Lease, NoLease>>) -> Result<Lease, NoLease> {
    request.await.expect("no panic")
}

fn failure(result: Result<Lease, NoLease>) -> Arc<crate::StartReport> {
    match result {
        Err(NoLease::Failed { report, .. }) => report,
        other => panic!("no failed start but {other:?}"),
    }
}

/// Lets everything that is ready run.
async fn quiet() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_first_requests_start_one_process() {
    let mut stage = Stage::new();
    let requests: Vec<_> = (0..100).map(|_| stage.request()).collect();
    let running = stage.launched().await;
    quiet().await;
    assert_eq!(stage.handle.waiting(), 100);
    running.listens();
    for request in requests {
        assert_eq!(answer(request).await.expect("a lease").worker(), running.id());
    }
    assert_eq!(stage.handle.waiting(), 0);
    assert!(stage.launches.try_recv().is_err());
    assert_eq!(stage.event_ids(), [1001]);
    assert!(stage.handle.try_lease(1).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_launch_carries_port_token_and_folder() {
    let mut stage = Stage::new();
    let (running, lease) = stage.up().await;
    let launch = &running.launch;
    assert_eq!(launch.arguments, [OsString::from(format!("--port={}", launch.port))]);
    let variable =
        |name: &str| launch.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(variable(contract::PORT), Some(launch.port.to_string().into()));
    let worker = stage.handle.worker(lease.worker()).expect("it serves");
    assert_eq!(variable(contract::TOKEN), Some(worker.token.as_str().into()));
    assert_eq!(worker.address, Address::Tcp(([127, 0, 0, 1], launch.port).into()));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_and_an_endless_start_are_answered() {
    let limits = Limits { start_queue: 1, ..Limits::default() };
    let mut stage = Stage::with(plan(), limits);
    let begun = tokio::time::Instant::now();
    let first = stage.request();
    let _running = stage.launched().await;
    assert!(matches!(answer(stage.request()).await, Err(NoLease::QueueFull)));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // A keeper that says nothing at all, not even after it was killed.
    assert!(matches!(answer(first).await, Err(NoLease::Deadline)));
    assert_eq!(begun.elapsed().as_secs(), 31);
    assert_eq!(stage.handle.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gives_up_frees_its_place() {
    let limits = Limits { start_queue: 1, ..Limits::default() };
    let mut stage = Stage::with(plan(), limits);
    let first = stage.request();
    let _running = stage.launched().await;
    first.abort();
    quiet().await;
    assert_eq!(stage.handle.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_suspect_is_drained_while_the_next_one_starts() {
    let mut stage = Stage::new();
    let (first, lease) = stage.up().await;
    stage.handle.suspect(first.id(), Suspicion::Stranger);
    let request = stage.request();
    let second = stage.launched().await;
    assert!(matches!(stage.to_proxy.recv().await, Some(ToProxy::EndTunnels { worker: WorkerId(1), .. })));
    assert!(stage.handle.try_lease(0).is_none() && stage.handle.worker(first.id()).is_none());
    second.listens();
    assert_eq!(answer(request).await.expect("a lease").worker(), second.id());
    quiet().await;
    assert!(stage.told.try_recv().is_err(), "the request on the first one has not ended");
    drop(lease);
    assert_eq!(stage.told.recv().await, Some((first.id(), Done::Terminate)));
    first.says(ProcessEvent::Exited(Exit::Code(0)));
    first.says(ProcessEvent::Gone);
    quiet().await;
    assert_eq!(stage.event_ids(), [1001, 2001, 1001, 1006, 1030]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_puts_the_app_to_sleep_and_the_next_request_wakes_it() {
    let mut stage = Stage::new();
    let (first, lease) = stage.up().await;
    lease.answered();
    first.says(ProcessEvent::OwnerGone);
    quiet().await;
    assert!(matches!(**stage.handle.face(), Face::Asleep { start: 1, failed: None }));
    assert_eq!(
        stage.told.try_recv().ok(),
        Some((first.id(), Done::Kill)),
        "the rest of the subtree goes too"
    );
    // Not even the end of the old one is waited for.
    let (second, _lease) = stage.up().await;
    assert_eq!(second.id(), WorkerId(2));
    first.says(ProcessEvent::Exited(Exit::Signal(9)));
    first.says(ProcessEvent::Gone);
    quiet().await;
    assert_eq!(stage.event_ids(), [1001, 1001, 1030]);
}

#[tokio::test(start_paused = true)]
async fn a_launcher_may_end_before_what_it_launched() {
    let mut stage = Stage::new();
    let request = stage.request();
    let running = stage.launched().await;
    running.says(ProcessEvent::Started { pid: 41 });
    running.says(ProcessEvent::Exited(Exit::Code(0)));
    running.listens();
    assert!(answer(request).await.is_ok());
    assert_eq!(stage.event_ids(), [1001]);
}

#[tokio::test(start_paused = true)]
async fn always_running_starts_at_once_and_again_after_each_end() {
    let mut stage = Stage::with(AppPlan { always_running: true, ..plan() }, Limits::default());
    let first = stage.launched().await;
    first.listens();
    first.says(ProcessEvent::Exited(Exit::Code(3)));
    first.says(ProcessEvent::Gone);
    let begun = tokio::time::Instant::now();
    let second = stage.launched().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    second.crashes(Exit::Code(3));
    stage.launched().await.listens();
    assert_eq!(begun.elapsed().as_millis(), 500, "a start that failed is not repeated at once");
    quiet().await;
    assert!(stage.handle.try_lease(0).is_some());
}

#[tokio::test(start_paused = true)]
async fn stop_drains_then_ends_then_kills() {
    let mut stage = Stage::new();
    let (running, lease) = stage.up().await;
    let control = Arc::clone(&stage.control);
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    let stopping = tokio::spawn(async move { control.stop(until.into_std()).await });
    quiet().await;
    assert!(matches!(answer(stage.request()).await, Err(NoLease::Stopped)));
    assert!(stage.told.try_recv().is_err(), "a request is still in");
    drop(lease);
    assert_eq!(stage.told.recv().await, Some((running.id(), Done::Terminate)));
    let told = tokio::time::Instant::now();
    assert_eq!(stage.told.recv().await, Some((running.id(), Done::Kill)));
    assert_eq!(told.elapsed().as_secs(), 3);
    assert_eq!(
        stage.told.recv().await,
        Some((running.id(), Done::Kill)),
        "a live process is never forgotten"
    );
    assert!(!stopping.is_finished());
    running.says(ProcessEvent::Exited(Exit::Signal(9)));
    running.says(ProcessEvent::Gone);
    stopping.await.expect("no panic");
    assert_eq!(stage.event_ids(), [1001, 1006, 1005, 2003, 1030]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_app_stops_without_a_word_about_cut_requests() {
    let mut stage = Stage::new();
    let (running, lease) = stage.up().await;
    drop(lease);
    let control = Arc::clone(&stage.control);
    let now = tokio::time::Instant::now();
    let stopping = tokio::spawn(async move { control.stop(now.into_std()).await });
    assert_eq!(stage.told.recv().await, Some((running.id(), Done::Terminate)));
    running.says(ProcessEvent::Exited(Exit::Code(0)));
    running.says(ProcessEvent::Gone);
    stopping.await.expect("no panic");
    assert_eq!(now.elapsed(), Duration::ZERO);
    assert_eq!(stage.event_ids(), [1001, 1006, 1030]);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_never_ran_stops_at_once() {
    let stage = Stage::new();
    stage.control.stop(tokio::time::Instant::now().into_std()).await;
    assert!(matches!(answer(stage.request()).await, Err(NoLease::Stopped)));
}

#[tokio::test(start_paused = true)]
async fn stop_now_kills_while_a_stop_waits() {
    let mut stage = Stage::new();
    let (running, _lease) = stage.up().await;
    let control = Arc::clone(&stage.control);
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    let stopping = tokio::spawn(async move { control.stop(until.into_std()).await });
    quiet().await;
    stage.control.stop_now();
    assert_eq!(stage.told.recv().await, Some((running.id(), Done::Kill)));
    running.says(ProcessEvent::Gone);
    stopping.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn requests_get_over_many_deaths_of_the_app() {
    let mut stage = Stage::with(AppPlan { rapid_fails_per_minute: 100, ..plan() }, Limits::default());
    for round in 1..=20 {
        let requests: Vec<_> = (0..10).map(|_| stage.request()).collect();
        let running = stage.launched().await;
        assert_eq!(running.id(), WorkerId(round));
        running.listens();
        for request in requests {
            let lease = answer(request).await.expect("a lease");
            assert_eq!(lease.worker(), running.id());
            lease.answered();
        }
        running.says(ProcessEvent::Exited(Exit::Signal(9)));
        running.says(ProcessEvent::Gone);
        quiet().await;
    }
}

mod failing;
mod offline;
mod reload;
