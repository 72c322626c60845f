//! Response heads of apps: as strict as requests, because an app can be wrong, or hijacked, as well.
//!
//! Called by the proxy's forwarding side.

use crate::bytes::end_of_text;
use crate::connection::read_options;
use crate::fault::{BadResponse, Halt, HeadFault};
use crate::fields::{Field, Notes, Rules, Span, read_fields};
use crate::framing::{Body, Version, announced};
use crate::limits::{HeadLimits, Parsed, Window};

/// What the request was, as far as it decides what its response may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SentRequest {
    /// The method was HEAD, so that no body follows whatever the fields say.
    pub head: bool,
    /// It asked for an upgrade to WebSocket, so that 101 may come.
    pub upgrade: bool,
}

/// A response head. Its positions are those of the buffer that was parsed; its content means something only
/// after [`Parsed::Complete`].
#[derive(Debug, Clone, Default)]
pub struct ResponseHead {
    /// From 100 to 999.
    pub status: u16,
    /// May be empty.
    pub reason: Span,
    /// The version.
    pub version: Version,
    /// The field lines in the order of arrival.
    pub fields: Vec<Field>,
    /// How the body is framed.
    pub body: Body,
    /// Bytes from the start of the buffer to the end of the head.
    pub length: usize,
    /// The app's connection can carry another request behind this response.
    pub keep_alive: bool,
}

impl ResponseHead {
    /// Forgets everything but the memory of the field list.
    pub fn reset(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }
}

/// Parses the response head at the front of the buffer.
///
/// # Errors
/// The first fault of it; the connection that it came on must not be used again.
pub fn parse_response(
    buffer: &[u8],
    limits: &HeadLimits,
    request: &SentRequest,
    head: &mut ResponseHead,
) -> Result<Parsed, BadResponse> {
    match read_response(buffer, limits, *request, head) {
        Ok(()) => Ok(Parsed::Complete),
        Err(Halt::Partial) => Ok(Parsed::Partial),
        Err(Halt::Bad(bad)) => Err(bad),
    }
}

fn read_response(
    buffer: &[u8],
    limits: &HeadLimits,
    request: SentRequest,
    head: &mut ResponseHead,
) -> Result<(), Halt<BadResponse>> {
    head.reset();
    let window = Window::new(buffer, limits.head_bytes);
    let fields_start = read_line(window, limits.line_bytes, head)?;
    if head.status == 101 && !request.upgrade {
        return Err(BadResponse::UnaskedUpgrade.into());
    }
    let rules = Rules { lines: limits.lines, utf8: false };
    let (length, notes) = read_fields(window, fields_start, rules, &mut head.fields)?;
    head.length = length;
    if head.status == 101 && !switches_to_websocket(&notes, buffer) {
        return Err(BadResponse::OtherUpgrade.into());
    }
    // Contradicting framing is a fault also where no body can follow: such an app cannot be trusted with the next one.
    let body = announced(&notes, buffer, head.version)?;
    let options = read_options(&notes, &mut head.fields, buffer)?;
    head.body = match (head.status, body) {
        (100..=199 | 204 | 304, _) => Body::None,
        _ if request.head => Body::None,
        (_, Body::None) => Body::UntilClose,
        (_, framed) => framed,
    };
    head.keep_alive = head.body != Body::UntilClose && options.persists(head.version);
    Ok(())
}

fn switches_to_websocket(notes: &Notes, buffer: &[u8]) -> bool {
    notes.upgrade.count == 1 && notes.upgrade.value.of(buffer).eq_ignore_ascii_case(b"websocket")
}

