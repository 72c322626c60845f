//! Promise: `falconer serve DIR` runs an unchanged publish folder, says what it does, and ends as it is told.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{
    Check, Client, Context as _, Options, Outcome, Puppet, Record, Server, Suite, ensure, now, process,
    wait_for,
};
use rustix::process::Signal;

#[path = "serve/environment.rs"]
mod environment;
#[path = "serve/exits.rs"]
mod exits;

fn main() -> ExitCode {
    let checks: &[(&str, Check)] = &[
        ("the second answer comes from the same process", same_process),
        ("after kill -9 of the app the next request is answered by a new one", new_process),
        ("after kill -9 a GET that announces an empty body is answered by a new one", new_process_empty_body),
        ("SIGTERM ends with exit code 0 and no SIGKILL", terminate),
        ("SIGINT does the same", interrupt),
        ("SIGTERM before the app was ever started", terminate_idle),
        ("SIGHUP reads the configuration again and recycles", hang_up),
        ("the app starts at the first request, not before", first_request),
    ];
    let suite = checks
        .iter()
        .fold(Suite::new(), |suite, (name, check)| suite.served(name, Puppet::new(), &[], *check));
    let suite = suite
        .served(
            "100 concurrent first requests start one process",
            Puppet::new().variable("PUPPET_START_DELAY", "700"),
            &[],
            hundred,
        )
        .served(
            "with --always-running it starts without a request",
            Puppet::new(),
            &["--always-running"],
            always_running,
        )
        .test("every form of --listen", listen_forms)
        .test("several addresses serve the same app", several_addresses);
    let suite = exits::add(suite);
    environment::add(suite).run()
}

fn answer(server: &Server) -> Outcome<u32> {
    let response = server.get("/x")?;
    ensure!(response.status == 200, "{}", response.describe());
    response.pid().context("no pid in the answer")
}

fn same_process(server: &mut Server, record: &Record) -> Outcome {
    let first = answer(server)?;
    for _ in 0..5 {
        ensure!(answer(server)? == first, "another process");
    }
    ensure!(record.starts().len() == 1, "{:?}", record.starts());
    let tells = |line: &str| line.contains("[1001]") && line.contains(&format!("'{first}'"));
    // The event takes another way than the answer.
    let told =
        wait_for("a line about the start", seconds(10), || server.output().lines().any(tells).then_some(()));
    told.context(server.output())
}

fn new_process(server: &mut Server, record: &Record) -> Outcome {
    for round in 1..=3 {
        let first = answer(server)?;
        process::signal(first, Signal::KILL)?;
        let second = answer(server).context(format!("round {round}"))?;
        ensure!(first != second, "still the process that was killed");
        ensure!(record.starts().len() == round + 1, "{:?}", record.starts());
    }
    Ok(())
}

/// No body is no body, however it is spelled: `Content-Length: 0` must not keep a request from being sent once more.
fn new_process_empty_body(server: &mut Server, _: &Record) -> Outcome {
    for round in 1..=3 {
        let first = answer(server)?;
        process::signal(first, Signal::KILL)?;
        let response = server.client()?.get_with("/x", "Content-Length: 0\r\n")?;
        ensure!(response.status == 200, "round {round}: {}", response.describe());
        ensure!(response.pid().is_some_and(|pid| pid != first), "round {round}: {}", response.describe());
    }
    Ok(())
}

fn ends_in_order(server: &mut Server, signal: Signal) -> Outcome {
    let app = process::living(answer(server)?).context("the app is gone")?;
    let start = now();
    server.signal(signal)?;
    let status = server.wait(seconds(10))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    // The app's own limit is 10 s: ending sooner proves that it obeyed SIGTERM.
    ensure!(start.elapsed() < seconds(5), "took {:?}", start.elapsed());
    ensure!(!process::lives(app), "the app still runs");
    ensure!(!server.output().to_lowercase().contains("sigkill"), "SIGKILL was needed");
    Ok(())
}

fn terminate(server: &mut Server, _: &Record) -> Outcome {
    ends_in_order(server, Signal::TERM)
}

