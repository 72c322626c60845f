//! Starting, ending, and being told to end.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;
use rustix::process::Signal;
use supervisor::process::Spawner;

use crate::harness::{
    App, Folder, Outcome, PATIENCE, alive, check, command_line, none_left, same, shell, signal, stat,
    this_binary, trial, unique, wait_for,
};
use crate::roles::Outsider;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("exit_codes_and_signals_are_told", exits),
        trial("terminate_reaches_the_whole_group", terminate),
        trial("terminate_reaches_orphans_when_the_group_is_gone", terminate_orphans),
        trial("terminate_reaches_whom_the_group_leaves_behind", terminate_left_behind),
        trial("terminate_reaches_a_stopped_app", terminate_stopped),
        trial("kill_ends_what_ignores_everything", kill),
        trial("kill_works_through_a_stopped_keeper", kill_stopped_keeper),
        trial("a_keeper_survives_signals", keeper_signals),
        trial("a_hangup_of_the_servers_terminal_never_reaches_an_app", hangup),
        trial("a_killed_keeper_takes_the_app_with_it", keeper_killed),
        trial("many_starts_at_once_leave_nothing_open", many),
    ]
}

async fn exits() -> Outcome {
    let cases = [
        ("exit 0", "Code(0)"),
        ("exit 7", "Code(7)"),
        ("exit 255", "Code(255)"),
        ("kill -9 $$", "Signal(9)"),
        ("kill -TERM $$", "Signal(15)"),
        ("kill -ABRT $$", "Signal(6)"),
    ];
    for (script, exit) in cases {
        let mut app = App::start(shell(script))?;
        app.started().await?;
        same(app.rest().await?, vec![format!("Exited({exit})"), "Gone".to_owned()])?;
    }
    Ok(())
}

async fn terminate() -> Outcome {
    let word = unique();
    let mut app =
        App::start(shell(&format!("trap 'exit 5' TERM; (exec sleep {word}) & while :; do wait; done")))?;
    app.started().await?;
    // The shell has the word in its script. A copy of it that is not `sleep` yet would lose the signal to the
    // trap that it inherits.
    while !alive(&word).into_iter().any(|pid| command_line(pid).starts_with("sleep")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.handle.terminate();
    same(app.rest().await?, vec!["Exited(Code(5))".to_owned(), "Gone".to_owned()])?;
    none_left(&word, Duration::ZERO).await
}

async fn terminate_orphans() -> Outcome {
    let word = unique();
    let mut app = App::start(shell(&format!("setsid sleep {word} & sleep 0.2")))?;
    app.started().await?;
    same(format!("{:?}", app.next().await?), "Exited(Code(0))".to_owned())?;
    check(app.soon(Duration::from_millis(300)).await.is_none(), || {
        "gone although an orphan lives".to_owned()
    })?;
    check(alive(&word).len() == 1, || "the orphan is gone".to_owned())?;
    app.handle.terminate();
    same(app.rest().await?, vec!["Gone".to_owned()])?;
    none_left(&word, Duration::ZERO).await
}

/// The launcher ends by the signal, what it started is in a session of its own and waits for nothing else.
async fn terminate_left_behind() -> Outcome {
    let word = unique();
    let app = format!("trap \"exit 0\" TERM; echo ready; while :; do sleep 0.05; done; : {word}");
    let mut app = App::start(shell(&format!("setsid sh -c '{app}'; :")))?;
    app.started().await?;
    app.printed("ready").await?;
    app.handle.terminate();
    same(app.rest().await?, vec!["Exited(Signal(15))".to_owned(), "Gone".to_owned()])?;
    none_left(&word, Duration::ZERO).await
}

async fn terminate_stopped() -> Outcome {
    let mut app = App::start(shell("trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done"))?;
    let pid = app.started().await?;
    app.printed("ready").await?;
    signal(pid, Signal::STOP)?;
    app.handle.terminate();
    same(app.rest().await?, vec!["Exited(Code(6))".to_owned(), "Gone".to_owned()])
}

async fn kill() -> Outcome {
    let word = unique();
    let deaf = format!(
        "trap '' TERM INT HUP QUIT; setsid sh -c 'trap \"\" TERM; sleep {word}; :' & while :; do sleep 0.05; done"
    );
    let mut app = App::start(shell(&deaf))?;
    app.started().await?;
    wait_for(&word, 3).await?;
    app.handle.terminate();
    check(app.soon(Duration::from_millis(300)).await.is_none(), || "it does not ignore SIGTERM".to_owned())?;
    app.handle.kill();
    app.handle.kill();
    same(app.rest().await?, vec!["Exited(Signal(9))".to_owned(), "Gone".to_owned()])?;
    none_left(&word, Duration::ZERO).await
}

async fn kill_stopped_keeper() -> Outcome {
    let mut app = App::start(shell("sleep 1000"))?;
    let pid = app.started().await?;
    signal(stat(pid, 4).ok_or("no parent")?, Signal::STOP)?;
    app.handle.kill();
    same(app.rest().await?, vec!["Exited(Signal(9))".to_owned(), "Gone".to_owned()])
}

async fn keeper_signals() -> Outcome {
    let mut app = App::start(shell("sleep 1000"))?;
    let pid = app.started().await?;
    let keeper = stat(pid, 4).ok_or("no parent")?;
    same(command_line(keeper), "falconer __keep ".to_owned())?;
    for deadly in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::TERM] {
        signal(keeper, deadly)?;
    }
    let event = app.soon(Duration::from_millis(300)).await;
    check(event.is_none(), || format!("a signal to the keeper led to {event:?}"))?;
    same(stat(pid, 4), Some(keeper))?;
    app.handle.kill();
    app.rest().await.map(drop)
}

