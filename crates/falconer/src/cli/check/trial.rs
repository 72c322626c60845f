//! `check --start`: one start as `serve` would do it, with a token that is thrown away and a port that nobody is
//! told, and one request without the token.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{AppPlan, Plan};
use supervisor::process::Spawner;
use supervisor::{
    Address, AppEvent, AppHandle, AppSetup, EventId, Face, NoLease, ServingWorker, StartReport,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::unbounded_channel;

/// How a start went.
#[derive(Debug)]
pub(super) enum Trial {
    /// The app listens, and ours is the process that does.
    Started {
        /// From the launch until it was proved to listen.
        took: Duration,
        address: SocketAddr,
        pid: u32,
        pairing: Pairing,
        /// In words.
        stopped: String,
        stop_took: Duration,
    },
    /// It does not.
    Failed {
        took: Duration,
        /// One sentence.
        why: String,
        hint: Option<String>,
        /// The journey, where it came so far.
        report: Option<Arc<StartReport>>,
    },
}

/// Whether the app answers to this server alone.
#[derive(Debug)]
pub(super) enum Pairing {
    /// A request without the token was refused.
    Paired,
    /// It was answered, with this status line.
    Unpaired(String),
    /// There was no answer to judge.
    Unknown(String),
}

/// How long an app may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts, asks, stops.
///
/// # Errors
/// When the system refuses what a start needs.
pub(super) fn run(plan: &Plan, inherited: &[(OsString, OsString)]) -> io::Result<Trial> {
    let spawner = Spawner::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(attempt(plan, inherited, spawner)))
}

async fn attempt(plan: &Plan, inherited: &[(OsString, OsString)], spawner: Spawner) -> Trial {
    let (events, mut happened) = unbounded_channel();
    let (to_proxy, _ignored) = unbounded_channel();
    let setup = AppSetup {
        // Nobody is here to ask for pages.
        plan: AppPlan { warm_up: Vec::new(), ..plan.app.clone() },
        inherited: inherited.to_vec(),
        threads: 1,
        limits: plan.limits.clone(),
        to_proxy: vec![to_proxy],
        events,
        https_port: None,
        drain_timeout: plan.drain_timeout,
        changes: unbounded_channel().0,
    };
    let (app, control) = supervisor::start_app(setup, spawner);
    let start = now();
    let leased = app.lease(0).await.map(|lease| (lease, start.elapsed()));
    let asked = match &leased {
        Ok((_, took)) => match worker(&app) {
            Some(worker) => Ok((*took, ask(&worker, &plan.app.path_base).await, worker)),
            None => Err("it ended as soon as it had started".to_owned()),
        },
        Err(_) => Err(String::new()),
    };
    let took = start.elapsed();
    let failed = leased.err();
    let stopping = now();
    control.stop(stopping).await;
    let stop_took = stopping.elapsed();
    let mut told = Vec::new();
    while let Ok(event) = happened.try_recv() {
        told.push(event);
    }
    match (asked, failed) {
        (Ok((took, pairing, worker)), _) => {
            let Address::Tcp(address) = worker.address;
            Trial::Started { took, address, pid: worker.pid, pairing, stopped: ending(&told), stop_took }
        }
        (Err(why), None) => Trial::Failed { took, why, hint: None, report: None },
        (Err(_), Some(no)) => failure(no, took),
    }
}

fn failure(no: NoLease, took: Duration) -> Trial {
    let why = match no {
        NoLease::Failed { report, .. } => {
            let (why, hint) = (report.reason.clone(), report.hint.clone());
            return Trial::Failed { took, why, hint, report: Some(report) };
        }
        NoLease::Deadline => "it took longer than both attempts may",
        NoLease::QueueFull => "too many requests wait",
        NoLease::Offline(_) => "app_offline.htm is in the folder",
        NoLease::Stopped => "this process is stopping",
    };
    Trial::Failed { took, why: why.to_owned(), hint: None, report: None }
}

fn worker(app: &AppHandle) -> Option<Arc<ServingWorker>> {
    match &**app.face() {
        Face::Up(workers) => workers.first().cloned(),
        Face::Starting { .. }
        | Face::Asleep { .. }
        | Face::Failed { .. }
        | Face::Offline { .. }
        | Face::Stopped => None,
    }
}

/// Kestrel with the integration of IIS answers 400 to whoever does not know the token.
async fn ask(worker: &ServingWorker, path_base: &str) -> Pairing {
    match tokio::time::timeout(PATIENCE, first_line(worker, path_base)).await {
        Ok(Ok(line)) => match line.split(' ').nth(1) {
            Some("400") => Pairing::Paired,
            Some(_) if line.starts_with("HTTP/") => Pairing::Unpaired(line),
            Some(_) | None => Pairing::Unknown("its answer is not HTTP/1.1".to_owned()),
        },
        Ok(Err(error)) => Pairing::Unknown(format!("a request without the token failed: {error}")),
        Err(_) => Pairing::Unknown(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn first_line(worker: &ServingWorker, path_base: &str) -> io::Result<String> {
    let Address::Tcp(address) = worker.address;
    let mut stream = TcpStream::connect(address).await?;
    let path = format!("{}/", path_base.trim_end_matches('/'));
    // A decoded path base may hold what a request line cannot.
    let path = if path.bytes().all(|byte| byte.is_ascii_graphic()) { path } else { "/".to_owned() };
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::new();
    BufReader::new(stream.take(4096)).read_until(b'\n', &mut line).await?;
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

/// The end of the line about the shutdown is the part that says how.
fn ending(told: &[AppEvent]) -> String {
    if let Some(event) = told.iter().find(|event| event.id == EventId::NotStoppedGracefully.number()) {
        return event.message.clone();
    }
    let event = told.iter().rev().find(|event| event.id == EventId::ShutDown.number());
    let how = event.and_then(|event| event.message.rsplit_once("; ").map(|(_, how)| how.to_owned()));
    how.unwrap_or_else(|| "it is gone".to_owned()).trim_end_matches('.').to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the trial reads the clock here")]
fn now() -> Instant {
    Instant::now()
}
