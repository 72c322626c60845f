//! Request heads as tables: what is taken, what is refused, and with which status.

use http1::{
    Body, HeadLimits, Known, Method, Parsed, Refusal, RequestHead, TargetForm, Version, parse_request,
};

const LIMITS: HeadLimits = HeadLimits { head_bytes: 32 * 1024, lines: 100, line_bytes: 8 * 1024 };

fn parse(bytes: &[u8]) -> Result<(Parsed, RequestHead), Refusal> {
    let mut head = RequestHead::default();
    parse_request(bytes, &LIMITS, &mut head).map(|parsed| (parsed, head))
}

fn complete(text: &str) -> RequestHead {
    match parse(text.as_bytes()) {
        Ok((Parsed::Complete, head)) => head,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn status(bytes: &[u8]) -> u16 {
    match parse(bytes) {
        Err(refusal) => refusal.status(),
        Ok((Parsed::Complete, _)) => 200,
        Ok((Parsed::Partial, _)) => 0,
    }
}

/// Whole request lines.
const REQUEST_LINES: &[(u16, &[u8])] = &[
    (200, b"GET / HTTP/1.1"),
    (200, b"GET / HTTP/1.0"),
    (200, b"get /%41%2F?a=%zz&b=%0 HTTP/1.1"),
    (200, b"M-SEARCH /~!$&'()*+,;=:@\"<>[]\\^`{|} HTTP/1.1"),
    (200, b"OPTIONS * HTTP/1.1"),
    (200, b"GET http://b HTTP/1.1"),
    (200, b"GET HTTPS://b:1?q HTTP/1.1"),
    (400, b"GET * HTTP/1.1"),
    (400, b"OPTIONS ** HTTP/1.1"),
    (400, b"GET /"),
    (400, b"GET"),
    (400, b"GET "),
    (400, b" GET / HTTP/1.1"),
    (400, b"GET  / HTTP/1.1"),
    (400, b"GET /  HTTP/1.1"),
    (400, b"GET / HTTP/1.1 "),
    (400, b"GET /a b HTTP/1.1"),
    (400, b"GET\t/ HTTP/1.1"),
    (400, b"GET /\tHTTP/1.1"),
    (400, b"GET / HTTP/1.1\t"),
    (400, b"G(T / HTTP/1.1"),
    (400, b"G\xC3\x89T / HTTP/1.1"),
    (400, b"G\0T / HTTP/1.1"),
    (400, b"GET a HTTP/1.1"),
    (400, b"GET a:80 HTTP/1.1"),
    (400, b"GET ?a HTTP/1.1"),
    (400, b"GET /a#b HTTP/1.1"),
    (400, b"GET /# HTTP/1.1"),
    (400, b"GET /%00 HTTP/1.1"),
    (400, b"GET http://a/%00?b HTTP/1.1"),
    (200, b"GET /?a=%00 HTTP/1.1"),
    (400, b"GET /\xC3\xA9 HTTP/1.1"),
    (400, b"GET /\x7F HTTP/1.1"),
    (400, b"GET /\0 HTTP/1.1"),
    (400, b"GET /\x01 HTTP/1.1"),
    (400, b"GET ftp://a/ HTTP/1.1"),
    (400, b"GET http:/a/ HTTP/1.1"),
    (400, b"GET http:///a HTTP/1.1"),
    (400, b"GET http://u@a/ HTTP/1.1"),
    (400, b"GET http://u:p@a/ HTTP/1.1"),
    (400, b"GET http://a:/ HTTP/1.1"),
    (400, b"GET http://a:99999/ HTTP/1.1"),
    (400, b"GET http://::1/ HTTP/1.1"),
    (400, b"GET http://a,b/ HTTP/1.1"),
    (400, b"GET http://a%2Fb/ HTTP/1.1"),
    (400, b"GET http://a\\b/ HTTP/1.1"),
    (405, b"CONNECT a:443 HTTP/1.1"),
    (405, b"CONNECT / HTTP/1.1"),
    (505, b"PRI * HTTP/2.0"),
    (505, b"GET / HTTP/1.2"),
    (505, b"GET / HTTP/2"),
    (505, b"GET / HTTP/1.10"),
    (505, b"GET / HTTP/01.1"),
    (505, b"GET / http/1.1"),
    (505, b"GET / HTTP/0.9"),
    (400, b"GET / HTTP/"),
    (400, b"GET / HTTP/x"),
    (400, b"GET / HTTPS/1.1"),
    (400, b"GET / x"),
    (400, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2"),
    (400, b"\x16\x03\x01\x02\x00\x01"),
    (400, b"\xEF\xBB\xBFGET / HTTP/1.1"),
];

#[test]
fn request_lines() {
    for &(expected, line) in REQUEST_LINES {
        let head = [line, b"\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(status(&head), expected, "{}", line.escape_ascii());
    }
}

/// Heads with a line end that is none.
const BROKEN_HEADS: &[&[u8]] = &[
    b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\rHost: a\r\n\r\n",
    b"GET /\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\rX",
    b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
    b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// Field lines that no head may have.
const BROKEN_LINES: &[&[u8]] = &[
    b"X: a\0b",
    b"X: \0",
    b"X: a\x01b",
    b"X: \x0bchunked",
    b"X: a\x7Fb",
    b"X: a\x1B",
    b"X\0: a",
    b"X",
    b"X a",
    b"X y: a",
    b"X : a",
    b"X\t: a",
    b"Transfer-Encoding : chunked",
    b" X: a",
    b"\tX: a",
    b": a",
    b":",
    b"X(: a",
    b"X\xC2\xA0: a",
    b"X\xC2\x85: a",
    b"\xC2\xADTransfer-Encoding: chunked",
    b"\xE9: a",
    b"X@: a",
    b"X[]: a",
    b"X: caf\xE9",
    b"X: \xC0\xAF",
    b"X: \xED\xA0\x80",
    b"Content_Length: 5",
    b"transfer_encoding: chunked",
    b"Connection: a b",
    b"Connection: \"close\"",
];

#[test]
fn broken_lines() {
    for head in BROKEN_HEADS {
        assert_eq!(status(head), 400, "{}", head.escape_ascii());
    }
    for &line in BROKEN_LINES {
        let first = [b"GET / HTTP/1.1\r\n", line, b"\r\nHost: a\r\n\r\n"].concat();
        let last = [b"GET / HTTP/1.1\r\nHost: a\r\n", line, b"\r\n\r\n"].concat();
        for head in [first, last] {
            assert_eq!(status(&head), 400, "{}", head.escape_ascii());
        }
    }
}

#[test]
fn valid_lines() {
    for line in [
        "X:",
        "X: ",
        "X:\t",
        "X:a",
        "X: \t a b \t ",
        "X: a\tb",
        "X: é€😀",
        "X: a:b",
        "!#$%&'*+-.^_`|~09aZ: x",
        "X_A: b",
        "Connection: ",
        "Connection: ,close,, a ,",
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        let head = complete(&text);
        let field = head.fields[1];
        let (name, value) = line.split_once(':').unwrap();
        assert_eq!(field.name.of(text.as_bytes()), name.as_bytes());
        assert_eq!(field.value.of(text.as_bytes()), value.trim_matches([' ', '\t']).as_bytes());
    }
}

/// What the fields of a POST may say about framing, routing and expectations.
const FIELDS: &[(u16, &str)] = &[
    (200, "Host: a|Content-Length: 6"),
    (200, "Host: a|Transfer-Encoding: CHUNKED"),
    (400, "Host: a|Content-Length: 6|Transfer-Encoding: chunked"),
    (400, "Host: a|Transfer-Encoding: chunked|Content-Length: 4"),
    (400, "Host: a|Content-Length: 0|Transfer-Encoding: identity"),
    (400, "Host: a|Content-Length: 5|Content-Length: 5"),
    (400, "Host: a|Content-Length: 5|content-length: 6"),
    (400, "Host: a|Content-Length: +5"),
    (400, "Host: a|Content-Length: 05"),
    (400, "Host: a|Content-Length:"),
    (400, "Host: a|Content-Length: 18446744073709551616"),
    (501, "Host: a|Transfer-Encoding: xchunked"),
    (501, "Host: a|Transfer-Encoding: identity"),
    (400, "Host: a|Transfer-Encoding: gzip, chunked"),
    (400, "Host: a|Transfer-Encoding: chunked, identity"),
    (400, "Host: a|Transfer-Encoding: ,chunked"),
    (400, "Host: a|Transfer-Encoding: \"chunked\""),
    (400, "Host: a|Transfer-Encoding: chunked;q=1"),
    (400, "Host: a|Transfer-Encoding:"),
    (400, "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked"),
    (400, "Host: a|Transfer-Encoding: x|Transfer-Encoding: chunked"),
    (400, "Host: a|Transfer-Encoding:| chunked"),
    (400, "Host: a|Content-Length: 5|Upgrade: websocket|Connection: Upgrade"),
    (400, "Host: a|Transfer-Encoding: chunked|Upgrade: x"),
    (200, "Host: a|Content-Length: 0|Upgrade: x"),
    (417, "Host: a|Expect: x 100-continue"),
    (417, "Host: a|Expect: 100-continue, x"),
    (417, "Host: a|Expect:"),
    (417, "Host: a|Expect: 100-continue|Expect: 100-continue"),
    (200, "Host: a|Content-Length: 1|Expect: 100-Continue"),
    (400, ""),
    (400, "Host: a|Host: a"),
    (400, "Host: a|Host: b"),
    (400, "Host:"),
    (400, "Host: "),
    (400, "Host: a@b"),
    (400, "Host: a/b"),
    (400, "Host: a:99999"),
    (400, "Host: [::1"),
    (400, "Host: a, b"),
    (400, "Host: a b"),
    (200, "Host: [::1]:80"),
];

#[test]
fn framing_and_hosts() {
    for &(expected, lines) in FIELDS {
        let lines = lines.replace('|', "\r\n");
        let end = if lines.is_empty() { "\r\n" } else { "\r\n\r\n" };
        let head = format!("POST / HTTP/1.1\r\n{lines}{end}");
        assert_eq!(status(head.as_bytes()), expected, "{head:?}");
    }
}

fn text(span: http1::Span, head: &str) -> &str {
    std::str::from_utf8(span.of(head.as_bytes())).expect("spans end between characters")
}

#[test]
fn targets_are_taken_apart_and_the_absolute_form_wins_over_host() {
    for (line, form, path, host) in [
        ("GET /a?b HTTP/1.1", TargetForm::Origin, "/a?b", "h:1"),
        ("GET //a HTTP/1.1", TargetForm::Origin, "//a", "h:1"),
        ("GET http://B:80/a?b HTTP/1.1", TargetForm::Absolute, "/a?b", "B:80"),
        ("GET HTTPS://[::1] HTTP/1.0", TargetForm::Absolute, "", "[::1]"),
        ("GET http://b?q/r HTTP/1.1", TargetForm::Absolute, "?q/r", "b"),
        ("OPTIONS * HTTP/1.1", TargetForm::Asterisk, "*", "h:1"),
    ] {
        let sent = format!("{line}\r\nHost: h:1\r\n\r\n");
        let head = complete(&sent);
        assert_eq!((head.form, text(head.path_and_query, &sent)), (form, path), "{line}");
        assert_eq!(head.host.map(|host| text(host, &sent)), Some(host), "{line}");
        assert_eq!(text(head.target, &sent), line.split(' ').nth(1).unwrap());
    }
    for line in ["http://b/", "/"] {
        for host in ["", "Host: a,b\r\n", "Host: a\r\nHost: a\r\n"] {
            let sent = format!("GET {line} HTTP/1.1\r\n{host}\r\n");
            assert_eq!(status(sent.as_bytes()), 400, "{sent:?}");
        }
    }
}

#[test]
fn http_1_0() {
    let none = complete("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((none.version, none.host, none.keep_alive), (Version::Http10, None, false));
    let absolute = "GET http://b/ HTTP/1.0\r\n\r\n";
    assert_eq!(complete(absolute).host.map(|host| text(host, absolute)), Some("b"));
    assert!(complete("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    assert!(!complete("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
    let expecting = complete("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: anything\r\n\r\n");
    assert!(!expecting.expect_continue);
    assert_eq!(expecting.body, Body::Length(1));
    for (refused, head) in [
        (Refusal::LengthRequired, "POST / HTTP/1.0\r\n\r\n"),
        (Refusal::LengthRequired, "PUT / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        (Refusal::HostTwice, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        (
            Refusal::Head(http1::HeadFault::CodingInHttp10),
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        (Refusal::Head(http1::HeadFault::CodingInHttp10), "GET / HTTP/1.0\r\nTransfer-Encoding: x\r\n\r\n"),
    ] {
        assert_eq!(parse(head.as_bytes()).unwrap_err(), refused, "{head:?}");
    }
}

#[test]
fn methods() {
    for (name, method, idempotent) in [
        ("GET", Method::Get, true),
        ("HEAD", Method::Head, true),
        ("POST", Method::Post, false),
        ("PUT", Method::Put, true),
        ("DELETE", Method::Delete, true),
        ("OPTIONS", Method::Options, true),
        ("TRACE", Method::Trace, true),
        ("PATCH", Method::Patch, false),
        ("get", Method::Other, false),
        ("connect", Method::Other, false),
    ] {
        let sent = format!("{name} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = complete(&sent);
        assert_eq!((head.method, head.method.is_idempotent()), (method, idempotent), "{name}");
        assert_eq!(text(head.method_name, &sent), name);
    }
}

#[test]
fn connections_end_or_go_on() {
    for (lines, keep_alive) in [
        ("", true),
        ("Connection: keep-alive\r\n", true),
        ("Connection: Close\r\n", false),
        ("Connection: x,close\r\n", false),
        ("Connection: x\r\nConnection: , close ,\r\n", false),
        ("Connection: closed\r\n", true),
        ("X: close\r\n", true),
    ] {
        assert_eq!(
            complete(&format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).keep_alive,
            keep_alive,
            "{lines}"
        );
    }
}

/// A client's list takes away what is its own, and nothing that the app decides by.
#[test]
fn nominated_fields() {
    let nominated = ["X-A", "x-b", "Keep-Alive", "Upgrade", "TE", "MS-ASPNETCORE-TOKEN", "X-Forwarded-For"];
    let kept = [
        "Host",
        "Authorization",
        "Cookie",
        "Content-Length",
        "Content-Type",
        "Content-Disposition",
        "Content-X",
        "Origin",
        "Sec-WebSocket-Key",
        "Expect",
        "Close",
        "X-C",
    ];
    let list = [&nominated[..], &kept[..kept.len() - 1]].concat().join(", ").to_lowercase();
    let mut sent = format!("GET / HTTP/1.1\r\nConnection: {list}\r\n");
    for name in nominated.iter().chain(&kept) {
        let value = match *name {
            "Content-Length" => "0",
            "Expect" => "100-continue",
            _ => "a",
        };
        sent += &format!("{name}: {value}\r\n");
    }
    sent += "\r\n";
    for field in complete(&sent).fields {
        let name = text(field.name, &sent);
        assert_eq!(field.nominated, nominated.contains(&name), "{name}");
    }
}

#[test]
fn a_list_of_many_options_is_refused_before_it_costs_much() {
    let list =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n", "a,".repeat(count));
    assert_eq!(status(list(32).as_bytes()), 200);
    assert_eq!(status(list(33).as_bytes()), 400);
}

#[test]
fn websocket_handshakes() {
    for (line, lines, upgrades) in [
        ("GET / HTTP/1.1", "Connection: Upgrade|Upgrade: websocket", true),
        ("GET / HTTP/1.1", "Connection: keep-alive, upgrade|Upgrade: WebSocket", true),
        ("GET / HTTP/1.1", "Connection: Upgrade|Upgrade: websocket|Content-Length: 0", true),
        ("GET / HTTP/1.0", "Connection: Upgrade|Upgrade: websocket", false),
        ("HEAD / HTTP/1.1", "Connection: Upgrade|Upgrade: websocket", false),
        ("GET / HTTP/1.1", "Upgrade: websocket", false),
        ("GET / HTTP/1.1", "Connection: Upgrade", false),
        ("GET / HTTP/1.1", "Connection: Upgrade|Upgrade: h2c", false),
        ("GET / HTTP/1.1", "Connection: Upgrade|Upgrade: websocket, h2c", false),
        ("GET / HTTP/1.1", "Connection: Upgrade|Upgrade: websocket/13", false),
        ("GET / HTTP/1.1", "Connection: Upgrade|Upgrade: websocket|Upgrade: websocket", false),
    ] {
        let sent = format!("{line}\r\nHost: a\r\n{}\r\n\r\n", lines.replace('|', "\r\n"));
        assert_eq!(complete(&sent).upgrade_websocket, upgrades, "{sent:?}");
    }
}

#[test]
fn what_is_offered_in_passing_may_come_with_a_body_and_a_handshake_may_not() {
    for (lines, wanted) in [
        ("Upgrade: h2c|HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", 200),
        ("Upgrade: H2C", 200),
        ("Upgrade: TLS/1.2", 200),
        ("Upgrade: websocket", 400),
        ("Upgrade: h2c, websocket", 400),
        ("Upgrade: h2c|Upgrade: websocket", 400),
        ("Upgrade: h2c|Upgrade: h2c", 400),
        ("Upgrade: TLS/1.2, websocket", 400),
        ("Upgrade: foo", 400),
        ("Upgrade:", 400),
    ] {
        for body in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            let sent = format!("POST / HTTP/1.1|Host: a|Connection: Upgrade|{lines}|{body}||");
            assert_eq!(status(sent.replace('|', "\r\n").as_bytes()), wanted, "{lines} {body}");
        }
    }
}

#[test]
fn expectations_wait_only_for_a_body() {
    for (lines, waits) in [
        ("Content-Length: 1|Expect: 100-CONTINUE", true),
        ("Transfer-Encoding: chunked|Expect: 100-continue", true),
        ("Content-Length: 0|Expect: 100-continue", false),
        ("Expect: 100-continue", false),
        ("Content-Length: 1", false),
    ] {
        let sent = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", lines.replace('|', "\r\n"));
        assert_eq!(complete(&sent).expect_continue, waits, "{lines}");
    }
}

#[test]
fn one_empty_line_may_stand_in_front_and_what_follows_is_not_ours() {
    let sent = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n";
    let head = complete(sent);
    assert_eq!(&sent[head.length..], "GET /next HTTP/1.1\r\n");
    assert_eq!(head.fields[0].known, Known::Host);
    assert_eq!(text(head.method_name, sent), "GET");
}

#[test]
fn limits_hold_to_the_byte_and_also_for_incomplete_heads() {
    let sent = "\r\nGET /abc HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    let line = "GET /abc HTTP/1.1\r\n".len();
    let exact = HeadLimits { head_bytes: sent.len(), lines: 2, line_bytes: line };
    let mut head = RequestHead::default();
    assert_eq!(parse_request(sent.as_bytes(), &exact, &mut head), Ok(Parsed::Complete));
    for (limits, status) in [
        (HeadLimits { head_bytes: sent.len() - 1, ..exact }, 431),
        (HeadLimits { head_bytes: line, ..exact }, 431),
        (HeadLimits { lines: 1, ..exact }, 431),
        (HeadLimits { lines: 0, ..exact }, 431),
        (HeadLimits { line_bytes: line - 1, ..exact }, 414),
        (HeadLimits { line_bytes: 0, ..exact }, 414),
    ] {
        let whole = parse_request(sent.as_bytes(), &limits, &mut head);
        assert_eq!(whole.map_err(Refusal::status), Err(status), "{limits:?}");
    }
    let endless = "GET /".to_owned() + &"a".repeat(LIMITS.line_bytes);
    assert_eq!(status(&endless.as_bytes()[..LIMITS.line_bytes - 1]), 0);
    assert_eq!(status(&endless.as_bytes()[..LIMITS.line_bytes]), 414);
    let endless = "GET / HTTP/1.1\r\nX: ".to_owned() + &"a".repeat(LIMITS.head_bytes);
    assert_eq!(status(&endless.as_bytes()[..LIMITS.head_bytes - 1]), 0);
    assert_eq!(status(&endless.as_bytes()[..LIMITS.head_bytes]), 431);
    let many = "GET / HTTP/1.1\r\n".to_owned() + &"X: a\r\n".repeat(100);
    assert_eq!(status(many.as_bytes()), 0);
    assert_eq!(status((many + "X").as_bytes()), 431);
}

#[test]
fn a_head_that_is_used_again_remembers_nothing() {
    let mut head = RequestHead::default();
    let long = b"POST http://b/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    assert_eq!(parse_request(long, &LIMITS, &mut head), Ok(Parsed::Complete));
    let memory = head.fields.as_ptr();
    assert_eq!(parse_request(b"GET / HTTP/1.0\r\n\r\n", &LIMITS, &mut head), Ok(Parsed::Complete));
    assert_eq!(head.fields.len(), 0);
    assert_eq!(head.fields.as_ptr(), memory, "the list's memory is reused");
    assert_eq!(
        (head.host, head.body, head.expect_continue, head.form),
        (None, Body::None, false, TargetForm::Origin)
    );
}

#[test]
fn every_refusal_has_one_sentence() {
    for bytes in REQUEST_LINES.iter().map(|&(_, line)| line).chain(BROKEN_HEADS.iter().copied()) {
        if let Err(refusal) = parse(&[bytes, b"\r\n\r\n"].concat()) {
            let sentence = refusal.to_string();
            assert!(sentence.len() > 10 && !sentence.ends_with('.') && sentence.is_ascii(), "{sentence}");
        }
    }
}
