//! Performs what the state machine of one app decides, and feeds it with what happens.
//!
//! One task on the control runtime per app. Nothing is decided here: each event is one [`App::step`], then the
//! new face is published, then the effects are performed in their order.

mod launcher;
mod looks;

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config::{AppPlan, Limits, Plan, PortChoice};
use contract::PairingToken;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::app::{self, App};
use crate::event::{Effect, Event, Evidence, RecycleCause, WorkerEvent};
use crate::face::{Address, ServingWorker, WorkerId};
use crate::gate::Gate;
use crate::lease::{AppHandle, Publisher};
use crate::messages::{AppEvent, ToProxy, ToSupervisor};
use crate::process::environ::{self, Computed};
use crate::process::liveness::Liveness;
use crate::process::ownership::KeptListeners;
use crate::process::{self, Exit, Launch, ProcessEvent, Spawner, port};
use crate::report::Settings;
use crate::triggers::{Listeners, Triggers};
use crate::worker::Worker;

use self::launcher::{Handle, Launcher};

/// Requests wait this much longer than both attempts of a start may take at the most, so that one that hangs twice is
/// answered with what went wrong (502.5) and not with the end of patience (503).
const VERDICT: Duration = Duration::from_secs(1);

/// How often to look what requests use of the workers.
const LOOK: Duration = Duration::from_secs(1);

/// Everything that one app needs to run.
#[derive(Debug)]
pub struct AppSetup {
    /// What the operator asked for.
    pub plan: AppPlan,
    /// The server's own environment, which the app inherits less what is not for apps.
    pub inherited: Vec<(OsString, OsString)>,
    /// Data threads of the proxy.
    pub threads: usize,
    /// Of which `start_queue` is used.
    pub limits: Limits,
    /// One per data thread.
    pub to_proxy: Vec<UnboundedSender<ToProxy>>,
    /// What the operator is told.
    pub events: UnboundedSender<AppEvent>,
    /// The port of the server's one https binding; none when there is none or more than one.
    pub https_port: Option<u16>,
    /// How long requests may go on on a worker that is replaced.
    pub drain_timeout: Duration,
    /// Who reads the configuration again when something changed.
    pub changes: UnboundedSender<Change>,
}

/// Something on disk changed that an app's plan may depend on. Whoever hears it loads the plan again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A web.config was written, touched, or came or went (IIS: a touch is enough).
    Config,
    /// Another folder stands at the app's path.
    Folder,
}

/// The server's hold on one app.
#[derive(Debug)]
pub struct AppControl {
    commands: UnboundedSender<Command>,
    over: watch::Receiver<bool>,
    /// What the current plan comes from, for who watches the disk.
    config_files: watch::Sender<Vec<PathBuf>>,
}

impl AppControl {
    /// Lets no request in any more, waits until `drain_until` for those that are in, and stops every process
    /// within `shutdownTimeLimit`. Returns when nothing of the app is left.
    pub async fn stop(&self, drain_until: Instant) {
        // A runner that is gone has nothing left to stop.
        let _ = self.commands.send(Command::Event(Event::Stop { drain_until }));
        let _ = self.over.clone().wait_for(|over| *over).await;
    }

    /// Replaces every worker by one that follows this plan, with overlap unless the plan forbids it.
    pub fn recycle(&self, cause: RecycleCause, plan: Plan) {
        self.config_files.send_replace(plan.app.config_files.clone());
        // A runner that is gone has nothing left to recycle.
        let _ = self.commands.send(Command::Recycle(cause, Box::new(plan)));
    }

    /// Kills every process at once; [`AppControl::stop`] still tells when they are gone.
    pub fn stop_now(&self) {
        let _ = self.commands.send(Command::Event(Event::StopNow));
    }
}

/// What the runner is told from outside its processes and its requests.
#[derive(Debug)]
pub(crate) enum Command {
    Event(Event),
    /// Another plan, or the same once more.
    Recycle(RecycleCause, Box<Plan>),
}

