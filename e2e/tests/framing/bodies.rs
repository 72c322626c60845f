//! Bodies: chunks, trailers, bodies where none is expected, Expect, Upgrade.

use e2e::{Context as _, Outcome, Puppet, Record, Server, Suite, clock, ensure, serve};

use super::{BAD, Expect, Row, row};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

pub(super) fn rows() -> Vec<Row> {
    [chunks(), carried(), expectations(), upgrades()].into_iter().flatten().collect()
}

fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    [b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body.as_ref()].concat()
}

fn chunks() -> Vec<Row> {
    let bad: &[(&str, &str)] = &[
        ("A6 extension ended by bare LF", "5;\nhello\r\n0\r\n\r\n"),
        ("A6 extension hides a chunk", "2;\nxx\r\n4c\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("A7 size ended by bare LF", "5\nhello\r\n0\r\n\r\n"),
        ("A7 size ended by bare CR", "5\rXhello\r\n0\r\n\r\n"),
        ("A7 data longer than its size", "5\r\nhelloXX0\r\n\r\n"),
        ("A7 data ended by bare LF", "5\r\nhello\n0\r\n\r\n"),
        ("A7 data ended by bare CR", "5\r\nhello\r0\r\n\r\n"),
        ("A7 last chunk with bare LF first", "0\n\r\n"),
        ("A7 last chunk with bare LF last", "0\r\n\n"),
        ("A7 CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("A7 NUL in an extension", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
        ("A7 leading blank", " 5\r\nhello\r\n0\r\n\r\n"),
        ("A7 underscore", "5_0\r\nhello\r\n0\r\n\r\n"),
        ("A7 0x5", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("A7 +5", "+5\r\nhello\r\n0\r\n\r\n"),
        ("A7 -1", "-1\r\nhello\r\n0\r\n\r\n"),
        ("A7 no size", "\r\nhello\r\n0\r\n\r\n"),
        ("A7 extension without size", ";a=b\r\nhello\r\n0\r\n\r\n"),
        ("A7 17 digits", "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n"),
        ("A7 wraps to 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("A7 bad after a good one", "5\r\nhello\r\nzz\r\n0\r\n\r\n"),
        ("A9 trailer without a colon", "0\r\nX\r\n\r\n"),
        ("A9 trailer with bare LF", "0\r\nX: a\nY: b\r\n\r\n"),
    ];
    let mut rows: Vec<Row> =
        bad.iter().map(|(name, body)| row(*name, chunked(body), Expect::BadBody)).collect();
    let extension = |size: usize| chunked(format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(size)));
    rows.push(row("A7 extension of 300 bytes", extension(300), Expect::BadBody));
    rows.push(row("A7 extension of 64 KiB", extension(64 * 1024), Expect::BadBody));
    let many = "1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(64);
    rows.push(row("A7 many small extensions", chunked(format!("{many}0\r\n\r\n")), Expect::BadBody));
    rows.push(row(
        "A7 a short extension is dropped",
        chunked("5;a=b\r\nhello\r\n0\r\n\r\n"),
        Expect::Served(&["/x"]),
    ));
    rows
}

/// A body that looks like a request stays a body.
fn carried() -> Vec<Row> {
    let length = SMUGGLED.len();
    ["GET", "HEAD", "OPTIONS", "DELETE", "POST"]
        .iter()
        .filter(|method| **method != "HEAD")
        .flat_map(|method| {
            [
                row(
                    format!("A5 {method} carries a request by length"),
                    format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"),
                    Expect::Served(&["/x"]),
                ),
                row(
                    format!("A5 {method} carries a request in chunks"),
                    format!(
                        "{method} /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n\
                         {SMUGGLED}\r\n0\r\n\r\n"
                    ),
                    Expect::Served(&["/x"]),
                ),
            ]
        })
        .collect()
}

fn expectations() -> Vec<Row> {
    let with = |value: &str| {
        format!("POST /x HTTP/1.1\r\nHost: a\r\nExpect: {value}\r\nContent-Length: 5\r\n\r\nhello")
    };
    ["x 100-continue", "200-ok", "100-continue, x", "100-continuex"]
        .iter()
        .map(|value| row(format!("A10 Expect {value:?}"), with(value), Expect::Refused(&[400, 417])))
        .chain([
            row(
                "A10 Expect on a GET",
                "GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
                Expect::Served(&["/x"]),
            ),
            row("A10 Expect with the body at once", with("100-continue"), Expect::Served(&["/x"])),
        ])
        .collect()
}

fn upgrades() -> Vec<Row> {
    let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let get = |fields: &str, rest: &str| format!("GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{rest}");
    vec![
        row(
            "A11 Upgrade to anything else, request at once",
            get("Connection: Upgrade\r\nUpgrade: foo\r\n", SMUGGLED),
            Expect::Served(&["/x", "/smuggled"]),
        ),
        row("A12 Upgrade with a length", get(&format!("{handshake}Content-Length: 5\r\n"), "hello"), BAD),
        row(
            "A12 Upgrade with chunks",
            get(&format!("{handshake}Transfer-Encoding: chunked\r\n"), "5\r\nhello\r\n0\r\n\r\n"),
            BAD,
        ),
        row(
            "A13 h2c",
            get(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
                "",
            ),
            Expect::Served(&["/x"]),
        ),
        row(
            "A13 h2c with a body, as Java's client sends it",
            "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 5\r\n\r\nhello",
            Expect::Served(&["/x"]),
        ),
    ]
}

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("A5 our own answers never parse a body as a request", own_answers)
        .test("A6 chunks are framed anew", framed_anew)
        .test("A9 trailers never become headers", trailers)
        .test("A13 h2c leaves no trace at the backend", h2c)
        .test("A10 Expect in HTTP/1.0 brings no 100", expect_in_1_0)
        .test("a bad chunk after the response began aborts it", late_bad_chunk)
}

/// `POST` outside the path base: our 404 must neither leave the body to be parsed nor hide it from the count.
fn own_answers() -> Outcome {
    serve(&Puppet::new(), &["--path-base", "/base"], |server, record| {
        let smuggled = "GET /base/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        for fields in [
            format!("Content-Length: {}\r\n\r\n{smuggled}", smuggled.len()),
            format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()),
        ] {
            let mut client = server.client()?;
            client.offer(format!("POST /outside HTTP/1.1\r\nHost: a\r\n{fields}"));
            let first = client.response()?;
            ensure!(first.status == 404, "not our 404 but {}", first.describe());
            client.offer("GET /base/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            // Drained, or closed: either way the body is not a request.
            if !first.closes() {
                let next = client.response().context("the next request")?;
                ensure!(
                    next.value("target").as_deref() == Some("/base/next"),
                    "after the 404 {}",
                    next.describe()
                );
            }
            client.ending(clock::seconds(3));
        }
        no_smuggled(record)
    })
}

fn no_smuggled(record: &Record) -> Outcome {
    let smuggled = record.requests().iter().any(|request| request.target().contains("smuggled"));
    ensure!(!smuggled, "a body was taken for a request");
    Ok(())
}

fn one_whole(server: &Server, record: &Record, bytes: &[u8]) -> Outcome<e2e::Request> {
    let mut client = server.client()?;
    client.send(bytes)?;
    let response = client.response()?;
    ensure!(response.status == 200, "not served: {}", response.describe());
    let all = record.requests();
    let [request] = all.as_slice() else { e2e::fail!("not one request: {}", record.describe()) };
    Ok(request.clone())
}

fn framed_anew() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let bytes = chunked("0000000000005;secret=ext\r\nhello\r\n3\r\nabc\r\n00;x\r\n\r\n");
        let request = one_whole(server, record, &bytes)?;
        let body = request.body.clone().context("no body")?;
        let wire = String::from_utf8_lossy(&body.wire).into_owned();
        ensure!(body.complete && body.length == 8, "{body:?}");
        ensure!(!wire.contains(';') && !wire.contains("0000"), "received framing went on: {wire:?}");
        ensure!(request.values("Transfer-Encoding") == ["chunked"], "{:?}", request.lines());
        Ok(())
    })
}

