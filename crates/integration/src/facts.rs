//! What the server knows of a client and tells in headers, read back into one value.
//!
//! The headers are believed only after the token was: `layer` calls this, nobody else may.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use contract::{FORWARDED_FOR, FORWARDED_PROTO};
use http::HeaderMap;

/// One request as the server saw it. Found in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// Who sent it; port 0 where only the address is known. None when nobody told: the program runs without a
    /// server, so that its own peer is the client.
    pub client: Option<SocketAddr>,
    /// How the client reached the server.
    pub scheme: Scheme,
    /// The path below which the program lives, without a slash at its end: empty for the root. Request paths still
    /// begin with it (`Router::nest` takes it off).
    pub path_base: Arc<str>,
}

/// What stands before `://` in the client's address bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Not encrypted.
    Http,
    /// Encrypted up to the server.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Reads what a server wrote.
pub(crate) fn read(headers: &HeaderMap, path_base: Arc<str>) -> Facts {
    let scheme = match last_entry(headers, FORWARDED_PROTO) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    Facts { client: last_entry(headers, FORWARDED_FOR).and_then(address), scheme, path_base }
}

/// What is known without a server.
pub(crate) fn unhosted(path_base: Arc<str>) -> Facts {
    Facts { client: None, scheme: Scheme::Http, path_base }
}

/// The last entry is the server's own; what stands before it was sent by somebody else.
fn last_entry<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(|entry| entry.trim().trim_matches('"'))
}

/// `ip`, `ip:port`, `[v6]`, `[v6]:port`, or an IPv6 address as it is (what ASP.NET Core's middleware takes).
fn address(text: &str) -> Option<SocketAddr> {
    let bare =
        || text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text).parse::<IpAddr>();
    text.parse().ok().or_else(|| Some(SocketAddr::new(bare().ok()?, 0)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(lines: &[(&'static str, &'static str)]) -> Facts {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        read(&headers, "".into())
    }

    #[test]
    fn every_form_of_an_address() {
        for (sent, expected) in [
            ("203.0.113.7:4711", Some("203.0.113.7:4711")),
            ("203.0.113.7", Some("203.0.113.7:0")),
            ("\"203.0.113.7:1\"", Some("203.0.113.7:1")),
            ("[2001:db8::1]:80", Some("[2001:db8::1]:80")),
            ("[2001:db8::1]", Some("[2001:db8::1]:0")),
            ("2001:db8::1", Some("[2001:db8::1]:0")),
            ("198.51.100.1, 203.0.113.7:5", Some("203.0.113.7:5")),
            ("203.0.113.7, unknown", None),
            ("203.0.113.7:70000", None),
            ("", None),
        ] {
            let client = told(&[("x-forwarded-for", sent)]).client;
            assert_eq!(client, expected.map(|text| text.parse().expect("an address")), "{sent}");
        }
        let two_lines = told(&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.7")]);
        assert_eq!(two_lines.client, Some("203.0.113.7:0".parse().expect("an address")));
        assert_eq!(told(&[]).client, None);
    }

    #[test]
    fn https_is_said_and_never_guessed() {
        for (sent, expected) in [
            ("https", Scheme::Https),
            ("HTTPS", Scheme::Https),
            ("http, https", Scheme::Https),
            ("wss", Scheme::Http),
        ] {
            assert_eq!(told(&[("x-forwarded-proto", sent)]).scheme, expected, "{sent}");
        }
        assert_eq!(told(&[("x-forwarded-proto", "https, http")]).scheme.as_str(), "http");
        assert_eq!(told(&[]).scheme, Scheme::Http);
    }
}
