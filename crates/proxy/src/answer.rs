//! A response in our own voice: refusals, failed starts, timeouts.

use std::borrow::Cow;

use contract::REQUEST_ID;
use http1::{Method, Refusal};

use crate::connection::Connection;
use crate::pages;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// IIS's number behind the dot: 3 and 5 of 502.3 and 502.5; 0 for none.
    pub(crate) substatus: u8,
    /// One sentence for the visitor.
    pub(crate) sentence: Cow<'static, str>,
    /// Seconds to wait before trying again.
    retry_after: Option<u32>,
    /// What framing could not be trusted, or bytes that nobody will read: the connection ends with this answer.
    pub(crate) closes: bool,
}

impl Answer {
    pub(crate) fn new(status: u16, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { status, substatus: 0, sentence: sentence.into(), retry_after: None, closes: true }
    }

    /// A head that we do not accept; what follows it cannot be trusted either.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self::new(refusal.status(), refusal.reason())
    }

    pub(crate) fn outside_base() -> Self {
        Self { closes: false, ..Self::new(404, "no app is hosted at this path") }
    }

    pub(crate) fn body_too_large(limit: u64) -> Self {
        Self::new(413, format!("the request body is larger than {limit} bytes (maxAllowedContentLength)"))
    }

    /// The app, or the connection to it, failed (IIS: 502.3).
    pub(crate) fn bad_gateway(sentence: &'static str) -> Self {
        Self { substatus: 3, closes: false, ..Self::new(502, sentence) }
    }

    /// The app did not start (IIS: 502.5, or 502.3 with disableStartUpErrorPage).
    pub(crate) fn failed_start(disable_error_page: bool) -> Self {
        let substatus = if disable_error_page { 3 } else { 5 };
        Self { substatus, closes: false, ..Self::new(502, "the app could not be started; the server's log says why") }
    }

    pub(crate) fn unavailable(sentence: &'static str) -> Self {
        Self { retry_after: Some(1), closes: false, ..Self::new(503, sentence) }
    }

    /// Writes the whole answer.
    pub(crate) fn write(&self, connection: &Connection, method: Method, close: bool) -> Vec<u8> {
        let id = format!("{:016x}", connection.thread.request_id());
        let page = pages::error(self.status, self.substatus, &self.sentence, &id);
        let mut out = connection.thread.buffers.output();
        http1::write_status_line(&mut out, self.status, http1::reason_phrase(self.status).as_bytes());
        http1::write_field(&mut out, b"Content-Type", b"text/html; charset=utf-8");
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
            out.extend_from_slice(page.as_bytes());
        }
        out
    }
}
