//! Promise: nothing is collected on the way: bytes go on as they come, in both directions, in little memory.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::puppet::hex::{self, Hash};
use e2e::server::serve_folder;
use e2e::{Check, Client, Context as _, End, Need, Options, Outcome, Puppet, Record, Server, Suite};
use e2e::{ensure, now, process, wait_for};

#[path = "streaming/crowd.rs"]
mod crowd;
#[path = "streaming/early.rs"]
mod early;
#[path = "streaming/ends.rs"]
mod ends;

/// What a stream of any length may add to the server's memory.
const GROWTH: u64 = 8 * 1024 * 1024;
const MANY: u64 = 64 * 1024 * 1024;
const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn main() -> ExitCode {
    let checks: &[(&str, Check)] = &[
        ("server-sent events arrive one by one", events),
        ("an upload reaches the app as it is sent", upload_streams),
        ("a client that is gone is gone for the app within a second", gone),
        ("a client's FIN with a request in flight counts as gone", half_closed),
        ("a client gone in the middle of its body never makes a whole request", gone_in_body),
        ("a client gone in the middle of a download frees the app", gone_in_download),
        ("a reader that stalls holds the app back", backpressure_down),
        ("an app that stalls holds the writer back", backpressure_up),
        ("Expect: 100-continue relays the app's 100", expect_relayed),
        ("Expect: 100-continue and an early refusal", expect_refused),
        ("a download keeps memory small", download_memory),
        ("pipelined requests are answered in order", pipelined),
    ];
    let suite = checks
        .iter()
        .fold(Suite::new(), |suite, (name, check)| suite.served(name, Puppet::new(), &[], *check));
    let suite = suite
        .served("an upload by length keeps memory small", roomy(), &[], |server, record| {
            upload(server, record, false)
        })
        .served("an app that reads slowly is not late", timed(), &[], slow_app)
        .served("an upload in chunks keeps memory small", roomy(), &[], |server, record| {
            upload(server, record, true)
        })
        .needing("RequestAborted fires in a .NET app within a second", &[Need::Dotnet], aborted)
        .needing("server-sent events of a .NET app arrive one by one", &[Need::Dotnet], dotnet_events);
    early::add(crowd::add(ends::add(suite))).run()
}

fn roomy() -> Puppet {
    Puppet::new().body_limit(4_294_967_295)
}

fn timed() -> Puppet {
    Puppet::new().attribute("requestTimeout", "00:00:05")
}

fn with_script(path: &str, orders: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Puppet: {orders}\r\n\r\n")
}

fn raw(text: &str) -> String {
    format!("raw:{}", hex::encode(text.as_bytes()))
}

/// The app sends each when the one before is here.
fn events(server: &mut Server, _: &Record) -> Outcome {
    let folder = Folder::empty()?;
    let text = |number: u32| format!("id: {number}\ndata: {number}\n\n");
    let mut orders =
        raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for number in 1..=10 {
        let event = text(number);
        let go = process::text(&folder.path().join(number.to_string()));
        write!(orders, ";await:{go};{}", raw(&format!("{:x}\r\n{event}\r\n", event.len())))?;
    }
    let mut client = server.client()?;
    client.send(with_script("/sse", &format!("{orders};{}", raw("0\r\n\r\n"))))?;
    client.final_head()?;
    for number in 1..=10 {
        folder.write(&number.to_string(), "")?;
        let event = client.chunk(now() + seconds(20)).context(format!("event {number}"))?;
        ensure!(event == text(number).as_bytes(), "event {number} is {:?}", String::from_utf8_lossy(&event));
    }
    ensure!(client.chunk(now() + seconds(20))?.is_empty(), "more than ten events");
    Ok(())
}

fn upload_streams(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")?;
    ensure!(client.final_head()?.status == 200, "no head before the body's end");
    for word in ["first", "again", "third"] {
        let echo = client.chunk(now() + seconds(5)).context(word)?;
        ensure!(echo == word.as_bytes(), "{:?}", String::from_utf8_lossy(&echo));
        match word {
            "first" => client.send("5\r\nagain\r\n")?,
            "again" => client.send("5\r\nthird\r\n")?,
            _ => client.send("0\r\n\r\n")?,
        }
    }
    ensure!(client.chunk(now() + seconds(5))?.is_empty(), "no end");
    Ok(())
}

