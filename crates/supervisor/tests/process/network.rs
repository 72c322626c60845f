//! An app in a network of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Signal;
use supervisor::process::liveness::{Liveness, Verdict};
use supervisor::process::ownership::{KeptListeners, ListenerProbe, Ownership};
use supervisor::process::{Launch, NotListening, ProcessEvent, port};

use crate::harness::{App, Outcome, check, program, same, shell, signal, this_binary, trial};
use crate::roles::Outsider;

pub(crate) fn trials() -> Vec<Trial> {
    let may = may_make_networks();
    let of_root = |trial: Trial| trial.with_ignored_flag(!may);
    vec![
        of_root(trial("in_a_private_network_an_app_is_reached_by_us_alone", reached)),
        of_root(trial("in_a_private_network_nobody_can_take_the_port", untaken)),
        of_root(trial("in_a_private_network_an_app_that_stops_accepting_is_seen", stuck)),
        of_root(trial("in_a_private_network_an_app_elsewhere_is_found", elsewhere)),
        trial("without_the_right_to_make_networks_the_start_fails", refused),
    ]
}

/// `CAP_SYS_ADMIN`, number 21, among the effective capabilities: root of a container often lacks it.
fn may_make_networks() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .is_some_and(|bits| bits >> 21 & 1 == 1)
}

async fn listening(port: u16) -> Result<(App, u32, SocketAddr, KeptListeners), Failed> {
    let address = format!("127.0.0.1:{port}");
    let launch = program(&this_binary(), &["accept", &address, "0"]);
    let mut app = App::start(Launch { port, private_network: true, ..launch })?;
    let pid = app.started().await?;
    match app.next().await? {
        ProcessEvent::Listening { address, owner, listeners } => {
            same(owner, pid)?;
            Ok((app, pid, address, listeners))
        }
        other => Err(format!("expected Listening, came {other:?}").into()),
    }
}

async fn killed(mut app: App) -> Outcome {
    app.handle.kill();
    app.rest().await.map(drop)
}

async fn reached() -> Outcome {
    let own = std::fs::read_link("/proc/self/ns/net")?;
    let port = port::draw()?;
    // Held outside, by one who never listens: nobody does.
    let kind = (AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC);
    let holder = rustix::net::socket_with(kind.0, kind.1, kind.2, None)?;
    rustix::net::bind(&holder, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let (app, pid, address, listeners) = listening(port).await?;
    check(std::fs::read_link(format!("/proc/{pid}/ns/net"))? != own, || "the same network".to_owned())?;
    check(TcpStream::connect(address).is_err(), || "anybody may connect".to_owned())?;
    let connection = listeners.connect(address).await?;
    same(connection.peer_addr()?, address)?;
    same(ListenerProbe::default().verify(address, &listeners), Ownership::Ours)?;
    same(std::fs::read_link("/proc/thread-self/ns/net")?, own)?;
    killed(app).await?;
    same(ListenerProbe::default().verify(address, &listeners), Ownership::NoListener)?;
    check(listeners.connect(address).await.is_err(), || "somebody listens".to_owned())
}

async fn untaken() -> Outcome {
    let port = port::draw()?;
    let thief = Outsider::at(&format!("127.0.0.1:{port}"))?;
    let (app, _, address, listeners) = listening(port).await?;
    let mut probe = ListenerProbe::default();
    same(probe.verify(address, &listeners), Ownership::Ours)?;
    // Two of one fixed port: each in a network of its own.
    let (other, _, _, others) = listening(port).await?;
    same(probe.verify(address, &others), Ownership::Ours)?;
    killed(app).await?;
    same(probe.verify(address, &listeners), Ownership::NoListener)?;
    same(probe.verify(address, &others), Ownership::Ours)?;
    drop(thief);
    killed(other).await
}

async fn stuck() -> Outcome {
    let (app, pid, address, listeners) = listening(port::draw()?).await?;
    let mut liveness = Liveness::new(address, pid, listeners.clone());
    let start = tokio::time::Instant::now().into_std();
    signal(pid, Signal::STOP)?;
    while !std::fs::read_to_string(format!("/proc/{pid}/status"))?.contains("State:\tT") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let _open = [listeners.connect(address).await?, listeners.connect(address).await?];
    let verdicts: Vec<_> =
        (0..12).map(|look| liveness.look(start + Duration::from_secs(look), false)).collect();
    same(verdicts.last(), Some(&Verdict::Stuck))?;
    killed(app).await
}

async fn elsewhere() -> Outcome {
    let (told, real) = (port::draw()?, port::draw()?);
    // Long enough for a machine that is busy to have started it.
    let limit = Duration::from_secs(3);
    let launch = program(&this_binary(), &["listen", &format!("127.0.0.1:{real}")]);
    let launch = Launch { port: told, startup_time_limit: limit, private_network: true, ..launch };
    let mut app = App::start(launch)?;
    app.started().await?;
    let event = app.next().await?;
    let ProcessEvent::NotListening { why: NotListening::Deadline { elsewhere } } = event else {
        return Err(format!("{event:?}").into());
    };
    same(elsewhere, vec![format!("127.0.0.1:{real}").parse()?])?;
    killed(app).await
}

/// Who has the right loses it first.
async fn refused() -> Outcome {
    let expected = format!(
        "SpawnFailed {{ stage: \"network\", errno: {}, path: \"\" }}",
        rustix::io::Errno::PERM.raw_os_error()
    );
    let line = if may_make_networks() {
        let script =
            format!("exec setpriv --bounding-set -sys_admin {} serve-private", this_binary().display());
        Outsider::start(Path::new("/bin/sh"), &["-c", &script])?.1
    } else {
        let mut app = App::start(Launch { private_network: true, ..shell("exit 0") })?;
        let event = app.next().await?;
        app.rest().await?;
        format!("{event:?}")
    };
    same(line, expected)
}
