//! Promise: many clients send a body to its end before they look for an answer, and one that came early is there then.

use e2e::{Ending, Folder, Options};

use super::*;

const REFUSAL: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nhello";
/// More than the buffers of all sockets on the way take.
const LONG: usize = 20_000_000;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .served("an early answer is there for who sends to the end first", Puppet::new(), &[], of_the_app)
        .test("so is our own answer in place of the app's", of_ours)
        .served("a body that the app never read ends its connection", Puppet::new(), &[], unread)
}

/// Sends a whole POST before it looks; the status that it finds.
fn post_and_look(server: &Server, path: &str, orders: &str) -> Outcome<u16> {
    let mut client = server.client()?.patience(seconds(30));
    client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {LONG}\r\n{orders}\r\n"))?;
    client.send(vec![b'x'; LONG]).context("while the body was sent")?;
    let response = client.response()?;
    ensure!(response.field("Connection") == Some("close"), "{}", response.describe());
    let (rest, ending) = client.ending(seconds(10));
    ensure!(rest.is_empty() && ending == Ending::Fin, "{ending:?} after {} bytes", rest.len());
    Ok(response.status)
}

fn of_the_app(server: &mut Server, record: &Record) -> Outcome {
    server.get("/first")?;
    let status = post_and_look(server, "/up", &format!("X-Puppet: early;{};hang\r\n", raw(REFUSAL)))?;
    ensure!(status == 401, "{status}");
    record.wait_count("left", 1, seconds(5)).context("the connection to the app stayed open")?;
    ensure!(server.get("/next")?.status == 200, "no more answers");
    Ok(())
}

fn of_ours() -> Outcome {
    let folder: Folder = Puppet::new().folder()?;
    folder.write("app_offline.htm", "offline")?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let status = post_and_look(server, "/up", "")?;
        ensure!(status == 503, "{status}");
        Ok(())
    })
}

/// What is left of it would be taken for the next request, or keep that waiting.
fn unread(server: &mut Server, record: &Record) -> Outcome {
    server.get("/first")?;
    let body = vec![b'x'; 1_000_000];
    let head = format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nX-Puppet: early;{};sleep:8000\r\n\r\n",
        body.len(),
        raw(REFUSAL)
    );
    let mut client = server.client()?;
    client.send([head.as_bytes(), &body].concat())?;
    ensure!(client.response()?.status == 401, "no early answer");
    record.wait_request("/up", seconds(5))?;
    // Some of these come to the thread that has the connection.
    for _ in 0..8 {
        let next = server.client()?.patience(seconds(5)).get("/next").context("kept waiting")?;
        ensure!(next.status == 200, "{}", next.describe());
    }
    Ok(())
}
