//! How the server ends: what is under way is finished, what has no end is ended, and the app is stopped in time.

use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::*;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .served("SIGTERM: a request under way completes", Puppet::new(), &[], completes)
        .served("SIGTERM: idle connections close at once", Puppet::new(), &[], idle)
        .served("SIGTERM: nobody new is accepted", Puppet::new(), &[], nobody_new)
        .served(
            "SIGTERM: endless streams end after the drain timeout",
            Puppet::new(),
            &["--drain-timeout", "1"],
            streams,
        )
        .served("a second SIGTERM stops now", Puppet::new(), &[], second)
        .test("an app that ignores SIGTERM is killed at shutdownTimeLimit", deaf)
        .test("SIGTERM reaches the whole group behind sh", group)
        .test("SIGTERM during a start", starting)
        .test("SIGTERM: who waits for a start is told when the drain timeout is over", waiting)
        .needing("SIGTERM with a 5 s request, an SSE stream and a WebSocket open", &[Need::Dotnet], all_three)
}

fn slow(server: &Server, record: &Record, milliseconds: u64) -> Outcome<e2e::Client> {
    let answer = e2e::puppet::hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let mut client = server.client()?;
    client.send(format!(
        "GET /slow HTTP/1.1\r\nHost: a\r\nX-Puppet: sleep:{milliseconds};raw:{answer}\r\n\r\n"
    ))?;
    record.wait_request("/slow", seconds(10))?;
    Ok(client)
}

fn ends(server: &mut Server, limit: Duration) -> Outcome {
    let status = server.wait(limit)?;
    ensure!(status.code() == Some(0), "ended with {status}");
    Ok(())
}

fn completes(server: &mut Server, record: &Record) -> Outcome {
    let mut client = slow(server, record, 1500)?;
    server.signal(Signal::TERM)?;
    let response = client.response()?;
    ensure!(response.status == 200 && response.text() == "hello", "{}", response.describe());
    ensure!(response.closes(), "no Connection: close in {}", response.describe());
    ends(server, seconds(5))
}

fn idle(server: &mut Server, _: &Record) -> Outcome {
    let mut used = server.client()?;
    ensure!(used.get("/x")?.status == 200, "no answer");
    let mut fresh = server.client()?;
    e2e::pause(100);
    let start = now();
    server.signal(Signal::TERM)?;
    for client in [&mut used, &mut fresh] {
        let (rest, ending) = client.ending(seconds(5));
        ensure!(rest.is_empty() && ending != e2e::Ending::Open, "{ending:?} after {rest:?}");
    }
    ends(server, seconds(5))?;
    ensure!(start.elapsed() < seconds(4), "took {:?}", start.elapsed());
    Ok(())
}

fn nobody_new(server: &mut Server, record: &Record) -> Outcome {
    let folder = e2e::Folder::empty()?;
    let go = folder.path().join("go");
    let answer = e2e::puppet::hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let mut client = server.client()?;
    let orders = format!("await:{};raw:{answer}", process::text(&go));
    client.send(format!("GET /slow HTTP/1.1\r\nHost: a\r\nX-Puppet: {orders}\r\n\r\n"))?;
    record.wait_request("/slow", seconds(10))?;
    server.signal(Signal::TERM)?;
    wait_for("refused connections", seconds(10), || server.client().is_err().then_some(()))?;
    std::fs::write(&go, "")?;
    ensure!(client.response()?.text() == "hello", "the request was cut");
    ends(server, seconds(5))
}

