//! How exchanges end, and what their lines say about it.

use e2e::clock::seconds;
use e2e::puppet::hex;
use e2e::{Context as _, Outcome, Puppet, Suite, ensure, pause};
use serde_json::Value;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::logged;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("a served request: who, what, how much, how long", served)
        .test("pipelined requests are a line each", pipelined)
        .test("refused requests: 400, 404, 413, 431", refused)
        .test("a head that does not end in time: 408", late_head)
        .test("an app without an answer: 502.3", no_answer)
        .test("an app that breaks off", broken_off)
        .test("an app that is silent for requestTimeout is told by that name", silent_app)
        .test("an app that does not start: 502.5", no_start)
        .test("clients that go away", clients_gone)
        .test("a WebSocket is one line, when it has ended", websocket)
        .test("a WebSocket whose client closes first after both said so ends in order", said_by_both)
        .test("a request that the server's end cuts", cut)
}

fn is(line: &Value, wanted: &[(&str, Value)]) -> Outcome {
    for (name, value) in wanted {
        ensure!(&line[name] == value, "{name} is not {value}: {line}");
    }
    Ok(())
}

fn ms(line: &Value, name: &str) -> Outcome<f64> {
    line[name].as_f64().context(format!("no {name} in {line}"))
}

fn served() -> Outcome {
    // The first request waits for the start, which takes longer than its answer.
    logged(&Puppet::new().variable("PUPPET_START_DELAY", "1500"), &[], |server, _, log| {
        let mut client = server.client()?;
        let own = client.own_address()?;
        client.send(
            "POST /caf%C3%A9/%22?q=1 HTTP/1.1\r\nHost: shop.example:81\r\nContent-Length: 5\r\n\r\nhello",
        )?;
        let response = client.response()?;
        let bytes = response.head.len() + response.body.len();
        let line = log.wait(1)?.remove(0);
        let wanted = [
            ("scheme", "http".into()),
            ("method", "POST".into()),
            ("host", "shop.example:81".into()),
            ("path", "/caf%C3%A9/%22".into()),
            ("client", "127.0.0.1".into()),
            ("client_port", own.port().into()),
            ("status", 200.into()),
            ("bytes_in", 5.into()),
            ("bytes_out", bytes.into()),
            ("worker", response.pid().into()),
            ("end", "done".into()),
            ("substatus", Value::Null),
            ("error", Value::Null),
        ];
        is(&line, &wanted)?;
        let (all, wait, upstream) = (ms(&line, "ms")?, ms(&line, "wait_ms")?, ms(&line, "upstream_ms")?);
        ensure!(wait > upstream && upstream > 0.0 && all >= wait + upstream && all < 20_000.0, "{line}");
        let time = line["time"].as_str().unwrap_or_default();
        ensure!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{line}");
        Ok(())
    })
}

fn pipelined() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        let mut client = server.client()?;
        let one = |number: u32| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send((0..5).map(one).collect::<String>())?;
        for _ in 0..5 {
            client.response()?;
        }
        let lines = log.wait(5)?;
        for (number, line) in lines.iter().enumerate() {
            is(line, &[("path", format!("/{number}").into()), ("end", "done".into())])?;
        }
        let mut ids: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
        ids.dedup();
        ensure!(ids.len() == 5, "{ids:?}");
        Ok(())
    })
}

