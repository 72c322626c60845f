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
