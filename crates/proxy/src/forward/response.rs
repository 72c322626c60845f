//! The response's way to the client: a strict look at its head, a fresh one for the client, then the body as it
//! comes.

use std::task::{Context, Poll, ready};

use http1::{Body, Field, HeadLimits, Known, Method, Parsed, ResponseHead, SentRequest, Version};
use supervisor::Lease;

use crate::clock::Wait;
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::forward::body::{Loaded, Outbox, Source};
use crate::forward::events::{self, Events};
use crate::forward::failure::Broken;
use crate::forward::pool::Upstream;
use crate::forward::request::{BULK, Progress};
use crate::record::Record;
use crate::stall::{CLIENT_RATE, Stall, Waiting};

/// What the response side came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response is whole.
    Done,
    /// It was an event stream, and we ended it between two events, since its worker goes.
    Stopped,
    /// The worker switched to WebSocket; its 101 was sent on.
    Upgraded,
}

#[derive(Debug)]
enum Phase {
    Head,
    Body(Source),
    /// All of it is in the outbox.
    Ended(Outcome),
}

#[derive(Debug)]
pub(crate) struct ResponseSide {
    outbox: Outbox,
    stall: Stall,
    /// Of the request in the kernel.
    unread: Stall,
    phase: Phase,
    head: ResponseHead,
    informational: usize,
    /// The client's framing of the body.
    chunked: bool,
    /// The last read filled all the room there was.
    more_waits: bool,
    /// The client's connection can carry another request.
    pub(crate) keep_alive: bool,
    /// The worker's connection can, if nothing else is wrong.
    pub(crate) reusable: bool,
    /// The final head was written or waits in the outbox.
    pub(crate) has_head: bool,
}

/// What does not change during one exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) exchange: &'a Exchange,
    pub(crate) request: Progress,
    /// Bytes of it that were written.
    pub(crate) sent: u64,
    pub(crate) record: &'a Record<'a>,
    pub(crate) lease: &'a Lease,
    /// The worker goes: event streams end.
    pub(crate) stopping: bool,
}

impl ResponseSide {
    pub(crate) fn new(own: Vec<u8>) -> Self {
        Self {
            outbox: Outbox::new(own),
            stall: Stall::default(),
            unread: Stall::default(),
            phase: Phase::Head,
            head: ResponseHead::default(),
            informational: 0,
            chunked: false,
            more_waits: false,
            keep_alive: false,
            reusable: false,
            has_head: false,
        }
    }

    /// Whether the client may have got a byte of the final answer, or stands within an informational one, so that no
    /// other answer can follow.
    pub(crate) fn started(&self) -> bool {
        self.has_head && self.outbox.started || self.outbox.is_halfway()
    }

    /// Whether the worker has said anything.
    pub(crate) fn spoke(&self) -> bool {
        self.has_head || self.informational > 0
    }

    /// Whether it is an event stream that is between two events, or has ended so.
    pub(crate) fn may_stop(&self) -> bool {
        self.outbox.stopped || self.outbox.events.is_some_and(Events::are_whole)
    }

    /// Bytes that were written to the client.
    pub(crate) fn sent(&self) -> u64 {
        self.outbox.written
    }

