//! Promise: a bad response is a 502 or an aborted connection, never a whole answer; and no byte of one response
//! ever becomes part of another.

use std::process::ExitCode;

use e2e::puppet::hex;
use e2e::{
    Client, Context as _, End, Ending, Outcome, Puppet, Record, Server, Suite, clock, ensure, pause, serve,
};

#[path = "responses/exact.rs"]
mod exact;
#[path = "responses/good.rs"]
mod good;

/// What must come of a scripted response.
enum Expect {
    /// Our 502, and nothing of the backend's bytes.
    Gateway,
    /// Our 502 or a connection that is aborted; never a whole response of another status.
    GatewayOrAbort,
    /// The connection ends before the framing does.
    Abort,
    /// This status and body, whole, and the next request on the connection works.
    Whole(u16, &'static str),
}

struct Row {
    name: String,
    /// Orders to the puppet.
    script: String,
    method: &'static str,
    expect: Expect,
}

impl Row {
    /// Whether the backend sends nothing at all.
    fn silent(&self) -> bool {
        !self.script.contains("raw:")
    }
}

/// What the puppet sends, as an order.
pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> String {
    format!("raw:{}", hex::encode(bytes.as_ref()))
}

fn get(name: &str, script: String, expect: Expect) -> Row {
    Row { name: name.to_owned(), script, method: "GET", expect }
}

fn main() -> ExitCode {
    let rows = [bad_heads(), bad_bodies(), informational()];
    let suite = rows.into_iter().flatten().fold(Suite::new(), |suite, row| {
        suite.test(row.name.clone(), move || {
            serve(&Puppet::new(), &[], |server, record| check(&row, server, record))
        })
    });
    exact::add(good::add(suite)).run()
}

fn bad_heads() -> Vec<Row> {
    let rows: &[(&'static str, &[u8])] = &[
        (
            "A18 length and chunked",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("A18 two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        ("A18 length list", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!"),
        ("A18 length +5", b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
        ("A18 unknown coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello"),
        (
            "A18 bare LF in a field",
            b"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "A18 bare CR in a field",
            b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
        ),
        ("A18 NUL in a field", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
        ("A18 no colon", b"HTTP/1.1 200 OK\r\nevil\r\nContent-Length: 0\r\n\r\n"),
        ("A18 blank before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
        ("A18 status 99", b"HTTP/1.1 99 Evil\r\nContent-Length: 0\r\n\r\n"),
        ("A18 status 1000", b"HTTP/1.1 1000 Evil\r\nContent-Length: 0\r\n\r\n"),
        ("A18 status 0", b"HTTP/1.1 000 Evil\r\nContent-Length: 0\r\n\r\n"),
        ("A18 status with a letter", b"HTTP/1.1 2x0 Evil\r\nContent-Length: 0\r\n\r\n"),
        ("A18 HTTP/2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("A18 no HTTP at all", b"SSH-2.0-evil\r\n\r\n"),
        (
            "A18 101 without asking",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nevil",
        ),
    ];
    let mut all: Vec<Row> = rows
        .iter()
        .map(|(name, bytes)| get(name, format!("{};sleep:200;close", raw(bytes)), Expect::Gateway))
        .collect();
    let line = hex::encode(b"X-Many: evilevilevilevilevilevilevilevilevilevilevilevilevilevil\r\n");
    all.push(get(
        "A18 head of 1 MiB",
        format!("{};repeat:16000:{line};{}", raw("HTTP/1.1 200 OK\r\n"), raw("Content-Length: 0\r\n\r\n")),
        Expect::Gateway,
    ));
    for script in ["close", "reset", "abort"] {
        for (method, name) in
            [("GET", format!("A18 {script} before a byte")), ("POST", format!("A18 {script}, POST"))]
        {
            all.push(Row { name, script: script.to_owned(), method, expect: Expect::Gateway });
        }
    }
    all.push(get(
        "A18 closed in the head",
        format!("{};close", raw("HTTP/1.1 200 OK\r\nX: y")),
        Expect::Gateway,
    ));
    all
}

fn bad_bodies() -> Vec<Row> {
    let chunked = |body: &str| raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
    let rows = [
        ("A18 early end in a chunk", format!("{};close", chunked("a\r\nhello"))),
        ("A18 early end between chunks", format!("{};sleep:50;close", chunked("5\r\nhello\r\n"))),
        ("A18 reset between chunks", format!("{};sleep:50;reset", chunked("5\r\nhello\r\n"))),
        ("A18 early end in trailers", format!("{};close", chunked("5\r\nhello\r\n0\r\nX: y\r\n"))),
        ("A18 bad chunk size", format!("{};sleep:50;close", chunked("5\r\nhello\r\nzz\r\n0\r\n\r\n"))),
        (
            "A18 chunk size with bare LF",
            format!("{};sleep:50;close", chunked("5\r\nhello\r\n3\nabc\r\n0\r\n\r\n")),
        ),
        ("A18 chunk data too long", format!("{};sleep:50;close", chunked("5\r\nhelloXX\r\n0\r\n\r\n"))),
        ("A18 crash in the body", format!("{};sleep:50;abort", chunked("5\r\nhello\r\n"))),
        (
            "A18 shorter than its length",
            format!("{};sleep:50;close", raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")),
        ),
        (
            "A18 reset before its length",
            format!("{};sleep:50;reset", raw("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")),
        ),
    ];
    let mut all: Vec<Row> =
        rows.into_iter().map(|(name, script)| get(name, script, Expect::GatewayOrAbort)).collect();
    let line = hex::encode(b"X-Trailer: evilevilevilevilevilevilevilevilevil\r\n");
    all.push(get(
        "A18 trailer flood",
        format!("{};repeat:200000:{line};{}", chunked("5\r\nhello\r\n0\r\n"), raw("\r\n")),
        Expect::Abort,
    ));
    all
}

fn informational() -> Vec<Row> {
    let one = hex::encode(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    let good = raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    vec![
        get("A18 1xx flood", format!("repeat:100000:{one};{good}"), Expect::GatewayOrAbort),
        get("nine informational responses", format!("repeat:9:{one};{good}"), Expect::GatewayOrAbort),
        get("eight informational responses", format!("repeat:8:{one};{good}"), Expect::Whole(200, "hello")),
        get(
            "HTTP/1.0 with a length",
            raw("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
            Expect::Whole(200, "hello"),
        ),
        get(
            "no reason phrase",
            raw("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello"),
            Expect::Whole(200, "hello"),
        ),
        get(
            "status 299",
            raw("HTTP/1.1 299 Odd\r\nContent-Length: 5\r\n\r\nhello"),
            Expect::Whole(299, "hello"),
        ),
        get("status 204", raw("HTTP/1.1 204 No Content\r\n\r\n"), Expect::Whole(204, "")),
        get("status 304", raw("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"), Expect::Whole(304, "")),
        get(
            "A18 304 with the length of the whole",
            raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
            Expect::Whole(304, ""),
        ),
        get(
            "a response byte by byte",
            format!(
                "trickle:1:{}",
                hex::encode(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
                )
            ),
            Expect::Whole(200, "hello"),
        ),
        Row {
            name: "HEAD with a length".to_owned(),
            script: raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
            method: "HEAD",
            expect: Expect::Whole(200, ""),
        },
        Row {
            name: "HEAD with chunked".to_owned(),
            script: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            method: "HEAD",
            expect: Expect::Whole(200, ""),
        },
    ]
}

fn check(row: &Row, server: &Server, record: &Record) -> Outcome {
    // The app runs before the row begins, so that a failed response is never a failed start.
    ensure!(server.get("/first")?.status == 200, "the app does not run");
    let mut client = server.client()?;
    client.send(format!("{} /row HTTP/1.1\r\nHost: a\r\nX-Puppet: {}\r\n\r\n", row.method, row.script))?;
    match row.expect {
        Expect::Gateway => gateway(&client.response_to(row.method)?)?,
        Expect::GatewayOrAbort | Expect::Abort => never_whole(&mut client)?,
        Expect::Whole(status, body) => whole(&mut client, row.method, status, body)?,
    }
    let mut other = server.client()?;
    let next = other.get("/next").context("the next request")?;
    ensure!(next.value("target").as_deref() == Some("/next"), "the next request got {}", next.describe());
    let sent = record.requests().iter().filter(|request| request.target() == "/row").count();
    // A method that is safe (RFC 9110 §9.2.1) may be sent once more when nothing at all came back.
    let most = if row.method == "POST" || !row.silent() { 1 } else { 2 };
    ensure!((1..=most).contains(&sent), "the request was sent {sent} times");
    Ok(())
}

fn gateway(response: &e2e::Response) -> Outcome {
    ensure!(response.status == 502 && response.end == End::Complete, "not our 502: {}", response.describe());
    let text = format!("{}{}", String::from_utf8_lossy(&response.head), response.text()).to_ascii_lowercase();
    ensure!(!text.contains("evil"), "bytes of the bad response came through: {}", response.describe());
    Ok(())
}

fn never_whole(client: &mut Client) -> Outcome {
    let Ok(response) = client.response() else { return Ok(()) };
    ensure!(
        response.status == 502 || response.end == End::Cut,
        "a bad response came whole: {}",
        response.describe()
    );
    Ok(())
}

fn whole(client: &mut Client, method: &str, status: u16, body: &str) -> Outcome {
    let response = client.response_to(method)?;
    ensure!(response.status == status, "{}", response.describe());
    ensure!(response.end == End::Complete && response.text() == body, "{}", response.describe());
    pause(20);
    let next = client.get("/same").context("the next request on the same connection")?;
    ensure!(next.value("target").as_deref() == Some("/same"), "{}", next.describe());
    Ok(())
}

/// The connection ends, without anything more.
pub(crate) fn closed(client: &mut Client) -> Outcome {
    let (rest, ending) = client.ending(clock::seconds(5));
    ensure!(
        rest.is_empty() && ending != Ending::Open,
        "{ending:?} after {:?}",
        String::from_utf8_lossy(&rest)
    );
    Ok(())
}