/// As a terminal that closes sends it: to everybody in the server's process group.
async fn hangup() -> Outcome {
    let folder = Folder::new()?;
    let heard = folder.0.join("heard");
    let app =
        format!("trap 'echo > {0}' HUP; echo > {0}.ready; while :; do sleep 0.02; done", heard.display());
    let server = format!("trap '' HUP; exec setsid {} serve \"$0\"", this_binary().display());
    let (server, line) = Outsider::start(Path::new("/bin/sh"), &["-c", &server, &app])?;
    let pid: u32 = line.trim_start_matches("Started { pid: ").trim_end_matches(" }").parse()?;
    while !folder.0.join("heard.ready").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    same(stat(server.child.id(), 5), Some(server.child.id()))?;
    check(stat(pid, 6) != stat(server.child.id(), 6), || "one session".to_owned())?;
    let group = rustix::process::Pid::from_raw(server.child.id().cast_signed()).ok_or("not a process id")?;
    rustix::process::kill_process_group(group, Signal::HUP)?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    check(!heard.exists(), || "the app heard it".to_owned())?;
    // It would have noticed.
    signal(pid, Signal::HUP)?;
    for _ in 0..500 {
        if heard.exists() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the app hears nothing at all".into())
}

async fn keeper_killed() -> Outcome {
    let word = unique();
    let mut app = App::start(shell(&format!("exec sleep {word}")))?;
    let pid = app.started().await?;
    wait_for(&word, 1).await?;
    signal(stat(pid, 4).ok_or("no parent")?, Signal::KILL)?;
    same(app.rest().await?, vec!["Exited(Signal(9))".to_owned(), "Gone".to_owned()])?;
    none_left(&word, PATIENCE).await
}

async fn many() -> Outcome {
    same(Outsider::start(&this_binary(), &["serve-alone"])?.1, "Ok(())".to_owned())
}

/// In a process where nobody else opens or starts anything.
pub(crate) async fn many_at_once() -> Outcome {
    let spawner = Spawner::start()?;
    let open = || std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    // The first launch opens what the runtime keeps.
    App::start_with(&spawner, shell("exit 0")).rest().await?;
    let (before, began) = (children(), tokio::time::Instant::now());
    let descriptors = open()?;
    let mut apps: Vec<_> =
        (0..50).map(|code| App::start_with(&spawner, shell(&format!("exit {code}")))).collect();
    for (code, app) in apps.iter_mut().enumerate() {
        app.started().await?;
        same(app.rest().await?, vec![format!("Exited(Code({code}))"), "Gone".to_owned()])?;
    }
    check(began.elapsed() < PATIENCE, || format!("50 starts took {:?}", began.elapsed()))?;
    drop(apps);
    // The readers' threads close their ends a moment after the last event.
    for _ in 0..500 {
        if open()? <= descriptors && children() <= before {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("{} descriptors, {} children; before {descriptors}, {before}", open()?, children()).into())
}

/// Keepers that were not reaped count too.
fn children() -> usize {
    let me = std::process::id();
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| stat(pid, 4) == Some(me)).count()
}