/// Starts to look after one app. Must be called inside the control runtime.
pub fn start_app(setup: AppSetup, spawner: Spawner) -> (AppHandle, AppControl) {
    let triggers = Triggers::begin(setup.plan.folder.clone(), &setup.plan.config_files);
    let first = triggers.page().map_or(Event::Tick, Event::Offline);
    let changes = setup.changes.clone();
    let (handle, control) = start_with(setup, Launcher::Spawner(spawner), first);
    let listeners = Listeners { events: control.commands.clone(), changes };
    tokio::spawn(triggers.watch(listeners, control.config_files.subscribe()));
    (handle, control)
}

fn start_with(setup: AppSetup, launcher: Launcher, first: Event) -> (AppHandle, AppControl) {
    let (requests, from_proxy) = unbounded_channel();
    let (process, from_process) = unbounded_channel();
    let (commands, from_control) = unbounded_channel();
    let (ended, over) = watch::channel(false);
    let config_files = watch::Sender::new(setup.plan.config_files.clone());
    let settings = Settings::of(&setup.plan, setup.drain_timeout);
    let (handle, publisher) = AppHandle::new(setup.limits.start_queue, patience(&settings), requests.clone());
    let runner = Runner {
        app: App::new(settings),
        setup,
        launcher,
        processes: HashMap::new(),
        publisher,
        ended,
        gate_empty: requests,
        process,
        commands: commands.clone(),
        looks: 0,
    };
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::spawn(runner.run(first, Inboxes { from_process, from_control, from_proxy, looks }));
    (handle, AppControl { commands, over, config_files })
}

/// How long a request waits for a worker: as long as a start may take, after what must end before it.
fn patience(settings: &Settings) -> Duration {
    // On a busy machine an attempt is over some time after its limit.
    let start = (settings.startup_time_limit + app::LAUNCH_GRACE) * app::ATTEMPTS_MOST + VERDICT;
    if settings.overlaps() { start } else { start + settings.drain_limit + settings.shutdown_time_limit }
}

#[derive(Debug)]
struct Runner {
    app: App,
    setup: AppSetup,
    launcher: Launcher,
    processes: HashMap<WorkerId, Process>,
    publisher: Publisher,
    ended: watch::Sender<bool>,
    gate_empty: UnboundedSender<ToSupervisor>,
    process: UnboundedSender<(WorkerId, ProcessEvent)>,
    /// To itself, from what takes a while.
    commands: UnboundedSender<Command>,
    /// Seconds in which something served.
    looks: u32,
}

#[derive(Debug)]
struct Inboxes {
    from_process: UnboundedReceiver<(WorkerId, ProcessEvent)>,
    from_control: UnboundedReceiver<Command>,
    looks: tokio::time::Interval,
    from_proxy: UnboundedReceiver<ToSupervisor>,
}

/// What is known of a worker's process besides its state.
#[derive(Debug)]
struct Process {
    handle: Handle,
    token: PairingToken,
    port: u16,
    /// The app's own TMPDIR.
    temporary: Option<PathBuf>,
    /// Whether it takes connections, once it listens.
    liveness: Option<Liveness>,
}

impl Inboxes {
    /// The next event. Ends of processes go first: whoever asks for a worker should not be shown a dead one.
    async fn next(&mut self, deadline: Option<Instant>) -> Inbox {
        let tick = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some((worker, event)) = self.from_process.recv() => Inbox::Process(worker, event),
            Some(command) = self.from_control.recv() => Inbox::Command(command),
            Some(message) = self.from_proxy.recv() => Inbox::Event(match message {
                ToSupervisor::Wake { seen } => Event::Wake { seen },
                ToSupervisor::GateEmpty(worker) => Event::GateEmpty(worker),
                ToSupervisor::Suspect(worker, why) => Event::Suspect(worker, why),
                ToSupervisor::More => Event::More,
                ToSupervisor::Warmed(worker, result) => Event::Warmed(worker, result),
                ToSupervisor::TimedOut { limit } => Event::TimedOut { limit },
            }),
            _ = self.looks.tick() => Inbox::Look,
            () = tick => Inbox::Event(Event::Tick),
        }
    }
}

#[derive(Debug)]
enum Inbox {
    Process(WorkerId, ProcessEvent),
    Command(Command),
    Event(Event),
    Look,
}

