//! Targets: what is refused, what goes on unchanged, what the path base decides.

use e2e::{Outcome, Puppet, Suite, ensure, serve};

use super::{BAD, Expect, Row, row};

pub(super) fn rows() -> Vec<Row> {
    let refused: &[(&str, &[u8])] = &[
        ("%00", b"/a%00b"),
        ("fragment", b"/a#b"),
        ("raw byte beyond ASCII", b"/a\xc3\xa9"),
        ("raw DEL", b"/a\x7f"),
        ("raw control byte", b"/a\x01"),
        ("no slash", b"a"),
        ("ftp", b"ftp://a/x"),
        ("asterisk with GET", b"*"),
    ];
    let mut rows: Vec<Row> = refused
        .iter()
        .map(|(name, target)| {
            let bytes = [b"GET ", *target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            row(format!("target {name}"), bytes, BAD)
        })
        .collect();
    rows.push(row("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Expect::Refused(&[405])));
    rows.push(row(
        "CONNECT to a path",
        "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n",
        Expect::Refused(&[400, 405]),
    ));
    rows.push(row("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Expect::Served(&["*"])));
    rows
}

/// Sent, and what must arrive; `None` for our 404.
const BASE: &[(&str, Option<&str>)] = &[
    ("/base", Some("/base")),
    ("/base/", Some("/base/")),
    ("/base/x?y=/../z", Some("/base/x?y=/../z")),
    ("/base?q", Some("/base?q")),
    ("/BASE/x", Some("/BASE/x")),
    ("/%62ase/x", Some("/%62ase/x")),
    ("/base/./x", Some("/base/x")),
    ("/base/a/../x", Some("/base/x")),
    ("/base/a/%2e%2E/x", Some("/base/x")),
    ("/base/a/.%2e/x", Some("/base/x")),
    ("/a/../base/x", Some("/base/x")),
    ("/base//x", Some("/base//x")),
    ("/base/a%2Fb", Some("/base/a%2Fb")),
    ("/base/a%2fb", Some("/base/a%2fb")),
    ("/base/..%2fx", Some("/base/..%2fx")),
    ("/base/a%5cb", Some("/base/a%5cb")),
    ("/base/%zz%", Some("/base/%zz%")),
    ("/base/a;b+c=d", Some("/base/a;b+c=d")),
    ("/base/%252e%252e/x", Some("/base/%252e%252e/x")),
    ("/", None),
    ("/x", None),
    ("/basex", None),
    ("/bas", None),
    ("/base%2Fx", None),
    ("//base/x", None),
    ("/base/../x", None),
    ("/base/%2e%2e/x", None),
    ("/base/a/../../x", None),
    ("/base/..", None),
    ("/base\\x", None),
];

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("paths below a base", || {
            serve(&Puppet::new(), &["--path-base", "/base"], |server, _| below(server))
        })
        .test("absolute form wins over Host", absolute)
        .test("HTTP/1.0 without Host gets our address", without_host)
        .test("a path never climbs above the root", || {
            serve(&Puppet::new(), &[], |server, record| {
                for target in ["/../../etc/passwd", "/%2e%2e/x", "/a/../../x", "/.."] {
                    let response = server.get(target)?;
                    ensure!(matches!(response.status, 200 | 400), "{target}: {}", response.describe());
                }
                let climbed =
                    record.requests().iter().any(|one| one.target().to_ascii_lowercase().contains(".."));
                ensure!(!climbed, "dots arrived: {}", record.describe());
                Ok(())
            })
        })
}

fn below(server: &e2e::Server) -> Outcome {
    let mut wrong = Vec::new();
    for (sent, wanted) in BASE {
        let response = server.get(sent)?;
        let seen = match response.status {
            200 => response.value("target"),
            404 => None,
            _ => Some(response.describe()),
        };
        if seen.as_deref() != *wanted {
            wrong.push(format!("{sent} arrived as {seen:?}, wanted {wanted:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn absolute() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let cases = [
            ("http://other.example/x?y", "other.example", "/x?y"),
            ("http://other.example:8080", "other.example:8080", "/"),
            ("http://other.example?q", "other.example", "/?q"),
            ("HTTP://Other.Example/a/../b", "Other.Example", "/b"),
        ];
        for (sent, host, target) in cases {
            let mut client = server.client()?;
            client.send(format!("GET {sent} HTTP/1.1\r\nHost: shop.example\r\n\r\n"))?;
            let response = client.response()?;
            ensure!(response.status == 200, "{sent}: {}", response.describe());
            let Some(request) = record.requests().pop() else { e2e::fail!("{sent}: nothing arrived") };
            ensure!(request.target() == target, "{sent}: arrived as {}", request.line());
            ensure!(request.values("Host") == [host], "{sent}: {:?}", request.lines());
        }
        Ok(())
    })
}

fn without_host() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let mut client = server.client()?;
        client.send("GET /x HTTP/1.0\r\n\r\n")?;
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
        let hosts: Vec<String> = record.requests().iter().flat_map(|one| one.values("Host")).collect();
        ensure!(hosts == [server.address().to_string()], "Host arrived as {hosts:?}");
        Ok(())
    })
}
