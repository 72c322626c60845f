//! Promise: the app lives and dies with its server, is never confused with another program, and keeps its secrets.

use std::process::ExitCode;
use std::time::Duration;

use e2e::clock::seconds;
use e2e::server::serve_folder;
use e2e::trials::{Launch, orphans, thieves, trials};
use e2e::{Check, Context as _, End, Need, Options, Outcome, Puppet, Record, Server, Suite};
use e2e::{ensure, now, process, serve, wait_for};
use rustix::process::Signal;

#[path = "lifecycle/output.rs"]
mod output;
#[path = "lifecycle/starts.rs"]
mod starts;
#[path = "lifecycle/stops.rs"]
mod stops;

fn main() -> ExitCode {
    let suite = Suite::new()
        .test("no orphans after kill -9: the app itself", || orphans(Launch::Plain, trials(4), 0))
        .test("no orphans after kill -9: behind sh without exec", || orphans(Launch::Shell, trials(4), 0))
        .test("no orphans after kill -9: double fork with setsid", || orphans(Launch::Daemon, trials(4), 0))
        .test("no orphans after kill -9: parent and child", || orphans(Launch::Child, trials(4), 0))
        .needing("no orphans after kill -9: dotnet X.dll", &[Need::Dotnet], || {
            orphans(Launch::Dotnet, trials(3), 0)
        })
        .test("no orphans after kill -9: idle for a while", || orphans(Launch::Daemon, 1, 3))
        .test("a thief of the port is never sent a byte, IPv4", || thieves(trials(10), false))
        .test("a thief of the port is never sent a byte, IPv6", || thieves(trials(10), true));
    let checks: &[(&str, Check)] = &[
        ("a crash under 64 requests costs those alone", crash_under_load),
        ("no zombie is left after many ends", zombies),
        ("core dumps are off, and the server cannot be read by others", hardened),
        ("the app holds nothing but its three descriptors", app_descriptors),
    ];
    let suite =
        checks.iter().fold(suite, |suite, (name, check)| suite.served(name, Puppet::new(), &[], *check));
    let suite =
        suite.served("descriptors come back after many ends", Puppet::new(), &["--threads=2"], descriptors);
    let suite = stops::add(suite);
    let suite = starts::add(suite);
    output::add(suite).run()
}

/// The app's pid from a plain answer.
fn app(server: &Server) -> Outcome<u32> {
    let response = server.get("/x")?;
    ensure!(response.status == 200, "{}", response.describe());
    response.pid().context("no pid")
}

fn crash_under_load(server: &mut Server, record: &Record) -> Outcome {
    let pid = app(server)?;
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut client = server.client()?;
        client.send("GET /hang HTTP/1.1\r\nHost: a\r\nX-Puppet: hang\r\n\r\n")?;
        clients.push(client);
    }
    record.wait_count("hanging", 64, seconds(10))?;
    // One that came in the last milliseconds before SIGKILL counts as not acted on, and is sent again.
    e2e::pause(100);
    process::signal(pid, Signal::KILL)?;
    let start = now();
    ensure!(app(server).context("the 65th request")? != pid, "the dead process answered");
    for client in &mut clients {
        let response = client.response()?;
        ensure!(response.status == 502 && response.end == End::Complete, "{}", response.describe());
    }
    ensure!(start.elapsed() < seconds(10), "took {:?}", start.elapsed());
    ensure!(record.count("hanging") == 64, "a request that may have had effects was sent twice");
    Ok(())
}

fn end_often(server: &Server, count: usize) -> Outcome {
    for round in 0..count {
        let pid = app(server).context(format!("round {round}"))?;
        process::signal(pid, Signal::KILL)?;
        wait_for("the app's end", seconds(3), || process::living(pid).is_none().then_some(()))?;
    }
    Ok(())
}

fn zombies(server: &mut Server, _: &Record) -> Outcome {
    end_often(server, 5)?;
    app(server)?;
    wait_for("the zombies' end", seconds(3), || {
        let dead = process::all().into_iter().filter_map(process::stat);
        let below: Vec<u32> = process::descendants(server.pid()).iter().map(|one| one.pid).collect();
        let mut dead = dead.filter(|stat| stat.state == 'Z');
        (!dead.any(|stat| stat.parent == server.pid() || below.contains(&stat.parent))).then_some(())
    })
}

fn open_descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Each thread that carries requests keeps some from its first one on, whenever that comes; no end may cost any.
fn descriptors(server: &mut Server, _: &Record) -> Outcome {
    end_often(server, 2)?;
    app(server)?;
    e2e::pause(300);
    let mut seen = vec![open_descriptors(server.pid())];
    ensure!(seen != [0], "the descriptors cannot be seen");
    for _ in 0..3 {
        let before = *seen.last().context("none")?;
        end_often(server, 5)?;
        app(server)?;
        let back = wait_for("the descriptors to come back", seconds(3), || {
            (open_descriptors(server.pid()) <= before + 1).then_some(())
        });
        if back.is_ok() {
            return Ok(());
        }
        seen.push(open_descriptors(server.pid()));
    }
    e2e::fail!("they do not come back: {seen:?}")
}

fn hardened(server: &mut Server, _: &Record) -> Outcome {
    app(server)?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid()))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("no core limit")?;
    let soft = core.trim_start_matches("Max core file size").split_ascii_whitespace().next();
    ensure!(soft == Some("0"), "{core}");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).context("no file limit")?;
    let numbers: Vec<&str> =
        files.split_ascii_whitespace().filter(|word| word.parse::<u64>().is_ok()).collect();
    ensure!(numbers.len() == 2 && numbers.first() == numbers.last(), "not raised to the hard limit: {files}");
    // A process that is not dumpable has files of root in /proc, whoever runs it; as root nothing would differ.
    if !rustix::process::getuid().is_root() {
        let environ = std::fs::read(format!("/proc/{}/environ", server.pid()));
        ensure!(environ.is_err(), "the server's environment can be read by others of this user");
    }
    Ok(())
}

fn app_descriptors(server: &mut Server, _: &Record) -> Outcome {
    let pid = app(server)?;
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        if let Ok(target) = std::fs::read_link(entry.path()) {
            kinds.push((
                entry.file_name().to_string_lossy().into_owned(),
                target.to_string_lossy().into_owned(),
            ));
        }
    }
    let input = kinds.iter().find(|(number, _)| number == "0").map(|(_, target)| target.as_str());
    ensure!(input == Some("/dev/null"), "stdin is {input:?}");
    // The puppet itself opens its record, its listener, and connections.
    let strange: Vec<_> = kinds
        .iter()
        .filter(|(number, target)| !["0", "1", "2"].contains(&number.as_str()) && !own_descriptor(target))
        .collect();
    ensure!(strange.is_empty(), "the app inherited {strange:?}");
    let sockets = kinds.iter().filter(|(_, target)| target.starts_with("socket:")).count();
    ensure!(sockets <= 3, "more sockets than a listener and its connections: {kinds:?}");
    Ok(())
}

fn own_descriptor(target: &str) -> bool {
    target.ends_with("/record") || target.starts_with("socket:")
}
