//! Targets: what is refused, what goes on unchanged, what the path base decides.

use e2e::server::serve_folder;
use e2e::{Context as _, Folder, Need, Options, Outcome, Puppet, Suite, ensure, serve};

use super::{BAD, Expect, Row, row};

pub(super) fn rows() -> Vec<Row> {
    let refused: &[(&str, &[u8])] = &[
        ("%00", b"/a%00b"),
        ("fragment", b"/a#b"),
        ("raw byte beyond ASCII", b"/a\xc3\xa9"),
        ("raw DEL", b"/a\x7f"),
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
    rows.extend((0..0x20).chain([0x7F]).filter(|byte| *byte != b'\n').map(|byte| {
        let bytes = [b"GET /a", &[byte][..], b"b HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        row(format!("target raw control byte {byte:#04x}"), bytes, BAD)
    }));
    rows.extend((0..0x20).chain([0x7F]).map(|byte: u8| {
        let bytes = format!("GET /a/%{byte:02X}b HTTP/1.1\r\nHost: a\r\n\r\n");
        row(format!("target escaped control byte {byte:#04x}"), bytes, BAD)
    }));
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
        .test("paths as docs/paths.md says, any app", || documented("Any app", "/"))
        .test("paths as docs/paths.md says, below a base", || documented("An app at `/Sub/App`", "/Sub/App"))
        .needing(
            "a .NET app sees the path that was sent, and the base as the client wrote it",
            &[Need::Dotnet],
            dotnet,
        )
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

const DOCUMENT: &str = include_str!("../../../docs/paths.md");

/// What stands in one cell: a path in backticks, or a status.
fn cell(text: &str) -> &str {
    text.trim().trim_matches('`')
}

/// Asks for every row of one table of the document.
fn documented(section: &str, base: &'static str) -> Outcome {
    let Some(section) = DOCUMENT.split("\n## ").find_map(|part| part.strip_prefix(section)) else {
        e2e::fail!("no section {section:?}")
    };
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `/"))
        .map(|line| line.split('|').skip(1).map(cell).collect())
        .collect();
    ensure!(rows.len() >= 30, "only {} rows", rows.len());
    serve(&Puppet::new(), &["--path-base", base], |server, _| {
        let mut wrong = Vec::new();
        for row in &rows {
            let [target, iis, wanted, why, _] = row[..] else { e2e::fail!("not a row: {row:?}") };
            let mut client = server.client()?;
            client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))?;
            let response = client.response()?;
            let came = match response.status {
                200 => response.value("target").unwrap_or_default(),
                status => status.to_string(),
            };
            if came != wanted {
                wrong.push(format!("{target} came to {came}, not {wanted}"));
            }
            if why.starts_with("as IIS") != (iis == wanted) {
                wrong.push(format!("{target}: {why:?} cannot be, with {iis} there and {wanted} here"));
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

/// Each printable character escaped, as the tests of IIS ask: decoded, but for the slash.
fn dotnet() -> Outcome {
    let folder = Folder::app("probe")?;
    let options = Options::new(folder.path()).dotnet()?.arg("--path-base").arg("/Sub/App");
    serve_folder(&folder, &options, |server, _| {
        let mut client = server.client()?;
        let mut report = |target: &str| -> Outcome<serde_json::Value> {
            let response = client.get(target)?;
            serde_json::from_slice(&response.body).context(response.describe())
        };
        for byte in b' '..=b'~' {
            let target = format!("/SUb/APp/probe/x%{byte:02X}y");
            let seen = report(&target)?;
            let path = if byte == b'/' { "x%2Fy".to_owned() } else { format!("x{}y", char::from(byte)) };
            ensure!(seen["path"] == format!("/probe/{path}"), "{target}: {seen}");
            ensure!(seen["pathBase"] == "/SUb/APp" && seen["rawTarget"] == target, "{target}: {seen}");
        }
        let seen = report("/sub/ball/../app/probe//a/b//c")?;
        ensure!(seen["path"] == "/probe//a/b//c" && seen["pathBase"] == "/sub/app", "{seen}");
        Ok(())
    })
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
