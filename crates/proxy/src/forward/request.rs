//! The request's way to the app: canonical head, then the body as the client sends it.

use std::task::{Context, Poll, ready};

use crate::clock::Wait;
use crate::exchange::Exchange;
use crate::forward::body::{Loaded, Outbox, Source};
use crate::forward::failure::Broken;
use crate::io::Stream;
use crate::record::Record;
use crate::stall::{Stall, Waiting};

/// A body with more than this to come is read into large buffers.
pub(crate) const BULK: usize = 16 * 1024;

/// How far the request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Sending,
    /// Everything was sent.
    Sent,
    /// The worker takes no more of it; it may still answer.
    Refused,
}

#[derive(Debug)]
pub(crate) struct RequestSide {
    outbox: Outbox,
    stall: Stall,
    source: Source,
    chunked: bool,
    limit: u64,
    ended: bool,
    /// The client sends its body when the app says 100: the wait is for the app.
    pub(crate) awaits_go: bool,
    pub(crate) progress: Progress,
}

impl RequestSide {
    /// `head` is the whole head as the worker gets it.
    pub(crate) fn new(exchange: &Exchange, head: Vec<u8>, limit: u64) -> Self {
        Self {
            outbox: Outbox::new(head),
            stall: Stall::default(),
            source: Source::new(exchange.body),
            chunked: exchange.body == http1::Body::Chunked,
            limit,
            ended: false,
            awaits_go: exchange.expects_continue && exchange.has_body(),
            progress: Progress::Sending,
        }
    }

    pub(crate) fn into_own(self) -> Vec<u8> {
        self.outbox.into_own()
    }

    /// Body bytes that came from the client.
    pub(crate) fn received(&self) -> u64 {
        self.outbox.loaded
    }

    /// Bytes that were written to the worker.
    pub(crate) fn sent(&self) -> u64 {
        self.outbox.written
    }

    /// Sends on; ready when nothing is left to do.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        record: &Record<'_>,
        worker: &Stream,
    ) -> Poll<Result<(), Broken>> {
        let connection = record.connection;
        loop {
            if !self.ended {
                let input = &mut connection.input.borrow_mut();
                let loaded = self.outbox.load(&mut self.source, input, self.chunked);
                let loaded = loaded.map_err(|bad| Broken::BadChunk(bad.reason()))?;
                self.ended = loaded == Loaded::Ended;
                // Counted before it is sent: a byte beyond the limit never reaches the app.
                if self.outbox.loaded > self.limit {
                    return Poll::Ready(Err(Broken::BodyTooLarge));
                }
            }
            if !ready!(self.poll_flush(context, record, worker))? {
                self.progress = Progress::Refused;
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                self.progress = Progress::Sent;
                return Poll::Ready(Ok(()));
            }
            if !connection.has_input() {
                if self.source.is_bulky(BULK) {
                    connection.expect_bulk();
                }
                ready!(self.poll_client(context, record))?;
            }
        }
    }

    /// True when all was written, false when the worker takes no more.
    fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        record: &Record<'_>,
        worker: &Stream,
    ) -> Poll<Result<bool, Broken>> {
        let connection = record.connection;
        let slot = &connection.slot;
        if self.outbox.is_empty() {
            return Poll::Ready(Ok(true));
        }
        match self.outbox.poll_flush(context, worker, &mut connection.input.borrow_mut()) {
            Poll::Ready(result) => {
                slot.disarm(Wait::Upstream);
                Poll::Ready(Ok(result.is_ok()))
            }
            Poll::Pending => {
                let waiting = Waiting { slot, wait: Wait::Upstream, stream: worker };
                let span = record.site.limits.request_timeout;
                // An app may be as slow as it likes, as long as it goes on.
                if self.stall.is_over(waiting, self.outbox.written, span, 0) {
                    return Poll::Ready(Err(Broken::UpstreamTimeout));
                }
                Poll::Pending
            }
        }
    }

    fn poll_client(&mut self, context: &mut Context<'_>, record: &Record<'_>) -> Poll<Result<(), Broken>> {
        let connection = record.connection;
        let slot = &connection.slot;
        match connection.poll_fill(context) {
            Poll::Ready(Ok(1..)) => {
                slot.disarm(Wait::ClientRead);
                if std::mem::take(&mut self.awaits_go) {
                    slot.disarm(Wait::Upstream);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(_) => Poll::Ready(Err(Broken::ClientGone)),
            Poll::Pending if self.awaits_go && slot.expired(Wait::Upstream) => {
                Poll::Ready(Err(Broken::UpstreamTimeout))
            }
            Poll::Pending if self.awaits_go => {
                slot.arm_once(Wait::Upstream, record.site.limits.request_timeout);
                Poll::Pending
            }
            Poll::Pending if slot.expired(Wait::ClientRead) => Poll::Ready(Err(Broken::ClientStalled)),
            Poll::Pending => {
                slot.arm_once(Wait::ClientRead, record.site.limits.client_stall);
                Poll::Pending
            }
        }
    }
}
