//! Bodies on both ways: echoed in every manner, slowly, in chunks, read in part; large answers; compression.

use e2e::clock::seconds;
use e2e::{Client, Context as _, End, Ending, Need, Outcome, Server, Suite, ensure, now, pause};

use super::{Check, probe, site};

pub(super) fn add(suite: Suite) -> Suite {
    let sites: &[(&str, Check)] = &[
        ("a body is echoed whole, however the app reads and writes", echoes),
        ("a slow client gets each byte back before it sends the next", slow),
        ("a header is set between reading and writing", header_between),
        ("a body that is read in part never mixes with the next request", in_part),
        ("a chunked request is accepted", chunked),
        ("methods without a body, bodies with and without a length", methods),
        ("what the app compressed arrives untouched", compressed),
        ("lines of an answer arrive one by one, compressed by the app or not", lines),
    ];
    let suite = sites
        .iter()
        .fold(suite, |suite, (name, check)| suite.needing(*name, &[Need::Sdk], move || site(&[], check)));
    suite
        .needing("a large answer arrives whole, from memory", &[Need::Dotnet], || {
            probe(&[], |server| large(server, "/big"))
        })
        .needing("a large answer arrives whole, from a file", &[Need::Sdk], || {
            site(&[], |server| large(server, "/file"))
        })
        .needing("a connection carries in both directions at once", &[Need::Dotnet], || probe(&[], both_ways))
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
}

fn patient(server: &Server) -> Outcome<Client> {
    Ok(server.client()?.patience(seconds(60)))
}

/// By length and in chunks, over one connection.
fn echoes(server: &mut Server) -> Outcome {
    let body: Vec<u8> = (0..=255_u8).cycle().take(100_000).collect();
    let mut client = patient(server)?;
    for path in ["/sync", "/async", "/copy", "/twice"] {
        for size in [0, 1, 100, 4096, 4097, body.len()] {
            let sent = body.get(..size).context("a part of the body")?;
            client.send([post(path, size).as_bytes(), sent].concat())?;
            let response = client.response().context(format!("{path} {size}"))?;
            let (status, length) = (response.status, response.body.len());
            ensure!(status == 200 && response.end == End::Complete, "{path} {size}: {}", response.describe());
            if path == "/twice" {
                ensure!(length == 2 * size, "{path} {size}: {length} bytes came back");
            } else {
                ensure!(response.body == sent, "{path} {size}: {length} other bytes came back");
            }
        }
    }
    let text = "the first line\nthe second\n";
    client.send(post("/lines-back", text.len()) + text)?;
    let response = client.response()?;
    ensure!(response.text() == text, "{}", response.describe());
    Ok(())
}

fn slow(server: &mut Server) -> Outcome {
    let mut client = patient(server)?;
    client.send(post("/async", 20))?;
    for number in 0..20_u8 {
        pause(20);
        let byte = [b'a' + number];
        client.send(byte)?;
        if number == 0 {
            let head = client.final_head().context("no head before the body's end")?;
            // The app may not want the rest, so that the connection cannot be promised to anybody.
            ensure!(head.status == 200 && head.closes(), "{}", head.describe());
        }
        let back = client.chunk(now() + seconds(20)).context(format!("byte {number}"))?;
        ensure!(back == byte, "{back:?} came back for {byte:?}");
    }
    ensure!(client.chunk(now() + seconds(20))?.is_empty(), "more than was sent");
    ensure!(client.ending(seconds(5)) == (Vec::new(), Ending::Fin), "the connection did not end in order");
    Ok(())
}

fn header_between(server: &mut Server) -> Outcome {
    let mut client = patient(server)?;
    client.send(post("/header-between", 11) + "hello world")?;
    let response = client.response()?;
    ensure!(response.field("X-Between") == Some("set"), "{}", response.describe());
    ensure!(response.text() == "hello world", "{}", response.describe());
    Ok(())
}