impl Runner {
    async fn run(mut self, first: Event, mut inboxes: Inboxes) {
        self.step(first);
        loop {
            match inboxes.next(self.app.deadline()).await {
                Inbox::Process(worker, event) => {
                    let event = self.translate(worker, event);
                    self.step(Event::Worker(worker, event));
                }
                Inbox::Command(Command::Event(event)) | Inbox::Event(event) => self.step(event),
                Inbox::Command(Command::Recycle(cause, plan)) => self.recycle(cause, *plan),
                Inbox::Look => self.look(),
            }
        }
    }

    fn recycle(&mut self, cause: RecycleCause, plan: Plan) {
        let changed = plan.app != self.setup.plan || plan.drain_timeout != self.setup.drain_timeout;
        (self.setup.plan, self.setup.limits) = (plan.app, plan.limits);
        self.setup.drain_timeout = plan.drain_timeout;
        let settings = Settings::of(&self.setup.plan, self.setup.drain_timeout);
        self.publisher.let_wait(self.setup.limits.start_queue, patience(&settings));
        self.step(Event::Recycle { cause, settings: changed.then(|| Box::new(settings)) });
    }

    /// One event and all that follows from it at once.
    fn step(&mut self, event: Event) {
        let mut due = vec![event];
        while let Some(event) = due.pop() {
            let effects = self.app.step(tokio::time::Instant::now().into_std(), event);
            self.publish();
            for effect in effects {
                due.extend(self.perform(effect));
            }
        }
        self.ended.send_if_modified(|over| !std::mem::replace(over, self.app.is_over()) && *over);
    }

    fn publish(&self) {
        self.publisher.allow_more(self.app.more());
        let face = self.app.face();
        if !face.is_same(&self.publisher.face()) {
            self.publisher.publish(face);
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Launch(worker) => return Some(Event::Worker(worker, self.launch(worker))),
            Effect::Terminate(worker) => self.with(worker, Handle::terminate),
            Effect::Kill(worker) => self.with(worker, Handle::kill),
            Effect::CloseGate(serving) => serving.gates.iter().for_each(|gate| gate.close()),
            Effect::Forget(worker) => drop(self.processes.remove(&worker)),
            Effect::SweepDiagnostics { worker, pid } => {
                match self.processes.get(&worker).and_then(|process| process.temporary.as_ref()) {
                    Some(folder) => process::sweep_diagnostics_in(folder, pid),
                    None => process::sweep_diagnostics(pid),
                }
            }
            // A proxy or an operator that is gone needs no message.
            Effect::Tell(message @ ToProxy::Warm { .. }) => {
                let _ = self.setup.to_proxy.first().map(|thread| thread.send(message));
            }
            Effect::Tell(message @ ToProxy::EndTunnels { .. }) => {
                for thread in &self.setup.to_proxy {
                    let _ = thread.send(message.clone());
                }
            }
            Effect::Report(event) => {
                let _ = self.setup.events.send(event);
            }
        }
        None
    }

    fn with(&self, worker: WorkerId, what: impl FnOnce(&Handle)) {
        if let Some(process) = self.processes.get(&worker) {
            what(&process.handle);
        }
    }

    fn launch(&mut self, worker: WorkerId) -> WorkerEvent {
        let drawn = match self.setup.plan.port {
            PortChoice::Fixed(port) => Ok(port),
            PortChoice::Draw => port::draw().map_err(|error| format!("No port could be chosen: {error}")),
            PortChoice::Invalid(ref text) => Err(format!("ASPNETCORE_PORT is '{text}', which is not a port")),
        };
        let port = match drawn {
            Ok(port) => port,
            Err(reason) => return WorkerEvent::NotLaunched { stage: "SetupListenPort", reason },
        };
        let token = match PairingToken::generate() {
            Ok(token) => token,
            Err(error) => {
                return WorkerEvent::NotLaunched {
                    stage: "SetupAppToken",
                    reason: format!("No token: {error}"),
                };
            }
        };
        let launch = self.launch_order(worker, port, &token);
        let temporary =
            launch.environment.iter().find(|(name, _)| name == "TMPDIR").map(|(_, value)| value.into());
        let handle = self.launcher.launch(launch, self.process.clone());
        self.processes.insert(worker, Process { handle, token, port, temporary, liveness: None });
        WorkerEvent::Launched { port }
    }

