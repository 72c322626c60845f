//! One path decides: the path of a target without dot segments, as it is sent on, and decoded, as it is judged.
//!
//! Measured: Kestrel decodes a path once except `%2F`, leaves what is no valid UTF-8 as text, and removes dot
//! segments afterwards, also those that were spelled with `%2e`. The deciding path is the one that the app will
//! see. Called by the proxy's routing.

use crate::fault::Refusal;

/// Memory for paths that cannot be used as they stand; reused from request to request.
#[derive(Debug, Clone, Default)]
pub struct PathScratch {
    raw: Vec<u8>,
    decoded: Vec<u8>,
}

/// A target taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The path as sent, without dot segments; nothing else is changed.
    pub raw_path: &'a [u8],
    /// From the `?` on, or empty.
    pub query: &'a [u8],
    /// The raw path percent-decoded once except `%2F`; what decodes to no UTF-8 stays as text.
    pub deciding: &'a [u8],
}

/// Takes the `path_and_query` of a request head apart.
///
/// # Errors
/// [`Refusal::PathAboveRoot`] if `..` climbs above the root, [`Refusal::PathControl`] for an escaped control character:
/// IIS lets none through, and no honest address has one. (As they are they are no part of a target at all.)
pub fn resolve<'a>(path_and_query: &'a [u8], scratch: &'a mut PathScratch) -> Result<Resolved<'a>, Refusal> {
    let end = memchr::memchr(b'?', path_and_query).unwrap_or(path_and_query.len());
    let (path, query) = path_and_query.split_at(end);
    let PathScratch { raw, decoded } = scratch;
    // An absolute target may go without a path (RFC 9112 §3.2.1).
    let path = if path.is_empty() { b"/" } else { path };
    let escaped = memchr::memchr(b'%', path).is_some();
    let raw_path = if may_have_dots(path, escaped) {
        remove_dots(path, raw)?;
        raw.as_slice()
    } else {
        path
    };
    let deciding = if escaped {
        decode(raw_path, decoded);
        if decoded.iter().any(u8::is_ascii_control) {
            return Err(Refusal::PathControl);
        }
        decoded.as_slice()
    } else {
        raw_path
    };
    Ok(Resolved { raw_path, query, deciding })
}

/// Whether a segment may start with a dot: only then can it be a dot segment.
fn may_have_dots(path: &[u8], escaped: bool) -> bool {
    let starts_with_dot = |rest: &[u8]| rest.starts_with(b".") || (escaped && starts_with_escaped_dot(rest));
    memchr::memchr_iter(b'/', path).any(|at| starts_with_dot(&path[at + 1..]))
}

fn starts_with_escaped_dot(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', b'2', b'e' | b'E', ..])
}

/// RFC 3986 §5.2.4, with escaped dots taken for dots.
fn remove_dots(path: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.clear();
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match dots(segment) {
            Some(1) if last => out.push(b'/'),
            Some(1) => {}
            Some(2) => {
                let parent = memchr::memrchr(b'/', out).ok_or(Refusal::PathAboveRoot)?;
                out.truncate(parent);
                if last {
                    out.push(b'/');
                }
            }
            _ => {
                out.push(b'/');
                out.extend_from_slice(segment);
            }
        }
    }
    Ok(())
}

/// The number of dots if the segment consists of nothing else.
fn dots(segment: &[u8]) -> Option<usize> {
    let mut rest = segment;
    let mut count = 0;
    while !rest.is_empty() {
        rest = match rest {
            [b'.', rest @ ..] => rest,
            _ if starts_with_escaped_dot(rest) => &rest[3..],
            _ => return None,
        };
        count += 1;
    }
    Some(count)
}

/// Percent-decodes once; `%2F` and everything that decodes to no UTF-8 stay as they are.
fn decode(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = path;
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let mut sequence = [0; 4];
        let length = decode_one(rest, &mut sequence);
        if length == 0 {
            out.push(b'%');
            rest = &rest[1..];
        } else {
            out.extend_from_slice(&sequence[..length]);
            rest = &rest[3 * length..];
        }
    }
    out.extend_from_slice(rest);
}

