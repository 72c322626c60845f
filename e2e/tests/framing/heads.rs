//! Heads: lengths, codings, lines, versions, Host.

use super::{BAD, Expect, Row, row};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

pub(super) fn rows() -> Vec<Row> {
    [both_lengths(), codings(), lengths(), lines(), versions(), hosts(), pipelines()]
        .into_iter()
        .flatten()
        .collect()
}

fn both_lengths() -> Vec<Row> {
    let with = |fields: &str, body: &str| format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
    vec![
        row("A1 CL.TE", with("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nX"), BAD),
        row(
            "A1 CL.TE, TE first",
            with("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\nX"),
            BAD,
        ),
        row(
            "A2 TE.CL",
            with(
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                &format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len()),
            ),
            BAD,
        ),
    ]
}

fn codings() -> Vec<Row> {
    let refused: &[&str] = &[
        "chunked, identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        ",chunked",
        "chunked,",
        "\"chunked\"",
        "chunked;q=1",
        "chunked x",
        "",
        "=?UTF-8?B?Y2h1bmtlZA==?=",
        "\u{a0}chunked",
        "chun\u{ad}ked",
    ];
    let unknown: &[&str] = &["xchunked", "identity", "gzip", "chunke"];
    let raw: &[(&str, &[u8])] = &[
        ("A3 TE vertical tab", b"Transfer-Encoding: \x0bchunked"),
        ("A3 TE NUL", b"Transfer-Encoding: chunked\x00"),
        ("A3 TE invalid byte", b"Transfer-Encoding: chun\xffked"),
        ("A3 TE blank before the colon", b"Transfer-Encoding : chunked"),
        ("A3 TE tab before the colon", b"Transfer-Encoding\t: chunked"),
        ("A3 TE folded", b"Transfer-Encoding:\r\n chunked"),
        ("A3 TE folded after another", b"X: y\r\n Transfer-Encoding: chunked"),
        ("A3 TE twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("A3 TE twice, one unknown", b"Transfer-Encoding: chunked\r\ntransfer-encoding: x"),
        ("A3 TE NEL after the name", b"Transfer-Encoding\xc2\x85: chunked"),
        ("A3 TE no-break space before the name", b"\xa0Transfer-Encoding: chunked"),
        ("A3 TE soft hyphen in the name", b"Transfer\xc2\xad-Encoding: chunked"),
        ("A3 TE bare CR", b"Transfer-Encoding: chunked\rX: y"),
        ("A3 TE hidden by a bare LF", b"X: y\nTransfer-Encoding: chunked"),
    ];
    let one =
        |line: &[u8]| [b"POST /x HTTP/1.1\r\nHost: a\r\n", line, b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"].concat();
    let named = |value: &str| one(format!("Transfer-Encoding: {value}").as_bytes());
    let mut rows: Vec<Row> =
        refused.iter().map(|value| row(format!("A3 TE {value:?}"), named(value), BAD)).collect();
    rows.extend(
        unknown
            .iter()
            .map(|value| row(format!("A3 TE {value:?}"), named(value), Expect::Refused(&[400, 501]))),
    );
    rows.extend(raw.iter().map(|(name, line)| row(*name, one(line), BAD)));
    rows.push(row("A3 TE Chunked is chunked", named("Chunked"), Expect::Served(&["/x"])));
    rows.push(row(
        "A3 Transfer_Encoding",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nConnection: close\r\n\r\n",
        Expect::Harmless("transfer_encoding"),
    ));
    rows
}

fn lengths() -> Vec<Row> {
    let values: &[&str] = &[
        "+5",
        "-0",
        "-5",
        "05",
        "005",
        "0x5",
        "5 5",
        "5,5",
        "5, 5",
        "5, 0",
        "5e0",
        "5.0",
        "",
        "five",
        "5;",
        "٥",
        "18446744073709551616",
        "99999999999999999999999",
        "9223372036854775808",
    ];
    let with = |lines: &str| format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\nhello");
    let mut rows: Vec<Row> = values
        .iter()
        .map(|value| {
            // The largest numbers that parse are refused as too large, which is as good.
            row(
                format!("A4 CL {value:?}"),
                with(&format!("Content-Length: {value}")),
                Expect::Refused(&[400, 413]),
            )
        })
        .collect();
    rows.push(row("A4 CL twice, equal", with("Content-Length: 5\r\nContent-Length: 5"), BAD));
    rows.push(row("A4 CL twice, different", with("Content-Length: 5\r\nContent-Length: 0"), BAD));
    rows.push(row("A4 CL blank before the colon", with("Content-Length : 5"), BAD));
    rows.push(row("A4 CL folded", with("Content-Length:\r\n 5"), BAD));
    rows.push(row("A4 CL 5 is served", with("Content-Length: 5"), Expect::Served(&["/x"])));
    rows.push(row(
        "A4 CL with blanks around is served",
        with("Content-Length: \t5 \t"),
        Expect::Served(&["/x"]),
    ));
    rows
}

fn lines() -> Vec<Row> {
    let fields: &[(&str, &[u8])] = &[
        ("bare LF in a value", b"X: a\nb\r\n"),
        ("bare CR in a value", b"X: a\rb\r\n"),
        ("NUL in a value", b"X: a\0b\r\n"),
        ("control byte in a value", b"X: a\x01b\r\n"),
        ("DEL in a value", b"X: a\x7fb\r\n"),
        ("blank in a name", b"X Y: a\r\n"),
        ("bare CR in a name", b"X\rY: a\r\n"),
        ("NUL in a name", b"X\0: a\r\n"),
        ("bracket in a name", b"X(: a\r\n"),
        ("byte beyond ASCII in a name", b"X\xe9: a\r\n"),
        ("empty name", b": a\r\n"),
        ("no colon", b"X\r\n"),
        ("blank before the colon", b"X : a\r\n"),
        ("leading blank on a later line", b"X: a\r\n Y: b\r\n"),
        ("obs-fold with tab", b"X: a\r\n\tb\r\n"),
        ("line ended by bare LF", b"X: a\n"),
    ];
    let mut rows: Vec<Row> = fields
        .iter()
        .map(|(name, field)| {
            let bytes = [b"GET /x HTTP/1.1\r\nHost: a\r\n".as_slice(), field, b"\r\n"].concat();
            row(format!("A8 {name}"), bytes, BAD)
        })
        .collect();
    let heads: &[(&str, &[u8])] = &[
        ("leading blank on the first line", b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n"),
        ("bare LF after the request line", b"GET /x HTTP/1.1\nHost: a\r\n\r\n"),
        ("all bare LF", b"GET /x HTTP/1.1\nHost: a\n\n"),
        ("bare LF at the end of the head", b"GET /x HTTP/1.1\r\nHost: a\r\n\n"),
        ("bare CR in the request line", b"GET /x\rHTTP/1.1\r\nHost: a\r\n\r\n"),
        ("NUL in the request line", b"GET /x\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("two blanks in the request line", b"GET  /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("two blanks before the version", b"GET /x  HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("tab in the request line", b"GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("trailing blank in the request line", b"GET /x HTTP/1.1 \r\nHost: a\r\n\r\n"),
        ("leading blank in the request line", b" GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a method that is no token", b"G(T /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("blank in the target", b"GET /x y HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ];
    rows.extend(
        heads.iter().map(|(name, head)| row(format!("A8 {name}"), head, Expect::Refused(&[400, 505]))),
    );
    rows.push(row(
        "A8 PROXY protocol",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Expect::Refused(&[400, 505]),
    ));
    rows
}

fn versions() -> Vec<Row> {
    let line = |version: &str| format!("GET /x {version}\r\nHost: a\r\n\r\n");
    let mut rows: Vec<Row> = ["HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/0.9"]
        .iter()
        .map(|version| row(format!("A15 {version}"), line(version), Expect::Refused(&[505])))
        .collect();
    rows.extend(
        [
            "HTTP/01.1",
            "HTTP/1.01",
            "HTTP/1.10",
            "http/1.1",
            "HTTP/1",
            "HTTP/1.",
            "HTP/1.1",
            "HTTP 1.1",
            "HTTPS/1.1",
        ]
        .iter()
        .map(|version| row(format!("A15 {version}"), line(version), Expect::Refused(&[400, 505]))),
    );
    rows.push(row("A15 HTTP/0.9 without version", "GET /x\r\n\r\n", Expect::Refused(&[400, 505])));
    rows.push(row(
        "A15 HTTP/1.0 with Transfer-Encoding",
        "POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        BAD,
    ));
    rows.push(row(
        "A15 HTTP/1.0 body without length",
        "POST /x HTTP/1.0\r\nHost: a\r\n\r\nuntil the end",
        Expect::Harmless("until"),
    ));
    rows.push(row(
        "A13 h2 preface",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        Expect::Refused(&[400, 505]),
    ));
    rows.push(row(
        "A13 h2 preface after a request",
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        Expect::ServedThenRefused(&["/x"], &[400, 505]),
    ));
    rows
}

fn hosts() -> Vec<Row> {
    let refused: &[&str] = &[
        "a@b",
        "user:pw@a",
        "a/b",
        "a:99999",
        "a:65536",
        "a:-1",
        "a:+80",
        "a:abc",
        "a:80:80",
        "[::1",
        "::1",
        "a, b",
        "a b",
        "a,b",
        "a?b",
        "a#b",
        "a\\b",
        "a\u{e9}",
        "http://a",
        "[::1]x",
        "a:8 0",
        "[zz]",
        "a<b",
    ];
    let good: &[&str] = &["a:80", "a.b.c", "[::1]:8080", "[::1]", "127.0.0.1:1", "a_b", "xn--a-b"];
    let with = |host: &str| format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut rows: Vec<Row> =
        refused.iter().map(|host| row(format!("D7 Host {host:?}"), with(host), BAD)).collect();
    rows.extend(
        good.iter().map(|host| row(format!("D7 Host {host:?}"), with(host), Expect::Served(&["/x"]))),
    );
    let heads: &[(&str, &str)] = &[
        ("missing", "GET /x HTTP/1.1\r\n\r\n"),
        ("empty", "GET /x HTTP/1.1\r\nHost:\r\n\r\n"),
        ("blank", "GET /x HTTP/1.1\r\nHost:  \r\n\r\n"),
        ("twice, equal", "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        ("twice, different", "GET /x HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: b\r\n\r\n"),
        ("twice beside an absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        ("missing beside an absolute form", "GET http://a/x HTTP/1.1\r\n\r\n"),
        ("bad beside an absolute form", "GET http://a/x HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        ("absolute form with userinfo", "GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("absolute form with a bad port", "GET http://a:99999/x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("absolute form without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ];
    rows.extend(heads.iter().map(|(name, head)| row(format!("D7 Host {name}"), head, BAD)));
    rows
}

fn pipelines() -> Vec<Row> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    vec![
        row(
            "A16 three in one segment",
            get("/1") + &get("/2") + &get("/3"),
            Expect::Served(&["/1", "/2", "/3"]),
        ),
        row(
            "A16 the second is bad",
            get("/1") + "GET /2 HTTP/1.1\r\nHost : a\r\n\r\n" + &get("/3"),
            Expect::ServedThenRefused(&["/1"], &[400]),
        ),
        row(
            "A16 body then request",
            format!("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello{}", get("/2")),
            Expect::Served(&["/1", "/2"]),
        ),
        row(
            "A16 chunked body then request",
            format!(
                "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n{}",
                get("/2")
            ),
            Expect::Served(&["/1", "/2"]),
        ),
        row(
            "A16 nothing after Connection: close",
            format!("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{}", get("/2")),
            Expect::Served(&["/1"]),
        ),
    ]
}
