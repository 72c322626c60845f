//! Where a body ends: what Content-Length and Transfer-Encoding say, and when they contradict each other.
//!
//! RFC 9112 §6.3 lets a recipient repair several contradictions; we refuse all of them, because whoever stands
//! behind us may repair them in another way (security: request smuggling).

use crate::bytes::is_token;
use crate::fault::HeadFault;
use crate::fields::Notes;

/// The versions that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// There is none, and nothing announces one.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, read by [`ChunkedDecoder`](crate::ChunkedDecoder).
    Chunked,
    /// Everything up to the end of the connection (responses only).
    UntilClose,
}

/// What the fields announce; `None` when they say nothing.
pub(crate) fn announced(notes: &Notes, buffer: &[u8], version: Version) -> Result<Body, HeadFault> {
    match (notes.length.count, notes.coding.count) {
        (0, 0) => Ok(Body::None),
        (1, 0) => {
            parse_length(notes.length.value.of(buffer)).map(Body::Length).ok_or(HeadFault::LengthMalformed)
        }
        (_, 0) => Err(HeadFault::LengthTwice),
        (0, _) if version == Version::Http10 => Err(HeadFault::CodingInHttp10),
        (0, 1) => check_coding(notes.coding.value.of(buffer)).map(|()| Body::Chunked),
        (0, _) => Err(HeadFault::CodingTwice),
        (_, _) => Err(HeadFault::LengthAndCoding),
    }
}

/// Plain decimal digits without leading zeros, below 2^63 (Kestrel's lengths are signed).
fn parse_length(value: &[u8]) -> Option<u64> {
    match value {
        [] => return None,
        [b'0', _, ..] => return None,
        _ => {}
    }
    let mut number: u64 = 0;
    for &byte in value {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    i64::try_from(number).is_ok().then_some(number)
}

fn check_coding(value: &[u8]) -> Result<(), HeadFault> {
    if value.eq_ignore_ascii_case(b"chunked") {
        Ok(())
    } else if !value.is_empty() && value.iter().all(|&byte| is_token(byte)) {
        Err(HeadFault::CodingUnknown)
    } else {
        Err(HeadFault::CodingMalformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (value, length) in [
            ("0", Some(0)),
            ("5", Some(5)),
            ("10", Some(10)),
            ("9223372036854775807", Some(i64::MAX.cast_unsigned())),
            ("9223372036854775808", None),
            ("18446744073709551615", None),
            ("18446744073709551616", None),
            ("99999999999999999999999999", None),
            ("", None),
            ("00", None),
            ("05", None),
            ("+5", None),
            ("-0", None),
            ("-5", None),
            ("0x5", None),
            ("5 5", None),
            ("5,5", None),
            ("5, 0", None),
            ("5e0", None),
            ("5.0", None),
            ("5;", None),
            ("٥", None),
        ] {
            assert_eq!(parse_length(value.as_bytes()), length, "{value}");
        }
    }

    #[test]
    fn codings() {
        for value in ["chunked", "CHUNKED", "Chunked"] {
            assert_eq!(check_coding(value.as_bytes()), Ok(()), "{value}");
        }
        for value in ["xchunked", "identity", "gzip", "=?UTF-8?B?Y2h1bmtlZA==?=", "chunke"] {
            let fault =
                if value.contains('=') { HeadFault::CodingMalformed } else { HeadFault::CodingUnknown };
            assert_eq!(check_coding(value.as_bytes()), Err(fault), "{value}");
        }
        for value in [
            "",
            "chunked, identity",
            "identity, chunked",
            ",chunked",
            "chunked,",
            "\"chunked\"",
            "chunked;q=1",
        ] {
            assert_eq!(check_coding(value.as_bytes()), Err(HeadFault::CodingMalformed), "{value}");
        }
        for value in [&b"chun\xFFked"[..], b"\xC2\xA0chunked", b"chunked\xC2\xAD"] {
            assert_eq!(check_coding(value), Err(HeadFault::CodingMalformed));
        }
    }
}