fn streams(server: &mut Server, record: &Record) -> Outcome {
    let head = e2e::puppet::hex::encode(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut client = server.client()?;
    client.send(format!("GET /sse HTTP/1.1\r\nHost: a\r\nX-Puppet: raw:{head};sse:600:100\r\n\r\n"))?;
    client.final_head()?;
    record.wait_request("/sse", seconds(5))?;
    let start = now();
    server.signal(Signal::TERM)?;
    let (rest, ending) = client.ending(seconds(10));
    ensure!(ending != e2e::Ending::Open, "the stream goes on");
    ensure!(!rest.ends_with(b"\r\n0\r\n\r\n"), "the stream ended as if it were whole");
    ensure!(start.elapsed() > seconds(1) / 2, "cut before the drain timeout");
    ends(server, seconds(5))?;
    ensure!(server.output().contains("1 of them"), "the cut request is not told");
    Ok(())
}

fn second(server: &mut Server, record: &Record) -> Outcome {
    let _client = slow(server, record, 20_000)?;
    server.signal(Signal::TERM)?;
    // Two signals at once are one.
    server.wait_output("SIGTERM", seconds(10))?;
    server.signal(Signal::TERM)?;
    ends(server, seconds(8))
}

fn deaf() -> Outcome {
    let puppet = Puppet::new()
        .through("/bin/sh", "-c \"trap '' TERM; exec '{puppet}'\"")
        .attribute("shutdownTimeLimit", "2");
    serve(&puppet, &[], |server, _| {
        let pid = app(server)?;
        let start = now();
        server.signal(Signal::TERM)?;
        ends(server, seconds(10))?;
        let took = start.elapsed();
        ensure!(took > Duration::from_millis(1800) && took < seconds(6), "took {took:?}");
        ensure!(process::living(pid).is_none(), "the app still runs");
        Ok(())
    })
}

fn group() -> Outcome {
    let puppet = Puppet::new().through("/bin/sh", "-c \"'{puppet}'; true\"");
    serve(&puppet, &[], |server, _| {
        let pid = app(server)?;
        let start = now();
        server.signal(Signal::TERM)?;
        ends(server, seconds(8))?;
        ensure!(process::living(pid).is_none(), "the app still runs");
        ensure!(start.elapsed() < seconds(5), "SIGTERM did not reach it: {:?}", start.elapsed());
        Ok(())
    })
}

fn starting() -> Outcome {
    serve(&Puppet::new().variable("PUPPET_START_DELAY", "20000"), &[], |server, record| {
        let mut client = server.client()?;
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")?;
        record.wait_count("start", 1, seconds(5))?;
        server.signal(Signal::TERM)?;
        // Two signals at once are one.
        server.wait_output("SIGTERM", seconds(10))?;
        server.signal(Signal::TERM)?;
        ends(server, seconds(8))?;
        let pid = record.starts().first().context("no start")?.pid;
        ensure!(process::living(pid).is_none(), "the app still runs");
        Ok(())
    })
}

fn waiting() -> Outcome {
    let folder = Puppet::new().variable("PUPPET_START_DELAY", "20000").folder()?;
    let options = Options::new(folder.path()).arg("--drain-timeout").arg("1");
    serve_folder(&folder, &options, |server, record| {
        let mut client = server.client()?;
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")?;
        record.wait_count("start", 1, seconds(5))?;
        let start = now();
        server.signal(Signal::TERM)?;
        let response = client.response()?;
        ensure!(response.status == 503 && response.closes(), "{}", response.describe());
        // What is still open three seconds later is dropped, answered or not.
        ensure!(start.elapsed() < Duration::from_millis(3500), "took {:?}", start.elapsed());
        ends(server, seconds(5))
    })
}

/// The WebSocket and the stream would keep a .NET app for 30 s; the server ends them first.
fn all_three() -> Outcome {
    let folder = e2e::folder::Folder::app("probe")?;
    let options = Options::new(folder.path()).dotnet()?.arg("--drain-timeout").arg("6");
    serve_folder(&folder, &options, |server, _| {
        server.get("/probe")?;
        let mut long = server.client()?;
        long.send("GET /slow?ms=5000 HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let mut events = server.client()?;
        events.send("GET /sse?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n")?;
        events.final_head()?;
        let mut upgraded = server.client()?;
        upgraded.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}\r\n"))?;
        ensure!(upgraded.final_head()?.status == 101, "no WebSocket");
        let (stream, early) = upgraded.into_parts();
        stream.set_read_timeout(Some(seconds(20)))?;
        let mut socket = WebSocket::from_partially_read(stream, early, Role::Client, None);
        // Nothing shows that the first one is in the app, but time.
        e2e::pause(1000);
        let start = now();
        server.signal(Signal::TERM)?;
        let response = long.response()?;
        ensure!(response.status == 200 && response.text().contains("slept 5000"), "{}", response.describe());
        match socket.read()? {
            Message::Close(Some(frame)) => ensure!(u16::from(frame.code) == 1001, "closed with {frame:?}"),
            other => e2e::fail!("not a close frame: {other:?}"),
        }
        let (_, ending) = events.ending(seconds(5));
        ensure!(ending != e2e::Ending::Open, "the stream goes on");
        ends(server, seconds(15))?;
        ensure!(start.elapsed() < seconds(12), "took {:?}", start.elapsed());
        Ok(())
    })
}