/// The rest of the body is thrown away by one side or another, and taken for a request by none.
fn in_part(server: &mut Server) -> Outcome {
    let rest = "GET /count HTTP/1.1\r\nHost: a\r\n\r\n";
    for whole in [true, false] {
        let mut client = patient(server)?;
        client.send(post("/part?bytes=5", 5 + rest.len()) + "hello")?;
        if whole {
            client.send(rest)?;
        }
        let response = client.response().context(format!("whole: {whole}"))?;
        ensure!(response.status == 200 && response.text() == "hello", "{}", response.describe());
        if !whole {
            client.offer(rest);
        }
        client.offer("POST /count?next HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        // The connection may have ended with the answer; what comes must belong to the next request.
        if let Ok(next) = client.response() {
            ensure!(next.text().starts_with("POST 3 "), "whole: {whole}: {}", next.describe());
        }
        ensure!(server.get("/count")?.text().starts_with("GET 0 "), "the server no longer serves");
    }
    Ok(())
}

fn chunked(server: &mut Server) -> Outcome {
    let mut client = patient(server)?;
    let head = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(format!("{head}5\r\nHello\r\n6\r\n world\r\n0\r\n\r\n"))?;
    let response = client.response()?;
    ensure!(response.text() == "POST 11 length= coding=chunked", "{}", response.describe());
    client.send(format!("{head}0\r\n\r\n"))?;
    let response = client.response()?;
    ensure!(response.text() == "POST 0 length= coding=chunked", "{}", response.describe());
    Ok(())
}

/// What HTTP/2 asks of methods and lengths, over HTTP/1.1: a POST without either has an empty body (RFC 9112 §6.3).
fn methods(server: &mut Server) -> Outcome {
    let mut client = patient(server)?;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CUSTOM"] {
        for (lines, told) in [
            ("", "0 length= "),
            ("Content-Length: 0\r\n", "0 length=0 "),
            ("Content-Length: 5\r\n", "5 length=5 "),
            ("Transfer-Encoding: chunked\r\n", "5 length= "),
        ] {
            let body = match lines {
                "Content-Length: 5\r\n" => "hello",
                "Transfer-Encoding: chunked\r\n" => "5\r\nhello\r\n0\r\n\r\n",
                _ => "",
            };
            client.send(format!("{method} /count HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}"))?;
            let response = client.response().context(format!("{method} {lines:?}"))?;
            let wanted = format!("{method} {told}");
            // An empty body may be told by its length or by nothing.
            let same = response.text().replace("length=0", "length=");
            ensure!(
                response.status == 200 && same.starts_with(&wanted.replace("length=0", "length=")),
                "{method} {lines:?}: {}",
                response.describe()
            );
        }
    }
    client.send("HEAD /count HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let response = client.response_to("HEAD")?;
    ensure!(response.status == 405 && response.body.is_empty(), "{}", response.describe());
    Ok(())
}

fn compressed(server: &mut Server) -> Outcome {
    let response = patient(server)?.get_with("/gzip", "Accept-Encoding: gzip\r\n")?;
    ensure!(response.field("Content-Encoding") == Some("gzip"), "{}", response.describe());
    let magic = response.body.get(..2);
    ensure!(magic == Some(&[0x1f, 0x8b]) && response.end == End::Complete, "{}", response.describe());
    // Asked for or not: that is between the client and the app.
    let again = patient(server)?.get("/gzip")?;
    ensure!(again.body == response.body, "another body without Accept-Encoding: {}", again.describe());
    Ok(())
}

/// The app writes a line only when the one before has arrived.
fn lines(server: &mut Server) -> Outcome {
    for coding in ["", "Accept-Encoding: gzip\r\n"] {
        let mut client = patient(server)?;
        client.send(format!("GET /lines HTTP/1.1\r\nHost: a\r\n{coding}\r\n"))?;
        let head = client.final_head()?;
        let gzip = head.field("Content-Encoding") == Some("gzip");
        ensure!(gzip != coding.is_empty(), "{coding:?}: {}", head.describe());
        let mut other = patient(server)?;
        for line in 0..10 {
            // Compressed, a line may come in two writes: its block, and what makes it readable at once.
            let chunk = client.chunk(now() + seconds(20)).context(format!("{coding:?}, line {line}"))?;
            ensure!(
                gzip || chunk == format!("line {line}\n").as_bytes(),
                "line {line} is {:?}",
                String::from_utf8_lossy(&chunk)
            );
            other.send(post("/next", 0))?;
            ensure!(other.response()?.status == 200, "line {line} was not let go");
        }
        while !client.chunk(now() + seconds(20))?.is_empty() {}
    }
    Ok(())
}

fn large(server: &mut Server, path: &str) -> Outcome {
    let mut client = patient(server)?;
    for bytes in [65_000, 1_000_000, 10_000_000, 100_000_000_usize] {
        let response = client.get(&format!("{path}?bytes={bytes}"))?;
        let length = response.field("Content-Length");
        ensure!(length == Some(bytes.to_string().as_str()), "{bytes}: {}", response.describe());
        ensure!(response.end == End::Complete && response.body.len() == bytes, "{}", response.describe());
        let first = response.body.first().copied();
        ensure!(
            matches!(first, Some(b'x' | b'f')) && response.body.iter().all(|byte| Some(*byte) == first),
            "{bytes}: other bytes than the app sent"
        );
    }
    Ok(())
}

/// The module sends a whole body before it looks at the answer. Here each block is back before the next is sent.
fn both_ways(server: &mut Server) -> Outcome {
    let mut client = patient(server)?;
    let block = vec![b'b'; 10_000];
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for number in 0..10 {
        client.send([format!("{:x}\r\n", block.len()).as_bytes(), &block, b"\r\n"].concat())?;
        if number == 0 {
            client.final_head()?;
        }
        let mut back = 0;
        while back < block.len() {
            back += client.chunk(now() + seconds(20)).context(format!("block {number}"))?.len();
        }
        ensure!(back == block.len(), "{back} bytes came back for block {number}");
    }
    client.send("0\r\n\r\n")?;
    ensure!(client.chunk(now() + seconds(20))?.is_empty(), "more than was sent");
    Ok(())
}
