//! Names of header fields with a meaning between server and app, and which of them a client may never send.

/// Carries the pairing token on every request to the app.
pub const PAIRING_TOKEN: &str = "MS-ASPNETCORE-TOKEN";
/// Carries an order from the server; the only one is `shutdown`, sent as POST to `/iisintegration`.
pub const EVENT: &str = "MS-ASPNETCORE-EVENT";
/// Carries the certificate that the client showed, DER in base64.
pub const CLIENT_CERTIFICATE: &str = "MS-ASPNETCORE-CLIENTCERT";
/// Carries the client's address, as exactly one entry.
pub const FORWARDED_FOR: &str = "X-Forwarded-For";
/// Carries `http` or `https`, as exactly one entry.
pub const FORWARDED_PROTO: &str = "X-Forwarded-Proto";
/// Names one exchange in our answers and logs.
pub const REQUEST_ID: &str = "X-Request-Id";

/// Reserved names: a prefix when it ends in `*`, otherwise the whole name. Lower case, with `-`.
const RESERVED: &[&[u8]] = &[
    b"ms-aspnetcore*",
    b"x-forwarded-*",
    b"x-original-*",
    b"x-arr-*",
    b"x-client-cert",
    b"x-real-ip",
    b"x-rewrite-url",
    b"forwarded",
    b"proxy",
];

/// Names that speak about one connection only (RFC 9110 §7.6.1, RFC 7540 §3.2.1 for `HTTP2-Settings`).
const HOP_BY_HOP: &[&[u8]] = &[
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"http2-settings",
];

/// Whether the app believes this name because it comes from its server, so that a client's copy must go.
///
/// Compared without regard to case and with `_` read as `-`, because an app or a gateway behind us may
/// fold them together (security: OAuth2-proxy CVE-2025-64484).
#[must_use]
pub fn is_reserved(name: &[u8]) -> bool {
    // Most names end here: no reserved name starts with any other letter.
    match name.first().map(u8::to_ascii_lowercase) {
        Some(b'm' | b'x' | b'f' | b'p') => RESERVED.iter().any(|reserved| matches(name, reserved)),
        _ => false,
    }
}

/// Whether this name is about the connection it came on, so that it never travels further.
#[must_use]
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    match name.first().map(u8::to_ascii_lowercase) {
        Some(b'c' | b'k' | b'p' | b't' | b'u' | b'h') => HOP_BY_HOP.iter().any(|hop| matches(name, hop)),
        _ => false,
    }
}

fn matches(name: &[u8], pattern: &[u8]) -> bool {
    let (pattern, prefix) = match pattern {
        [start @ .., b'*'] => (start, true),
        whole => (whole, false),
    };
    (if prefix { name.len() >= pattern.len() } else { name.len() == pattern.len() })
        && name.iter().zip(pattern).all(|(&have, &want)| fold(have) == want)
}

fn fold(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_in_every_spelling() {
        for name in [
            "MS-ASPNETCORE",
            "mS-ASPNETCORE-f",
            "MS-ASPNETCOREX",
            "Ms_AspNetCore_Token",
            "X-Forwarded-For",
            "X_Forwarded_Proto",
            "x-forwarded-anything",
            "X-Original-URL",
            "X-ARR-SSL",
            "X-Client-Cert",
            "Proxy",
            "FORWARDED",
            "X-Real-IP",
            "x_real_ip",
            "X-Rewrite-Url",
        ] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        for name in [
            "Authorization",
            "Cookie",
            "X-HTTP-Method-Override",
            "X-Forwarded",
            "Proxy-Authorization",
            "MS-ASP",
            "X-Client-Certificate",
            "Forwarded-By",
            "X-Request-Id",
        ] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn hop_by_hop_names_in_every_spelling() {
        for name in
            ["Connection", "keep_alive", "TE", "Trailer", "transfer-encoding", "Upgrade", "HTTP2-Settings"]
        {
            assert!(is_hop_by_hop(name.as_bytes()), "{name}");
        }
        for name in ["Host", "Cookie", "Content-Length", "Trailers", "Upgrade-Insecure-Requests"] {
            assert!(!is_hop_by_hop(name.as_bytes()), "{name}");
        }
    }
}
