//! Promise: bytes that could mean two things are refused, and the backend never sees a byte of them.
//!
//! Each row of the tables is a trial of its own: bytes, and what must come of them. RFC 9112 §2–§7, RFC 9110 §5.

use std::process::ExitCode;

use e2e::{Client, Context as _, End, Ending, Outcome, Puppet, Record, Server, Suite, clock, ensure, serve};

#[path = "framing/bodies.rs"]
mod bodies;
#[path = "framing/heads.rs"]
mod heads;
#[path = "framing/limits.rs"]
mod limits;
#[path = "framing/paths.rs"]
mod paths;

/// What must come of a row's bytes.
enum Expect {
    /// One of these statuses, the connection closed, nothing of it at the backend.
    Refused(&'static [u16]),
    /// The same, but the backend may have seen the start of a request; never a whole one.
    BadBody,
    /// So many 200s, and these targets at the backend, in this order.
    Served(&'static [&'static str]),
    /// So many 200s, then a refusal; only the former at the backend.
    ServedThenRefused(&'static [&'static str], &'static [u16]),
    /// Refused, or served without that text (lower case) in any head and without a body.
    Harmless(&'static str),
}

/// One row of a table.
struct Row {
    name: String,
    bytes: Vec<u8>,
    expect: Expect,
}

fn row(name: impl Into<String>, bytes: impl AsRef<[u8]>, expect: Expect) -> Row {
    Row { name: name.into(), bytes: bytes.as_ref().to_vec(), expect }
}

/// The usual refusal.
const BAD: Expect = Expect::Refused(&[400]);

fn main() -> ExitCode {
    let rows = [heads::rows(), bodies::rows(), paths::rows()];
    let suite = rows.into_iter().flatten().fold(Suite::new(), |suite, row| {
        suite.test(row.name.clone(), move || {
            serve(&Puppet::new(), &[], |server, record| check(&row, server, record))
        })
    });
    let suite = paths::add(suite);
    let suite = bodies::add(suite);
    limits::add(suite).run()
}

fn check(row: &Row, server: &Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    client.offer(&row.bytes);
    match row.expect {
        Expect::Refused(statuses) => {
            refused(&mut client, statuses)?;
            only(server, record, &[])
        }
        Expect::BadBody => {
            refused(&mut client, &[400])?;
            nothing_whole(server, record)
        }
        Expect::Served(targets) => {
            served(&mut client, targets.len())?;
            only(server, record, targets)
        }
        Expect::ServedThenRefused(targets, statuses) => {
            served(&mut client, targets.len())?;
            refused(&mut client, statuses)?;
            only(server, record, targets)
        }
        Expect::Harmless(text) => harmless(&mut client, text, record),
    }
}

/// A refusal in our own voice, after which the connection is closed and silent.
fn refused(client: &mut Client, statuses: &[u16]) -> Outcome {
    let response = client.response().context("the refusal")?;
    ensure!(statuses.contains(&response.status), "not one of {statuses:?} but {}", response.describe());
    ensure!(response.end == End::Complete, "the refusal is not whole: {}", response.describe());
    ensure!(response.closes(), "no Connection: close in {}", response.describe());
    let (rest, ending) = client.ending(clock::seconds(5));
    ensure!(rest.is_empty(), "after the refusal came {:?}", String::from_utf8_lossy(&rest));
    ensure!(ending != Ending::Open, "the connection is still open");
    Ok(())
}

fn served(client: &mut Client, count: usize) -> Outcome {
    for number in 1..=count {
        let response = client.response().context(format!("response {number} of {count}"))?;
        ensure!(response.status == 200, "response {number} of {count} is {}", response.describe());
    }
    Ok(())
}

/// Nothing but these targets, and a last one that proves that nothing else was on its way.
fn only(server: &Server, record: &Record, targets: &[&str]) -> Outcome {
    let last = server.get("/last")?;
    ensure!(last.status == 200, "the server no longer serves: {}", last.describe());
    let seen: Vec<String> = record.requests().iter().map(e2e::Request::target).collect();
    let wanted: Vec<&str> = targets.iter().copied().chain(["/last"]).collect();
    ensure!(seen == wanted, "the backend saw {seen:?}, wanted {wanted:?}");
    Ok(())
}

fn nothing_whole(server: &Server, record: &Record) -> Outcome {
    let last = server.get("/last")?;
    ensure!(last.status == 200, "the server no longer serves: {}", last.describe());
    for request in record.requests() {
        let whole = request.body.as_ref().is_some_and(|body| body.complete);
        ensure!(request.target() == "/last" || !whole, "the backend saw {} as whole", request.line());
    }
    Ok(())
}

fn harmless(client: &mut Client, text: &str, record: &Record) -> Outcome {
    let response = client.response()?;
    ensure!(
        matches!(response.status, 200 | 400 | 411 | 501),
        "neither served nor refused: {}",
        response.describe()
    );
    for request in record.requests() {
        let head = String::from_utf8_lossy(&request.head).to_ascii_lowercase();
        ensure!(!head.contains(text), "{text:?} arrived: {head}");
        ensure!(request.body.is_none_or(|body| body.length == 0), "a body arrived with {head}");
    }
    Ok(())
}
