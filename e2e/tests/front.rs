//! Promise: the front door stands as IIS's does, seen by real apps: paths, bodies, answers, clients that leave,
//! headers that are ours, WebSockets. Named after what Microsoft's own tests of its server ask for.

use std::process::ExitCode;

use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Options, Outcome, Server, Suite, ensure};
use serde_json::Value;

#[path = "front/answers.rs"]
mod answers;
#[path = "front/bodies.rs"]
mod bodies;
#[path = "front/clients.rs"]
mod clients;
#[path = "front/limits.rs"]
mod limits;
#[path = "front/pains.rs"]
mod pains;
#[path = "front/paths.rs"]
mod paths;
#[expect(dead_code, reason = "the rest of it is for the suite `https`")]
#[path = "https/secure.rs"]
mod secure;
#[path = "front/sockets.rs"]
mod sockets;

fn main() -> ExitCode {
    let suite = Suite::new().threads(4);
    let suite = paths::add(suite);
    let suite = bodies::add(suite);
    let suite = limits::add(suite);
    let suite = answers::add(suite);
    let suite = clients::add(suite);
    let suite = sockets::add(suite);
    pains::add(suite).run()
}

/// What a trial does with its server.
type Check = fn(&mut Server) -> Outcome;

/// A trial against the sample app `probe`, which reports what it was told.
fn probe(arguments: &[&str], test: impl FnOnce(&mut Server) -> Outcome) -> Outcome {
    hosting(&Folder::app("probe")?, arguments, test)
}

/// A trial against our own app `site`, which does with bodies and answers what Microsoft's test site does.
fn site(arguments: &[&str], test: impl FnOnce(&mut Server) -> Outcome) -> Outcome {
    hosting(&Folder::built("site")?, arguments, test)
}

fn hosting(folder: &Folder, arguments: &[&str], test: impl FnOnce(&mut Server) -> Outcome) -> Outcome {
    let options = Options::new(folder.path()).dotnet()?;
    let options = arguments.iter().fold(options, |options, one| options.arg(one));
    serve_folder(folder, &options, |server, _| test(server))
}

/// What the app says of a request for `target`; none where we refused it with `refusal`.
fn report(server: &Server, target: &str, refusal: u16) -> Outcome<Option<Value>> {
    let response = server.get(target).context(target)?;
    if response.status == refusal {
        return Ok(None);
    }
    ensure!(response.status == 200, "{target}: {}", response.describe());
    Ok(Some(serde_json::from_slice(&response.body).context(format!("the report on {target}"))?))
}

/// One text of a report.
fn text(report: &Value, name: &str) -> String {
    report.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