/// Decodes the escapes of one character into `sequence`, and returns its length in bytes; zero if it stays text.
fn decode_one(text: &[u8], sequence: &mut [u8; 4]) -> usize {
    let Some(first) = escape(text) else { return 0 };
    let length = match first {
        b'/' => return 0,
        0..0x80 => 1,
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        _ => return 0,
    };
    for (index, byte) in sequence[..length].iter_mut().enumerate() {
        match text.get(3 * index..).and_then(escape) {
            Some(value) => *byte = value,
            None => return 0,
        }
    }
    if std::str::from_utf8(&sequence[..length]).is_ok() { length } else { 0 }
}

fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// Whether a deciding path lies in a base (decoded; `/` or `/sub`), which it does at a segment boundary only.
///
/// Letters match without regard to case, as IIS's application paths do; ASCII matches nothing but ASCII, as in
/// .NET's ordinal comparison.
#[must_use]
pub fn base_match(deciding: &[u8], base: &[u8]) -> bool {
    let base = base.strip_suffix(b"/").unwrap_or(base);
    let Some(rest) = strip_base(deciding, base) else { return false };
    matches!(rest, [] | [b'/', ..]) && deciding.starts_with(b"/")
}

fn strip_base<'a>(path: &'a [u8], base: &[u8]) -> Option<&'a [u8]> {
    if base.is_ascii() {
        let (start, rest) = path.split_at_checked(base.len())?;
        return start.eq_ignore_ascii_case(base).then_some(rest);
    }
    let (path, base) = (std::str::from_utf8(path).ok()?, std::str::from_utf8(base).ok()?);
    let mut path = path.chars();
    base.chars()
        .all(|want| path.next().is_some_and(|have| same_letter(have, want)))
        .then_some(path.as_str().as_bytes())
}

