//! Field names with a meaning to the proxy, recognised once while a head is parsed, so that nobody compares
//! strings a second time.

/// The name of a field, if it is one that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each variant is the field name that it spells")]
pub enum Known {
    Accept,
    AcceptEncoding,
    AcceptLanguage,
    Authorization,
    CacheControl,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentType,
    Cookie,
    Date,
    ETag,
    Expect,
    Host,
    IfModifiedSince,
    IfNoneMatch,
    KeepAlive,
    LastModified,
    Location,
    Origin,
    ProxyConnection,
    Range,
    Referer,
    SecWebSocketAccept,
    SecWebSocketExtensions,
    SecWebSocketKey,
    SecWebSocketProtocol,
    SecWebSocketVersion,
    Server,
    SetCookie,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    UserAgent,
    Vary,
    WwwAuthenticate,
    /// Any other name.
    #[default]
    Other,
}

type Names = &'static [(&'static [u8], Known)];

/// The names of one length; the one that requests carry most often comes first.
const fn of_length(length: usize) -> Names {
    match length {
        2 => &[(b"te", Known::Te)],
        4 => {
            &[(b"host", Known::Host), (b"date", Known::Date), (b"vary", Known::Vary), (b"etag", Known::ETag)]
        }
        5 => &[(b"range", Known::Range)],
        6 => &[
            (b"accept", Known::Accept),
            (b"cookie", Known::Cookie),
            (b"server", Known::Server),
            (b"origin", Known::Origin),
            (b"expect", Known::Expect),
        ],
        7 => &[(b"referer", Known::Referer), (b"upgrade", Known::Upgrade), (b"trailer", Known::Trailer)],
        8 => &[(b"location", Known::Location)],
        10 => &[
            (b"connection", Known::Connection),
            (b"user-agent", Known::UserAgent),
            (b"set-cookie", Known::SetCookie),
            (b"keep-alive", Known::KeepAlive),
        ],
        12 => &[(b"content-type", Known::ContentType)],
        13 => &[
            (b"cache-control", Known::CacheControl),
            (b"authorization", Known::Authorization),
            (b"if-none-match", Known::IfNoneMatch),
            (b"last-modified", Known::LastModified),
        ],
        14 => &[(b"content-length", Known::ContentLength)],
        15 => &[(b"accept-encoding", Known::AcceptEncoding), (b"accept-language", Known::AcceptLanguage)],
        16 => &[
            (b"content-encoding", Known::ContentEncoding),
            (b"proxy-connection", Known::ProxyConnection),
            (b"www-authenticate", Known::WwwAuthenticate),
        ],
        17 => &[
            (b"transfer-encoding", Known::TransferEncoding),
            (b"if-modified-since", Known::IfModifiedSince),
            (b"sec-websocket-key", Known::SecWebSocketKey),
        ],
        20 => &[(b"sec-websocket-accept", Known::SecWebSocketAccept)],
        21 => &[(b"sec-websocket-version", Known::SecWebSocketVersion)],
        22 => &[(b"sec-websocket-protocol", Known::SecWebSocketProtocol)],
        24 => &[(b"sec-websocket-extensions", Known::SecWebSocketExtensions)],
        _ => &[],
    }
}

impl Known {
    /// Finds a name without regard to case.
    #[must_use]
    pub fn find(name: &[u8]) -> Self {
        let Some(first) = name.first() else { return Self::Other };
        let first = first.to_ascii_lowercase();
        // Names of one length rarely share their first letter, so one comparison is enough (measured: a quarter
        // of the time that a head takes).
        let is_it = |known: &[u8]| known[0] == first && same(name, known);
        of_length(name.len()).iter().find(|(known, _)| is_it(known)).map_or(Self::Other, |&(_, known)| known)
    }
}

/// Whether a name is `lower`, which has its length.
#[inline]
fn same(name: &[u8], lower: &[u8]) -> bool {
    name.iter().zip(lower).all(|(have, want)| have.to_ascii_lowercase() == *want)
}

/// Whether a name frames messages once `_` is read as `-`, as gateways that make environment variables of
/// names do: what one side ignores would frame the message for the other.
pub(crate) fn imitates_framing(name: &[u8]) -> bool {
    let imitated: &[u8] = match name.len() {
        14 => b"content-length",
        17 => b"transfer-encoding",
        _ => return false,
    };
    name.iter()
        .zip(imitated)
        .all(|(&have, &want)| have.to_ascii_lowercase() == want || (have == b'_' && want == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_stands_under_its_length() {
        let mut count = 0;
        for length in 0..64 {
            for &(name, known) in of_length(length) {
                assert_eq!(name.len(), length, "{known:?}");
                assert_eq!(Known::find(name), known);
                assert_eq!(Known::find(&name.to_ascii_uppercase()), known);
                // The variant's own name is the field's name without its dashes.
                let letters: Vec<u8> = name.iter().copied().filter(|&byte| byte != b'-').collect();
                assert!(format!("{known:?}").as_bytes().eq_ignore_ascii_case(&letters), "{known:?}");
                count += 1;
            }
        }
        assert_eq!(count, Known::Other as usize, "every variant but Other has a name");
    }

    #[test]
    fn other_names_are_other() {
        for name in
            ["", "hos", "hosts", "content_length", "x-content-length", "Transfer-Encodin\u{130}", "cookie2"]
        {
            assert_eq!(Known::find(name.as_bytes()), Known::Other, "{name}");
        }
    }

    #[test]
    fn imitations_of_framing_fields() {
        for (name, imitates) in [
            ("Content_Length", true),
            ("CONTENT_LENGTH", true),
            ("Transfer_Encoding", true),
            ("transfer_encoding", true),
            ("Content-Lengt_", false),
            ("Content.Length", false),
            ("X_Content_Length", false),
        ] {
            assert_eq!(imitates_framing(name.as_bytes()), imitates, "{name}");
        }
    }
}