/// Reads the status line, and returns where the fields start.
fn read_line(
    window: Window<'_>,
    line_bytes: usize,
    head: &mut ResponseHead,
) -> Result<usize, Halt<BadResponse>> {
    let window = if window.bytes.len() >= line_bytes {
        StatusWindow { line: &window.bytes[..line_bytes], beyond: Halt::Bad(BadResponse::StatusLineTooLong) }
    } else {
        StatusWindow { line: window.bytes, beyond: window.beyond.into() }
    };
    let version = window.take(0, b"HTTP/1.")?;
    head.version = match window.byte(version)? {
        b'1' => Version::Http11,
        b'0' => Version::Http10,
        _ => return Err(BadResponse::Version.into()),
    };
    let status = window.take(version + 1, b" ")?;
    for at in status..status + 3 {
        let digit = window.byte(at)?;
        if !digit.is_ascii_digit() || (at == status && digit == b'0') {
            return Err(BadResponse::Status.into());
        }
        head.status = head.status * 10 + u16::from(digit - b'0');
    }
    let start = match window.byte(status + 3)? {
        b' ' => status + 4,
        b'\r' => status + 3,
        b'\n' => return Err(HeadFault::BareLineFeed.into()),
        _ => return Err(BadResponse::Status.into()),
    };
    let end = window.end_of_reason(start)?;
    head.reason = Span::between(start, end);
    window.line_end(end)
}

/// The part of the window that the status line may occupy.
#[derive(Debug, Clone, Copy)]
struct StatusWindow<'a> {
    line: &'a [u8],
    beyond: Halt<BadResponse>,
}