fn hanging(server: &Server, record: &Record, count: usize) -> Outcome<Client> {
    let mut client = server.client()?;
    client.send(with_script("/hang", "hang"))?;
    record.wait_count("hanging", count, seconds(10))?;
    Ok(client)
}

/// Takes the time of something that takes less than a second, up to five times: once is enough, since a machine that
/// does something else for a moment makes it slower, and nothing makes it faster.
fn within_a_second(mut attempt: impl FnMut() -> Outcome<Duration>) -> Outcome {
    let mut took = Vec::new();
    while took.len() < 5 {
        took.push(attempt()?);
        if took.iter().any(|one| *one < seconds(1)) {
            return Ok(());
        }
    }
    e2e::fail!("it took {took:?}")
}

/// How long the app waits to be told, once a client that it answers has done this.
fn leaving(server: &Server, record: &Record, leave: fn(Client) -> Outcome<Option<Client>>) -> Outcome {
    let mut number = 0;
    within_a_second(|| {
        number += 1;
        let client = hanging(server, record, number)?;
        let start = now();
        let _kept = leave(client)?;
        record.wait_count("left", number, seconds(10)).context("the app was never told")?;
        Ok(start.elapsed())
    })
}

fn gone(server: &mut Server, record: &Record) -> Outcome {
    leaving(server, record, |_| Ok(None))?;
    ensure!(server.get("/after")?.status == 200, "no more answers");
    Ok(())
}

fn half_closed(server: &mut Server, record: &Record) -> Outcome {
    leaving(server, record, |client| {
        client.finish_sending()?;
        Ok(Some(client))
    })
}

fn gone_in_body(server: &mut Server, record: &Record) -> Outcome {
    for (path, head) in [
        ("/length", "Content-Length: 100\r\n\r\nshort"),
        ("/chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
    ] {
        let mut client = server.client()?;
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{head}"))?;
        record.wait_request(path, seconds(10))?;
        drop(client);
    }
    record.wait_count("body", 2, seconds(10)).context("the app waits for the rest")?;
    let whole = record.requests().iter().any(|one| one.body.as_ref().is_some_and(|body| body.complete));
    ensure!(!whole, "the app took a cut body for whole");
    Ok(())
}

fn gone_in_download(server: &mut Server, record: &Record) -> Outcome {
    let head = raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    let mut client = server.client()?;
    client.send(with_script("/big", &format!("{head};fill:1000000000")))?;
    client.final_head()?;
    client.exactly(100_000)?;
    drop(client);
    record.wait_count("lost", 1, seconds(10)).context("the app goes on writing")
}

/// Bytes that the app could write until now.
fn filled(record: &Record) -> usize {
    record.count("filled") * 64 * 1024
}

/// The server must not read what it cannot pass on; what lies between is the sockets' buffers.
fn backpressure_down(server: &mut Server, record: &Record) -> Outcome {
    server.get("/first")?;
    let before = process::resident(server.pid())?;
    let total = 256 * 1024 * 1024;
    let head = raw(&format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n"));
    let mut client = server.client()?;
    client.send(with_script("/big", &format!("{head};fill:{total}")))?;
    client.final_head()?;
    let mut last = usize::MAX;
    wait_for("the app to be held back", seconds(20), || {
        let at = filled(record);
        let still = at == last;
        last = at;
        e2e::pause(400);
        still.then_some(())
    })?;
    ensure!(last < total / 2, "{last} bytes were taken from the app while nobody read");
    let growth = process::resident(server.pid())?.saturating_sub(before);
    ensure!(growth < GROWTH, "memory grew by {growth} bytes");
    Ok(())
}

fn backpressure_up(server: &mut Server, record: &Record) -> Outcome {
    server.get("/first")?;
    let before = process::resident(server.pid())?;
    let mut client = server.client()?;
    client.send(format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 29000000\r\nX-Puppet: early;sleep:3000;read;{}\r\n\r\n",
        raw(HELLO)
    ))?;
    record.wait_request("/up", seconds(10))?;
    let mut stream = client.stream().try_clone()?;
    stream.set_write_timeout(Some(seconds(30)))?;
    let writing = std::thread::spawn(move || -> Outcome {
        let block = vec![b'x'; 1_000_000];
        for _ in 0..29 {
            stream.write_all(&block)?;
        }
        Ok(())
    });
    e2e::pause(1500);
    let growth = process::resident(server.pid())?.saturating_sub(before);
    ensure!(growth < GROWTH, "memory grew by {growth} bytes");
    let response = client.response()?;
    ensure!(response.text() == "hello", "{}", response.describe());
    writing.join().ok().context("the writer panicked")??;
    let length =
        record.requests().iter().find_map(|one| one.body.as_ref().map(|body| body.length).filter(|l| *l > 0));
    ensure!(length == Some(29_000_000), "the app got {length:?} bytes");
    Ok(())
}

/// Megabytes wait in the sockets' buffers, and no write of the server goes on until a third of them is read: longer than
/// requestTimeout, in which the app reads all the time.
fn slow_app(server: &mut Server, _: &Record) -> Outcome {
    server.get("/first")?;
    let length = 12_000_000;
    let mut client = server.client()?.patience(seconds(60));
    client.send(format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nX-Puppet: early;sip:22:500;{}\r\n\r\n",
        raw(HELLO)
    ))?;
    client.send(vec![b'x'; length])?;
    let response = client.response()?;
    ensure!(response.status == 200 && response.text() == "hello", "{}", response.describe());
    Ok(())
}

