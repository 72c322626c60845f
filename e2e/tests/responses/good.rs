//! Responses that must come through, and what happens around them.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use e2e::{Check, Context as _, End, Folder, Outcome, Puppet, Record, Server, Suite};
use e2e::{clock, ensure, now, pause, process, serve, wait_for};

use super::{closed, raw};

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

pub(super) fn add(suite: Suite) -> Suite {
    let checks: &[(&str, Check)] = &[
        ("A18 bytes after a response never reach the next client", extra_bytes),
        ("A18 late bytes on an idle connection never become a response", late_bytes),
        ("A18 a body on HEAD, 204 and 304 never becomes a response", bodies_where_none),
        ("A18 200 to an Upgrade opens no tunnel", no_tunnel),
        ("A14 a 426 opens no tunnel", refused_upgrade),
        ("response fields: hop-by-hop ones go, every other line stays", fields),
        ("response trailers are dropped", trailers),
        ("a response until close ends as one", until_close),
        ("an HTTP/1.0 client gets no chunks", old_client),
        ("HTTP/1.0 keep-alive is kept", old_keep_alive),
        ("103 Early Hints comes before the answer", early_hints),
        ("A19 an early answer to a long upload arrives", early_answer),
        ("A19 an early answer never mixes with the next request", early_then_next),
        ("a closed idle connection is replaced without a failure", idle_closed),
    ];
    let suite = suite
        .test("an app that takes no connection is replaced, and who found out is served", || {
            serve(&Puppet::new(), &[], |server, record| deaf(server, record))
        });
    checks.iter().fold(suite, |suite, (name, check)| suite.served(name, idle(name), &[], *check))
}

/// The last check wants a backend that closes idle connections soon.
fn idle(name: &str) -> Puppet {
    if name.contains("idle connection is replaced") {
        Puppet::new().variable("PUPPET_IDLE", "150")
    } else {
        Puppet::new()
    }
}

fn script(orders: &str) -> String {
    format!("X-Puppet: {orders}\r\n")
}

/// Sends many requests over several connections; each must get its own answer.
fn every_answer_fits(server: &Server) -> Outcome {
    for round in 0..6 {
        let mut client = server.client()?;
        for number in 0..4 {
            let target = format!("/fits/{round}/{number}");
            let response = client.get(&target)?;
            ensure!(
                response.value("target").as_ref() == Some(&target),
                "{target} got {}",
                response.describe()
            );
        }
    }
    Ok(())
}

