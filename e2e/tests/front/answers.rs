//! Answers: status and reason, headers that the app sets, text beyond ASCII.

use e2e::puppet::hex;
use e2e::{Context as _, End, Need, Outcome, Puppet, Record, Server, Suite, ensure};

use super::{Check, site};

pub(super) fn add(suite: Suite) -> Suite {
    let sites: &[(&str, Check)] = &[
        ("a status and a reason of the app's own reach the client", codes),
        ("204 and 304 have no Transfer-Encoding", without_body),
        ("the app's headers arrive as it set them, each value of them", values),
        ("the app's Server header wins", server_header),
        ("an exception in the app is its 500, and the next request is served", exception),
        ("text beyond ASCII in a header arrives as UTF-8", utf8),
    ];
    let suite = sites
        .iter()
        .fold(suite, |suite, (name, check)| suite.needing(*name, &[Need::Sdk], move || site(&[], check)));
    suite.served("a header in Latin-1 or with NUL is refused, an answer's passes", Puppet::new(), &[], latin)
}

/// Query; status; what the reason must be.
const CODES: &[(&str, u16, &str)] = &[
    ("code=200", 200, "OK"),
    ("code=200&reason=custom", 200, "custom"),
    ("code=200&reason=custom&body=Body", 200, "custom"),
    ("code=200&reason=&body=Body", 200, "OK"),
    ("code=400&reason=custom", 400, "custom"),
    ("code=400&reason=Custom%20with%20blanks&body=Body", 400, "Custom with blanks"),
    ("code=404", 404, "Not Found"),
    ("code=500", 500, "Internal Server Error"),
    ("code=500&reason=custom&body=Body", 500, "custom"),
    ("code=502&body=Body", 502, "Bad Gateway"),
    ("code=503&reason=custom", 503, "custom"),
    ("code=999", 999, ""),
    ("code=999&reason=custom&body=Body", 999, "custom"),
];

fn codes(server: &mut Server) -> Outcome {
    let mut client = server.client()?;
    for (query, status, reason) in CODES {
        let response = client.get(&format!("/code?{query}"))?;
        let head = String::from_utf8_lossy(&response.head).into_owned();
        let line = head.lines().next().unwrap_or_default();
        ensure!(line == format!("HTTP/1.1 {status} {reason}"), "{query}: {line}");
        let body = if query.contains("body=") { "Body" } else { "" };
        ensure!(response.text() == body && response.end == End::Complete, "{query}: {}", response.describe());
    }
    Ok(())
}

fn without_body(server: &mut Server) -> Outcome {
    let mut client = server.client()?;
    for code in [204, 304] {
        let response = client.get(&format!("/code?code={code}"))?;
        ensure!(response.status == code, "{}", response.describe());
        for name in ["Transfer-Encoding", "Content-Length"] {
            ensure!(response.field(name).is_none(), "{}", response.describe());
        }
        ensure!(client.get("/count")?.status == 200, "{code}: the connection is unusable");
    }
    Ok(())
}

/// An empty header arrives as one, where the server within IIS's worker process leaves it out.
fn values(server: &mut Server) -> Outcome {
    let response = server.get("/values")?;
    for (name, wanted) in [
        ("Unknown", vec!["test123=foo"]),
        ("MultiHeader", vec!["1", "2"]),
        ("Accept-Ranges", vec!["none", "bytes"]),
        ("Via", vec!["1.1 one, 1.1 two"]),
        ("Empty", vec![""]),
        ("Content-Type", vec!["text/plain"]),
    ] {
        let have: Vec<&str> = response.all(name).collect();
        ensure!(have == wanted, "{name} is {have:?}, not {wanted:?}: {}", response.describe());
    }
    Ok(())
}

fn server_header(server: &mut Server) -> Outcome {
    for (path, wanted) in [("/server", "MyServer/7.8"), ("/count", "Kestrel")] {
        let response = server.get(path)?;
        let have: Vec<&str> = response.all("Server").collect();
        ensure!(have == [wanted], "{path}: {have:?}");
    }
    Ok(())
}

fn exception(server: &mut Server) -> Outcome {
    let mut client = server.client()?;
    let response = client.get("/throw")?;
    ensure!(response.status == 500 && response.body.is_empty(), "{}", response.describe());
    ensure!(client.get("/count")?.status == 200, "the connection is unusable");
    Ok(())
}

fn utf8(server: &mut Server) -> Outcome {
    for text in ["\u{a3}", "caf\u{e9} \u{20ac}", "\u{1f600}"] {
        let response = server.client()?.get_with("/header-back", &format!("X-Text: {text}\r\n"))?;
        ensure!(response.text() == text, "{text}: {}", response.describe());
    }
    Ok(())
}

/// Kestrel answers 400 to a value that is no UTF-8, so it is not asked. What an app sends passes as it is.
fn latin(server: &mut Server, record: &Record) -> Outcome {
    for (what, value) in [("Latin-1", b"\xa3".as_slice()), ("half a letter", b"\xc3"), ("NUL", b"a\0b")] {
        let mut client = server.client()?;
        client.offer([b"GET /x HTTP/1.1\r\nHost: a\r\nX-Text: ", value, b"\r\n\r\n"].concat());
        let response = client.response().context(what)?;
        ensure!(response.status == 400 && response.closes(), "{what}: {}", response.describe());
    }
    ensure!(record.requests().is_empty(), "something arrived: {}", record.describe());
    let head = [b"HTTP/1.1 200 OK\r\nX-Text: ".as_slice(), b"caf\xe9", b"\r\nContent-Length: 0\r\n\r\n"];
    let orders = format!("X-Puppet: raw:{}\r\n", hex::encode(&head.concat()));
    let response = server.client()?.get_with("/x", &orders)?;
    let passed = response.head.windows(6).any(|six| six == b" caf\xe9\r");
    ensure!(response.status == 200 && passed, "{}", response.describe());
    Ok(())
}
