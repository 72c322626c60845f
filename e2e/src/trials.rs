//! Experiments that are repeated: a few times in the everyday run, many times in the long one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::client::{self, Client};
use crate::clock::{now, seconds, wait_for};
use crate::folder::{Folder, Puppet};
use crate::outcome::{Context, Failure, Outcome};
use crate::process::{self, Process};
use crate::server::{Options, Server};
use crate::suite::unique;
use crate::thief::Thief;

/// How many trials an experiment runs: `FALCONER_SOAK_TRIALS`, or the few of its short form.
#[must_use]
pub fn trials(short: u64) -> u64 {
    crate::find::number("FALCONER_SOAK_TRIALS").unwrap_or(short)
}

/// A way of launching an app whose processes must not outlive the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launch {
    /// The app itself.
    Plain,
    /// A shell that stays in front of the app.
    Shell,
    /// A daemon: two forks, a session of its own, parents gone.
    Daemon,
    /// A parent that waits for a child that listens.
    Child,
    /// `dotnet X.dll`, the sample `web`.
    Dotnet,
}

impl Launch {
    fn prepare(self) -> Outcome<(Folder, Options)> {
        let puppet = match self {
            Self::Dotnet => {
                let folder = Folder::app("web")?;
                let options = Options::new(folder.path()).dotnet()?;
                return Ok((folder, options));
            }
            Self::Plain => Puppet::new(),
            Self::Shell => Puppet::new().through("/bin/sh", "-c \"'{puppet}'; true\""),
            Self::Daemon => Puppet::new().variable("PUPPET_FORK", "setsid"),
            Self::Child => Puppet::new().variable("PUPPET_FORK", "child"),
        };
        let folder = puppet.folder()?;
        let options = Options::new(folder.path());
        Ok((folder, options))
    }
}

/// A started server whose app is up, and everything that belongs to it.
fn started(launch: Launch) -> Outcome<(Folder, Server, String)> {
    let (folder, options) = launch.prepare()?;
    let mark = format!("E2E_MARK={}", unique());
    let server = Server::start(&options.arg("--env").arg(&mark))?;
    let response = server.get("/")?;
    crate::ensure!(response.status == 200, "{}\n{}", response.describe(), server.output());
    crate::ensure!(!process::marked(&mark).is_empty(), "no process carries {mark}");
    Ok((folder, server, mark))
}

/// What is promised.
const GONE: Duration = seconds(2);

/// `kill -9` of the server `idle` seconds after its last request: within 2 s nothing of the app is left. A machine that is
/// busy with something else may be late once, and not at the next try.
///
/// # Errors
/// When something is left.
pub fn orphans(launch: Launch, count: u64, idle: u64) -> Outcome {
    // Servers that idle do so side by side; the others one by one, since a busy machine hides nothing.
    let lanes = if idle == 0 { 1 } else { count.clamp(1, 10) };
    std::thread::scope(|scope| {
        let trial = |lane: u64| {
            (lane..count).step_by(usize::try_from(lanes).unwrap_or(1)).try_for_each(|trial| {
                let again = |took| if took > GONE { orphan(launch, idle) } else { Ok(took) };
                let took = orphan(launch, idle).and_then(again);
                let in_time = took.and_then(|took| {
                    crate::ensure!(took <= GONE, "twice later than {GONE:?}: {took:?}");
                    Ok(())
                });
                in_time.map_err(|Failure(why)| {
                    Failure(format!("trial {} of {count}, {launch:?}: {why}", trial + 1))
                })
            })
        };
        let lanes: Vec<_> = (0..lanes).map(|lane| scope.spawn(move || trial(lane))).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().ok().context("a trial panicked")?)
    })
}

