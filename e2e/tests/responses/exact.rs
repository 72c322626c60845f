//! What an app says about its answer arrives as it said it: statuses, reasons, lengths, connections.

use e2e::server::serve_folder;
use e2e::{Check, Context as _, End, Ending, Folder, Need, Options, Outcome, Puppet, Record, Server, Suite};
use e2e::{clock, ensure, now};

use super::raw;

pub(super) fn add(suite: Suite) -> Suite {
    let checks: &[(&str, Check)] = &[
        ("statuses and reasons arrive as the app wrote them", reasons),
        ("a length beyond 4 GiB is told and its bytes come", long_answer),
        ("a length of 2^64 is no length", no_length),
        ("bytes of the answer come while a body with a length is still sent", duplex),
        ("an app that resets within its answer resets the client", reset),
    ];
    let suite =
        checks.iter().fold(suite, |suite, (name, check)| suite.served(name, Puppet::new(), &[], *check));
    suite
        .served(
            "HEAD, 304 and 204: a length stays where it may stand, and the connections go on",
            Puppet::new(),
            &["--threads", "1"],
            lengths,
        )
        .test("a request body of almost 4 GiB is forwarded, one beyond is refused", long_request)
        .test("forwardResponseConnectionHeader: the app's Connection is the client's", connection_header)
        .needing(
            "a .NET app that aborts is a 502.3, and one that fails within its answer a reset",
            &[Need::Dotnet],
            dotnet,
        )
}

fn ask(orders: &str) -> String {
    format!("X-Puppet: {orders}\r\n")
}

fn reasons(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    for line in [
        "400 custom",
        "999 ",
        "200 Fine",
        "200 ",
        "201 Created",
        "299 ",
        "302 Found",
        "401 Unauthorized",
        "404 Not here",
        "418 I'm a teapot",
        "500 Internal",
        "502 Mine",
        "503 Busy",
        "599 x y z",
    ] {
        let head =
            client.get_with("/x", &ask(&raw(format!("HTTP/1.1 {line}\r\nContent-Length: 2\r\n\r\nok"))))?;
        let first = head.head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        ensure!(first == format!("HTTP/1.1 {line}").as_bytes(), "{line}: {}", head.describe());
        ensure!(head.text() == "ok", "a page of ours in its place: {}", head.describe());
    }
    Ok(())
}

fn lengths(server: &mut Server, record: &Record) -> Outcome {
    for (method, status, kept) in [("HEAD", 200, true), ("GET", 304, true), ("GET", 204, false)] {
        let mut client = server.client()?;
        let orders = ask(&raw(format!("HTTP/1.1 {status} x\r\nContent-Length: 42\r\nETag: \"1\"\r\n\r\n")));
        for round in 0..3 {
            client.send(format!("{method} /x HTTP/1.1\r\nHost: a\r\n{orders}\r\n"))?;
            let response = client.response_to(method).context(format!("{method} {status} {round}"))?;
            ensure!(response.status == status && response.body.is_empty(), "{}", response.describe());
            let length = response.field("Content-Length");
            ensure!(length == kept.then_some("42"), "{method} {status}: {}", response.describe());
            ensure!(response.field("ETag") == Some("\"1\""), "{}", response.describe());
            ensure!(response.all("Transfer-Encoding").count() == 0, "{}", response.describe());
        }
    }
    let connections: Vec<u32> = record.requests().iter().map(|request| request.connection).collect();
    ensure!(connections.iter().all(|one| *one == 1), "not one connection to the app: {connections:?}");
    Ok(())
}

