//! Field lines of requests and responses: names, values, and which of them frame or route the message.
//!
//! Reads strictly from left to right, so that a head that arrives in pieces comes to the same result as one
//! that arrives whole. What the fields mean is decided in `framing`, `connection`, `request` and `response`.

use crate::bytes::{end_of_text, end_of_token, is_blank};
use crate::fault::{Halt, HeadFault};
use crate::known::{Known, imitates_framing};
use crate::limits::Window;

/// A stretch of the buffer that was parsed. Never borrows, so that a head can outlive a look at its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl Span {
    /// The bytes in the buffer that was parsed.
    ///
    /// # Panics
    /// If the buffer is shorter than the one that was parsed.
    #[must_use]
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..][..self.len as usize]
    }

    /// Whether it holds no byte.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The window that is parsed is no longer than 2^32 bytes, so both numbers fit.
    #[expect(clippy::cast_possible_truncation, reason = "Window bounds every position")]
    pub(crate) fn between(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: (end - start) as u32 }
    }
}

/// One field line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As sent; a token, never empty.
    pub name: Span,
    /// Without blanks at its ends; may be empty.
    pub value: Span,
    /// Which name it is, if it is one that somebody asks for.
    pub known: Known,
    /// Listed in the Connection field, so that it goes no further than here (RFC 9110 §7.6.1). Never set on
    /// fields that speak to the app itself, however they are listed: Host, Authorization, Cookie, Content-*,
    /// Transfer-Encoding and their like (Fabio CVE-2025-48865).
    pub nominated: bool,
}

/// How often a field was seen, and where last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) count: usize,
    pub(crate) value: Span,
}

impl Seen {
    fn note(&mut self, value: Span) {
        self.count += 1;
        self.value = value;
    }
}

/// The fields that decide framing and routing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Notes {
    pub(crate) host: Seen,
    pub(crate) length: Seen,
    pub(crate) coding: Seen,
    pub(crate) expect: Seen,
    pub(crate) upgrade: Seen,
    pub(crate) connection: Seen,
}

/// What differs between requests and responses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) lines: usize,
    pub(crate) utf8: bool,
}

/// Reads the field lines that start at `at`, and returns where the head ends.
pub(crate) fn read_fields(
    window: Window<'_>,
    mut at: usize,
    rules: Rules,
    fields: &mut Vec<Field>,
) -> Result<(usize, Notes), Halt<HeadFault>> {
    let bytes = window.bytes;
    let mut notes = Notes::default();
    loop {
        match bytes.get(at) {
            Some(b'\r') => return Ok((line_end(window, at)?, notes)),
            Some(_) if fields.len() == rules.lines => return Err(HeadFault::TooManyLines.into()),
            _ => {}
        }
        let name_end = end_of_token(bytes, at);
        match bytes.get(name_end) {
            Some(b':') if name_end > at => {}
            Some(&byte) => return Err(bad_name(byte, name_end == at, fields.is_empty()).into()),
            None => return Err(window.beyond),
        }
        let (value, end) = read_value(window, name_end + 1, rules.utf8)?;
        let name = &bytes[at..name_end];
        let known = Known::find(name);
        match known {
            Known::Host => notes.host.note(value),
            Known::ContentLength => notes.length.note(value),
            Known::TransferEncoding => notes.coding.note(value),
            Known::Expect => notes.expect.note(value),
            Known::Upgrade => notes.upgrade.note(value),
            Known::Connection => notes.connection.note(value),
            Known::Other if imitates_framing(name) => return Err(HeadFault::FramingLookalike.into()),
            _ => {}
        }
        fields.push(Field { name: Span::between(at, name_end), value, known, nominated: false });
        at = end;
    }
}

/// What is wrong with a line whose name ends at this byte instead of a colon.
fn bad_name(byte: u8, at_start: bool, first_line: bool) -> HeadFault {
    match byte {
        b':' => HeadFault::EmptyName,
        b'\n' if at_start => HeadFault::BareLineFeed,
        b' ' | b'\t' if at_start && first_line => HeadFault::LeadingBlank,
        b' ' | b'\t' if at_start => HeadFault::FoldedLine,
        b' ' | b'\t' => HeadFault::BlankBeforeColon,
        b'\r' | b'\n' => HeadFault::NoColon,
        _ => HeadFault::NameByte,
    }
}

/// Reads a value that starts behind the colon; returns it without its blanks, and where the next line starts.
#[inline]
fn read_value(window: Window<'_>, from: usize, utf8: bool) -> Result<(Span, usize), Halt<HeadFault>> {
    let bytes = window.bytes;
    let mut start = from;
    while start < bytes.len() && is_blank(bytes[start]) {
        start += 1;
    }
    let mut ascii = true;
    let mut end = start;
    loop {
        end = end_of_text(bytes, end);
        match bytes.get(end) {
            Some(b'\r') => break,
            Some(b'\t') => end += 1,
            Some(0x80..) => {
                ascii = false;
                end += 1;
            }
            Some(b'\n') => return Err(HeadFault::BareLineFeed.into()),
            Some(_) => return Err(HeadFault::ControlByte.into()),
            None => return Err(window.beyond),
        }
    }
    let next = line_end(window, end)?;
    while end > start && is_blank(bytes[end - 1]) {
        end -= 1;
    }
    if utf8 && !ascii && std::str::from_utf8(&bytes[start..end]).is_err() {
        return Err(HeadFault::NotUtf8.into());
    }
    Ok((Span::between(start, end), next))
}

/// The position behind the CRLF whose CR stands at `at`.
#[inline]
pub(crate) fn line_end(window: Window<'_>, at: usize) -> Result<usize, Halt<HeadFault>> {
    match window.bytes.get(at + 1) {
        Some(b'\n') => Ok(at + 2),
        Some(_) => Err(HeadFault::BareCarriageReturn.into()),
        None => Err(window.beyond),
    }
}