fn same_letter(have: char, want: char) -> bool {
    if have.is_ascii() || want.is_ascii() {
        have.eq_ignore_ascii_case(&want)
    } else {
        have == want || have.to_lowercase().eq(want.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(target: &str) -> Result<(String, String, Vec<u8>), Refusal> {
        let mut scratch = PathScratch::default();
        resolve(target.as_bytes(), &mut scratch).map(|resolved| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(resolved.raw_path), text(resolved.query), resolved.deciding.to_vec())
        })
    }

    /// Target; path sent on; query; path that decides.
    const TARGETS: &[(&str, &str, &str, &str)] = &[
        ("/", "/", "", "/"),
        ("", "/", "", "/"),
        ("?a=/../b", "/", "?a=/../b", "/"),
        ("*", "*", "", "*"),
        ("/a/b?c?d#", "/a/b", "?c?d#", "/a/b"),
        ("/a?", "/a", "?", "/a"),
        ("/.", "/", "", "/"),
        ("/./", "/", "", "/"),
        ("/./admin", "/admin", "", "/admin"),
        ("/a/.", "/a/", "", "/a/"),
        ("/a/./b", "/a/b", "", "/a/b"),
        ("/a/..", "/", "", "/"),
        ("/a/../", "/", "", "/"),
        ("/a/b/../../c", "/c", "", "/c"),
        ("/a/%2e%2E/b", "/b", "", "/b"),
        ("/a/.%2e/b", "/b", "", "/b"),
        ("/a/%2E./b?%2e%2e", "/b", "?%2e%2e", "/b"),
        ("/%2e/a", "/a", "", "/a"),
        ("//a//../b", "//a/b", "", "//a/b"),
        ("//..", "/", "", "/"),
        ("//admin", "//admin", "", "//admin"),
        ("/...", "/...", "", "/..."),
        ("/a/...", "/a/...", "", "/a/..."),
        ("/.a/..b/c.", "/.a/..b/c.", "", "/.a/..b/c."),
        ("/%2ea", "/%2ea", "", "/.a"),
        ("/a/..;/admin", "/a/..;/admin", "", "/a/..;/admin"),
        ("/a/..%2f..%2fweb.config", "/a/..%2f..%2fweb.config", "", "/a/..%2f..%2fweb.config"),
        ("/..%5c..%5c", "/..%5c..%5c", "", "/..\\..\\"),
        ("/a\\..\\b", "/a\\..\\b", "", "/a\\..\\b"),
        ("/%252e%252e/", "/%252e%252e/", "", "/%2e%2e/"),
        ("/%252F", "/%252F", "", "/%2F"),
        ("/%2F%2f", "/%2F%2f", "", "/%2F%2f"),
        ("/%73ub/%20+;,", "/%73ub/%20+;,", "", "/sub/ +;,"),
        ("/%C3%A9%e2%82%AC%F0%9F%98%80", "/%C3%A9%e2%82%AC%F0%9F%98%80", "", "/é€😀"),
        ("/%zz%", "/%zz%", "", "/%zz%"),
        ("/%4", "/%4", "", "/%4"),
        ("/%E9", "/%E9", "", "/%E9"),
        ("/%E9%41", "/%E9%41", "", "/%E9A"),
        ("/%c0%ae%c0%ae/", "/%c0%ae%c0%ae/", "", "/%c0%ae%c0%ae/"),
        ("/%c0%af", "/%c0%af", "", "/%c0%af"),
        ("/%ED%A0%80", "/%ED%A0%80", "", "/%ED%A0%80"),
        ("/%F5%80%80%80", "/%F5%80%80%80", "", "/%F5%80%80%80"),
        ("/%C3%C3%A9", "/%C3%C3%A9", "", "/%C3é"),
        ("/%u002e", "/%u002e", "", "/%u002e"),
        ("/%C2%80?%0d%0a%01", "/%C2%80", "?%0d%0a%01", "/\u{80}"),
        ("/a/%2e%2e/%41", "/%41", "", "/A"),
    ];

    #[test]
    fn targets() {
        for &(target, raw, query, deciding) in TARGETS {
            assert_eq!(resolved(target), Ok((raw.into(), query.into(), deciding.into())), "{target}");
        }
    }

    #[test]
    fn climbing_above_the_root_is_refused() {
        for target in [
            "/..",
            "/../",
            "/../a",
            "/a/../..",
            "/a/../../a/b",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/.%2E",
            "/./..",
            "/a/./../..",
            "/..?a",
        ] {
            assert_eq!(resolved(target), Err(Refusal::PathAboveRoot), "{target}");
        }
    }

    #[test]
    fn escaped_control_characters_are_refused() {
        for byte in (0..0x20).chain([0x7F]) {
            for target in
                [format!("/a%{byte:02x}"), format!("/%{byte:02X}/b?c"), format!("/a/../%41%{byte:02x}")]
            {
                assert_eq!(resolved(&target), Err(Refusal::PathControl), "{target}");
            }
        }
        assert!(resolved("/%2501").is_ok(), "escaped twice it is text");
    }

    #[test]
    fn plain_paths_are_not_copied() {
        let mut scratch = PathScratch::default();
        let target = b"/a/b.c//d\\e?f=%2e/../";
        let resolved = resolve(target, &mut scratch).unwrap();
        assert_eq!(resolved.raw_path.as_ptr(), target.as_ptr());
        assert_eq!(resolved.deciding.as_ptr(), target.as_ptr());
        assert_eq!((scratch.raw.capacity(), scratch.decoded.capacity()), (0, 0));
    }

    #[test]
    fn scratch_memory_remembers_nothing() {
        let mut scratch = PathScratch::default();
        resolve(b"/long/../long/%41%41%41", &mut scratch).unwrap();
        let resolved = resolve(b"/./%42", &mut scratch).unwrap();
        assert_eq!((resolved.raw_path, resolved.deciding), (&b"/%42"[..], &b"/B"[..]));
    }

    #[test]
    fn bases_match_at_segment_boundaries() {
        for (path, base, matches) in [
            ("/", "/", true),
            ("/x", "/", true),
            ("//x", "/", true),
            ("/sub", "/sub", true),
            ("/sub/", "/sub", true),
            ("/sub/x", "/sub/", true),
            ("/SUB/x", "/sub", true),
            ("/sub/x", "/SuB", true),
            ("/a/b/c", "/a/b", true),
            ("/my app/x", "/my app", true),
            ("/été/x", "/Été", true),
            ("/ΣΊΣΥΦΟΣ", "/σίσυφοσ", true),
            ("/ÉTÉ", "/été/", true),
            ("/subx", "/sub", false),
            ("/su", "/sub", false),
            ("/", "/sub", false),
            ("/sub%2Fx", "/sub", false),
            ("//sub/x", "/sub", false),
            ("/x/sub", "/sub", false),
            ("/étéx", "/été", false),
            ("/ét", "/été", false),
            ("/ete", "/été", false),
            ("/\u{212A}", "/k", false),
            ("/k", "/\u{212A}", false),
            ("*", "/", false),
            ("*", "/sub", false),
            ("", "/", false),
        ] {
            assert_eq!(base_match(path.as_bytes(), base.as_bytes()), matches, "{path} in {base}");
        }
        assert!(!base_match(b"/\xC3", "/é".as_bytes()), "half a letter");
    }
}
