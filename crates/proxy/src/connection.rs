//! One client connection: its socket, its deadlines and what it has sent but nobody used yet.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use config::{Limits, Scheme};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use crate::buffer::Buffer;
use crate::clock::{self, Slot, Wait};
use crate::counters::add;
use crate::io::Stream;
use crate::stall::{CLIENT_RATE, Stall, Waiting};
use crate::thread::Thread;

/// How long a connection that was accepted while the server drains may take to send its first byte: it may
/// have been queued in the kernel with its request.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// How long a client may go on with a body that was answered early (nginx: lingering_time).
const DRAIN_MOST: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) thread: Rc<Thread>,
    pub(crate) stream: Stream,
    pub(crate) slot: Rc<Slot>,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    /// What the binding is for; a client may have begun in the clear all the same.
    pub(crate) scheme: Scheme,
    /// Received and not yet used; has no block while it is empty and nobody reads.
    pub(crate) input: RefCell<Buffer>,
    /// Nothing was received yet.
    fresh: Cell<bool>,
    /// Counts this connection in the server's limit.
    _permit: OwnedSemaphorePermit,
}

/// What a wait for the client came to, if not to bytes.
#[derive(Debug)]
pub(crate) enum NoBytes {
    /// It closed or reset the connection.
    Gone,
    /// Its deadline is over.
    Deadline,
}

impl Connection {
    pub(crate) fn new(
        thread: Rc<Thread>,
        (stream, scheme): (TcpStream, Scheme),
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        let local = stream.local_addr()?;
        // An answer is written whole, so waiting for more bytes only costs time.
        stream.set_nodelay(true)?;
        let slot = thread.clock.slot();
        thread.open.set(thread.open.get() + 1);
        add(&thread.counters.connections, 1);
        Ok(Self {
            thread,
            stream: Stream::tcp(stream),
            slot,
            peer,
            local,
            scheme,
            input: RefCell::default(),
            fresh: Cell::new(true),
            _permit: permit,
        })
    }

    /// Whether the client speaks HTTP in the clear where it should speak TLS.
    pub(crate) fn is_clear_by_mistake(&self) -> bool {
        self.scheme == Scheme::Https && !self.stream.is_tls()
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.input.borrow().is_empty()
    }

    /// Waits for the next request's first byte; false when the connection is to be closed instead.
    pub(crate) async fn wait_for_request(&self) -> bool {
        self.slot.arm(Wait::ClientRead, self.thread.site().limits.keep_alive);
        let came = poll_fn(|context| {
            self.slot.register(context);
            match self.poll_fill(context) {
                Poll::Ready(result) => Poll::Ready(matches!(result, Ok(1..))),
                Poll::Pending if self.slot.expired(Wait::ClientRead) => Poll::Ready(false),
                Poll::Pending if self.thread.is_running() => Poll::Pending,
                Poll::Pending if self.fresh.replace(false) => {
                    self.slot.arm(Wait::ClientRead, GRACE);
                    Poll::Pending
                }
                // Draining: a fresh one has been given its grace, another one has none.
                Poll::Pending => Poll::Ready(false),
            }
        })
        .await;
        self.slot.disarm(Wait::ClientRead);
        came
    }

    /// Reads more input. Gives the block back while there is nothing to read into it.
    pub(crate) fn poll_fill(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut input = self.input.borrow_mut();
        if input.is_full() {
            if input.is_empty() {
                *input = self.thread.buffers.small();
            } else {
                self.thread.buffers.grow(&mut input);
            }
        }
        let result = self.stream.poll_read(context, &mut input);
        if input.is_empty() {
            self.thread.buffers.give_back(std::mem::take(&mut *input));
        } else {
            self.fresh.set(false);
        }
        result
    }

    /// The next bytes are many: reads them into a large block.
    pub(crate) fn expect_bulk(&self) {
        let mut input = self.input.borrow_mut();
        if input.is_empty() && !input.is_large() {
            let small = std::mem::replace(&mut *input, self.thread.buffers.large());
            self.thread.buffers.give_back(small);
        }
    }

