//! One request in our hands: what the walk needs of its head, and the canonical head that goes to the app.

use config::Scheme;
use contract::{
    CLIENT_CERTIFICATE, FORWARDED_FOR, FORWARDED_PROTO, is_hop_by_hop, is_reserved, write_forwarded_for,
};
use http1::{Body, Known, Method, PathScratch, RequestHead, Version};

use crate::answer::{Answer, Reader, accepts};
use crate::client::Client;
use crate::connection::Connection;
use crate::record::Record;
use crate::route;

/// Where `text/event-stream` has the byte that is rare in an `Accept`.
const HYPHEN: usize = "text/event".len();

/// Lines that follow [`Exchange::wire`] when the worker is known: the pairing token and the end.
const TOKEN_LINE: usize = contract::PAIRING_TOKEN.len() + 2 + contract::PairingToken::LENGTH + 2;

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// The client wants to go on after this exchange.
    pub(crate) keep_alive: bool,
    pub(crate) body: Body,
    pub(crate) expects_continue: bool,
    pub(crate) websocket: bool,
    /// Asks as EventSource does (HTML §9.2): with GET, and event streams accepted.
    pub(crate) wants_events: bool,
    /// Who reads an answer of our own, and in what form.
    pub(crate) reader: Reader,
    /// The request head for the app but for the token line and the empty line.
    pub(crate) wire: Vec<u8>,
}

impl Exchange {
    /// Whether sending it again can do no harm: RFC 9110 §9.2.2, and nothing of a body is lost.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() && !self.has_body() && !self.websocket
    }

    pub(crate) fn has_body(&self) -> bool {
        !matches!(self.body, Body::None | Body::Length(0))
    }
}

/// Turns a parsed head into an exchange, and takes its bytes off the connection's input.
///
/// # Errors
/// Our own answer: 400, 404, 413, 414 or 431.
pub(crate) fn receive(record: &Record<'_>, head: &RequestHead) -> Result<Exchange, Answer> {
    let Record { connection, site, .. } = *record;
    let limits = &site.limits;
    check_ssl(record)?;
    if matches!(head.body, Body::Length(length) if length > limits.body_bytes) {
        return Err(Answer::body_too_large(limits.body_bytes));
    }
    let reader = Reader::of(record, head);
    let mut wire = connection.thread.buffers.output();
    let Written { lines, accepts_events } = write_head(record, head, &mut wire)?;
    let line_bytes = memchr::memchr(b'\n', &wire).map_or(wire.len(), |end| end + 1);
    if line_bytes > limits.request_line_bytes {
        return Err(Answer::new(414, "the request line with its path is too long"));
    }
    // The app must never answer 431 for what we let through, so our own lines count.
    if lines > limits.head_lines || wire.len() + TOKEN_LINE + 2 > limits.head_bytes {
        return Err(Answer::new(431, "the request's header fields are too many or too long"));
    }
    connection.input.borrow_mut().consume(head.length);
    Ok(Exchange {
        method: head.method,
        version: head.version,
        keep_alive: head.keep_alive,
        body: head.body,
        expects_continue: head.expect_continue,
        websocket: head.upgrade_websocket && site.web_sockets,
        wants_events: accepts_events && head.method == Method::Get,
        reader,
        wire,
    })
}

/// `sslFlags`: what IIS asks of the connection that a request comes over.
fn check_ssl(record: &Record<'_>) -> Result<(), Answer> {
    let flags = record.site.ssl_flags;
    if flags.ssl && record.client.scheme != Scheme::Https {
        return Err(Answer::forbidden(4, "this must be asked for over https (sslFlags)"));
    }
    if flags.require_cert && record.connection.stream.with_certificate(|_| ()).is_none() {
        return Err(Answer::forbidden(7, "this needs a client certificate, and none was shown (sslFlags)"));
    }
    Ok(())
}

fn write_certificate(wire: &mut Vec<u8>, text: &[u8]) {
    http1::write_field(wire, CLIENT_CERTIFICATE.as_bytes(), text);
}

/// What was seen while the head was written.
struct Written {
    /// Field lines, the token's included.
    lines: usize,
    accepts_events: bool,
}

/// Writes everything but the token line and the empty line.
fn write_head(record: &Record<'_>, head: &RequestHead, wire: &mut Vec<u8>) -> Result<Written, Answer> {
    let connection = record.connection;
    let input = connection.input.borrow();
    let data = input.data();
    let mut scratch = PathScratch::default();
    let base = record.site.path_base.as_bytes();
    let resolved = route::resolve(head, data, &mut scratch, base)?;
    http1::write_request_start(wire, head.method_name.of(data), resolved.raw_path, resolved.query);
    write_host(connection, head, data, wire);
    let mut lines = 5;
    let mut accepts_events = false;
    for field in &head.fields {
        let name = field.name.of(data);
        let ours = match field.known {
            Known::Host | Known::ContentLength | Known::Expect => true,
            // The connection's own list was read first: what it names is not for the app.
            _ => field.nominated || is_hop_by_hop(name) || is_reserved(name),
        };
        if !ours {
            let value = field.value.of(data);
            accepts_events |= field.known == Known::Accept && accepts(value, b"text/event-stream", HYPHEN);
            http1::write_field(wire, name, value);
            lines += 1;
        }
    }
    match head.body {
        Body::Length(length) => http1::write_number_field(wire, b"Content-Length", length),
        Body::Chunked => http1::write_field(wire, b"Transfer-Encoding", b"chunked"),
        Body::None | Body::UntilClose => lines -= 1,
    }
    if head.expect_continue {
        http1::write_field(wire, b"Expect", b"100-continue");
        lines += 1;
    }
    if head.upgrade_websocket && record.site.web_sockets {
        http1::write_field(wire, b"Connection", b"Upgrade");
        http1::write_field(wire, b"Upgrade", b"websocket");
        lines += 2;
    }
    if connection.stream.with_certificate(|text| write_certificate(wire, text)).is_some() {
        lines += 1;
    }
    write_client(record.client, wire);
    Ok(Written { lines, accepts_events })
}

fn write_host(connection: &Connection, head: &RequestHead, data: &[u8], wire: &mut Vec<u8>) {
    match head.host {
        Some(host) => http1::write_field(wire, b"Host", host.of(data)),
        // HTTP/1.0 without Host: the app wants one, and this is the only name that we know.
        None => http1::write_field(wire, b"Host", connection.local.to_string().as_bytes()),
    }
}

/// Exactly one entry each: what a client said about itself is gone by now.
fn write_client(client: Client, wire: &mut Vec<u8>) {
    wire.extend_from_slice(FORWARDED_FOR.as_bytes());
    wire.extend_from_slice(b": ");
    write_forwarded_for(wire, client.address);
    wire.extend_from_slice(b"\r\n");
    http1::write_field(wire, FORWARDED_PROTO.as_bytes(), client.scheme.as_str().as_bytes());
}