/// The 100 is the app's: it comes when the app reads, not before.
fn expect_relayed(server: &mut Server, record: &Record) -> Outcome {
    server.get("/first")?;
    let go = raw("HTTP/1.1 100 Continue\r\n\r\n");
    let mut client = server.client()?;
    let start = now();
    client.send(format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\
         X-Puppet: early;sleep:500;{go};read;{}\r\n\r\n",
        raw(HELLO)
    ))?;
    let head = client.head(start + seconds(5))?;
    ensure!(head.starts_with(b"HTTP/1.1 100"), "{:?}", String::from_utf8_lossy(&head));
    ensure!(start.elapsed() > Duration::from_millis(400), "a 100 of our own, after {:?}", start.elapsed());
    client.send("hello")?;
    ensure!(client.response()?.text() == "hello", "no answer");
    let request = record.wait_request("/up", seconds(1))?;
    ensure!(request.values("Expect") == ["100-continue"], "{:?}", request.lines());
    ensure!(client.get("/next")?.status == 200, "the connection is unusable");
    Ok(())
}

/// The body is never sent, so nothing that follows may be taken for it.
fn expect_refused(server: &mut Server, record: &Record) -> Outcome {
    let refusal =
        raw("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nhello");
    let mut client = server.client()?;
    client.send(format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\
         X-Puppet: early;{refusal};hang\r\n\r\n"
    ))?;
    let response = client.response()?;
    ensure!(response.status == 401 && response.informational.is_empty(), "{}", response.describe());
    record.wait_count("left", 1, seconds(5)).context("the upstream connection stayed open")?;
    ensure!(server.get("/next")?.status == 200, "no more answers");
    Ok(())
}

/// Runs a transfer and watches the server's memory meanwhile.
fn small_memory(server: &Server, transfer: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let before = process::resident(server.pid())?;
    let running = std::thread::spawn(transfer);
    let mut most = before;
    while !running.is_finished() {
        most = most.max(process::resident(server.pid())?);
        e2e::pause(10);
    }
    running.join().ok().context("the transfer panicked")??;
    let growth = most.saturating_sub(before);
    ensure!(growth < GROWTH, "memory grew by {growth} bytes from {before}");
    Ok(())
}

fn download_memory(server: &mut Server, _: &Record) -> Outcome {
    server.get("/first")?;
    let mut client = server.client()?;
    let head = raw(&format!("HTTP/1.1 200 OK\r\nContent-Length: {MANY}\r\n\r\n"));
    client.send(with_script("/big", &format!("{head};fill:{MANY}")))?;
    client.final_head()?;
    small_memory(server, move || {
        let (mut stream, early) = client.into_parts();
        stream.set_read_timeout(Some(seconds(20)))?;
        let mut block = vec![0; 256 * 1024];
        let mut left = MANY - early.len() as u64;
        while left > 0 {
            let count = stream.read(&mut block)?;
            ensure!(count > 0, "ended {left} bytes too early");
            left -= count as u64;
        }
        Ok(())
    })
}