fn extra_bytes(server: &mut Server, _: &Record) -> Outcome {
    for _ in 0..5 {
        let mut client = server.client()?;
        let response = client.get_with(
            "/x",
            &script(&raw(format!("{HELLO}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))),
        )?;
        ensure!(response.text() == "hello", "{}", response.describe());
        let next = client.get("/same")?;
        ensure!(next.value("target").as_deref() == Some("/same"), "{}", next.describe());
        every_answer_fits(server)?;
    }
    Ok(())
}

fn late_bytes(server: &mut Server, record: &Record) -> Outcome {
    for round in 1..=3 {
        let late = raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        let response =
            server.client()?.get_with("/x", &script(&format!("{};sleep:50;{late};hang", raw(HELLO))))?;
        ensure!(response.text() == "hello", "{}", response.describe());
        // Bytes that come when the connection carries the next request are its answer for everybody.
        record.wait_count("hanging", round, clock::seconds(10))?;
        pause(100);
        every_answer_fits(server)?;
    }
    Ok(())
}

fn bodies_where_none(server: &mut Server, _: &Record) -> Outcome {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ] {
        let mut client = server.client()?;
        let orders = script(&raw(format!("{head}{evil}")));
        client.send(format!("{method} /x HTTP/1.1\r\nHost: a\r\n{orders}\r\n"))?;
        let response = client.response_to(method)?;
        ensure!(response.body.is_empty() && response.status != 502, "{}", response.describe());
        if let Ok(next) = client.get("/same") {
            ensure!(next.value("target").as_deref() == Some("/same"), "{}", next.describe());
        }
        every_answer_fits(server)?;
    }
    Ok(())
}

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn no_tunnel(server: &mut Server, record: &Record) -> Outcome {
    refused_with(server, record, HELLO, 200)
}

fn refused_upgrade(server: &mut Server, record: &Record) -> Outcome {
    let answer =
        "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 5\r\n\r\nhello";
    refused_with(server, record, answer, 426)
}

/// What the client sends behind a refused upgrade stays HTTP: it is parsed, and gets our lines.
fn refused_with(server: &Server, record: &Record, answer: &str, status: u16) -> Outcome {
    let mut client = server.client()?;
    let orders = script(&raw(answer));
    let behind = "GET /behind HTTP/1.1\r\nHost: a\r\nMS-ASPNETCORE-TOKEN: evil\r\n\r\n";
    client.send(format!("GET /up HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}{orders}\r\n{behind}"))?;
    let response = client.response()?;
    ensure!(response.status == status && response.text() == "hello", "{}", response.describe());
    // It may as well have been refused with the connection; it must not have been tunnelled.
    if let Ok(next) = client.response() {
        ensure!(next.value("target").as_deref() == Some("/behind"), "{}", next.describe());
    }
    let evil = record.requests().iter().any(|one| one.lines().iter().any(|line| line.contains("evil")));
    ensure!(!evil, "bytes behind a refused upgrade were tunnelled: {}", record.describe());
    Ok(())
}

fn fields(server: &mut Server, _: &Record) -> Outcome {
    let sent = "HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Hop\r\nX-Hop: evil\r\nProxy-Connection: evil\r\n\
                Transfer-Encoding: chunked\r\nTrailer: evil\r\nUpgrade: evil\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
                Vary: Accept\r\nVary: Cookie\r\nServer: probe\r\nX-Empty:\r\nVia: 1.1 x\r\n\
                WWW-Authenticate: Basic\r\nWWW-Authenticate: Bearer\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let response = server.client()?.get_with("/x", &script(&raw(sent)))?;
    ensure!(response.status == 200 && response.text() == "hello", "{}", response.describe());
    for (name, wanted) in [
        ("Set-Cookie", vec!["a=1", "b=2"]),
        ("Vary", vec!["Accept", "Cookie"]),
        ("WWW-Authenticate", vec!["Basic", "Bearer"]),
        ("Server", vec!["probe"]),
        ("X-Empty", vec![""]),
        ("Via", vec!["1.1 x"]),
        ("Proxy-Connection", vec![]),
        ("Trailer", vec![]),
    ] {
        let have: Vec<&str> = response.all(name).collect();
        ensure!(have == wanted, "{name} is {have:?}, not {wanted:?}: {}", response.describe());
    }
    ensure!(response.all("Date").count() <= 1, "{}", response.describe());
    Ok(())
}

fn trailers(server: &mut Server, _: &Record) -> Outcome {
    let sent =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: evil\r\n\r\n";
    let mut client = server.client()?;
    client.send(format!("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n", script(&raw(sent))))?;
    let (all, _) = client.ending(clock::seconds(5));
    let text = String::from_utf8_lossy(&all).into_owned();
    ensure!(text.ends_with("5\r\nhello\r\n0\r\n\r\n") && !text.contains("evil"), "{text:?}");
    Ok(())
}

/// Without framing FIN is the end; the client gets chunks, or a close of its own.
fn until_close(server: &mut Server, _: &Record) -> Outcome {
    let orders = script(&format!("{};sleep:50;{};close", raw("HTTP/1.1 200 OK\r\n\r\nhello "), raw("world")));
    let response = server.client()?.get_with("/x", &orders)?;
    ensure!(response.status == 200 && response.text() == "hello world", "{}", response.describe());
    ensure!(response.end != End::Cut, "{}", response.describe());
    every_answer_fits(server)
}

fn old_client(server: &mut Server, _: &Record) -> Outcome {
    let sent = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut client = server.client()?;
    client.send(format!("GET /x HTTP/1.0\r\nHost: a\r\n{}\r\n", script(&raw(sent))))?;
    let response = client.response()?;
    ensure!(response.all("Transfer-Encoding").count() == 0, "{}", response.describe());
    ensure!(response.status == 200 && response.text() == "hello", "{}", response.describe());
    ensure!(response.end == End::AtClose, "{}", response.describe());
    Ok(())
}

fn old_keep_alive(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    for number in 0..3 {
        client.send("GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")?;
        let response = client.response().context(format!("request {number}"))?;
        ensure!(response.status == 200, "{}", response.describe());
        ensure!(response.lists("Connection", "keep-alive"), "{}", response.describe());
    }
    client.send("GET /x HTTP/1.0\r\nHost: a\r\n\r\n")?;
    ensure!(client.response()?.status == 200, "the last one");
    closed(&mut client)
}

fn early_hints(server: &mut Server, _: &Record) -> Outcome {
    let folder = Folder::empty()?;
    let go = process::text(&folder.path().join("go"));
    let hints = raw("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
    let mut client = server.client()?;
    // The answer comes when the hints have arrived, so that whoever held them back would wait for ever.
    client.send(format!(
        "GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n",
        script(&format!("{hints};await:{go};{}", raw(HELLO)))
    ))?;
    let head = client.head(now() + clock::seconds(20)).context("the hints were held back")?;
    let text = String::from_utf8_lossy(&head).into_owned();
    ensure!(text.starts_with("HTTP/1.1 103") && text.contains("</a.css>"), "{text}");
    folder.write("go", "")?;
    ensure!(client.response()?.text() == "hello", "no final response");
    // HTTP/1.0 knows no informational responses (RFC 9110 §15.2).
    client
        .send(format!("GET /x HTTP/1.0\r\nHost: a\r\n{}\r\n", script(&format!("{hints};{}", raw(HELLO)))))?;
    let old = client.response()?;
    ensure!(old.informational.is_empty() && old.text() == "hello", "{}", old.describe());
    Ok(())
}

/// 20 MB are announced and half of them on their way while the backend has answered already. The rest never comes: a
/// body that went whole would leave both connections fit for the next request.
fn early_answer(server: &mut Server, record: &Record) -> Outcome {
    let answer =
        raw("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nhello");
    let mut client = server.client()?;
    let orders = script(&format!("early;{answer};hang"));
    client.send(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n{orders}\r\n"))?;
    let block = [b'x'; 10_000];
    let mut sender = client.stream().try_clone()?;
    let sending = std::thread::spawn(move || {
        for _ in 0..1000 {
            if std::io::Write::write_all(&mut sender, &block).is_err() {
                return;
            }
        }
    });
    let response = client.response()?;
    ensure!(response.status == 401 && response.text() == "hello", "{}", response.describe());
    ensure!(response.end == End::Complete, "{}", response.describe());
    let (rest, _) = client.ending(clock::seconds(10));
    ensure!(rest.is_empty(), "after the answer came {:?}", String::from_utf8_lossy(&rest));
    sending.join().ok().context("the sender panicked")?;
    record.wait_count("left", 1, clock::seconds(5)).context("the upstream connection stayed open")
}

/// The backend that answered early would take the next request for the missing body.
fn early_then_next(server: &mut Server, record: &Record) -> Outcome {
    for _ in 0..5 {
        let mut client = server.client()?;
        let orders = script(&format!("early;{};hang", raw(HELLO)));
        client.send(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n{orders}\r\nshort"))?;
        let response = client.response()?;
        ensure!(response.text() == "hello", "{}", response.describe());
        client.offer("x".repeat(95) + "GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        if let Ok(next) = client.response() {
            ensure!(next.value("target").as_deref() == Some("/after"), "{}", next.describe());
        }
        every_answer_fits(server)?;
    }
    record.wait_count("left", 5, clock::seconds(5))
}

/// Takes every place in the queue of a listener that takes nothing out of it.
fn fill_queue(port: u16) -> Outcome<Vec<TcpStream>> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut waiting = Vec::new();
    // Until it has heard that the queue is short now, there is room for many.
    let error = wait_for("a full queue", clock::seconds(20), || {
        let one = TcpStream::connect_timeout(&address, clock::seconds(2));
        one.map(|stream| waiting.push(stream)).err()
    })?;
    ensure!(error.kind() == ErrorKind::TimedOut, "not full but {error}");
    Ok(waiting)
}

/// Connections wait where nobody takes them; the next request finds that out, and loses only time.
fn deaf(server: &Server, record: &Record) -> Outcome {
    let first = server.client()?.get_with("/x", &script(&format!("deaf;{};close", raw(HELLO))))?;
    ensure!(first.text() == "hello", "{}", first.describe());
    let old = record.wait_request("/x", clock::seconds(1))?.pid;
    let _waiting = fill_queue(record.starts().first().context("no start")?.port)?;
    let response = server.get("/found-out")?;
    ensure!(response.status == 200, "{}", response.describe());
    ensure!(response.pid().is_some_and(|pid| pid != old), "{}", response.describe());
    server.wait_output("[2001]", clock::seconds(10))?;
    server.wait_output("takes no connection", clock::seconds(10))?;
    ensure!(record.starts().len() == 2, "{}", record.describe());
    Ok(())
}

fn idle_closed(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    for round in 0..20 {
        let response = client.get("/x").context(format!("round {round}"))?;
        ensure!(response.status == 200, "round {round}: {}", response.describe());
        // Around the moment at which the backend closes.
        pause(140 + round);
    }
    Ok(())
}
