//! Readiness, and whose listener it is.

use std::net::SocketAddr;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rustix::process::Signal;
use supervisor::process::ownership::{KeptListeners, ListenerProbe, Ownership};
use supervisor::process::{Launch, NotListening, ProcessEvent, port};

use crate::harness::{
    App, Folder, NOBODYS, Outcome, check, program, same, shell, signal, this_binary, trial,
};
use crate::roles::Outsider;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_app_is_ready_when_its_port_is_its_own", ready),
        trial("a_python_app_is_ready", python),
        trial("the_child_of_a_shell_is_the_owner", child_owns),
        trial("a_launcher_that_exits_leaves_a_verified_owner", launcher),
        trial("the_exit_of_an_owner_is_told_before_its_end", exit_first),
        trial("a_thief_on_either_family_is_a_stranger", || thief_at_start(false)),
        trial("a_thief_on_ipv6_is_a_stranger", || thief_at_start(true)),
        trial("an_app_elsewhere_is_found", elsewhere),
        trial("a_thief_after_a_crash_is_never_ours_ipv4", || thief_after("127.0.0.1")),
        trial("a_thief_after_a_crash_is_never_ours_ipv6", || thief_after("[::1]")),
        trial("a_listener_that_is_opened_again_joins", again),
        trial("the_memory_of_a_worker_is_that_of_its_whole_tree", memory),
        trial("an_exit_before_listening_stops_the_wait", exit_before),
    ]
}

