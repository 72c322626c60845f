//! Request heads: the request line, and what the fields of a request must and must not say.
//!
//! Reads from left to right and decides what needs the whole head at its end, so that a head in pieces comes to
//! the same result as the whole. Called by the proxy's listeners.

use crate::bytes::{end_of_target, end_of_text, end_of_token};
use crate::connection::{Options, read_options};
use crate::fault::{Halt, HeadFault, Refusal};
use crate::fields::{Field, Notes, Rules, Span, line_end, read_fields};
use crate::framing::{Body, Version, announced};
use crate::limits::{HeadLimits, Parsed, Window};
use crate::target::{Target, TargetForm, check_host, classify, has_encoded_nul};

/// Request methods (RFC 9110 §9, RFC 5789). CONNECT is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each variant is the method that it spells")]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Patch,
    /// Any other token; methods are case-sensitive, so `get` is one.
    Other,
}

impl Method {
    /// Whether doing it twice has the same effect as doing it once (RFC 9110 §9.2.2).
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        match self {
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace => true,
            Self::Post | Self::Patch | Self::Other => false,
        }
    }

    fn of(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }
}

/// A request head. Its positions are those of the buffer that was parsed; its content means something only
/// after [`Parsed::Complete`].
#[derive(Debug, Clone, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The method as sent.
    pub method_name: Span,
    /// The target as sent.
    pub target: Span,
    /// The form of the target.
    pub form: TargetForm,
    /// The target from its path on: all of an origin-form, `*`, or what follows the authority of an
    /// absolute-form, which may be empty or start with `?`; [`resolve`](crate::resolve) puts the `/` there.
    pub path_and_query: Span,
    /// The validated host with its port: the authority of an absolute-form, else the Host field. `None` only
    /// for HTTP/1.0 without Host.
    pub host: Option<Span>,
    /// The version.
    pub version: Version,
    /// The field lines in the order of arrival.
    pub fields: Vec<Field>,
    /// How the body is framed; never `UntilClose`.
    pub body: Body,
    /// Bytes from the start of the buffer to the end of the head, an empty line in front included.
    pub length: usize,
    /// The client wants to use the connection again.
    pub keep_alive: bool,
    /// The client waits for 100 before it sends the body.
    pub expect_continue: bool,
    /// A WebSocket handshake as far as HTTP is concerned (RFC 6455 §4.1): GET of HTTP/1.1 without a body, and
    /// exactly one Upgrade, `websocket`, that Connection lists.
    pub upgrade_websocket: bool,
}

impl RequestHead {
    /// Forgets everything but the memory of the field list.
    pub fn reset(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }
}

/// Parses the request head at the front of the buffer; one empty line before it is let through (RFC 9112 §2.2).
///
/// # Errors
/// The refusal that the first wrong byte, or what all fields say together, deserves. It does not depend on how
/// the bytes arrived.
pub fn parse_request(buffer: &[u8], limits: &HeadLimits, head: &mut RequestHead) -> Result<Parsed, Refusal> {
    match read_request(buffer, limits, head) {
        Ok(()) => Ok(Parsed::Complete),
        Err(Halt::Partial) => Ok(Parsed::Partial),
        Err(Halt::Bad(refusal)) => Err(refusal),
    }
}

fn read_request(buffer: &[u8], limits: &HeadLimits, head: &mut RequestHead) -> Result<(), Halt<Refusal>> {
    head.reset();
    let window = Window::new(buffer, limits.head_bytes);
    let fields_start = read_line(window, limits.line_bytes, head)?;
    let target = classify(head.target, buffer, head.method)?;
    let rules = Rules { lines: limits.lines, utf8: true };
    let (length, notes) = read_fields(window, fields_start, rules, &mut head.fields)?;
    head.length = length;
    head.form = target.form;
    head.path_and_query = target.path_and_query;
    head.host = decide_host(target, &notes, buffer, head.version)?;
    head.body = decide_body(&notes, buffer, head)?;
    let options = read_options(&notes, &mut head.fields, buffer)?;
    head.keep_alive = options.persists(head.version);
    decide_upgrade(&notes, buffer, options, head)?;
    head.expect_continue = decide_expectation(&notes, buffer, head)?;
    Ok(())
}

/// Reads the request line, and returns where the fields start.
fn read_line(window: Window<'_>, line_bytes: usize, head: &mut RequestHead) -> Result<usize, Halt<Refusal>> {
    let start = match window.bytes.first() {
        Some(b'\r') => line_end(window, 0)?,
        Some(b'\n') => return Err(HeadFault::BareLineFeed.into()),
        _ => 0,
    };
    let most = start.saturating_add(line_bytes);
    let (line, beyond) = if window.bytes.len() >= most {
        (&window.bytes[..most], Halt::Bad(Refusal::RequestLineTooLong))
    } else {
        (window.bytes, window.beyond.into())
    };
    let method_end = end_of_token(line, start);
    match line.get(method_end) {
        Some(b' ') if method_end > start => {}
        Some(b'\r' | b'\n') if method_end > start => return Err(Refusal::NoTarget.into()),
        Some(_) => return Err(Refusal::MethodMalformed.into()),
        None => return Err(beyond),
    }
    let target_start = method_end + 1;
    let target_end = end_of_target(line, target_start);
    match line.get(target_end) {
        Some(b' ') if target_end > target_start => {}
        Some(b' ' | b'\r' | b'\n') if target_end == target_start => return Err(Refusal::NoTarget.into()),
        Some(b'\r' | b'\n') => return Err(Refusal::NoVersion.into()),
        Some(_) => return Err(Refusal::TargetByte.into()),
        None => return Err(beyond),
    }
    let (version, end) = read_version(line, target_end + 1, beyond)?;
    let target = &line[target_start..target_end];
    if &line[start..method_end] == b"CONNECT" {
        return Err(Refusal::Connect.into());
    }
    // Behind the question mark it is the app's, as on Kestrel.
    let path = || target.split(|&byte| byte == b'?').next().unwrap_or(target);
    if has_encoded_nul(target) && has_encoded_nul(path()) {
        return Err(Refusal::TargetNul.into());
    }
    head.method_name = Span::between(start, method_end);
    head.method = Method::of(&line[start..method_end]);
    head.target = Span::between(target_start, target_end);
    head.version = version;
    Ok(end)
}