/// How long something was left.
fn orphan(launch: Launch, idle: u64) -> Outcome<Duration> {
    let (_folder, mut server, mark) = started(launch)?;
    std::thread::sleep(seconds(idle));
    let below = process::descendants(server.pid());
    let all: Vec<Process> = process::marked(&mark).into_iter().chain(below).collect();
    let begun = now();
    server.kill()?;
    let outcome = wait_for("the app's end", 5 * GONE, || {
        let left = all.iter().any(|one| process::lives(*one)) || !process::marked(&mark).is_empty();
        (!left).then(|| begun.elapsed())
    });
    outcome.map_err(|Failure(why)| {
        let left: Vec<Process> = all.into_iter().filter(|one| process::lives(*one)).collect();
        Failure(format!("{why}; left: {}", process::describe(&left)))
    })
}

/// From kill to kill.
const PACE: Duration = Duration::from_millis(700);

/// Kills the app under load so often, with a thief that takes its port; the thief is never sent a byte.
///
/// # Errors
/// When it is.
pub fn thieves(count: u64, v6: bool) -> Outcome {
    let listen = if v6 { "v6" } else { "v4" };
    let puppet = Puppet::new().variable("PUPPET_LISTEN", listen).attribute("rapidFailsPerMinute", "100");
    let folder = puppet.folder()?;
    let server = Server::start(&Options::new(folder.path()))?;
    let ip = if v6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let load = Load::start(&server, 4);
    let mut stolen = 0;
    for trial in 1..=count {
        let begun = now();
        let outcome = one_theft(&server, &folder, ip);
        let (had_port, bytes) = outcome.map_err(|Failure(why)| {
            Failure(format!("trial {trial} of {count}: {why}\n{}", server.output()))
        })?;
        stolen += u64::from(had_port);
        // More ends than a hundred a minute are held back, whoever causes them.
        std::thread::sleep(PACE.saturating_sub(begun.elapsed()));
        crate::ensure!(
            bytes.is_empty(),
            "trial {trial} of {count}: the thief was sent {:?}\n{}",
            String::from_utf8_lossy(&bytes),
            server.output()
        );
    }
    let served = load.end();
    crate::ensure!(stolen * 2 >= count, "the thief had the port in {stolen} of {count} trials only");
    crate::ensure!(served >= count, "{served} requests were served under {count} kills");
    Ok(())
}

/// Whether the thief had the port, and what it was sent.
fn one_theft(server: &Server, folder: &Folder, ip: IpAddr) -> Outcome<(bool, Vec<u8>)> {
    let pid = wait_for("an answer", seconds(15), || server.get("/pid").ok()?.pid())?;
    let start = folder.record().starts().into_iter().rev().find(|start| start.pid == pid);
    let port = start.context("a start without record")?.port;
    let thief = Thief::at(ip, port);
    // The load may have made the app end meanwhile only if it crashed, which the record would show.
    process::signal(pid, Signal::KILL)?;
    let killed = now();
    wait_for("an answer of the next process", seconds(15), || {
        server.get("/pid").ok()?.pid().filter(|next| *next != pid)
    })
    .context(format!("{:?} after the kill", killed.elapsed()))?;
    let had_port = thief.has_port();
    let (_, bytes) = thief.end()?;
    Ok((had_port, bytes))
}

/// Clients that send requests without end.
#[derive(Debug)]
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(server: &Server, clients: usize) -> Self {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = (0..clients)
            .map(|_| {
                let (stop, served, address) = (Arc::clone(&stop), Arc::clone(&served), server.address());
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Acquire) {
                        // A failure under kills is expected; what counts is who is sent what.
                        let _ = requests(address, &stop, &served);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        Self { stop, served, threads }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            // A client that panicked served nothing more, which the count shows.
            let _ = thread.join();
        }
        self.served.load(Ordering::Acquire)
    }
}

fn requests(address: std::net::SocketAddr, stop: &AtomicBool, served: &AtomicU64) -> Outcome {
    let mut client = Client::connect(address)?.patience(client::PATIENCE);
    while !stop.load(Ordering::Acquire) {
        let response = client.get_with("/load", "Authorization: Bearer secret\r\n")?;
        if response.status == 200 {
            served.fetch_add(1, Ordering::AcqRel);
        }
        if response.closes() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