impl StatusWindow<'_> {
    fn byte(self, at: usize) -> Result<u8, Halt<BadResponse>> {
        self.line.get(at).copied().ok_or(self.beyond)
    }

    /// The position behind these bytes, which must stand at `at`.
    fn take(self, at: usize, expected: &[u8]) -> Result<usize, Halt<BadResponse>> {
        for (offset, &byte) in expected.iter().enumerate() {
            if self.byte(at + offset)? != byte {
                return Err(BadResponse::Version.into());
            }
        }
        Ok(at + expected.len())
    }

    /// Where the CR behind the reason phrase stands.
    fn end_of_reason(self, start: usize) -> Result<usize, Halt<BadResponse>> {
        let mut end = start;
        loop {
            end = end_of_text(self.line, end);
            match self.byte(end)? {
                b'\r' => return Ok(end),
                b'\t' | 0x80.. => end += 1,
                b'\n' => return Err(HeadFault::BareLineFeed.into()),
                _ => return Err(HeadFault::ControlByte.into()),
            }
        }
    }

    fn line_end(self, at: usize) -> Result<usize, Halt<BadResponse>> {
        match self.byte(at + 1)? {
            b'\n' => Ok(at + 2),
            _ => Err(HeadFault::BareCarriageReturn.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HeadFault::{
        BareCarriageReturn, BareLineFeed, BlankBeforeColon, CodingInHttp10, CodingMalformed, CodingTwice,
        CodingUnknown, ControlByte, EmptyName, FoldedLine, LeadingBlank, LengthAndCoding, LengthMalformed,
        LengthTwice, NameByte, NoColon,
    };

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 64 * 1024, lines: usize::MAX, line_bytes: 64 * 1024 };
    const GET: SentRequest = SentRequest { head: false, upgrade: false };
    const HEAD: SentRequest = SentRequest { head: true, upgrade: false };
    const UPGRADE: SentRequest = SentRequest { head: false, upgrade: true };

    fn parse(bytes: &[u8], request: &SentRequest) -> Result<ResponseHead, BadResponse> {
        let mut head = ResponseHead::default();
        match parse_response(bytes, &LIMITS, request, &mut head)? {
            Parsed::Complete => Ok(head),
            Parsed::Partial => panic!("{} is incomplete", bytes.escape_ascii()),
        }
    }

    #[test]
    fn status_lines() {
        for (line, status, reason) in [
            (&b"HTTP/1.1 200 OK"[..], 200, &b"OK"[..]),
            (b"HTTP/1.0 200 OK", 200, b"OK"),
            (b"HTTP/1.1 200 ", 200, b""),
            (b"HTTP/1.1 200", 200, b""),
            (b"HTTP/1.1 100 Continue", 100, b"Continue"),
            (b"HTTP/1.1 999 a b\tc \xE9", 999, b"a b\tc \xE9"),
        ] {
            let head = parse(&[line, b"\r\n\r\n"].concat(), &GET).unwrap();
            assert_eq!(head.status, status);
            assert_eq!(head.reason.of(line), reason);
            assert_eq!(head.version == Version::Http10, line.starts_with(b"HTTP/1.0"));
        }
        for (bad, lines) in [
            (
                BadResponse::Version,
                &[
                    &b"HTTP/1.2 200 OK"[..],
                    b"HTTP/2 200 OK",
                    b"http/1.1 200 OK",
                    b"HTTP/1.11 200",
                    b"\r\nHTTP/1.1 200 OK",
                ][..],
            ),
            (BadResponse::Version, &[b"HTTP/1.1\t200 OK", b"HTTP/1.1\r\n200", b"<html>", b"\0", b"200 OK"]),
            (
                BadResponse::Status,
                &[
                    b"HTTP/1.1 99 OK",
                    b"HTTP/1.1 099 OK",
                    b"HTTP/1.1 000 OK",
                    b"HTTP/1.1 1000 OK",
                    b"HTTP/1.1  200 OK",
                ],
            ),
            (
                BadResponse::Status,
                &[b"HTTP/1.1 -20 OK", b"HTTP/1.1 20x OK", b"HTTP/1.1 ", b"HTTP/1.1 200\tOK", b"HTTP/1.1 2"],
            ),
            (BadResponse::Head(ControlByte), &[b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\x7FK"]),
            (BadResponse::Head(BareLineFeed), &[b"HTTP/1.1 200\nX: a", b"HTTP/1.1 200 OK\nX: a"]),
            (BadResponse::Head(BareCarriageReturn), &[b"HTTP/1.1 200 OK\rX: a"]),
        ] {
            for line in lines {
                let head = [line, &b"\r\n\r\n"[..]].concat();
                assert_eq!(parse(&head, &GET).unwrap_err(), bad, "{}", line.escape_ascii());
            }
        }
    }

    /// What an app must not say about framing, and what else can be wrong with its lines.
    #[test]
    fn faults_of_fields() {
        for (fault, lines) in [
            (LengthAndCoding, &b"Content-Length: 1\r\nTransfer-Encoding: chunked"[..]),
            (LengthTwice, b"Content-Length: 1\r\nContent-Length: 1"),
            (LengthTwice, b"Content-Length: 1\r\nX: a\r\ncontent-length: 2"),
            (LengthMalformed, b"Content-Length: 05"),
            (LengthMalformed, b"Content-Length: 1, 1"),
            (LengthMalformed, b"Content-Length:"),
            (CodingTwice, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            (CodingUnknown, b"Transfer-Encoding: gzip"),
            (CodingMalformed, b"Transfer-Encoding: gzip, chunked"),
            (FoldedLine, b"X: a\r\n b"),
            (LeadingBlank, b" X: a"),
            (BlankBeforeColon, b"X : a"),
            (NoColon, b"X"),
            (EmptyName, b": a"),
            (NameByte, b"X\xE9: a"),
            (ControlByte, b"X: a\0"),
            (ControlByte, b"X: a\x0C"),
            (BareLineFeed, b"X: a\nSet-Cookie: b"),
            (BareCarriageReturn, b"X: a\rSet-Cookie: b"),
        ] {
            for request in [GET, HEAD] {
                let head = [b"HTTP/1.1 200 OK\r\n", lines, b"\r\n\r\n"].concat();
                assert_eq!(
                    parse(&head, &request).unwrap_err(),
                    BadResponse::Head(fault),
                    "{}",
                    lines.escape_ascii()
                );
            }
        }
        let old = parse(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &GET);
        assert_eq!(old.unwrap_err(), BadResponse::Head(CodingInHttp10));
        let latin = parse(b"HTTP/1.1 200 OK\r\nX: caf\xE9\r\n\r\n", &GET);
        assert_eq!(latin.unwrap().fields.len(), 1, "bytes above 0x7F pass from the app");
    }

    #[test]
    fn bodies_and_connections() {
        for (line, lines, request, body, keep_alive) in [
            ("HTTP/1.1 200 OK", "Content-Length: 5", GET, Body::Length(5), true),
            ("HTTP/1.1 200 OK", "Content-Length: 5", HEAD, Body::None, true),
            ("HTTP/1.1 200 OK", "Transfer-Encoding: Chunked", GET, Body::Chunked, true),
            ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", HEAD, Body::None, true),
            ("HTTP/1.1 200 OK", "X: a", GET, Body::UntilClose, false),
            ("HTTP/1.1 200 OK", "X: a", HEAD, Body::None, true),
            ("HTTP/1.1 204 x", "Content-Length: 5", GET, Body::None, true),
            ("HTTP/1.1 304 x", "Content-Length: 5", GET, Body::None, true),
            ("HTTP/1.1 304 x", "Transfer-Encoding: chunked", GET, Body::None, true),
            ("HTTP/1.1 100 x", "X: a", GET, Body::None, true),
            ("HTTP/1.1 199 x", "Content-Length: 5", GET, Body::None, true),
            ("HTTP/1.1 205 x", "Content-Length: 5", GET, Body::Length(5), true),
            ("HTTP/1.1 200 OK", "Content-Length: 5|Connection: close", GET, Body::Length(5), false),
            ("HTTP/1.0 200 OK", "Content-Length: 5", GET, Body::Length(5), false),
            ("HTTP/1.0 200 OK", "Content-Length: 5|Connection: keep-alive", GET, Body::Length(5), true),
            ("HTTP/1.0 200 OK", "Connection: keep-alive", GET, Body::UntilClose, false),
            ("HTTP/1.1 101 x", "Upgrade: WebSocket|Connection: Upgrade", UPGRADE, Body::None, true),
            ("HTTP/1.1 200 OK", "Content-Length: 0", UPGRADE, Body::Length(0), true),
        ] {
            let sent = format!("{line}\r\n{}\r\n\r\nnext", lines.replace('|', "\r\n"));
            let head = parse(sent.as_bytes(), &request).unwrap();
            assert_eq!((head.body, head.keep_alive), (body, keep_alive), "{line} {lines}");
            assert_eq!(&sent[head.length..], "next");
        }
    }

    #[test]
    fn switching_protocols_must_be_asked_for_and_be_websocket() {
        for (lines, request, bad) in [
            ("Upgrade: websocket", GET, BadResponse::UnaskedUpgrade),
            ("Upgrade: websocket", HEAD, BadResponse::UnaskedUpgrade),
            ("Upgrade: h2c", UPGRADE, BadResponse::OtherUpgrade),
            ("Upgrade: websocket, h2c", UPGRADE, BadResponse::OtherUpgrade),
            ("Upgrade: websocket|Upgrade: websocket", UPGRADE, BadResponse::OtherUpgrade),
            ("X: a", UPGRADE, BadResponse::OtherUpgrade),
        ] {
            let sent = format!("HTTP/1.1 101 x\r\n{}\r\n\r\n", lines.replace('|', "\r\n"));
            assert_eq!(parse(sent.as_bytes(), &request).unwrap_err(), bad, "{lines}");
        }
    }

    #[test]
    fn nominated_fields_and_limits() {
        let sent = b"HTTP/1.1 200 OK\r\nX-A: a\r\nSet-Cookie: b\r\nConnection: x-a, set-cookie\r\nContent-Length: 0\r\n\r\n";
        let head = parse(sent, &GET).unwrap();
        assert_eq!(
            head.fields.iter().map(|field| field.nominated).collect::<Vec<_>>(),
            [true, false, false, false]
        );
        let exact = HeadLimits { head_bytes: sent.len(), lines: 4, line_bytes: 17 };
        let mut head = ResponseHead::default();
        assert_eq!(parse_response(sent, &exact, &GET, &mut head), Ok(Parsed::Complete));
        for (limits, bad) in [
            (HeadLimits { head_bytes: sent.len() - 1, ..exact }, BadResponse::Head(HeadFault::HeadTooLong)),
            (HeadLimits { lines: 3, ..exact }, BadResponse::Head(HeadFault::TooManyLines)),
            (HeadLimits { line_bytes: 16, ..exact }, BadResponse::StatusLineTooLong),
        ] {
            assert_eq!(parse_response(sent, &limits, &GET, &mut head), Err(bad));
        }
    }
}