fn refused() -> Outcome {
    let rows: &[(&str, u16)] = &[
        ("GET /shop/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /else HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("POST /shop/b HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
    ];
    let many = format!("GET /shop/c HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(150));
    logged(&Puppet::new().body_limit(1000), &["--path-base", "/shop"], |server, _, log| {
        for (number, (bytes, status)) in rows.iter().copied().chain([(many.as_str(), 431)]).enumerate() {
            let mut client = server.client()?;
            client.offer(bytes);
            let response = client.response()?;
            ensure!(response.status == status, "{}", response.describe());
            let line = log.wait(number + 1)?.pop().context("no line")?;
            let bytes = response.head.len() + response.body.len();
            is(&line, &[("status", status.into()), ("end", "refused".into()), ("bytes_out", bytes.into())])?;
            let error = line["error"].as_str().context("no sentence")?;
            ensure!(!error.is_empty() && line["worker"].is_null(), "{line}");
        }
        is(&log.about("/else")?, &[("method", "GET".into()), ("host", "a".into())])
    })
}

fn late_head() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        let mut client = server.client()?;
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n")?;
        ensure!(client.response()?.status == 408, "no 408");
        let line = log.wait(1)?.remove(0);
        is(&line, &[("status", 408.into()), ("end", "timeout".into()), ("path", Value::Null)])?;
        ensure!((14_000.0..20_000.0).contains(&ms(&line, "ms")?), "not since its first byte: {line}");
        Ok(())
    })
}

fn no_answer() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        let mut client = server.client()?;
        ensure!(client.get_with("/x", "X-Puppet: close\r\n")?.status == 502, "no 502");
        let line = log.wait(1)?.remove(0);
        let wanted = [("status", 502.into()), ("substatus", 3.into()), ("end", "upstream_error".into())];
        is(&line, &wanted)?;
        ensure!(line["worker"].is_u64() && line["error"].is_string(), "{line}");
        Ok(())
    })
}

fn broken_off() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        let half = hex::encode(b"HTTP/1.1 203 Half\r\nContent-Length: 100\r\n\r\nhalf");
        let mut client = server.client()?;
        client.send(format!("GET /x HTTP/1.1\r\nHost: a\r\nX-Puppet: raw:{half};sleep:100;close\r\n\r\n"))?;
        client.ending(seconds(5));
        let line = log.wait(1)?.remove(0);
        is(&line, &[("status", 203.into()), ("end", "upstream_error".into()), ("substatus", Value::Null)])?;
        is(&line, &[("error", "the app closed the connection within its answer".into())])
    })
}

/// The wait for the head of an answer, and each wait within it: IIS's 502.3, or an answer that breaks off.
fn silent_app() -> Outcome {
    logged(&Puppet::new().attribute("requestTimeout", "00:00:05"), &[], |server, _, log| {
        let ask = |path: &str, orders: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Puppet: {orders}\r\n\r\n")
        };
        let (half, rest) =
            (hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"), hex::encode(b"more"));
        let mut slow = server.client()?;
        slow.send(ask("/slow", &format!("sleep:3000;raw:{half};sleep:3000;raw:{rest}")))?;
        let mut unanswered = server.client()?;
        unanswered.send(ask("/unanswered", "hang"))?;
        let mut within = server.client()?;
        within.send(ask("/within", &format!("raw:{half};hang")))?;
        let mut held = server.client()?;
        held.send(
            "POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nX-Puppet: early;hang\r\n\r\n",
        )?;
        ensure!(slow.response()?.text() == "halfmore", "each wait counts for itself");
        let response = unanswered.response()?;
        ensure!(
            response.status == 502 && response.text().contains("requestTimeout"),
            "{}",
            response.describe()
        );
        let line = log.about("/unanswered")?;
        is(&line, &[("status", 502.into()), ("substatus", 3.into()), ("end", "timeout".into())])?;
        is(&line, &[("error", "the app did not answer in time (requestTimeout)".into())])?;
        ensure!((4900.0..15_000.0).contains(&ms(&line, "ms")?), "{line}");
        // The client waits for the app's 100, so its silence is the app's.
        let response = held.response()?;
        ensure!(response.status == 502, "{}", response.describe());
        is(&log.about("/held")?, &[("substatus", 3.into()), ("end", "timeout".into())])?;
        ensure!(within.response()?.end == e2e::End::Cut, "half an answer as a whole");
        let line = log.about("/within")?;
        is(&line, &[("status", 200.into()), ("end", "timeout".into())])?;
        is(&line, &[("error", "the app sent nothing more for too long (requestTimeout)".into())])
    })
}

