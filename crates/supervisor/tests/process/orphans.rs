//! A server that dies leaves nothing behind, however it dies and whatever its apps did to hide.

use std::io::ErrorKind;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::harness::{
    App, Folder, Outcome, PATIENCE, check, none_left, shell, this_binary, trial, unique, wait_for,
};
use crate::roles::Outsider;

/// Promised to users.
const LIMIT: Duration = Duration::from_secs(2);
const TRIALS: usize = 10;

/// Whether what was killed just now went within the limit, of many times: a machine that is busy with something else may
/// be late once.
#[derive(Default)]
struct Late(u32);

impl Late {
    async fn none_left(&mut self, word: &str) -> Outcome {
        let began = tokio::time::Instant::now();
        none_left(word, PATIENCE).await?;
        self.0 += u32::from(began.elapsed() > LIMIT);
        check(self.0 <= 1, || format!("again later than {LIMIT:?}"))
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("kill_9_of_the_server_leaves_no_plain_app", || killed("exec sleep WORD", 1)),
        trial("kill_9_of_the_server_leaves_no_child_of_a_shell", || killed("sleep WORD; :", 2)),
        trial("kill_9_of_the_server_leaves_no_daemon", || {
            killed("setsid sh -c 'setsid sh -c \"sleep WORD; :\" & sleep WORD' & sleep WORD", 5)
        }),
        trial("kill_9_of_the_server_leaves_nothing_that_ignores_signals", || {
            killed("trap '' TERM HUP INT; (trap '' TERM; while :; do sleep WORD; done) & wait; sleep WORD", 3)
        }),
        trial("kill_9_of_the_server_leaves_no_tree_that_keeps_forking", || {
            killed("f() { sleep 0.01; f WORD & }; while :; do (sleep 0.02; : WORD) & sleep 0.01; done", 1)
        }),
        trial("kill_9_of_the_server_in_the_middle_of_a_start_leaves_nothing", killed_while_starting),
        trial("what_a_killed_app_left_in_its_temporary_folder_goes", leftovers),
        trial("the_end_of_the_runtime_leaves_nothing", runtime_ended),
        trial("a_replaced_binary_does_not_matter", replaced),
    ]
}

/// Starts a server whose app runs `script`, waits for `count` processes with its word, kills the server.
async fn killed(script: &'static str, count: usize) -> Outcome {
    let mut late = Late::default();
    for _ in 0..TRIALS {
        let word = unique();
        let (server, line) = Outsider::start(&this_binary(), &["serve", &script.replace("WORD", &word)])?;
        check(line.starts_with("Started"), || format!("the server said {line:?}"))?;
        // The server has the word in its own command line.
        wait_for(&word, count + 1).await?;
        server.kill();
        late.none_left(&word).await?;
    }
    Ok(())
}

async fn killed_while_starting() -> Outcome {
    let mut late = Late::default();
    for micros in (0..40).map(|step| step * 700) {
        let word = unique();
        let script = format!("setsid sleep {word} & sleep {word}");
        let (server, _) = Outsider::start(&this_binary(), &["serve-many", &script])?;
        tokio::time::sleep(Duration::from_micros(micros)).await;
        server.kill();
        late.none_left(&word).await?;
    }
    Ok(())
}

async fn leftovers() -> Outcome {
    let folder = Folder::new()?;
    let place = folder.0.display();
    let script = format!(
        "touch {place}/dotnet-diagnostic-$$-1-socket {place}/clr-debug-pipe-$$-1-in {place}/mine-$$-; echo ready; exec sleep 1000"
    );
    for by_somebody_else in [false, true] {
        let mut launch = shell(&script);
        launch.environment.push(("TMPDIR".into(), folder.0.clone().into()));
        let mut app = App::start(launch)?;
        let pid = app.started().await?;
        app.printed("ready").await?;
        let left = || std::fs::read_dir(&folder.0).map(Iterator::count);
        check(left()? == 3, || format!("{pid} made no files"))?;
        if by_somebody_else {
            crate::harness::signal(pid, rustix::process::Signal::KILL)?;
        } else {
            app.handle.kill();
        }
        app.rest().await?;
        check(left()? == 1, || format!("{} files are left", left().unwrap_or(0)))?;
        std::fs::remove_file(folder.0.join(format!("mine-{pid}-")))?;
    }
    Ok(())
}

async fn runtime_ended() -> Outcome {
    let word = unique();
    let script = format!("setsid sleep {word} & sleep {word}");
    let ended = std::thread::spawn(move || -> Result<(), String> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        runtime.block_on(async {
            let mut app = App::start(shell(&script)).map_err(|error| error.to_string())?;
            app.started().await.map(drop).map_err(|error| format!("{error:?}"))
        })
    });
    ended.join().map_err(|_| "the thread panicked")??;
    none_left(&word, PATIENCE).await
}

async fn replaced() -> Outcome {
    let folder = Folder::new()?;
    let copy = folder.0.join("server");
    std::fs::copy(this_binary(), &copy)?;
    let word = unique();
    let path = copy.to_str().ok_or("a plain path")?;
    let script = format!("exec sleep {word}");
    let (server, line) = loop {
        match Outsider::start(path.as_ref(), &["serve", &script, "remove"]) {
            // What another test starts just now still holds the copy open for writing.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => tokio::task::yield_now().await,
            started => break started?,
        }
    };
    check(line.starts_with("Started"), || format!("the server said {line:?}"))?;
    check(!copy.exists(), || "it was not removed".to_owned())?;
    server.kill();
    none_left(&word, PATIENCE).await
}
