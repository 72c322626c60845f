//! Event streams have no end of their own: when their app goes, they end between two events, as whole.

use e2e::clock::seconds;
use e2e::server::serve_folder;
use e2e::{Client, Context as _, Ending, Folder, Need, Options, Outcome, Puppet, Record, Server, Suite};
use e2e::{ensure, now, pause, process};

use super::{raw, with_script};

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
/// As EventSource asks.
const ASKS: &str = "Accept: text/event-stream\r\n";

type Test = fn(&Folder, &Server, &Record) -> Outcome;

pub(super) fn add(suite: Suite) -> Suite {
    let tests: &[(&'static str, Test)] = &[
        ("an event stream ends between two events when its app goes, and the connection stays", between),
        ("an event stream without chunks ends by closing", without_chunks),
        ("an event stream that has sent no event yet ends too", silent),
        ("an event stream that says it is not compressed ends too", identity),
        ("an event stream ends when its app is replaced, and comes back to the next one", recycled),
        ("what is no event stream, or was not asked for as one, goes on", others),
    ];
    let suite = tests.iter().fold(suite, |suite, (name, test)| {
        let test = *test;
        suite.test(*name, move || {
            let folder = Puppet::new().folder()?;
            serve_folder(&folder, &Options::new(folder.path()), |server, record| {
                test(&folder, server, record)
            })
        })
    });
    suite
        .test("an event under way arrives whole before its stream ends", under_way)
        .test("SIGTERM ends event streams between two events once the drain is over", sigterm)
        .needing("an event stream of a .NET app ends whole, and the app hears of it", &[Need::Dotnet], dotnet)
}

fn chunk(text: &str) -> String {
    raw(&format!("{:x}\r\n{text}\r\n", text.len()))
}

fn open(server: &Server, lines: &str, orders: &str) -> Outcome<Client> {
    let mut client = server.client()?;
    client.send(format!("GET /sse HTTP/1.1\r\nHost: a\r\n{lines}X-Puppet: {orders}\r\n\r\n"))?;
    Ok(client)
}

fn take_offline(folder: &Folder) -> Outcome {
    folder.write("app_offline.htm", "offline").map(drop)
}

fn next(client: &mut Client) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&client.chunk(now() + seconds(10))?).into_owned())
}

fn between(folder: &Folder, server: &Server, record: &Record) -> Outcome {
    let mut client = open(server, ASKS, &format!("{};sse:3:1;hang", raw(CHUNKED)))?;
    client.final_head()?;
    for number in 1..=3 {
        ensure!(next(&mut client)? == format!("id: {number}\ndata: {number}\n\n"), "event {number}");
    }
    record.wait_count("hanging", 1, seconds(5))?;
    take_offline(folder)?;
    ensure!(next(&mut client).context("no end")?.is_empty(), "more than three events");
    // Whether it hears of the end before SIGTERM ends it is a race; its stop alone says that nothing holds it any more.
    server.wait_output("shut down process", seconds(5)).context("the app was not let go")?;
    let after = client.get("/after")?;
    ensure!(after.status == 503, "{}", after.describe());
    Ok(())
}

/// The rest of it is sent when the thread that has both streams has ended the other one.
fn under_way() -> Outcome {
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--threads").arg("1");
    let go = process::text(&folder.path().join("go"));
    serve_folder(&folder, &options, |server, _| {
        let (half, rest) = (chunk("data: half"), chunk(" of it\r\n\r\ndata: lost"));
        let mut client = open(server, ASKS, &format!("{};{half};await:{go};{rest};hang", raw(CHUNKED)))?;
        client.final_head()?;
        ensure!(next(&mut client)? == "data: half", "the first half");
        let mut other = open(server, ASKS, &format!("{};hang", raw(CHUNKED)))?;
        other.final_head()?;
        take_offline(&folder)?;
        ensure!(next(&mut other).context("no end of the other")?.is_empty(), "an event");
        folder.write("go", "")?;
        ensure!(next(&mut client)? == " of it\r\n\r\n", "not the rest of the event");
        ensure!(next(&mut client)?.is_empty(), "no end behind it");
        Ok(())
    })
}

fn without_chunks(folder: &Folder, server: &Server, record: &Record) -> Outcome {
    let plain = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\ndata: 1\n\n";
    let counted = plain.replacen("\r\n", "\r\nContent-Length: 1000\r\n", 1);
    let mut old = server.client()?;
    old.send(format!("GET /sse HTTP/1.0\r\nHost: a\r\n{ASKS}X-Puppet: {};hang\r\n\r\n", raw(plain)))?;
    let mut client = open(server, ASKS, &format!("{};hang", raw(&counted)))?;
    record.wait_count("hanging", 2, seconds(5))?;
    for client in [&mut old, &mut client] {
        client.final_head()?;
        ensure!(client.exactly(9)? == b"data: 1\n\n", "the event");
    }
    take_offline(folder)?;
    for client in [&mut old, &mut client] {
        let (rest, ending) = client.ending(seconds(10));
        ensure!(rest.is_empty() && ending == Ending::Fin, "{rest:?} and {ending:?}");
    }
    Ok(())
}