fn upload(server: &Server, record: &Record, chunked: bool) -> Outcome {
    server.get("/first")?;
    let mut client = server.client()?.patience(seconds(60));
    let block: Vec<u8> = (0..=255_u8).cycle().take(64 * 1024).collect();
    let mut hash = Hash::default();
    let blocks = MANY / block.len() as u64;
    for _ in 0..blocks {
        hash.update(&block);
    }
    let framing =
        if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {MANY}") };
    client.send(format!("POST /up HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"))?;
    small_memory(server, move || {
        for _ in 0..blocks {
            if chunked {
                client.send([format!("{:x}\r\n", block.len()).as_bytes(), &block, b"\r\n"].concat())?;
            } else {
                client.send(&block)?;
            }
        }
        if chunked {
            client.send("0\r\n\r\n")?;
        }
        let response = client.response()?;
        ensure!(response.status == 200 && response.end == End::Complete, "{}", response.describe());
        Ok(())
    })?;
    let body = record.wait_request("/up", seconds(1))?.body.context("no body")?;
    ensure!(
        body.length == MANY && body.hash == hash.value() && body.complete,
        "{} bytes arrived",
        body.length
    );
    Ok(())
}

fn pipelined(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    let mut all = String::new();
    for number in 0..100 {
        all += &format!("POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    }
    client.send(all)?;
    for number in 0..100 {
        let response = client.response().context(format!("response {number}"))?;
        ensure!(response.value("target") == Some(format!("/{number}")), "{number}: {}", response.describe());
    }
    let seen: Vec<String> = record.requests().iter().map(e2e::Request::target).collect();
    let wanted: Vec<String> = (0..100).map(|number| format!("/{number}")).collect();
    ensure!(seen == wanted, "{seen:?}");
    Ok(())
}

/// How many tokens fired, and how many requests are under way.
fn counts(server: &Server) -> Outcome<(u64, u64)> {
    let response = server.get("/aborted-count")?;
    let report: serde_json::Value = serde_json::from_slice(&response.body).context(response.describe())?;
    let count = |name: &str| report.get(name).and_then(serde_json::Value::as_u64).context("no count");
    Ok((count("aborted")?, count("active")?))
}

fn aborted() -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        ensure!(counts(server)? == (0, 0), "aborted already");
        let mut fired = 0;
        for _ in 0..3 {
            within_a_second(|| {
                let mut client = server.client()?;
                client.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")?;
                wait_for("the request", seconds(20), || (counts(server).ok()? == (fired, 1)).then_some(()))?;
                let start = now();
                drop(client);
                wait_for("RequestAborted", seconds(10), || (counts(server).ok()?.0 > fired).then_some(()))?;
                let took = start.elapsed();
                fired += 1;
                wait_for("its end", seconds(10), || (counts(server).ok()? == (fired, 0)).then_some(()))?;
                Ok(took)
            })?;
        }
        Ok(())
    })
}

fn dotnet_events() -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        server.get("/probe")?;
        let mut client = server.client()?;
        client.send("GET /sse?n=10&ms=400 HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let head = client.final_head()?;
        ensure!(head.field("Content-Type") == Some("text/event-stream"), "{}", head.describe());
        let mut times = Vec::new();
        for number in 1..=10 {
            let event = client.chunk(now() + seconds(20)).context(format!("event {number}"))?;
            let text = String::from_utf8_lossy(&event).into_owned();
            ensure!(text.starts_with(&format!("id: {number}\n")), "event {number} is {text:?}");
            times.push(now());
        }
        one_by_one(&times)
    })
}

/// Things sent 400 ms apart, collected anywhere on the way, would arrive together: in pairs every other gap is lost.
fn one_by_one(times: &[std::time::Instant]) -> Outcome {
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
    let kept = gaps.iter().filter(|gap| **gap > Duration::from_millis(150)).count();
    ensure!(kept * 3 >= gaps.len() * 2, "{kept} of {} gaps were kept: {gaps:?}", gaps.len());
    Ok(())
}