/// Reads the version and the end of the line; returns where the next one starts.
fn read_version(line: &[u8], start: usize, beyond: Halt<Refusal>) -> Result<(Version, usize), Halt<Refusal>> {
    if line[start..].starts_with(b"HTTP/1.1\r\n") {
        return Ok((Version::Http11, start + 10));
    }
    let end = end_of_text(line, start);
    match line.get(end) {
        Some(b'\r') => {}
        Some(b'\n') => return Err(HeadFault::BareLineFeed.into()),
        Some(_) => return Err(HeadFault::ControlByte.into()),
        None => return Err(beyond),
    }
    match line.get(end + 1) {
        Some(b'\n') => {}
        Some(_) => return Err(HeadFault::BareCarriageReturn.into()),
        None => return Err(beyond),
    }
    match &line[start..end] {
        b"HTTP/1.1" => Ok((Version::Http11, end + 2)),
        b"HTTP/1.0" => Ok((Version::Http10, end + 2)),
        text if text.contains(&b' ') => Err(Refusal::ExtraPart.into()),
        text if looks_like_http(text) => Err(Refusal::VersionNotSupported.into()),
        _ => Err(Refusal::VersionMalformed.into()),
    }
}

fn looks_like_http(text: &[u8]) -> bool {
    text.len() > 5 && text[..5].eq_ignore_ascii_case(b"HTTP/") && text[5].is_ascii_digit()
}

/// RFC 9112 §3.2.2: the authority of an absolute-form wins, but Host must be there and valid all the same.
fn decide_host(
    target: Target,
    notes: &Notes,
    buffer: &[u8],
    version: Version,
) -> Result<Option<Span>, Refusal> {
    match notes.host.count {
        0 if version == Version::Http11 => Err(Refusal::HostMissing),
        0 => Ok(target.authority),
        1 => {
            let host = notes.host.value;
            check_host(host.of(buffer)).map_err(Refusal::Host)?;
            Ok(target.authority.or(Some(host)))
        }
        _ => Err(Refusal::HostTwice),
    }
}

fn decide_body(notes: &Notes, buffer: &[u8], head: &RequestHead) -> Result<Body, Refusal> {
    let body = announced(notes, buffer, head.version).map_err(Refusal::Head)?;
    let needs_length = head.version == Version::Http10 && matches!(head.method, Method::Post | Method::Put);
    if needs_length && body == Body::None { Err(Refusal::LengthRequired) } else { Ok(body) }
}

fn decide_upgrade(
    notes: &Notes,
    buffer: &[u8],
    options: Options,
    head: &mut RequestHead,
) -> Result<(), Refusal> {
    if notes.upgrade.count == 0 {
        return Ok(());
    }
    let has_body = !matches!(head.body, Body::None | Body::Length(0));
    if has_body {
        let in_passing = notes.upgrade.count == 1 && is_offered_in_passing(notes.upgrade.value.of(buffer));
        return if in_passing { Ok(()) } else { Err(Refusal::UpgradeWithBody) };
    }
    head.upgrade_websocket = options.upgrade
        && notes.upgrade.count == 1
        && notes.upgrade.value.of(buffer).eq_ignore_ascii_case(b"websocket")
        && head.method == Method::Get
        && head.version == Version::Http11;
    Ok(())
}

/// What some clients offer with whatever they send, and are content to see ignored (RFC 9110 §7.8): Java's own client
/// `h2c`, also with POST; Apache's `TLS/1.2`.
fn is_offered_in_passing(protocol: &[u8]) -> bool {
    let version = protocol.split_at_checked(4).filter(|(name, _)| name.eq_ignore_ascii_case(b"TLS/"));
    let is_version = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'));
    protocol.eq_ignore_ascii_case(b"h2c") || version.is_some_and(|(_, text)| is_version(text))
}

/// RFC 9110 §10.1.1: HTTP/1.0 cannot expect anything, and an expectation without a body is met already.
fn decide_expectation(notes: &Notes, buffer: &[u8], head: &RequestHead) -> Result<bool, Refusal> {
    if notes.expect.count == 0 || head.version == Version::Http10 {
        return Ok(false);
    }
    if notes.expect.count > 1 || !notes.expect.value.of(buffer).eq_ignore_ascii_case(b"100-continue") {
        return Err(Refusal::ExpectUnknown);
    }
    Ok(!matches!(head.body, Body::None | Body::Length(0)))
}