    /// Reads more input before the deadline that the caller has armed.
    pub(crate) async fn fill(&self) -> Result<usize, NoBytes> {
        poll_fn(|context| {
            self.slot.register(context);
            match self.poll_fill(context) {
                Poll::Ready(Ok(count @ 1..)) => Poll::Ready(Ok(count)),
                Poll::Ready(_) => Poll::Ready(Err(NoBytes::Gone)),
                Poll::Pending if self.slot.expired(Wait::ClientRead) => Poll::Ready(Err(NoBytes::Deadline)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Ready when the client went away while its request is with the app. Bytes that it sends ahead are kept,
    /// as many as the buffer holds; a client's FIN counts as gone (Kestrel treats it so too).
    pub(crate) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.has_input() && self.input.borrow().is_full() {
                return Poll::Pending;
            }
            match ready!(self.poll_fill(context)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Waits for something that is not this client's, unless the client goes away or the exchange's time is over.
    pub(crate) async fn unless_gone<T>(&self, work: impl Future<Output = T>) -> Result<T, NoBytes> {
        let mut work = std::pin::pin!(work);
        poll_fn(|context| {
            self.slot.register(context);
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            if self.slot.expired(Wait::Total) {
                return Poll::Ready(Err(NoBytes::Deadline));
            }
            self.poll_gone(context).map(|()| Err(NoBytes::Gone))
        })
        .await
    }

    /// Writes everything, as long as the client takes something of it within each `span`.
    pub(crate) async fn send(&self, mut bytes: &[u8], span: Duration) -> Result<(), NoBytes> {
        let (mut stall, all) = (Stall::default(), bytes.len());
        let waiting = Waiting { slot: &self.slot, wait: Wait::ClientWrite, stream: &self.stream };
        while !bytes.is_empty() {
            let written = (all - bytes.len()) as u64;
            let count = poll_fn(|context| {
                self.slot.register(context);
                match self.stream.poll_write(context, &[IoSlice::new(bytes)]) {
                    Poll::Ready(Ok(count @ 1..)) => Poll::Ready(Ok(count)),
                    Poll::Ready(_) => Poll::Ready(Err(NoBytes::Gone)),
                    Poll::Pending if stall.is_over(waiting, written, span, CLIENT_RATE) => {
                        Poll::Ready(Err(NoBytes::Deadline))
                    }
                    Poll::Pending => Poll::Pending,
                }
            })
            .await?;
            bytes = &bytes[count..];
        }
        self.slot.disarm(Wait::ClientWrite);
        Ok(())
    }

    /// Ends a connection whose client may still be sending: says that nothing more comes, then reads and drops
    /// a bounded rest, since closing at once would reset the connection and could take our answer with it. Many clients
    /// send a body to its end before they look for an answer, so one that was answered early is `drained` for as long
    /// as it comes.
    pub(crate) async fn linger(&self, limits: &Limits, drained: bool) {
        let began = clock::precise();
        let most = if drained { limits.body_bytes.max(limits.linger_bytes) } else { limits.linger_bytes };
        self.slot.arm(Wait::ClientRead, limits.linger);
        let shutdown = poll_fn(|context| {
            self.slot.register(context);
            match self.stream.poll_shutdown(context) {
                // Under TLS there is something to send, and it may be that nobody takes it.
                Poll::Pending if self.slot.expired(Wait::ClientRead) => {
                    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
                }
                other => other,
            }
        })
        .await;
        let mut dropped = 0;
        while shutdown.is_ok() && dropped <= most {
            if drained && self.thread.is_running() && clock::precise().duration_since(began) < DRAIN_MOST {
                self.slot.arm(Wait::ClientRead, limits.linger);
            }
            let had = self.input.borrow().len();
            self.input.borrow_mut().consume(had);
            match self.fill().await {
                Ok(count) => dropped += count as u64,
                Err(NoBytes::Gone | NoBytes::Deadline) => break,
            }
        }
        self.slot.disarm(Wait::ClientRead);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.thread.open.set(self.thread.open.get() - 1);
        self.thread.buffers.give_back(self.input.take());
    }
}