    fn launch_order(&self, worker: WorkerId, port: u16, token: &PairingToken) -> Launch {
        let AppSetup { plan, inherited, https_port, .. } = &self.setup;
        let computed = Computed { port, token, plan, https_port: *https_port };
        let fill = |argument: &String| environ::fill_port(argument, port).into();
        Launch {
            worker,
            program: plan.program.path.clone(),
            arguments: plan.program.arguments.iter().map(fill).collect(),
            folder: plan.folder.clone(),
            environment: environ::compose(inherited, &computed),
            token: token.clone(),
            port,
            startup_time_limit: plan.startup_time_limit,
            stdout_log: plan.stdout_log.clone(),
            console_redirection: plan.console_redirection,
            private_network: plan.private_network,
        }
    }

    /// Adds to what happened what the state machine needs to judge it.
    fn translate(&mut self, worker: WorkerId, event: ProcessEvent) -> WorkerEvent {
        match event {
            ProcessEvent::Started { pid } => WorkerEvent::Started { pid },
            ProcessEvent::SpawnFailed { stage, errno, path } => {
                WorkerEvent::SpawnFailed { stage, errno, path }
            }
            ProcessEvent::LogFile { path, error } => {
                WorkerEvent::LogFileFailed { path: path.display().to_string(), error }
            }
            ProcessEvent::Listening { address, owner, listeners } => match self.processes.get_mut(&worker) {
                Some(process) => {
                    process.liveness = Some(Liveness::new(address, owner, listeners.clone()));
                    let token = process.token.clone();
                    let serving = self.serving(worker, token, (address, owner, listeners));
                    WorkerEvent::Listening { serving: Arc::new(serving) }
                }
                None => WorkerEvent::Gone { evidence: Evidence::default() },
            },
            ProcessEvent::NotListening { why } => {
                WorkerEvent::NotListening { why, evidence: self.evidence(worker, false) }
            }
            ProcessEvent::Exited(exit) => {
                self.note_kill(worker, exit);
                WorkerEvent::Exited { exit, evidence: self.evidence(worker, false) }
            }
            ProcessEvent::OwnerGone => WorkerEvent::OwnerGone,
            ProcessEvent::Gone => WorkerEvent::Gone { evidence: self.evidence(worker, true) },
        }
    }

    /// Before the face changes: a request that waits for the next worker wants to know what ended this one.
    fn note_kill(&self, worker: WorkerId, exit: Exit) {
        let served = |one: &&Worker| one.id == worker;
        if exit == Exit::Signal(libc::SIGKILL)
            && let Some(serving) = self.app.workers().iter().find(served).and_then(Worker::serving)
        {
            serving.killed.store(true, Ordering::Release);
        }
    }

    fn serving(
        &self,
        id: WorkerId,
        token: PairingToken,
        (address, owner, listeners): (SocketAddr, u32, KeptListeners),
    ) -> ServingWorker {
        ServingWorker {
            id,
            pid: owner,
            address: Address::Tcp(address),
            token,
            listeners,
            killed: AtomicBool::new(false),
            gates: Gate::set(id, self.setup.threads, &self.gate_empty),
        }
    }

    /// `gone`: nothing of the worker is left, so that whoever holds its port now is somebody else.
    fn evidence(&self, worker: WorkerId, gone: bool) -> Evidence {
        let never_listened = |one: &Worker| one.id == worker && one.owner.is_none();
        let asks = gone && self.app.workers().iter().any(never_listened);
        match self.processes.get(&worker) {
            Some(process) => {
                Evidence { output: process.handle.output(), port_held: asks && is_held(process.port) }
            }
            None => Evidence::default(),
        }
    }
}

/// Somebody holds this port on a loopback. The standard library's listener sets SO_REUSEADDR: connections that
/// linger in TIME_WAIT do not count.
fn is_held(port: u16) -> bool {
    let loopbacks =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let in_use = |error: std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    loopbacks.into_iter().any(|address| TcpListener::bind(address).is_err_and(in_use))
}

#[cfg(test)]
mod tests;
