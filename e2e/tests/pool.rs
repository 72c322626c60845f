//! Promise: processes come, take each other's place and go as the rules of an IIS application pool say, and no request
//! pays for it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use e2e::clock::seconds;
use e2e::puppet::hex;
use e2e::server::{serve, serve_folder};
use e2e::trials::trials;
use e2e::{
    Client, Context as _, Ending, Folder, Load, Need, Options, Outcome, Puppet, Record, Server, Suite,
};
use e2e::{ensure, now, pause, process, wait_for};
use rustix::process::Signal;

#[path = "pool/failing.rs"]
mod failing;
#[path = "pool/limits.rs"]
mod limits;
#[path = "pool/recycle.rs"]
mod recycle;
#[path = "pool/rules.rs"]
mod rules;
#[path = "pool/several.rs"]
mod several;
#[path = "pool/stops.rs"]
mod stops;

/// Far more than a recycle takes: the burst's end, a start, a warm machine.
const SOON: Duration = seconds(10);

fn main() -> ExitCode {
    let suite = limits::add_to(recycle::add_to(Suite::new().threads(4)));
    stops::add_to(several::add_to(rules::add_to(failing::add_to(suite)))).run()
}

/// The process that answers now.
fn pid(server: &Server) -> Outcome<u32> {
    let response = server.get("/pid")?;
    ensure!(response.status == 200, "{}", response.describe());
    response.pid().context("no pid")
}

/// Waits until another process answers, and says which.
fn another(server: &Server, than: u32) -> Outcome<u32> {
    wait_for("another process", SOON, || server.get("/pid").ok()?.pid().filter(|pid| *pid != than))
}

fn gone(pid: u32) -> Outcome {
    wait_for("the end of a process", SOON, || process::living(pid).is_none().then_some(()))
}

/// What `touch` does.
fn touch(folder: &Folder) -> Outcome {
    let file = folder.path().join("web.config");
    let status = process::command("/usr/bin/touch".as_ref()).arg(&file).status()?;
    ensure!(status.success(), "touch: {status}");
    Ok(())
}

/// A GET that the puppet answers by these orders.
fn order(server: &Server, target: &str, orders: &str) -> Outcome<Client> {
    let mut client = server.client()?;
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Puppet: {orders}\r\n\r\n"))?;
    Ok(client)
}

/// The orders of an answer that comes after so many milliseconds.
fn slow(milliseconds: u64) -> String {
    late(&format!("sleep:{milliseconds}"))
}

/// The orders of an answer that comes once this file is there.
fn once(go: &Path) -> String {
    late(&format!("await:{}", process::text(go)))
}

fn late(before: &str) -> String {
    let answer = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
    format!("{before};raw:{answer}")
}