fn trailers() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let body = "5\r\nhello\r\n0\r\nContent-Length: 5\r\nHost: evil\r\nMS-ASPNETCORE-TOKEN: evil\r\n\
                    Authorization: evil\r\nX-Trailer: evil\r\n\r\n";
        let request = one_whole(server, record, &chunked(body))?;
        let body = request.body.clone().context("no body")?;
        let head = String::from_utf8_lossy(&request.head).into_owned();
        let wire = String::from_utf8_lossy(&body.wire).into_owned();
        ensure!(!head.contains("evil") && !wire.contains("evil"), "a trailer arrived: {head}{wire}");
        ensure!(body.complete && wire.ends_with("0\r\n\r\n"), "{wire:?}");
        Ok(())
    })
}

fn h2c() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let request = one_whole(
            server,
            record,
            b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
              HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        )?;
        for name in ["Upgrade", "HTTP2-Settings", "Connection"] {
            ensure!(request.values(name).is_empty(), "{name} arrived: {:?}", request.lines());
        }
        Ok(())
    })
}

fn expect_in_1_0() -> Outcome {
    serve(&Puppet::new(), &[], |server, _| {
        let mut client = server.client()?;
        client
            .send("POST /x HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")?;
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
        ensure!(response.informational.is_empty(), "HTTP/1.0 knows no 100");
        Ok(())
    })
}

/// The response has begun, so a 400 cannot be sent any more: the connection must not end as if all were well.
fn late_bad_chunk() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let mut client = server.client()?;
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        let head = client.final_head()?;
        ensure!(head.status == 200, "{}", head.describe());
        let first = client.chunk(e2e::now() + clock::seconds(5))?;
        ensure!(first == b"hello", "{first:?}");
        client.offer("zz\r\nbad\r\n0\r\n\r\n");
        let (rest, _) = client.ending(clock::seconds(5));
        ensure!(!rest.ends_with(b"0\r\n\r\n"), "the response ended cleanly: {rest:?}");
        record.wait_count("body", 1, clock::seconds(5))?;
        let whole = record.requests().iter().any(|one| one.body.as_ref().is_some_and(|body| body.complete));
        ensure!(!whole, "the backend took the request for whole");
        Ok(())
    })
}
