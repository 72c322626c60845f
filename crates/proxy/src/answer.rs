//! A response in our own voice: refusals, failed starts, timeouts.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use contract::REQUEST_ID;
use http1::{Known, Method, Refusal, RequestHead};
use supervisor::StartReport;

use crate::client::{Client, Source};
use crate::pages::Page;
use crate::record::{End, Record};
use crate::runtime::Site;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// IIS's number behind the dot: 3 and 5 of 502.3 and 502.5, 4 and 7 of 403.4 and 403.7; 0 for none.
    pub(crate) substatus: u8,
    /// One sentence for the visitor.
    pub(crate) sentence: Cow<'static, str>,
    /// Seconds to wait before trying again.
    retry_after: Option<u32>,
    /// The journey of a failed start, for a reader who may see it.
    report: Option<Arc<StartReport>>,
    /// The app's own `app_offline.htm`, sent as it is in place of a page of ours.
    page: Option<Arc<[u8]>>,
    /// What framing could not be trusted, or bytes that nobody will read: the connection ends with this answer.
    pub(crate) closes: bool,
    /// What it means for the exchange.
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn new(status: u16, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            substatus: 0,
            sentence: sentence.into(),
            retry_after: None,
            report: None,
            page: None,
            closes: true,
            end: End::Refused,
        }
    }

    /// For another reason than the request itself.
    pub(crate) fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }

    /// A head that we do not accept; what follows it cannot be trusted either.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self::new(refusal.status(), refusal.reason())
    }

    pub(crate) fn outside_base() -> Self {
        Self { closes: false, ..Self::new(404, "no app is hosted at this path") }
    }

    /// With IIS's number for why.
    pub(crate) fn forbidden(substatus: u8, sentence: &'static str) -> Self {
        Self { substatus, ..Self::new(403, sentence) }
    }

    pub(crate) fn body_too_large(limit: u64) -> Self {
        Self::new(413, format!("the request body is larger than {limit} bytes (maxAllowedContentLength)"))
    }

    /// The app, or the connection to it, failed (IIS: 502.3).
    pub(crate) fn bad_gateway(sentence: &'static str) -> Self {
        Self { substatus: 3, closes: false, end: End::UpstreamError, ..Self::new(502, sentence) }
    }

    /// The exchange took longer than it may as a whole.
    pub(crate) fn overdue() -> Self {
        Self::bad_gateway("the request took longer than a request may in all (totalTimeout)")
            .ending(End::Timeout)
    }

    /// The app did not start (IIS: 502.5, or 502.3 without the report under disableStartUpErrorPage).
    pub(crate) fn failed_start(report: Arc<StartReport>, retry_after: Option<Duration>, site: &Site) -> Self {
        let disabled = site.disable_start_up_error_page;
        let substatus = if disabled { 3 } else { 5 };
        let sentence = "the app could not be started; the server's log says why";
        // Before that, nothing is started for whoever asks. Whole seconds, and none too few.
        let seconds = |delay: Duration| u32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Self {
            substatus,
            closes: false,
            retry_after: retry_after.map(|delay| seconds(delay).max(1)),
            report: (!disabled).then_some(report),
            end: End::UpstreamError,
            ..Self::new(502, sentence)
        }
    }

    pub(crate) fn unavailable(sentence: &'static str) -> Self {
        Self { retry_after: Some(1), closes: false, ..Self::new(503, sentence) }
    }

    /// The app is offline (IIS: the file's bytes as text/html, whatever the request accepts, no Retry-After).
    pub(crate) fn offline(page: Arc<[u8]>) -> Self {
        Self { page: Some(page), closes: false, ..Self::new(503, "the app is offline (app_offline.htm)") }
    }

    /// The server's own end came first.
    pub(crate) fn stopping() -> Self {
        Self::unavailable("the server is stopping").ending(End::Cut)
    }

    /// Writes the whole answer.
    pub(crate) fn write(&self, record: &Record<'_>, method: Method, reader: Reader, close: bool) -> Vec<u8> {
        let id = format!("{:016x}", record.id);
        let (content_type, page) = self.content(record.site, &id, reader);
        let mut out = record.connection.thread.buffers.output();
        http1::write_status_line(&mut out, self.status, http1::reason_phrase(self.status).as_bytes());
        http1::write_field(&mut out, b"Content-Type", content_type.as_bytes());
        http1::write_number_field(&mut out, b"Content-Length", page.len() as u64);
        http1::write_field(&mut out, b"Cache-Control", b"no-store");
        http1::write_field(&mut out, REQUEST_ID.as_bytes(), id.as_bytes());
        if self.status == 405 {
            http1::write_field(&mut out, b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
        }
        if let Some(seconds) = self.retry_after {
            http1::write_number_field(&mut out, b"Retry-After", u64::from(seconds));
        }
        if close {
            http1::write_field(&mut out, b"Connection", b"close");
        }
        http1::end_head(&mut out);
        if method != Method::Head {
            out.extend_from_slice(&page);
        }
        out
    }

    fn content(&self, site: &Site, id: &str, reader: Reader) -> (&'static str, Cow<'_, [u8]>) {
        if let Some(page) = &self.page {
            // Which charset it is in only the file itself can say.
            return ("text/html", Cow::Borrowed(page));
        }
        let page = Page {
            status: self.status,
            substatus: self.substatus,
            sentence: &self.sentence,
            id,
            link: site.error_page_link.as_deref(),
            report: self.report.as_deref().filter(|_| reader.may_see_reports),
        };
        match reader.wants_json {
            true => ("application/problem+json", Cow::Owned(page.problem().into_bytes())),
            false => ("text/html; charset=utf-8", Cow::Owned(page.html().into_bytes())),
        }
    }
}

