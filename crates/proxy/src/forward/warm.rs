//! Warm-up: pages that are asked of a worker before any request is sent to it (IIS: applicationInitialization).
//!
//! No lease and no Record: these are the server's own requests. Whatever comes of them, the supervisor decides.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use config::WarmUpPage;
use contract::{FORWARDED_FOR, FORWARDED_PROTO, PAIRING_TOKEN, write_forwarded_for};
use http1::{HeadLimits, Parsed, ResponseHead, SentRequest};
use supervisor::{Address, ServingWorker, Suspicion};

use crate::buffer::Buffer;
use crate::forward::body::Source;
use crate::forward::pool;
use crate::io::Stream;
use crate::runtime::Site;
use crate::thread::Thread;

/// Says who asks; apps that look for IIS's own warm-up find its name in it.
const USER_AGENT: &[u8] = b"Falconer (IIS Application Initialization Warmup)";
/// A page that is longer has been answered well enough: nobody reads it.
const BODY_MOST: u64 = 16 * 1024 * 1024;
const CUT: &str = "the app closed the connection before the end of its answer";

/// Asks for every page, one after another, and tells the supervisor how that went: with the sentences about the
/// pages that could not be had.
pub(crate) async fn warm(
    thread: Rc<Thread>,
    worker: Arc<ServingWorker>,
    pages: Arc<[WarmUpPage]>,
    by: Instant,
) {
    let asked = ask_for_all(&thread, &worker, &pages, by).await;
    thread.app.warmed(worker.id, asked);
}

async fn ask_for_all(
    thread: &Thread,
    worker: &ServingWorker,
    pages: &[WarmUpPage],
    by: Instant,
) -> Result<(), String> {
    let by = tokio::time::Instant::from_std(by);
    let mut wrong = String::new();
    for page in pages {
        let asked = tokio::time::timeout_at(by, ask(thread, worker, page)).await;
        let why = match asked {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why,
            Err(_) => Unwarmed::Late,
        };
        let _ = write!(wrong, "{}{} {why}", if wrong.is_empty() { "" } else { "; " }, page.path);
        // Neither the worker nor the time comes back for the next page.
        if matches!(why, Unwarmed::NotItself | Unwarmed::Late) {
            break;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What came of a page instead of an answer; follows the page in a sentence.
#[derive(Debug)]
enum Unwarmed {
    /// The worker's port is not its own any more.
    NotItself,
    Late,
    /// It cannot stand in a request.
    Unspeakable,
    Status(u16),
    BadAnswer(&'static str),
    Connection(io::Error),
}

impl std::fmt::Display for Unwarmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotItself => f.write_str("was not asked for: the app does not listen on its port any more"),
            Self::Late => f.write_str("was not answered in time"),
            Self::Unspeakable => {
                f.write_str("was not asked for: it, or its host name, holds what cannot stand in a request")
            }
            Self::Status(status) => {
                write!(f, "was answered {status} {}", http1::reason_phrase(*status))
            }
            Self::BadAnswer(why) => write!(f, "was not answered well: {why}"),
            Self::Connection(error) => write!(f, "was not answered: {error}"),
        }
    }
}

impl From<io::Error> for Unwarmed {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

async fn ask(thread: &Thread, worker: &ServingWorker, page: &WarmUpPage) -> Result<(), Unwarmed> {
    let site = thread.site();
    let host = page.host.as_deref().unwrap_or("localhost");
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_word(&page.path) || !is_word(host) {
        return Err(Unwarmed::Unspeakable);
    }
    let Address::Tcp(address) = worker.address;
    let stream = match worker.listeners.connect(address).await {
        Ok(stream) => stream,
        Err(error) if pool::means_no_listener(&error) => {
            thread.app.suspect(worker.id, Suspicion::NoListener);
            return Err(Unwarmed::NotItself);
        }
        Err(error) => return Err(error.into()),
    };
    if let Err(why) = pool::verify(thread, worker) {
        thread.app.suspect(worker.id, why);
        return Err(Unwarmed::NotItself);
    }
    let base = encoded(site.path_base.trim_end_matches('/'));
    let head = request((&base, &page.path), host, worker, stream.local_addr()?);
    let stream = Stream::tcp(stream);
    let mut rest = &head[..];
    while !rest.is_empty() {
        let count = poll_fn(|context| stream.poll_write(context, &[IoSlice::new(rest)])).await?;
        rest = &rest[count..];
    }
    let mut buffer = thread.buffers.large();
    let answered = receive(&stream, &mut buffer, &site).await;
    thread.buffers.give_back(buffer);
    match answered? {
        status @ 400.. => Err(Unwarmed::Status(status)),
        _ => Ok(()),
    }
}

/// The whole request.
fn request((base, path): (&str, &str), host: &str, worker: &ServingWorker, own: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    http1::write_request_start(&mut out, b"GET", base.as_bytes(), path.as_bytes());
    http1::write_field(&mut out, b"Host", host.as_bytes());
    http1::write_field(&mut out, b"User-Agent", USER_AGENT);
    http1::write_field(&mut out, b"Connection", b"close");
    let mut client = Vec::new();
    write_forwarded_for(&mut client, own);
    http1::write_field(&mut out, FORWARDED_FOR.as_bytes(), &client);
    http1::write_field(&mut out, FORWARDED_PROTO.as_bytes(), b"http");
    http1::write_field(&mut out, PAIRING_TOKEN.as_bytes(), worker.token.as_str().as_bytes());
    http1::end_head(&mut out);
    out
}

/// A path base, which is kept decoded, as it stands in a request line (RFC 3986 §3.3).
fn encoded(base: &str) -> String {
    let mut out = String::with_capacity(base.len());
    for byte in base.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Reads an answer to its end, informational ones before it, and returns its status.
async fn receive(stream: &Stream, buffer: &mut Buffer, site: &Site) -> Result<u16, Unwarmed> {
    let limits = &site.limits;
    let bounds = HeadLimits {
        head_bytes: limits.response_head_bytes,
        lines: usize::MAX,
        line_bytes: limits.response_head_bytes,
    };
    let mut head = ResponseHead::default();
    let mut informational = 0;
    loop {
        let parsed = http1::parse_response(buffer.data(), &bounds, &SentRequest::default(), &mut head);
        match parsed.map_err(|bad| Unwarmed::BadAnswer(bad.reason()))? {
            Parsed::Partial if !more(stream, buffer).await? => return Err(Unwarmed::BadAnswer(CUT)),
            Parsed::Partial => {}
            Parsed::Complete if head.status >= 200 => break,
            Parsed::Complete => {
                informational += 1;
                if informational > limits.informational_responses {
                    return Err(Unwarmed::BadAnswer("the app sent too many informational responses"));
                }
                buffer.consume(head.length);
            }
        }
    }
    buffer.consume(head.length);
    let mut source = Source::new(head.body);
    let mut dropped = 0;
    while dropped <= BODY_MOST {
        match source.skip(buffer, &mut dropped) {
            Ok(true) => break,
            Ok(false) if more(stream, buffer).await? => {}
            Ok(false) if matches!(source, Source::UntilClose) => break,
            Ok(false) => return Err(Unwarmed::BadAnswer(CUT)),
            Err(bad) => return Err(Unwarmed::BadAnswer(bad.reason())),
        }
    }
    Ok(head.status)
}

/// False at the end of the connection.
async fn more(stream: &Stream, buffer: &mut Buffer) -> io::Result<bool> {
    Ok(poll_fn(|context| stream.poll_read(context, buffer)).await? > 0)
}

#[cfg(test)]
mod tests;
