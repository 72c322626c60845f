use config::Network;
use http1::{HeadLimits, Parsed};

use super::*;

fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').unwrap();
    Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
}

/// Whom a peer at 10.0.0.1, which is trusted as all of 10.0.0.0/8 and 2001:db8:1::/48 are, speaks for.
fn told(lines: &str) -> (String, Scheme, Source) {
    let site =
        Site { trusted_proxies: vec![network("10.0.0.0/8"), network("2001:db8:1::/48")], ..Site::default() };
    let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let bounds = HeadLimits { head_bytes: 65536, lines: 1000, line_bytes: 8192 };
    let mut head = RequestHead::default();
    let parsed = http1::parse_request(bytes.as_bytes(), &bounds, &mut head);
    assert_eq!(parsed, Ok(Parsed::Complete), "{lines}");
    let peer =
        Client { address: "10.0.0.1:4711".parse().unwrap(), scheme: Scheme::Http, source: Source::Peer };
    let client = peer.told(&site, &head, bytes.as_bytes());
    (client.address.to_string(), client.scheme, client.source)
}

#[test]
fn every_spelling_of_an_address() {
    for (entry, wanted) in [
        ("203.0.113.7", "203.0.113.7:0"),
        ("203.0.113.7:4711", "203.0.113.7:4711"),
        ("203.0.113.7:0", "203.0.113.7:0"),
        ("203.0.113.7:65535", "203.0.113.7:65535"),
        ("\"203.0.113.7\"", "203.0.113.7:0"),
        ("\"203.0.113.7:80\"", "203.0.113.7:80"),
        ("2001:db8::7", "[2001:db8::7]:0"),
        ("2001:DB8::7", "[2001:db8::7]:0"),
        ("[2001:db8::7]", "[2001:db8::7]:0"),
        ("[2001:db8::7]:443", "[2001:db8::7]:443"),
        ("\"[2001:db8::7]:443\"", "[2001:db8::7]:443"),
        ("::", "[::]:0"),
        ("::ffff:203.0.113.7", "203.0.113.7:0"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7:80"),
        (" \t203.0.113.7 \t", "203.0.113.7:0"),
    ] {
        assert_eq!(address(entry.as_bytes()).map(|one| one.to_string()).as_deref(), Some(wanted), "{entry}");
    }
}

#[test]
fn what_is_no_address() {
    let long = format!("203.0.113.{}7", "0".repeat(30_000));
    for entry in [
        "",
        " ",
        "unknown",
        "_hidden",
        "-",
        "null",
        "localhost",
        "shop.example:80",
        "203.0.113",
        "203.0.113.7.8",
        "203.0.113.256",
        "203.0.113.07",
        "0xcb.0.113.7",
        "3405803783",
        "203.0.113.7:",
        "203.0.113.7:x",
        "203.0.113.7:65536",
        "203.0.113.7:000080",
        "203.0.113.7:+80",
        "203.0.113.7: 80",
        "203.0.113.7:80:80",
        "203.0.113.7/32",
        "[203.0.113.7]",
        "[203.0.113.7]:80",
        "[2001:db8::7",
        "2001:db8::7]",
        "[]",
        "[]:80",
        "[2001:db8::7]80",
        "[2001:db8::7]:",
        "[2001:db8::7]:65536",
        "[fe80::1%eth0]",
        "fe80::1%1",
        ":::",
        "\"",
        "\"\"",
        "\"203.0.113.7",
        "203.0.113.7\"",
        "'203.0.113.7'",
        "\"\"203.0.113.7\"\"",
        "for=203.0.113.7",
        "203.0.113.7;",
        "203.0.113.7 203.0.113.8",
        "٢٠٣.0.113.7",
        "203.0.113.7\u{a0}",
        &long,
    ] {
        assert_eq!(address(entry.as_bytes()), None, "{entry:.60}");
    }
    assert_eq!(address(b"203.0.113.7\xff"), None);
}

#[test]
fn entries_are_believed_from_the_right_as_far_as_trust_goes() {
    use Source::{Doubtful, Peer, Told};
    let far = "10.9.9.9, ".repeat(500);
    for (lines, wanted, source) in [
        ("", "10.0.0.1:4711", Peer),
        ("X-Forwarded-For: 203.0.113.7\r\n", "203.0.113.7:0", Told),
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.7:80\r\n", "203.0.113.7:80", Told),
        ("X-Forwarded-For: 198.51.100.1,203.0.113.7,10.0.0.2\r\n", "203.0.113.7:0", Told),
        ("X-Forwarded-For: evil, 203.0.113.7, 10.0.0.2:1, [2001:db8:1::3]:2\r\n", "203.0.113.7:0", Told),
        // More than one line is one list (RFC 9110 §5.3).
        ("X-Forwarded-For: 203.0.113.7\r\nX: y\r\nx-forwarded-for: 10.0.0.2\r\n", "203.0.113.7:0", Told),
        ("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1:0", Told),
        // All are proxies of ours: the farthest one asks for itself.
        ("X-Forwarded-For: 10.0.0.3, ::ffff:10.0.0.2\r\n", "10.0.0.3:0", Told),
        // What is no address ends the belief, whatever stands left of it.
        ("X-Forwarded-For: unknown\r\n", "10.0.0.1:4711", Doubtful),
        ("X-Forwarded-For: 203.0.113.7, unknown\r\n", "10.0.0.1:4711", Doubtful),
        ("X-Forwarded-For: 203.0.113.7, unknown, 10.0.0.2:5\r\n", "10.0.0.2:5", Doubtful),
        ("X-Forwarded-For:\r\n", "10.0.0.1:4711", Doubtful),
        ("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For:\r\n", "10.0.0.1:4711", Doubtful),
        ("X-Forwarded-For: 203.0.113.7,\r\n", "10.0.0.1:4711", Doubtful),
        ("X-Forwarded-For: 203.0.113.7,, 10.0.0.2\r\n", "10.0.0.2:0", Doubtful),
        ("X-Forwarded-For: \"198.51.100.1, 10.0.0.2\"\r\n", "10.0.0.1:4711", Doubtful),
        // Other names and spellings say nothing.
        ("X_Forwarded_For: 203.0.113.7\r\nX-Real-IP: 203.0.113.7\r\n", "10.0.0.1:4711", Peer),
        ("Forwarded: for=203.0.113.7\r\nX-Forwarded: 203.0.113.7\r\n", "10.0.0.1:4711", Peer),
        (&format!("X-Forwarded-For: 203.0.113.7, {far}10.0.0.2\r\n"), "203.0.113.7:0", Told),
    ] {
        assert_eq!(told(lines), (wanted.to_owned(), Scheme::Http, source), "{lines:.200}");
    }
}

#[test]
fn the_nearest_scheme_counts_if_it_is_one() {
    for (lines, wanted) in [
        ("", Scheme::Http),
        ("X-Forwarded-Proto: https\r\n", Scheme::Https),
        ("X-Forwarded-Proto: HTTPS\r\n", Scheme::Https),
        ("X-Forwarded-Proto: http, https\r\n", Scheme::Https),
        ("X-Forwarded-Proto: https, http\r\n", Scheme::Http),
        ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", Scheme::Http),
        ("X-Forwarded-Proto: http, wss\r\n", Scheme::Https),
        ("X-Forwarded-Proto: https, WS\r\n", Scheme::Http),
        ("X-Forwarded-Proto: https, tls\r\n", Scheme::Http),
        ("X-Forwarded-Proto: https,\r\n", Scheme::Http),
        ("X-Forwarded-Proto: ht<tps\r\n", Scheme::Http),
        ("X-Forwarded-Proto: \"https\"\r\n", Scheme::Http),
        ("X_Forwarded_Proto: https\r\nX-Forwarded-Scheme: https\r\nFront-End-Https: on\r\n", Scheme::Http),
    ] {
        assert_eq!(told(lines).1, wanted, "{lines}");
    }
}

#[test]
fn the_scheme_is_told_by_whoever_tells_the_address() {
    for (clients, schemes, wanted) in [
        ("203.0.113.7", "https, http", Scheme::Http),
        ("203.0.113.7, 10.0.0.2", "https, http", Scheme::Https),
        ("203.0.113.7, 10.0.0.2", "http, https", Scheme::Http),
        ("203.0.113.7, 10.0.0.3, 10.0.0.2", "http, https, http, http", Scheme::Https),
        // Whoever wrote only one wrote it over the others.
        ("203.0.113.7, 10.0.0.3, 10.0.0.2", "https", Scheme::Https),
        // What stands left of the client, anybody can have written.
        ("10.0.0.3, 203.0.113.7, 10.0.0.2", "https, http, https", Scheme::Http),
        ("unknown", "https, http", Scheme::Http),
        ("unknown, 10.0.0.3, 10.0.0.2", "http, https, http", Scheme::Https),
        ("203.0.113.7, 10.0.0.2", "gopher, https", Scheme::Http),
    ] {
        let lines = format!("X-Forwarded-For: {clients}\r\nX-Forwarded-Proto: {schemes}\r\n");
        assert_eq!(told(&lines).1, wanted, "{lines}");
    }
}