fn no_start() -> Outcome {
    logged(&Puppet::new().variable("PUPPET_EXIT", "3"), &[], |server, _, log| {
        ensure!(server.get("/x")?.status == 502, "no 502");
        let line = log.wait(1)?.remove(0);
        let wanted = [
            ("status", 502.into()),
            ("substatus", 5.into()),
            ("end", "upstream_error".into()),
            ("worker", Value::Null),
        ];
        is(&line, &wanted)
    })
}

fn clients_gone() -> Outcome {
    logged(&Puppet::new(), &[], |server, record, log| {
        let ask = |path: &str, orders: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Puppet: {orders}\r\n\r\n")
        };
        let mut client = server.client()?;
        client.send(ask("/unanswered", "hang"))?;
        record.wait_request("/unanswered", seconds(10))?;
        drop(client);
        let line = log.about("/unanswered")?;
        is(&line, &[("end", "client_gone".into()), ("status", Value::Null), ("bytes_out", 0.into())])?;
        let half = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        let mut client = server.client()?;
        client.send(ask("/within", &format!("raw:{half};hang")))?;
        client.final_head()?;
        ensure!(client.exactly(4)? == b"half", "another half");
        drop(client);
        let line = log.about("/within")?;
        is(&line, &[("end", "client_gone".into()), ("status", 200.into())])?;
        ensure!(line["bytes_out"].as_u64() > Some(4), "{line}");
        let mut client = server.client()?;
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1234")?;
        record.wait_request("/upload", seconds(10))?;
        drop(client);
        is(&log.about("/upload")?, &[("end", "client_gone".into()), ("bytes_in", 4.into())])
    })
}

fn websocket() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        let mut client = server.client()?;
        client.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )?;
        let head = client.final_head()?;
        ensure!(head.status == 101, "{}", head.describe());
        let (stream, early) = client.into_parts();
        let mut socket = WebSocket::from_partially_read(stream, early, Role::Client, None);
        socket.send(Message::text("hello"))?;
        ensure!(socket.read()? == Message::text("hello"), "no echo");
        pause(600);
        ensure!(log.lines()?.is_empty(), "a line before the end: {:?}", log.lines()?);
        socket.send(Message::text("abort"))?;
        let line = log.wait(1)?.remove(0);
        // Two frames of 5 bytes with 6 bytes of frame head, the mask with them; one frame back with 2.
        let out = head.head.len() + 7;
        is(&line, &[("status", 101.into()), ("bytes_in", 22.into()), ("bytes_out", out.into())])?;
        is(&line, &[("end", "done".into())])?;
        ensure!(ms(&line, "ms")? > 600.0, "{line}");
        Ok(())
    })
}

fn said_by_both() -> Outcome {
    let switched =
        hex::encode(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    logged(&Puppet::new(), &[], |server, _, log| {
        let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
        for (path, said, end) in [("/both", &close[..], "done"), ("/neither", &close[..4], "client_gone")] {
            let mut client = server.client()?;
            client.send(format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 X-Puppet: raw:{switched};echo\r\n\r\n"
            ))?;
            ensure!(client.final_head()?.status == 101, "no upgrade");
            client.send(said)?;
            ensure!(client.exactly(said.len())? == said, "no echo");
            drop(client);
            is(&log.about(path)?, &[("end", end.into())])?;
        }
        Ok(())
    })
}

fn cut() -> Outcome {
    logged(&Puppet::new(), &["--drain-timeout", "1"], |server, record, log| {
        let mut client = server.client()?;
        client.send("GET /hang HTTP/1.1\r\nHost: a\r\nX-Puppet: hang\r\n\r\n")?;
        record.wait_request("/hang", seconds(10))?;
        server.stop(seconds(10))?;
        let line = log.wait(1)?.remove(0);
        is(&line, &[("status", 503.into()), ("end", "cut".into())])
    })
}