fn interrupt(server: &mut Server, _: &Record) -> Outcome {
    ends_in_order(server, Signal::INT)
}

fn terminate_idle(server: &mut Server, record: &Record) -> Outcome {
    server.stop(seconds(10))?;
    ensure!(record.starts().is_empty(), "the app was started");
    Ok(())
}

fn hang_up(server: &mut Server, _: &Record) -> Outcome {
    let first = answer(server)?;
    server.signal(Signal::HUP)?;
    server.wait_output("[2103]", seconds(10))?;
    wait_for("another process", seconds(10), || answer(server).ok().filter(|pid| *pid != first))?;
    server.stop(seconds(10))
}

fn first_request(server: &mut Server, record: &Record) -> Outcome {
    e2e::pause(300);
    ensure!(record.starts().is_empty(), "started without a request");
    answer(server)?;
    ensure!(record.starts().len() == 1, "{:?}", record.starts());
    Ok(())
}

fn always_running(server: &mut Server, record: &Record) -> Outcome {
    record.wait_count("listening", 1, seconds(10))?;
    let first = answer(server)?;
    process::signal(first, Signal::KILL)?;
    record.wait_count("listening", 2, seconds(10)).context("after kill -9, without a request")
}

fn hundred(server: &mut Server, record: &Record) -> Outcome {
    let address = server.address();
    let all: Vec<std::thread::JoinHandle<Outcome<Option<u32>>>> = (0..100)
        .map(|number| {
            std::thread::spawn(move || {
                let response = Client::connect(address)?.get(&format!("/{number}"))?;
                ensure!(response.status == 200, "{}", response.describe());
                Ok(response.pid())
            })
        })
        .collect();
    let mut pids = Vec::new();
    for thread in all {
        pids.push(thread.join().ok().context("a client panicked")??);
    }
    pids.dedup();
    ensure!(pids.len() == 1 && record.starts().len() == 1, "{pids:?}, {:?}", record.starts());
    Ok(())
}

fn listen_forms() -> Outcome {
    let port = e2e::port::free_of(e2e::port::UNDRAWN)?;
    let cases: Vec<(String, Vec<&str>)> = vec![
        (port.to_string(), vec!["127.0.0.1"]),
        (format!(":{port}"), vec!["127.0.0.1"]),
        (format!("127.0.0.1:{port}"), vec!["127.0.0.1"]),
        (format!("http://127.0.0.1:{port}"), vec!["127.0.0.1"]),
        (format!("http://127.0.0.1:{port}/"), vec!["127.0.0.1"]),
        (format!("[::1]:{port}"), vec!["[::1]"]),
        (format!("localhost:{port}"), vec!["127.0.0.1", "[::1]"]),
        (format!("http://localhost:{port}"), vec!["127.0.0.1", "[::1]"]),
        (format!("*:{port}"), vec!["127.0.0.1", "[::1]"]),
        (format!("http://+:{port}"), vec!["127.0.0.1", "[::1]"]),
        (format!("http://*:{port}"), vec!["127.0.0.1", "[::1]"]),
    ];
    let folder = Puppet::new().folder()?;
    for (form, reached) in cases {
        let options = Options::new(folder.path()).listen(&form);
        serve_folder(&folder, &options, |server, _| {
            for host in &reached {
                let address = format!("{host}:{port}").parse()?;
                let response = e2e::client::get(address, "/x").context(format!("{form} at {host}"))?;
                ensure!(response.status == 200, "{form} at {host}: {}", response.describe());
            }
            server.stop(seconds(10)).context(&form)
        })?;
    }
    Ok(())
}

fn several_addresses() -> Outcome {
    let folder: Folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).listen("127.0.0.1:0").listen("localhost:0");
    serve_folder(&folder, &options, |server, record| {
        let addresses = wait_for("three addresses", seconds(5), || {
            Some(server.addresses()).filter(|all| all.len() >= 3)
        })?;
        for address in &addresses {
            ensure!(e2e::client::get(*address, "/x")?.status == 200, "{address}");
        }
        ensure!(record.starts().len() == 1, "{:?}", record.starts());
        Ok(())
    })
}