/// As SignalR sends it: `Content-Encoding: identity`, and an empty event first.
fn identity(folder: &Folder, server: &Server, record: &Record) -> Outcome {
    let said = CHUNKED.replacen("\r\n", "\r\nContent-Encoding: Identity\r\n", 1);
    let mut client = open(server, ASKS, &format!("{};{};hang", raw(&said), chunk("\r\n")))?;
    let head = client.final_head()?;
    ensure!(head.field("Content-Encoding") == Some("Identity"), "it is not passed on");
    ensure!(next(&mut client)? == "\r\n", "no first event");
    record.wait_count("hanging", 1, seconds(5))?;
    take_offline(folder)?;
    ensure!(next(&mut client).context("no end")?.is_empty(), "more than one event");
    server.wait_output("shut down process", seconds(5)).context("the app was not let go")
}

fn silent(folder: &Folder, server: &Server, record: &Record) -> Outcome {
    let mut client = open(server, ASKS, &format!("{};hang", raw(CHUNKED)))?;
    client.final_head()?;
    record.wait_count("hanging", 1, seconds(5))?;
    take_offline(folder)?;
    ensure!(next(&mut client).context("no end")?.is_empty(), "an event");
    Ok(())
}

fn recycled(folder: &Folder, server: &Server, record: &Record) -> Outcome {
    let orders = format!("{};sse:2:1;hang", raw(CHUNKED));
    let mut client = open(server, ASKS, &orders)?;
    client.final_head()?;
    record.wait_count("hanging", 1, seconds(5))?;
    folder.replace("web.config", "</configuration>", "</configuration>\n")?;
    for number in 1..=2 {
        ensure!(next(&mut client)? == format!("id: {number}\ndata: {number}\n\n"), "event {number}");
    }
    let end = client.chunk(now() + seconds(10)).context("no end")?;
    ensure!(end.is_empty(), "more than two events: {end:?}");
    client.send(format!("GET /again HTTP/1.1\r\nHost: a\r\n{ASKS}X-Puppet: {orders}\r\n\r\n"))?;
    client.final_head().context("no second stream")?;
    let pids: Vec<u32> = record.requests().iter().map(|request| request.pid).collect();
    ensure!(matches!(pids[..], [one, other] if one != other), "{pids:?}");
    Ok(())
}

/// Each goes on for a second; an answer that is not whole must never look so.
fn others(folder: &Folder, server: &Server, record: &Record) -> Outcome {
    let plain = CHUNKED.replace("text/event-stream", "text/plain");
    let packed = CHUNKED.replacen("\r\n", "\r\nContent-Encoding: gzip\r\n", 1);
    let end = format!("{};sleep:1500;{};{}", chunk("data: 1\n\n"), chunk("data: 2\n\n"), raw("0\r\n\r\n"));
    let mut clients = Vec::new();
    for (name, method, lines, head) in [
        ("without Accept", "GET", "", CHUNKED),
        ("to POST", "POST", ASKS, CHUNKED),
        ("text/plain", "GET", ASKS, plain.as_str()),
        ("compressed", "GET", ASKS, packed.as_str()),
    ] {
        let mut client = server.client()?;
        let orders = format!("{};{end}", raw(head));
        client.send(format!("{method} /sse HTTP/1.1\r\nHost: a\r\n{lines}X-Puppet: {orders}\r\n\r\n"))?;
        client.final_head()?;
        ensure!(next(&mut client)? == "data: 1\n\n", "{name}");
        clients.push((name, client));
    }
    take_offline(folder)?;
    for (name, mut client) in clients {
        ensure!(next(&mut client).context(name)? == "data: 2\n\n", "{name} was cut");
        ensure!(next(&mut client).context(name)?.is_empty(), "{name}: no end");
    }
    ensure!(record.count("lost") == 0, "{}", record.describe());
    Ok(())
}

fn sigterm() -> Outcome {
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--drain-timeout").arg("1");
    serve_folder(&folder, &options, |server, _| {
        let mut client = open(server, ASKS, &format!("{};sse:2:1;hang", raw(CHUNKED)))?;
        let mut cut = server.client()?;
        let half = format!("{};{};hang", raw(CHUNKED), chunk("data: half"));
        cut.send(with_script("/half", &half))?;
        client.final_head()?;
        for number in 1..=2 {
            ensure!(next(&mut client)? == format!("id: {number}\ndata: {number}\n\n"), "event {number}");
        }
        cut.final_head()?;
        ensure!(next(&mut cut)? == "data: half", "half an event");
        server.signal(rustix::process::Signal::TERM)?;
        ensure!(next(&mut client).context("no end")?.is_empty(), "more than two events");
        let (rest, ending) = cut.ending(seconds(10));
        ensure!(rest.is_empty() && ending != Ending::Open, "half an event as a whole: {rest:?}, {ending:?}");
        ensure!(server.wait(seconds(15))?.code() == Some(0), "the exit code");
        Ok(())
    })
}

fn dotnet() -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        server.get("/probe")?;
        let mut client = server.client()?;
        client.send(format!("GET /sse?n=1000&ms=50 HTTP/1.1\r\nHost: a\r\n{ASKS}\r\n"))?;
        client.final_head()?;
        ensure!(next(&mut client)?.starts_with("id: 1\n"), "the first event");
        pause(200);
        let start = now();
        take_offline(&folder)?;
        loop {
            let event = next(&mut client).context("no end")?;
            if event.is_empty() {
                break;
            }
            ensure!(event.starts_with("id: ") && event.ends_with("\n\n"), "{event:?}");
        }
        // Not with the app's own time for stopping, which would reset the connection.
        ensure!(start.elapsed() < seconds(5), "ended after {:?}", start.elapsed());
        ensure!(client.get("/after")?.status == 503, "the connection is unusable");
        server.wait_output("[1012]", seconds(5))
    })
}