fn long_answer(server: &mut Server, record: &Record) -> Outcome {
    let length = 5_u64 << 30;
    let mut client = server.client()?;
    let head = raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
    client.send(format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", ask(&format!("{head};fill:{length}"))))?;
    let head = client.final_head()?;
    ensure!(head.field("Content-Length") == Some(&*length.to_string()), "{}", head.describe());
    ensure!(client.exactly(10_000_000)?.iter().all(|byte| *byte == b'x'), "other bytes");
    drop(client);
    record.wait_count("lost", 1, clock::seconds(5)).context("the app goes on writing")
}

fn no_length(server: &mut Server, _: &Record) -> Outcome {
    for length in ["9223372036854775808", "18446744073709551615", "18446744073709551616"] {
        let answer = raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello"));
        let response = server.client()?.get_with("/x", &ask(&format!("{answer};sleep:100;close")))?;
        ensure!(response.status == 502, "{length}: {}", response.describe());
        let mut client = server.client()?;
        client.offer(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello"));
        ensure!(client.response()?.status == 400, "{length} is no length of a request");
    }
    Ok(())
}

fn long_request() -> Outcome {
    e2e::serve(&Puppet::new().body_limit(u32::MAX.into()), &[], |server, record| {
        let mut client = server.client()?;
        client.send(format!("POST /most HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", u32::MAX))?;
        let request = record.wait_request("/most", clock::seconds(5))?;
        ensure!(request.values("Content-Length") == [u32::MAX.to_string()], "{:?}", request.lines());
        drop(client);
        for length in [u64::from(u32::MAX) + 1, 5 << 30, i64::MAX.cast_unsigned()] {
            let mut client = server.client()?;
            client
                .offer(format!("POST /beyond HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello"));
            let response = client.response()?;
            ensure!(response.status == 413, "{length}: {}", response.describe());
        }
        ensure!(record.requests().len() == 1, "{}", record.describe());
        Ok(())
    })
}

fn duplex(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\nfirst")?;
    let head = client.final_head().context("no head before the body's end")?;
    ensure!(head.status == 200 && head.closes(), "{}", head.describe());
    for (word, next) in [("first", "again"), ("again", "third"), ("third", "")] {
        let echo = client.chunk(now() + clock::seconds(5)).context(word)?;
        ensure!(echo == word.as_bytes(), "{:?}", String::from_utf8_lossy(&echo));
        client.send(next)?;
    }
    ensure!(client.chunk(now() + clock::seconds(5))?.is_empty(), "no end");
    // Whether the whole body would come was not known when the head was written: it said that the connection ends.
    super::closed(&mut client)
}

fn reset(server: &mut Server, _: &Record) -> Outcome {
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let head = raw(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhello\r\n"));
        let mut client = server.client()?;
        client
            .send(format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", ask(&format!("{head};sleep:200;reset"))))?;
        ensure!(client.final_head()?.status == 200, "{framing}");
        let (_, ending) = client.ending(clock::seconds(5));
        ensure!(ending == Ending::Reset, "{framing}: {ending:?}");
    }
    Ok(())
}

/// What the app says of its connection, with the setting and without, and whether the client's goes on.
fn connection_header() -> Outcome {
    let folder = Puppet::new().folder()?;
    let setting = "<handlerSettings><handlerSetting name=\"forwardResponseConnectionHeader\" value=\"true\" />\
                   </handlerSettings><environmentVariables>";
    folder.replace("web.config", "<environmentVariables>", setting)?;
    let plain = Puppet::new().folder()?;
    for (folder, rows) in [
        (&folder, [("close", vec!["close"]), ("keep-alive", vec!["keep-alive"]), ("X-Hop", vec![])]),
        (&plain, [("close", vec![]), ("keep-alive", vec![]), ("X-Hop", vec![])]),
    ] {
        serve_folder(folder, &Options::new(folder.path()), |server, _| {
            for (said, wanted) in &rows {
                let mut client = server.client()?;
                let answer =
                    format!("HTTP/1.1 200 OK\r\nConnection: {said}\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\n");
                let response = client.get_with("/x", &ask(&raw(answer)))?;
                let have: Vec<&str> = response.all("Connection").collect();
                ensure!(have == *wanted, "{said}: {}", response.describe());
                if have == ["close"] {
                    super::closed(&mut client)?;
                } else {
                    ensure!(client.get("/next")?.status == 200, "{said}: the connection is unusable");
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn dotnet() -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        let before = server.get("/abort")?;
        ensure!(before.status == 502 && before.end == End::Complete, "{}", before.describe());
        let mut client = server.client()?;
        client.send("GET /throw-late HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let (came, ending) = client.ending(clock::seconds(5));
        ensure!(ending == Ending::Reset, "{ending:?} after {:?}", String::from_utf8_lossy(&came));
        ensure!(server.get("/probe")?.status == 200, "no more answers");
        Ok(())
    })
}
