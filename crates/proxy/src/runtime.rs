//! The data threads: one per core, each with a single-threaded runtime of its own, alive as long as the process.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Limits, Network, Plan, SslFlags};
use supervisor::{AppHandle, ToProxy, WorkerId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use crate::access_log::AccessLog;
use crate::clock::TICK;
use crate::counters::Totals;
use crate::forward::pool::{Caps, Pools};
use crate::forward::warm;
use crate::listen::accept::{self, Bound, Listener};
use crate::thread::{Phase, Thread};

/// How long after the end of the drain what is left may take to be cut.
const CUTTING: Duration = Duration::from_secs(3);

/// The compiled site: what the data threads need of the Plan. Each exchange keeps the one that it began with.
#[derive(Debug, Clone)]
pub struct Site {
    /// Percent-decoded path base, `/` for the root.
    pub path_base: String,
    /// Every limit.
    pub limits: Limits,
    /// handlerSetting `forwardResponseConnectionHeader`.
    pub forward_connection_header: bool,
    /// `disableStartUpErrorPage`.
    pub disable_start_up_error_page: bool,
    /// `<webSocket enabled>`: where it is false, an Upgrade is not passed on.
    pub web_sockets: bool,
    /// `sslFlags`: what a request's connection must have.
    pub ssl_flags: SslFlags,
    /// Whose word about their clients is taken.
    pub trusted_proxies: Vec<Network>,
    /// `ANCM_ADDITIONAL_ERROR_PAGE_LINK`.
    pub error_page_link: Option<String>,
    /// The app's environment is Development, so that everybody may see why it does not start.
    pub development: bool,
    /// Where sealed Records go as lines; none for nowhere. As it was at the start.
    pub access_log: Option<AccessLog>,
}

impl Site {
    /// What a Plan comes to. Whether the app's environment is Development also depends on what it inherits.
    #[must_use]
    pub fn of(plan: &Plan, development: bool, access_log: Option<AccessLog>) -> Self {
        Self {
            path_base: plan.app.path_base.clone(),
            limits: plan.limits.clone(),
            forward_connection_header: plan.app.forward_response_connection_header,
            disable_start_up_error_page: plan.app.disable_start_up_error_page,
            web_sockets: plan.app.web_sockets,
            ssl_flags: plan.ssl_flags,
            trusted_proxies: plan.trusted_proxies.clone(),
            error_page_link: plan.app.error_page_link.clone(),
            development,
            access_log,
        }
    }
}

/// The supervisor's way to the data threads, made before either of them.
#[derive(Debug)]
pub struct Wires {
    senders: Vec<UnboundedSender<ToProxy>>,
    receivers: Vec<UnboundedReceiver<ToProxy>>,
}

impl Wires {
    /// For so many data threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let (senders, receivers) = (0..threads).map(|_| unbounded_channel()).unzip();
        Self { senders, receivers }
    }

    /// What the supervisor gets.
    #[must_use]
    pub fn senders(&self) -> Vec<UnboundedSender<ToProxy>> {
        self.senders.clone()
    }
}

/// The running data plane.
#[derive(Debug)]
pub struct Proxy {
    commands: Vec<UnboundedSender<Command>>,
    connections: Connections,
    caps: Caps,
}

/// Permits for connections of clients, shared by the data threads.
#[derive(Debug)]
struct Connections {
    permits: Arc<Semaphore>,
    most: usize,
}

#[derive(Debug)]
enum Command {
    /// Accept what is queued, let busy exchanges end until then; answers with the thread's sums.
    Drain { until: Instant, drained: oneshot::Sender<Totals> },
    /// Tells the thread's sums.
    Count(oneshot::Sender<Totals>),
    /// What begins from now on follows this.
    Reconfigure(Box<Site>),
    /// Cut everything.
    End,
}

/// Starts one data thread per set of listeners.
///
/// # Errors
/// When the system gives no thread.
pub fn start(bound: Bound, wires: Wires, app: &AppHandle, site: Site) -> io::Result<Proxy> {
    let connections = Connections::new(site.limits.connections);
    let caps = Caps::new(site.limits.upstream_connections);
    let mut commands = Vec::new();
    for (index, (listeners, wire)) in bound.listeners.into_iter().zip(wires.receivers).enumerate() {
        let (command, inbox) = unbounded_channel();
        commands.push(command);
        let work = Work {
            index,
            listeners,
            wire,
            inbox,
            app: app.clone(),
            site: site.clone(),
            caps: caps.clone(),
            connections: Arc::clone(&connections.permits),
        };
        std::thread::Builder::new().name(format!("data-{index}")).spawn(move || run(work))?;
    }
    Ok(Proxy { commands, connections, caps })
}

impl Proxy {
    /// Accepts what is queued, then nothing more; idle connections close, busy ones with their answer; what is
    /// still open at `until` is cut, tunnels with Close 1001. Returns when all is gone.
    pub async fn drain(&self, until: Instant) -> Totals {
        self.sum(|drained| Command::Drain { until, drained }).await
    }

    /// What all threads have counted since the start.
    pub async fn totals(&self) -> Totals {
        self.sum(Command::Count).await
    }

    async fn sum(&self, command: impl Fn(oneshot::Sender<Totals>) -> Command) -> Totals {
        let mut waiting = Vec::new();
        for thread in &self.commands {
            let (sender, sums) = oneshot::channel();
            // A data thread never ends before the process.
            if thread.send(command(sender)).is_ok() {
                waiting.push(sums);
            }
        }
        let mut totals = Totals::default();
        for sums in waiting {
            totals = totals.plus(sums.await.unwrap_or_default());
        }
        totals
    }