fn listener(addresses: &[String]) -> Launch {
    let words: Vec<&str> = ["listen"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
    program(&this_binary(), &words)
}

async fn listening(app: &mut App) -> Result<(SocketAddr, u32, KeptListeners), Failed> {
    match app.next().await? {
        ProcessEvent::Listening { address, owner, listeners } => Ok((address, owner, listeners)),
        other => Err(format!("expected Listening, came {other:?}").into()),
    }
}

async fn killed(mut app: App) -> Outcome {
    app.handle.kill();
    app.rest().await.map(drop)
}

async fn ready() -> Outcome {
    let cases = [
        (&["127.0.0.1"][..], "127.0.0.1"),
        (&["[::1]"], "[::1]"),
        (&["0.0.0.0"], "127.0.0.1"),
        (&["[::]"], "127.0.0.1"),
        // In this order, since it may be looked at between the two.
        (&["127.0.0.1", "[::1]"], "127.0.0.1"),
    ];
    for (listens, expected) in cases {
        let port = port::draw()?;
        let addresses: Vec<_> = listens.iter().map(|address| format!("{address}:{port}")).collect();
        let mut app = App::start(Launch { port, ..listener(&addresses) })?;
        let pid = app.started().await?;
        let (address, owner, listeners) = listening(&mut app).await?;
        same((address, owner), (format!("{expected}:{port}").parse()?, pid))?;
        same(ListenerProbe::default().verify(address, &listeners), Ownership::Ours)?;
        killed(app).await?;
        same(ListenerProbe::default().verify(address, &listeners), Ownership::NoListener)?;
    }
    Ok(())
}

async fn python() -> Outcome {
    let port = port::draw()?;
    let script = format!("exec python3 -m http.server --bind 127.0.0.1 {port}");
    let mut launch = Launch { port, ..shell(&script) };
    // Where python3 is depends on the machine: as in the operator's shell.
    #[expect(clippy::disallowed_methods, reason = "a test has no main that reads it")]
    launch.environment.extend(std::env::vars_os());
    let mut app = App::start(launch)?;
    app.started().await?;
    listening(&mut app).await?;
    app.handle.terminate();
    same(app.rest().await?.last().cloned(), Some("Gone".to_owned()))
}

async fn child_owns() -> Outcome {
    let port = port::draw()?;
    let script = format!("{} listen 127.0.0.1:{port}; :", this_binary().display());
    let mut app = App::start(Launch { port, ..shell(&script) })?;
    let pid = app.started().await?;
    let (_, owner, _) = listening(&mut app).await?;
    check(owner != pid, || "the shell cannot own it".to_owned())?;
    app.handle.terminate();
    let events = app.rest().await?;
    check(events.contains(&"OwnerGone".to_owned()), || format!("{events:?}"))
}

async fn launcher() -> Outcome {
    let port = port::draw()?;
    let folder = Folder::new()?;
    let seen = folder.0.join("seen");
    let script = format!(
        "{} listen 127.0.0.1:{port} & until [ -e {} ]; do sleep 0.02; done; exit 3",
        this_binary().display(),
        seen.display()
    );
    let mut app = App::start(Launch { port, ..shell(&script) })?;
    app.started().await?;
    let (address, owner, listeners) = listening(&mut app).await?;
    std::fs::write(seen, "")?;
    same(format!("{:?}", app.next().await?), "Exited(Code(3))".to_owned())?;
    let event = app.soon(Duration::from_millis(300)).await;
    check(event.is_none(), || format!("the owner lives, but {event:?} came"))?;
    same(ListenerProbe::default().verify(address, &listeners), Ownership::Ours)?;
    signal(owner, Signal::KILL)?;
    same(app.rest().await?, vec!["OwnerGone".to_owned(), "Gone".to_owned()])
}

async fn exit_first() -> Outcome {
    for _ in 0..10 {
        let port = port::draw()?;
        let mut app = App::start(Launch { port, ..listener(&[format!("127.0.0.1:{port}")]) })?;
        let pid = app.started().await?;
        listening(&mut app).await?;
        signal(pid, Signal::KILL)?;
        let expected = ["Exited(Signal(9))", "OwnerGone", "Gone"].map(str::to_owned);
        same(app.rest().await?, expected.to_vec())?;
    }
    Ok(())
}

async fn thief_at_start(v6: bool) -> Outcome {
    let hosts: &[&str] = if v6 { &["[::1]", "[::]"] } else { &["127.0.0.1", "0.0.0.0"] };
    for host in hosts {
        let port = port::draw()?;
        let thief = Outsider::at(&format!("{host}:{port}"))?;
        let mut app = App::start(Launch { port, ..shell("sleep 1000") })?;
        app.started().await?;
        let event = app.next().await?;
        let ProcessEvent::NotListening { why: NotListening::Stranger { owner: Some((pid, name)) } } = event
        else {
            return Err(format!("{host}: {event:?}").into());
        };
        same(pid, thief.child.id())?;
        check(name.starts_with("process"), || name)?;
        killed(app).await?;
    }
    Ok(())
}

async fn elsewhere() -> Outcome {
    let real = port::draw()?;
    let script = format!("{} listen 127.0.0.1:{real} '[::1]:{real}'; :", this_binary().display());
    // Long enough for a machine that is busy to have started it.
    let limit = Duration::from_secs(3);
    let began = tokio::time::Instant::now();
    let mut app = App::start(Launch { port: NOBODYS, startup_time_limit: limit, ..shell(&script) })?;
    app.started().await?;
    let event = app.next().await?;
    let ProcessEvent::NotListening { why: NotListening::Deadline { elsewhere } } = event else {
        return Err(format!("{event:?}").into());
    };
    check(began.elapsed() >= limit, || format!("too early: {:?}", began.elapsed()))?;
    same(elsewhere, vec![format!("127.0.0.1:{real}").parse()?, format!("[::1]:{real}").parse()?])?;
    killed(app).await
}

async fn thief_after(host: &str) -> Outcome {
    let mut probe = ListenerProbe::default();
    for _ in 0..5 {
        let port = port::draw()?;
        let text = format!("{host}:{port}");
        let mut app = App::start(Launch { port, ..listener(std::slice::from_ref(&text)) })?;
        let pid = app.started().await?;
        let (address, _, listeners) = listening(&mut app).await?;
        same(probe.verify(address, &listeners), Ownership::Ours)?;
        signal(pid, Signal::KILL)?;
        while probe.verify(address, &listeners) != Ownership::NoListener {
            tokio::task::yield_now().await;
        }
        let thief = Outsider::at(&text)?;
        // Before the supervisor has heard of anything, and after everything is told.
        same(probe.verify(address, &listeners), Ownership::Stranger)?;
        app.rest().await?;
        same(probe.verify(address, &listeners), Ownership::Stranger)?;
        drop(thief);
    }
    Ok(())
}

async fn again() -> Outcome {
    let port = port::draw()?;
    let mut app = App::start(Launch {
        port,
        ..program(&this_binary(), &["listen-again", &format!("127.0.0.1:{port}")])
    })?;
    app.started().await?;
    let (address, _, listeners) = listening(&mut app).await?;
    app.printed("second").await?;
    let mut probe = ListenerProbe::default();
    same(probe.verify(address, &listeners), Ownership::Ours)?;
    same(probe.verify(address, &listeners), Ownership::Ours)?;
    killed(app).await
}

async fn memory() -> Outcome {
    const HELD: u64 = 40 << 20;
    let port = port::draw()?;
    let binary = this_binary();
    let script =
        format!("{0} hold {HELD} & {0} hold {HELD} & exec {0} listen 127.0.0.1:{port}", binary.display());
    let mut app = App::start(Launch { port, ..shell(&script) })?;
    app.started().await?;
    let (_, _, listeners) = listening(&mut app).await?;
    let mut seen = None;
    for _ in 0..500 {
        seen = supervisor::process::private_memory(&listeners);
        if seen.is_some_and(|bytes| bytes >= 2 * HELD) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    check(seen.is_some_and(|bytes| (2 * HELD..3 * HELD).contains(&bytes)), || format!("{seen:?}"))?;
    killed(app).await?;
    same(supervisor::process::private_memory(&listeners), None)
}

async fn exit_before() -> Outcome {
    let mut app = App::start(shell("setsid sleep 1000 & exit 4"))?;
    app.started().await?;
    same(format!("{:?}", app.next().await?), "Exited(Code(4))".to_owned())?;
    check(app.soon(Duration::from_millis(200)).await.is_none(), || "something follows".to_owned())?;
    killed(app).await
}
