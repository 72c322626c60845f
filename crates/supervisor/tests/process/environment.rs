//! What an app and its keeper find around them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::harness::{App, Folder, Outcome, check, command_line, program, same, shell, stat, trial};

pub(crate) fn trials(descriptors: u64) -> Vec<Trial> {
    let root = rustix::process::geteuid().is_root();
    vec![
        trial("a_server_is_hardened", move || hardened(descriptors)),
        trial("an_app_gets_exactly_what_it_was_given", given),
        trial("an_app_starts_with_nothing_of_ours", surroundings),
        trial("an_app_without_console_prints_nowhere", silent),
        trial("a_keeper_is_small_and_knows_nothing", keeper),
        // Another user's view of a process that cannot be dumped; root may look.
        trial("a_keeper_has_no_environment", keeper_environment).with_ignored_flag(!root),
    ]
}

/// `main` has done it, and was told this limit.
async fn hardened(descriptors: u64) -> Outcome {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
    same(dumpable_behavior()?, DumpableBehavior::NotDumpable)?;
    same(getrlimit(Resource::Core).current, Some(0))?;
    let limit = getrlimit(Resource::Nofile);
    same(limit.current, limit.maximum)?;
    same(descriptors, limit.current.unwrap_or(u64::MAX))
}

async fn given() -> Outcome {
    let mut launch = program(Path::new("/usr/bin/env"), &[]);
    let variables = [("A", "1"), ("a", "2"), ("EMPTY", ""), ("WITH", "x=y z\t'")];
    launch.environment = variables.iter().map(|&(name, value)| (name.into(), value.into())).collect();
    let mut app = App::start(launch)?;
    app.started().await?;
    app.rest().await?;
    same(app.handle.output(), "A=1\na=2\nEMPTY=\nWITH=x=y z\t'\n".to_owned())?;

    let mut launch = shell("for word; do echo \"[$word]\"; done; pwd; echo $0");
    launch.arguments.extend(["zero", "a b", "", "*"].map(Into::into));
    let folder = Folder::new()?;
    launch.folder.clone_from(&folder.0);
    let mut app = App::start(launch)?;
    app.started().await?;
    app.rest().await?;
    same(app.handle.output(), format!("[a b]\n[]\n[*]\n{}\nzero\n", folder.0.display()))
}

async fn surroundings() -> Outcome {
    // Opened without the close-on-exec flag: must not reach the app either.
    let leak = fs::File::open("/dev/null")?;
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty())?;
    let mut app = App::start(shell("ulimit -c; echo ready; exec sleep 1000"))?;
    let pid = app.started().await?;
    app.printed("0\nready\n").await?;
    while !command_line(pid).starts_with("sleep") {
        tokio::task::yield_now().await;
    }
    // SCHED_BATCH.
    same(stat(pid, 41), Some(3))?;
    let expected = ["0 /dev/null", "1 pipe", "2 pipe"];
    // Until it has begun, it opens libraries; what was left to it stays open.
    for _ in 0..1000 {
        if open_files(pid)? == expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    same(open_files(pid)?, expected.map(str::to_owned).to_vec())?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    for line in ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "NoNewPrivs:\t1"] {
        check(status.lines().any(|seen| seen == line), || format!("{line} is not in\n{status}"))?;
    }
    same((stat(pid, 5), stat(pid, 6)), (Some(pid), stat(pid, 4)))?;
    drop(leak);
    app.handle.kill();
    app.rest().await.map(drop)
}

/// What a process has open, by number.
fn open_files(pid: u32) -> std::io::Result<Vec<String>> {
    let mut open = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        // One that was closed meanwhile is not open.
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.display().to_string();
        let kind = target.split(':').next().unwrap_or_default();
        open.push(format!("{} {kind}", entry.file_name().display()));
    }
    open.sort();
    Ok(open)
}

async fn silent() -> Outcome {
    let mut launch = shell(
        "readlink /proc/self/fd/1; echo out; echo err >&2; [ \"$(readlink /proc/$$/fd/1)\" = /dev/null ] && exit 9",
    );
    launch.console_redirection = false;
    let mut app = App::start(launch)?;
    app.started().await?;
    same(app.rest().await?, vec!["Exited(Code(9))".to_owned(), "Gone".to_owned()])?;
    same(app.handle.output(), String::new())
}

async fn keeper() -> Outcome {
    let mut app = App::start(shell("exec sleep 1000"))?;
    let keeper = stat(app.started().await?, 4).ok_or("no parent")?;
    same(fs::read_to_string(format!("/proc/{keeper}/comm"))?, "falconer-keep\n".to_owned())?;
    same(stat(keeper, 6), Some(keeper))?;
    same(stat(keeper, 4), Some(std::process::id()))?;
    let status = fs::read_to_string(format!("/proc/{keeper}/status"))?;
    check(status.contains("Threads:\t1\n"), || status.clone())?;
    app.handle.kill();
    app.rest().await.map(drop)
}

async fn keeper_environment() -> Outcome {
    let mut launch = shell("exec sleep 1000");
    launch.environment.push(("SECRET".into(), "x".repeat(100_000).into()));
    let mut app = App::start(launch)?;
    let keeper = stat(app.started().await?, 4).ok_or("no parent")?;
    same(fs::read(format!("/proc/{keeper}/environ"))?, Vec::new())?;
    same(fs::read_link(format!("/proc/{keeper}/cwd"))?, "/".into())?;
    let mut open: Vec<_> = fs::read_dir(format!("/proc/{keeper}/fd"))?
        .flatten()
        .map(|entry| fs::read_link(entry.path()).map(|path| path.display().to_string()).unwrap_or_default())
        .map(|target| target.split(':').next().unwrap_or_default().to_owned())
        .collect();
    open.sort();
    same(open, ["/dev/null", "/dev/null", "anon_inode", "socket"].map(str::to_owned).to_vec())?;
    let memory = fs::read_to_string(format!("/proc/{keeper}/smaps_rollup"))?;
    let private: u64 = memory
        .lines()
        .filter(|line| line.starts_with("Private_Dirty:"))
        .filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    check(private < 1024, || format!("{private} KiB of private memory"))?;
    app.handle.kill();
    app.rest().await.map(drop)
}