/// Who reads an answer of our own. Reports name folders, commands and output of the app: they are for people
/// at this machine, not for visitors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reader {
    may_see_reports: bool,
    wants_json: bool,
}

impl Reader {
    pub(crate) fn of(record: &Record<'_>, head: &RequestHead) -> Self {
        let input = record.connection.input.borrow();
        let data = input.data();
        let accepted = |what: &[u8], rare: usize| {
            let accept = head.fields.iter().filter(|field| field.known == Known::Accept);
            accept.map(|field| field.value.of(data)).any(|value| accepts(value, what, rare))
        };
        Self {
            may_see_reports: record.site.development || is_local(record.client, head, data),
            wants_json: accepted(b"json", 0) && !accepted(b"html", 0),
        }
    }
}

/// Whether an `Accept` names this, a media type or a part of one, in the spelling that all use.
///
/// Each request with an `Accept` is looked at, and to build the searcher of `memmem` costs more than the look itself. So
/// this goes from one byte to the next of those at `rare`, an index into `what`.
#[inline]
pub(crate) fn accepts(accept: &[u8], what: &[u8], rare: usize) -> bool {
    memchr::memchr_iter(what[rare], accept)
        .any(|at| at.checked_sub(rare).is_some_and(|start| accept[start..].starts_with(what)))
}

/// Sent from this machine to this machine. A server in between would make every visitor look local, unless it is
/// trusted and names them.
fn is_local(client: Client, head: &RequestHead, data: &[u8]) -> bool {
    client.address.ip().to_canonical().is_loopback()
        && head.host.is_none_or(|host| is_loopback_name(host.of(data)))
        && match client.source {
            Source::Peer => !head.fields.iter().any(|field| speaks_of_a_proxy(field.name.of(data))),
            Source::Told => true,
            Source::Doubtful => false,
        }
}

fn is_loopback_name(host: &[u8]) -> bool {
    let host = std::str::from_utf8(host).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn speaks_of_a_proxy(name: &[u8]) -> bool {
    let starts =
        |prefix: &[u8]| name.len() >= prefix.len() && name[..prefix.len()].eq_ignore_ascii_case(prefix);
    match name.first().map(u8::to_ascii_lowercase) {
        Some(b'x') => starts(b"x-forwarded-") || name.eq_ignore_ascii_case(b"x-real-ip"),
        Some(b'f') => name.eq_ignore_ascii_case(b"forwarded"),
        Some(b'v') => name.eq_ignore_ascii_case(b"via"),
        Some(b'c') => starts(b"cf-"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_many_names() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:8080", "[::1]", "[::1]:8080"] {
            assert!(is_loopback_name(host.as_bytes()), "{host}");
        }
        for host in ["", "localhost.evil.example", "192.168.0.1:80", "[2001:db8::1]:80", "127.0.0.1.nip.io"] {
            assert!(!is_loopback_name(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn an_accept_names_a_type_wherever_it_stands() {
        let stream = b"text/event-stream";
        for (accept, events, json) in [
            ("text/event-stream", true, false),
            ("application/json, text/event-stream;q=0.9", true, true),
            ("x-y/z-,-text/event-stream-", true, false),
            ("application/problem+json", false, true),
            ("text/html,application/signed-exchange;v=b3", false, false),
            ("text/event-strea", false, false),
            ("ext/event-stream", false, false),
            ("-stream", false, false),
            ("jjso", false, false),
            ("", false, false),
        ] {
            for rare in 0..stream.len() {
                assert_eq!(accepts(accept.as_bytes(), stream, rare), events, "{accept}, {rare}");
            }
            assert_eq!(accepts(accept.as_bytes(), b"json", 0), json, "{accept}");
        }
    }

    #[test]
    fn a_proxy_in_between_shows() {
        for name in
            ["X-Forwarded-For", "x-forwarded-host", "Forwarded", "VIA", "X-Real-IP", "CF-Connecting-IP"]
        {
            assert!(speaks_of_a_proxy(name.as_bytes()), "{name}");
        }
        for name in ["Host", "Cookie", "X-Forward", "Cache-Control", "Viable", "X-Requested-With"] {
            assert!(!speaks_of_a_proxy(name.as_bytes()), "{name}");
        }
    }
}
