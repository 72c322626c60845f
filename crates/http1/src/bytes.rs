//! Byte classes as tables, and the scan over text that every field value goes through.
//!
//! Called by the parsers of this crate only. What a class means for a message is decided by the callers.

/// Bytes of a token (RFC 9110 §5.6.2): methods, field names, connection options.
const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
/// Bytes of a registered host name that we accept: unreserved and sub-delims of RFC 3986 without the comma,
/// which would make a list of it, and without percent-encoding, which no resolver undoes alike.
const HOST: [bool; 256] = table(b"-._~!$&'()*+;=");

const fn table(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut mark = 0;
    while mark < marks.len() {
        table[marks[mark] as usize] = true;
        mark += 1;
    }
    table
}

/// Bytes of a request target: visible ASCII; a fragment never travels (RFC 9112 §3.2).
const TARGET: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7F {
        table[byte] = byte != b'#' as usize;
        byte += 1;
    }
    table
};

pub(crate) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

pub(crate) const fn is_host(byte: u8) -> bool {
    HOST[byte as usize]
}

pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Where the run of token bytes that begins at `at` ends.
pub(crate) fn end_of_token(bytes: &[u8], at: usize) -> usize {
    end_of(&TOKEN, bytes, at)
}

/// Where the run of target bytes that begins at `at` ends.
pub(crate) fn end_of_target(bytes: &[u8], at: usize) -> usize {
    end_of(&TARGET, bytes, at)
}

#[inline]
fn end_of(class: &[bool; 256], bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && class[bytes[at] as usize] {
        at += 1;
    }
    at
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Where the run of printable ASCII (0x20 to 0x7E) that begins at `at` ends.
#[inline]
pub(crate) fn end_of_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        // A borrow can only mark bytes above the first true one, so the lowest mark is exact.
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let is_delete = (word ^ (ONES * 0x7F)).wrapping_sub(ONES);
        let marks = (below_space | is_delete | word) & HIGH;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < bytes.len() && matches!(bytes[at], 0x20..=0x7E) {
        at += 1;
    }
    at
}

/// Without blanks and tabs at both ends (RFC 9110 §5.6.3).
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_the_class_of_its_grammar() {
        for byte in 0..=255_u8 {
            let alphanumeric = byte.is_ascii_alphanumeric();
            assert_eq!(is_token(byte), alphanumeric || b"!#$%&'*+-.^_`|~".contains(&byte), "{byte:#x}");
            assert_eq!(is_host(byte), alphanumeric || b"-._~!$&'()*+;=".contains(&byte), "{byte:#x}");
            assert_eq!(end_of_target(&[byte], 0) == 1, byte.is_ascii_graphic() && byte != b'#', "{byte:#x}");
        }
    }

    #[test]
    fn text_ends_at_the_first_unprintable_byte_wherever_it_stands() {
        for byte in 0..=255_u8 {
            for length in 0..40 {
                for place in 0..length {
                    let mut text = vec![b' '; length];
                    text[length - 1] = b'~';
                    text[place] = byte;
                    let printable = matches!(byte, 0x20..=0x7E);
                    assert_eq!(
                        end_of_text(&text, 0),
                        if printable { length } else { place },
                        "{byte:#x} at {place}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_unprintable_bytes_counts() {
        for (first, second) in [(0x80, 0x1F), (0x7F, 0xFF), (b'\t', b'\r'), (0x00, 0x80)] {
            let text = [b'a', first, second, b'b', b'c', b'd', b'e', b'f', b'g'];
            assert_eq!(end_of_text(&text, 0), 1, "{first:#x} {second:#x}");
            assert_eq!(end_of_text(&text, 2), 2, "{first:#x} {second:#x}");
        }
    }

    #[test]
    fn trimming_takes_blanks_and_tabs_only() {
        for (text, trimmed) in
            [(&b" \t a b \t"[..], &b"a b"[..]), (b"", b""), (b" \t ", b""), (b"\x0ba\x0b", b"\x0ba\x0b")]
        {
            assert_eq!(trim(text), trimmed);
        }
    }
}
