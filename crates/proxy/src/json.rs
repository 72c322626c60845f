//! JSON text (RFC 8259 §7) of bytes that strangers chose. Called for the access log's lines and, through the
//! crate's door, for event lines.

/// Appends these bytes as a JSON string, quotes included.
///
/// Nothing that a terminal or a reader could obey goes through: control characters (C0, DEL and C1), line and
/// paragraph separators and the marks that turn the direction of text are escaped as `\u00XX`. Bytes that are
/// not UTF-8 become U+FFFD, one for each broken sequence, since an escape of our own could be sent as well.
pub fn write_json_text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(plain);
        if special.is_empty() {
            break;
        }
        let count = match special[0] {
            0x80.. => special.iter().position(u8::is_ascii).unwrap_or(special.len()),
            _ => 1,
        };
        write_special(out, &special[..count]);
        rest = &special[count..];
    }
    out.push(b'"');
}

/// The same, but at most so many bytes of it; what was longer ends in `…`.
pub(crate) fn write_bounded(out: &mut Vec<u8>, bytes: &[u8], most: usize) {
    match bytes.get(..most) {
        Some(start) if bytes.len() > most => {
            write_json_text(out, start);
            out.pop();
            out.extend_from_slice("…\"".as_bytes());
        }
        _ => write_json_text(out, bytes),
    }
}

/// How many bytes at the front need no look. Sixteen are judged at once: nearly all of them always pass.
fn plain_prefix(bytes: &[u8]) -> usize {
    let all_plain = |block: &&[u8; 16]| block.iter().fold(true, |all, &byte| all & is_plain(byte));
    let blocks = bytes.as_chunks().0.iter().take_while(all_plain).count() * 16;
    let rest = bytes[blocks..].iter().take_while(|&&byte| is_plain(byte)).count();
    blocks + rest
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// One ASCII byte, or a run of bytes outside ASCII.
fn write_special(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if is_obeyed(c) => write_escape(out, u32::from(c)),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Every one of these lies in the first plane, so that four digits name it.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn write_escape(out: &mut Vec<u8>, code: u32) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(b"0123456789abcdef"[(code >> shift & 0xf) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_json_text(&mut out, bytes);
        String::from_utf8(out).expect("UTF-8 whatever came in")
    }

    #[test]
    fn what_strangers_sent_stays_text() {
        let rows: &[(&[u8], &str)] = &[
            (b"", r#""""#),
            (
                b"/0123456789abcde\"/0123456789abcdef0123456789abcd\x1f",
                r#""/0123456789abcde\"/0123456789abcdef0123456789abcd\u001f""#,
            ),
            (b"/plain?x=~", r#""/plain?x=~""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"\r\n\t", r#""\r\n\t""#),
            (b"\0\x1b[31m\x7f", r#""\u0000\u001b[31m\u007f""#),
            ("é日😀".as_bytes(), "\"é日😀\""),
            ("\u{9b}31m\u{85}".as_bytes(), r#""\u009b31m\u0085""#),
            ("\u{202e}gpj\u{2028}".as_bytes(), r#""\u202egpj\u2028""#),
            (b"a\xff\xfeb\xc3", "\"a\u{fffd}\u{fffd}b\u{fffd}\""),
            (b"\xe6\x97\"\xa5", "\"\u{fffd}\\\"\u{fffd}\""),
        ];
        for (bytes, wanted) in rows {
            assert_eq!(text(bytes), *wanted, "{bytes:?}");
        }
    }

    #[test]
    fn every_byte_alone_is_one_valid_text_without_control_characters() {
        for byte in 0..=255_u8 {
            let out = text(&[b'a', byte, b'z']);
            assert!(out.starts_with("\"a") && out.ends_with("z\""), "{byte:#x}: {out}");
            assert!(!out.chars().any(char::is_control), "{byte:#x}: {out}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let bounded = |bytes: &[u8], most| {
            let mut out = Vec::new();
            write_bounded(&mut out, bytes, most);
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(bounded(b"12345", 5), r#""12345""#);
        assert_eq!(bounded(b"123456", 5), r#""12345…""#);
        assert_eq!(bounded("1234é".as_bytes(), 5), "\"1234\u{fffd}…\"", "never half a character");
    }
}
