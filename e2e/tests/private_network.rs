//! Promise: an app with a network of its own is reached through the server and by nobody else.

use std::fs;
use std::net::SocketAddr;
use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::server::serve_folder;
use e2e::{Context as _, Options, Outcome, Puppet, Server, Suite};
use e2e::{client, ensure, process, wait_for};
use rustix::process::Signal;

/// `CAP_SYS_ADMIN` among the effective capabilities.
const SYS_ADMIN: u64 = 1 << 21;

fn main() -> ExitCode {
    let suite = Suite::new();
    // What can be promised depends on what the server may do.
    if may_make_networks() {
        suite.test("nobody else reaches its port, and it is replaced like any other", alone).run()
    } else {
        suite.test("where nobody may make networks the start fails and says what to do", refused).run()
    }
}

fn may_make_networks() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .is_some_and(|bits| bits & SYS_ADMIN != 0)
}

fn refused() -> Outcome {
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--private-network");
    serve_folder(&folder, &options, |server, _| {
        let response = server.get("/x")?;
        ensure!(response.status == 502, "{}", response.describe());
        server.wait_output("without --private-network", seconds(10))
    })
}

fn alone() -> Outcome {
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--private-network");
    serve_folder(&folder, &options, |server, _| {
        let first = served(server)?;
        ensure!(network(first)? != network(std::process::id())?, "the same network");
        let port = wait_for("the line of its start", seconds(10), || port(server).ok())?;
        // Somebody else may listen there outside.
        let outside = client::get(SocketAddr::from(([127, 0, 0, 1], port)), "/x");
        let answered = outside.ok().and_then(|response| response.pid());
        ensure!(answered != Some(first), "anybody may connect to port {port}");
        process::signal(first, Signal::KILL)?;
        wait_for("the app's end", seconds(10), || process::living(first).is_none().then_some(()))?;
        let second = wait_for("another one", seconds(10), || served(server).ok())?;
        ensure!(second != first && network(second)? != network(std::process::id())?, "not a new one");
        Ok(())
    })
}

/// The app's process, from an answer of it.
fn served(server: &Server) -> Outcome<u32> {
    let response = server.get("/x")?;
    ensure!(response.status == 200, "{}", response.describe());
    response.pid().context("no pid")
}

fn network(pid: u32) -> Outcome<String> {
    Ok(fs::read_link(format!("/proc/{pid}/ns/net")).context("the network")?.display().to_string())
}

/// The app's port, from the line that tells its start.
fn port(server: &Server) -> Outcome<u16> {
    let output = server.output();
    let (_, rest) = output.split_once("listening on port '").context("no line of a start")?;
    rest.split('\'').next().and_then(|port| port.parse().ok()).context("no port")
}