    pub(crate) fn into_own(self) -> Vec<u8> {
        self.outbox.into_own()
    }

    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        sides: Sides<'_>,
        upstream: &mut Upstream,
    ) -> Poll<Result<Outcome, Broken>> {
        loop {
            let loaded = match &mut self.phase {
                Phase::Head => {
                    self.look_for_head(sides, upstream)?;
                    if matches!(self.phase, Phase::Head) { Loaded::NeedMore } else { continue }
                }
                Phase::Body(source) => {
                    let (buffer, chunked) = (&mut upstream.buffer, self.chunked);
                    let loaded = if sides.stopping {
                        self.outbox.stop(source, buffer, chunked)
                    } else {
                        self.outbox.load(source, buffer, chunked)
                    };
                    loaded.map_err(|bad| Broken::BadResponse(bad.reason()))?
                }
                Phase::Ended(outcome) => {
                    let outcome = *outcome;
                    if outcome == Outcome::Done && sides.request == Progress::Sent {
                        sides.lease.release();
                    }
                    ready!(self.poll_flush(context, sides.record, upstream))?;
                    return Poll::Ready(Ok(outcome));
                }
            };
            match loaded {
                Loaded::Ended if self.outbox.stopped => {
                    // A length that was announced is not reached.
                    self.keep_alive &= self.chunked;
                    self.phase = Phase::Ended(Outcome::Stopped);
                }
                Loaded::Ended => self.phase = Phase::Ended(Outcome::Done),
                Loaded::Flush => ready!(self.poll_flush(context, sides.record, upstream))?,
                Loaded::NeedMore => {
                    ready!(self.poll_flush(context, sides.record, upstream))?;
                    ready!(self.poll_worker(context, sides, upstream))?;
                }
            }
        }
    }

    fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        record: &Record<'_>,
        upstream: &mut Upstream,
    ) -> Poll<Result<(), Broken>> {
        let connection = record.connection;
        let slot = &connection.slot;
        match self.outbox.poll_flush(context, &connection.stream, &mut upstream.buffer) {
            Poll::Ready(result) => {
                slot.disarm(Wait::ClientWrite);
                Poll::Ready(result.map_err(|_| Broken::ClientGone))
            }
            Poll::Pending => {
                let waiting = Waiting { slot, wait: Wait::ClientWrite, stream: &connection.stream };
                let span = record.site.limits.client_stall;
                if self.stall.is_over(waiting, self.outbox.written, span, CLIENT_RATE) {
                    return Poll::Ready(Err(Broken::ClientStalled));
                }
                Poll::Pending
            }
        }
    }

    fn poll_worker(
        &mut self,
        context: &mut Context<'_>,
        sides: Sides<'_>,
        upstream: &mut Upstream,
    ) -> Poll<Result<(), Broken>> {
        let slot = &sides.connection.slot;
        let buffers = &sides.connection.thread.buffers;
        let bulky = matches!(&self.phase, Phase::Body(source) if self.more_waits && source.is_bulky(BULK));
        upstream.make_room(buffers, bulky);
        match upstream.stream.poll_read(context, &mut upstream.buffer) {
            Poll::Ready(Ok(1..)) => {
                slot.disarm(Wait::Upstream);
                self.more_waits = upstream.buffer.is_full();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(end) => Poll::Ready(self.at_end(end.is_ok(), sides, upstream)),
            Poll::Pending if self.worker_is_late(sides, upstream) => {
                Poll::Ready(Err(Broken::UpstreamTimeout))
            }
            Poll::Pending => {
                upstream.release_if_empty(buffers);
                Poll::Pending
            }
        }
    }

    /// Whether the worker has said nothing for too long, nor read what it was sent.
    fn worker_is_late(&mut self, sides: Sides<'_>, upstream: &Upstream) -> bool {
        let (slot, wait) = (&sides.connection.slot, Wait::Upstream);
        let span = sides.record.site.limits.request_timeout;
        // While the request is still on its way, its own side watches the time.
        if sides.request == Progress::Sending {
            return false;
        }
        // Megabytes of a long body may be with the kernel still, and its reader has no other way to show that it lives.
        if sides.sent > BULK as u64 {
            return self.unread.is_over(Waiting { slot, wait, stream: &upstream.stream }, 0, span, 0);
        }
        slot.arm_once(wait, span);
        slot.expired(wait)
    }

    /// The worker's connection ended, in order or by a reset.
    fn at_end(&mut self, in_order: bool, sides: Sides<'_>, upstream: &Upstream) -> Result<(), Broken> {
        match self.phase {
            Phase::Body(Source::UntilClose) if in_order => {
                // What was announced by the end of the connection is chunked for a client that can tell.
                if self.chunked {
                    self.outbox.own.extend_from_slice(http1::LAST_CHUNK);
                }
                self.phase = Phase::Ended(Outcome::Done);
                Ok(())
            }
            Phase::Head => {
                let refused =
                    !in_order || sides.request == Progress::Refused || upstream.stream.was_refused();
                // Whoever began a head has read what it answers.
                Err(Broken::ClosedBeforeResponse { unread: refused && upstream.buffer.is_empty() })
            }
            Phase::Body(_) | Phase::Ended(_) => Err(Broken::ClosedWithinResponse),
        }
    }

    /// Parses heads out of the buffer, informational ones and the final one.
    fn look_for_head(&mut self, sides: Sides<'_>, upstream: &mut Upstream) -> Result<(), Broken> {
        let limits = &sides.record.site.limits;
        let bounds = HeadLimits {
            head_bytes: limits.response_head_bytes,
            lines: usize::MAX,
            line_bytes: limits.response_head_bytes,
        };
        let sent =
            SentRequest { head: sides.exchange.method == Method::Head, upgrade: sides.exchange.websocket };
        while !upstream.buffer.is_empty() {
            let parsed = http1::parse_response(upstream.buffer.data(), &bounds, &sent, &mut self.head);
            match parsed.map_err(|bad| Broken::BadResponse(bad.reason()))? {
                Parsed::Partial => return Ok(()),
                Parsed::Complete => {}
            }
            upstream.answered = true;
            let data = upstream.buffer.data();
            if matches!(self.head.status, 100 | 102..=199) {
                self.informational += 1;
                if self.informational > limits.informational_responses {
                    return Err(Broken::BadResponse("the app sent too many informational responses"));
                }
                write_informational(&self.head, data, sides.exchange, &mut self.outbox.own);
                upstream.buffer.consume(self.head.length);
                continue;
            }
            self.write_final(sides, data);
            upstream.buffer.consume(self.head.length);
            if self.outbox.events.is_some() {
                upstream.stops_counting();
            }
            return Ok(());
        }
        Ok(())
    }

    fn write_final(&mut self, sides: Sides<'_>, data: &[u8]) {
        let Sides { connection, exchange, request, record, .. } = sides;
        record.answered(self.head.status);
        sides.lease.answered();
        let http10 = exchange.version == Version::Http10;
        let has_body = self.head.status != 101 && !matches!(self.head.body, Body::None);
        self.chunked = has_body && !http10 && !matches!(self.head.body, Body::Length(_));
        let until_close = has_body && http10 && !matches!(self.head.body, Body::Length(_));
        let forwards = record.site.forward_connection_header;
        let app_closes = forwards && !self.head.keep_alive;
        // A body that the app did not wait for would be taken for the next request.
        self.keep_alive = exchange.keep_alive
            && request == Progress::Sent
            && !until_close
            && !app_closes
            && connection.thread.is_running();
        self.reusable = self.head.keep_alive && !matches!(self.head.body, Body::UntilClose);
        self.has_head = true;
        self.outbox.events =
            (has_body && exchange.wants_events && self.is_event_stream(data)).then(Events::default);
        let framing = Framing {
            chunked: self.chunked,
            keep_alive: self.keep_alive,
            says_keep_alive: http10 || (forwards && self.says_keep_alive(data)),
        };
        write_final_head(&self.head, data, framing, &mut self.outbox.own);
        self.phase = match self.head.status {
            101 => Phase::Ended(Outcome::Upgraded),
            _ if !has_body => Phase::Ended(Outcome::Done),
            _ => Phase::Body(Source::new(self.head.body)),
        };
    }
}