    /// Gives every data thread a new site. Exchanges under way keep theirs, and workers their number of connections; bindings
    /// and the access log stay as they were at the start. Must be called inside the control runtime.
    pub fn reconfigure(&mut self, site: Site) {
        self.connections.allow(site.limits.connections);
        self.caps.allow(site.limits.upstream_connections);
        for command in &self.commands {
            // As above.
            let _ = command.send(Command::Reconfigure(Box::new(site.clone())));
        }
    }

    /// Cuts everything now; a drain under way ends with it.
    pub fn end(&self) {
        for command in &self.commands {
            // As above.
            let _ = command.send(Command::End);
        }
    }
}

impl Connections {
    fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(most)), most }
    }

    /// Whoever is connected stays; where that are more than may be, nobody new is taken until enough have gone.
    fn allow(&mut self, most: usize) {
        let most = most.min(Semaphore::MAX_PERMITS);
        let fewer = self.most.saturating_sub(most);
        self.permits.add_permits(most.saturating_sub(self.most));
        self.most = most;
        let rest = fewer - self.permits.forget_permits(fewer);
        if let (1.., Ok(rest)) = (rest, u32::try_from(rest)) {
            let permits = Arc::clone(&self.permits);
            // First come, first served: accepting waits behind this.
            tokio::spawn(async move {
                if let Ok(gone) = permits.acquire_many_owned(rest).await {
                    gone.forget();
                }
            });
        }
    }
}

/// What one data thread is started with.
struct Work {
    index: usize,
    listeners: Vec<Listener>,
    wire: UnboundedReceiver<ToProxy>,
    inbox: UnboundedReceiver<Command>,
    app: AppHandle,
    site: Site,
    caps: Caps,
    connections: Arc<Semaphore>,
}

/// The root of a data thread. A half-dead server is worse than none, so a panic that comes up to here ends the
/// process; one inside a connection's task costs that connection only.
fn run(work: Work) {
    supervisor::process::schedule_as_batch();
    let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, serve(work))
    }));
    if !matches!(served, Ok(Ok(()))) {
        std::process::abort();
    }
}

async fn serve(work: Work) -> io::Result<()> {
    let Work { index, listeners, mut wire, mut inbox, app, site, caps, connections } = work;
    let thread = Rc::new(Thread::new(index, site, app, Pools::new(caps)));
    let accepting = Accepting(Rc::new(std::cell::Cell::new(listeners.len())));
    for listener in listeners {
        let accept = accept::accept(Rc::clone(&thread), listener, Arc::clone(&connections));
        let open = accepting.clone();
        tokio::task::spawn_local(async move {
            let result = accept.await;
            open.0.set(open.0.get() - 1);
            result
        });
    }
    // Whose warm-up pages are being asked for: one worker at a time.
    let mut warming = None;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                thread.clock.tick();
                thread.pools.sweep(&thread);
                if let Some(log) = &thread.log {
                    log.tick();
                }
            }
            Some(message) = wire.recv() => match message {
                ToProxy::EndTunnels { worker, .. } => {
                    thread.pools.end_tunnels(worker);
                    thread.clock.wake_all();
                    end_warm_up(&mut warming, worker);
                }
                ToProxy::Warm { worker, pages, by } => {
                    let id = worker.id;
                    let warm = warm::warm(Rc::clone(&thread), worker, pages, by);
                    warming = Some((id, tokio::task::spawn_local(warm)));
                }
            },
            Some(command) = inbox.recv() => match command {
                Command::Drain { until, drained } => {
                    let drain = drain(Rc::clone(&thread), accepting.clone(), until, drained);
                    tokio::task::spawn_local(drain);
                }
                Command::Count(sums) => {
                    // Who asked may have stopped waiting.
                    let _ = sums.send(thread.totals());
                }
                Command::Reconfigure(site) => thread.reconfigure(*site),
                Command::End => thread.enter(Phase::Ending),
            },
        }
    }
}

/// The app hears that nobody waits for its page any more.
fn end_warm_up(warming: &mut Option<(WorkerId, JoinHandle<()>)>, of: WorkerId) {
    if let Some((_, asking)) = warming.take_if(|(worker, _)| *worker == of) {
        asking.abort();
    }
}

/// How many listeners of this thread still accept.
#[derive(Clone)]
struct Accepting(Rc<std::cell::Cell<usize>>);

async fn drain(thread: Rc<Thread>, accepting: Accepting, until: Instant, drained: oneshot::Sender<Totals>) {
    if thread.is_running() {
        thread.enter(Phase::Draining);
    }
    let until = tokio::time::Instant::from_std(until);
    let gone = || thread.open.get() == 0 && accepting.0.get() == 0;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !gone() && thread.phase.get() == Phase::Draining && tokio::time::Instant::now() < until {
        look.tick().await;
    }
    if !gone() {
        thread.enter(Phase::Ending);
        let cut = tokio::time::Instant::now() + CUTTING;
        while !gone() && tokio::time::Instant::now() < cut {
            look.tick().await;
        }
    }
    // Nobody waits for it when the process is told to end at once.
    if let Some(log) = &thread.log {
        log.tick();
    }
    let _ = drained.send(thread.totals());
}

#[cfg(test)]
impl Default for Site {
    /// A site that asks for nothing.
    fn default() -> Self {
        Self {
            path_base: "/".to_owned(),
            limits: Limits::default(),
            forward_connection_header: false,
            disable_start_up_error_page: false,
            web_sockets: true,
            ssl_flags: SslFlags::default(),
            trusted_proxies: Vec::new(),
            error_page_link: None,
            development: false,
            access_log: None,
        }
    }
}

#[cfg(test)]
mod tests;
