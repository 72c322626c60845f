//! `--listen` to addresses. IIS calls these bindings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::code::Code;
use crate::plan::{Binding, Scheme};
use crate::report::{Report, Spanned};

/// Where `serve` listens when nobody says.
pub(crate) const DEFAULT: &str = "127.0.0.1:8080";

/// Every binding, without those that were refused (and reported).
pub(crate) fn bindings(listen: &[Spanned<String>], report: &mut Report) -> Vec<Binding> {
    let mut bindings: Vec<Binding> = Vec::new();
    for written in listen {
        let text = &written.value;
        match addresses(text) {
            Ok((scheme, addresses)) => {
                refuse_twice(written, &addresses, &bindings, report);
                bindings.push(Binding { text: text.clone(), scheme, addresses });
            }
            Err((message, hint)) => {
                report.error(Code::BadListen, &written.place, format!("\"{text}\" {message}")).hint(hint);
            }
        }
    }
    if listen.is_empty() {
        let (addresses, text) = (vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))], DEFAULT.to_owned());
        bindings.push(Binding { text, scheme: Scheme::Http, addresses });
    }
    bindings
}

/// The kernel would refuse the second one later, with a message that blames somebody else.
fn refuse_twice(
    written: &Spanned<String>,
    addresses: &[SocketAddr],
    earlier: &[Binding],
    report: &mut Report,
) {
    let same = |binding: &&Binding| {
        binding.addresses.iter().any(|address| address.port() != 0 && addresses.contains(address))
    };
    if let Some(binding) = earlier.iter().find(same) {
        let message =
            format!("\"{}\" stands for an address that \"{}\" has already", written.value, binding.text);
        report.error(Code::ListenTwice, &written.place, message).hint("leave one of them out");
    }
}

const FORMS: &str =
    "write PORT, :PORT, ADDRESS:PORT, [IPv6]:PORT, localhost:PORT or *:PORT, with https:// before it for TLS";

/// What is wrong with it, and what to do.
type Wrong = (&'static str, &'static str);

fn addresses(text: &str) -> Result<(Scheme, Vec<SocketAddr>), Wrong> {
    let (scheme, bare) = scheme(text.trim())?;
    let (host, port) = bare.rsplit_once(':').unwrap_or(("127.0.0.1", bare));
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(("is not an address with a port", FORMS));
    }
    let port: u16 =
        port.parse().map_err(|_| ("has a port above 65535", "ports go from 0 (draw one) to 65535"))?;
    let both = |v4: Ipv4Addr, v6: Ipv6Addr| vec![SocketAddr::from((v4, port)), SocketAddr::from((v6, port))];
    match host {
        "" | "*" | "+" => return Ok((scheme, both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED))),
        name if name.eq_ignore_ascii_case("localhost") => {
            return Ok((scheme, both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)));
        }
        _ => {}
    }
    let address = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse().map(IpAddr::V6).ok(),
        None => host.parse().map(IpAddr::V4).ok(),
    };
    let known =
        "host names and unbracketed IPv6 addresses are not taken; write an IP address, localhost or *";
    let address = address.ok_or(("does not name an address", known))?;
    Ok((scheme, vec![SocketAddr::new(address, port)]))
}

fn scheme(text: &str) -> Result<(Scheme, &str), Wrong> {
    let Some((name, rest)) = text.split_once("://") else { return Ok((Scheme::Http, text)) };
    let named = [Scheme::Http, Scheme::Https].into_iter().find(|s| name.eq_ignore_ascii_case(s.as_str()));
    let scheme = named.ok_or(("has an unknown scheme", FORMS))?;
    Ok((scheme, rest.strip_suffix('/').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn flag(text: &str) -> Spanned<String> {
        Spanned { value: text.to_owned(), place: Place::whole("--listen") }
    }

    /// http goes without saying.
    fn written(scheme: Scheme, address: &SocketAddr) -> String {
        match scheme {
            Scheme::Http => address.to_string(),
            Scheme::Https => format!("https://{address}"),
        }
    }

    fn read(text: &str) -> String {
        let mut report = Report::default();
        let bindings = bindings(&[flag(text)], &mut report);
        let list: Vec<String> =
            bindings.iter().flat_map(|b| b.addresses.iter().map(|a| written(b.scheme, a))).collect();
        assert_eq!(list.is_empty(), report.has_errors(), "{text}");
        list.join(" ")
    }

    #[test]
    fn every_accepted_form() {
        for (text, expected) in [
            ("5000", "127.0.0.1:5000"),
            ("0", "127.0.0.1:0"),
            (":5000", "0.0.0.0:5000 [::]:5000"),
            ("*:80", "0.0.0.0:80 [::]:80"),
            ("+:80", "0.0.0.0:80 [::]:80"),
            ("http://+:80/", "0.0.0.0:80 [::]:80"),
            ("localhost:80", "127.0.0.1:80 [::1]:80"),
            ("HTTP://LocalHost:80", "127.0.0.1:80 [::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("https://*:443", "https://0.0.0.0:443 https://[::]:443"),
            ("HTTPS://localhost:0/", "https://127.0.0.1:0 https://[::1]:0"),
            ("http://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let wrong = [
            "",
            "x",
            "65536",
            "99999999999",
            "::1:80",
            "[::1]",
            "example.org:80",
            "https://*",
            "https:443",
            "ftp://*:21",
            "http://",
            "127.0.0.1:",
            "127.0.0.1:+80",
            "http://*:80/base",
            "1.2.3:80",
            "[1.2.3.4]:80",
            "-1",
            ":",
        ];
        for text in wrong {
            assert_eq!(read(text), "", "{text}");
        }
    }

    #[test]
    fn an_address_is_bound_once() {
        let twice = ["8080", "localhost:8080"].map(flag);
        let mut report = Report::default();
        bindings(&twice, &mut report);
        assert!(report.has_errors());
        let mut report = Report::default();
        bindings(&["0", "0"].map(flag), &mut report);
        assert!(!report.has_errors());
    }
}