impl ResponseSide {
    /// handlerSetting `forwardResponseConnectionHeader`: what the app's own `Connection` says, if it is no more than that.
    fn says_keep_alive(&self, data: &[u8]) -> bool {
        let of_connection = |field: &&Field| field.known == Known::Connection;
        let mut values = self.head.fields.iter().filter(of_connection).map(|field| field.value.of(data));
        values.any(|value| value.eq_ignore_ascii_case(b"keep-alive"))
    }

    /// One that can be looked into. SignalR says `identity` of its streams, lest a middleware compress them.
    fn is_event_stream(&self, data: &[u8]) -> bool {
        let fields = &self.head.fields;
        let of_type = |field: &Field| {
            field.known == Known::ContentType && events::is_event_stream(field.value.of(data))
        };
        let coded = |field: &Field| {
            field.known == Known::ContentEncoding && !field.value.of(data).eq_ignore_ascii_case(b"identity")
        };
        fields.iter().any(of_type) && !fields.iter().any(coded)
    }
}

/// What the client is told about framing.
#[derive(Debug, Clone, Copy)]
struct Framing {
    chunked: bool,
    keep_alive: bool,
    /// `keep-alive` is said where it is meant: to HTTP/1.0, and for an app that said it.
    says_keep_alive: bool,
}

/// 100 goes only to a client that asked for it; none goes to HTTP/1.0, which does not know them.
fn write_informational(head: &ResponseHead, data: &[u8], exchange: &Exchange, out: &mut Vec<u8>) {
    if exchange.version == Version::Http10 || (head.status == 100 && !exchange.expects_continue) {
        return;
    }
    http1::write_status_line(out, head.status, head.reason.of(data));
    write_end_to_end(head, data, out);
    http1::end_head(out);
}

/// IIS: status and reason as they are; `Connection` and chunking are ours; every other line is kept, also
/// where a name repeats.
fn write_final_head(head: &ResponseHead, data: &[u8], framing: Framing, out: &mut Vec<u8>) {
    http1::write_status_line(out, head.status, head.reason.of(data));
    write_end_to_end(head, data, out);
    if framing.chunked {
        http1::write_field(out, b"Transfer-Encoding", b"chunked");
    }
    match (head.status, framing.keep_alive) {
        (101, _) => http1::write_field(out, b"Connection", b"Upgrade"),
        (_, true) if framing.says_keep_alive => http1::write_field(out, b"Connection", b"keep-alive"),
        (_, true) => {}
        (_, false) => http1::write_field(out, b"Connection", b"close"),
    }
    http1::end_head(out);
}

fn write_end_to_end(head: &ResponseHead, data: &[u8], out: &mut Vec<u8>) {
    for field in &head.fields {
        let passes = match field.known {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Te
            | Known::Trailer => false,
            // RFC 9110 §8.6: not where there can be no content.
            Known::ContentLength => head.status >= 200 && head.status != 204,
            // 101 and 426 name the protocol there (RFC 9110 §7.8).
            Known::Upgrade => matches!(head.status, 101 | 426),
            _ => !field.nominated,
        };
        if passes {
            http1::write_field(out, field.name.of(data), field.value.of(data));
        }
    }
}
