//! Sums on SIGUSR1 and at the end, and event lines as JSON.

use e2e::clock::seconds;
use e2e::server::serve_folder;
use e2e::{Check, Options, Outcome, Puppet, Record, Server, Suite, ensure, pause};

use super::{count, parsed, sum};

pub(super) fn add(suite: Suite) -> Suite {
    let check: Check = sums;
    suite
        .served(
            "SIGUSR1 tells what was counted, and so does the end",
            Puppet::new(),
            &["--path-base", "/shop"],
            check,
        )
        .test("event lines and access log as JSON share stdout", one_stream)
}

fn sums(server: &mut Server, _: &Record) -> Outcome {
    count(server)?;
    for name in ["requests", "connections", "bytes_out", "upstream_opened"] {
        ensure!(sum(server, name)? == 0, "{name} of a server that did nothing");
    }
    let mut client = server.client()?;
    for _ in 0..3 {
        ensure!(client.get("/shop/x")?.status == 200, "not served");
    }
    ensure!(client.get("/else")?.status == 404, "served");
    ensure!(server.client()?.get_with("/shop/x", "X-Puppet: close\r\n")?.status == 502, "answered");
    pause(100);
    count(server)?;
    let wanted = [
        ("requests", 5),
        ("2xx", 3),
        ("4xx", 1),
        ("5xx", 1),
        ("refused", 1),
        ("upstream_errors", 1),
        ("cut", 0),
        ("connections", 2),
        ("retries", 0),
    ];
    for (name, value) in wanted {
        ensure!(sum(server, name)? == value, "{name} is {}, not {value}", sum(server, name)?);
    }
    let (opened, reused) = (sum(server, "upstream_opened")?, sum(server, "upstream_reused")?);
    ensure!(opened >= 1 && opened + reused == 4, "{opened} opened, {reused} reused for 4 requests");
    drop(client);
    server.stop(seconds(10))?;
    ensure!(server.output().matches("Counted since").count() == 3, "no sums at the end");
    ensure!(sum(server, "connections_open")? == 0, "connections are left");
    Ok(())
}

/// The base path keeps the address readable for the harness within a JSON text.
fn one_stream() -> Outcome {
    let folder = Puppet::new().folder()?;
    let arguments = ["--path-base", "/shop", "--log-format", "json", "--access-log", "-"];
    let options = arguments.iter().fold(Options::new(folder.path()), |options, one| options.arg(one));
    serve_folder(&folder, &options, |server, _| {
        let mut client = server.client()?;
        for _ in 0..500 {
            ensure!(client.get("/shop/x")?.status == 200, "not served");
            if server.output().len() % 7 == 0 {
                server.signal(rustix::process::Signal::USR1)?;
            }
        }
        server.stop(seconds(10))?;
        let lines = parsed(server.output().as_bytes())?;
        let requests = lines.iter().filter(|line| line["status"] == 200).count();
        ensure!(requests == 500, "{requests} lines");
        let events: Vec<_> = lines.iter().filter(|line| line["status"].is_null()).collect();
        ensure!(events.len() >= 6, "{events:?}");
        for event in events {
            let whole = event["time"].is_string() && event["message"].is_string();
            let level = matches!(event["level"].as_str(), Some("info" | "warn" | "error"));
            ensure!(whole && level && event["id"].is_u64(), "{event}");
        }
        Ok(())
    })
}
