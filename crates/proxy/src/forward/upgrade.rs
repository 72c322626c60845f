//! WebSocket tunnels: bytes both ways, frame boundaries watched (headers only, no copy), so that the server's
//! own end can be said with Close 1001 where a frame ends.

use std::cell::RefMut;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http1::FrameTracker;

use crate::buffer::Buffer;
use crate::clock::Wait;
use crate::connection::Connection;
use crate::forward::pool::{Pool, Upstream};
use crate::io::Stream;
use crate::pipeline::Next;
use crate::record::{End, Record};
use crate::thread::Phase;

/// "Going away" (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;
/// How long the peers get to answer our close frame.
const GOODBYE: Duration = Duration::from_secs(1);

/// One direction of a tunnel.
#[derive(Debug, Default)]
struct Direction {
    frames: FrameTracker,
    /// Bytes at the front of the buffer that may be written.
    pending: usize,
    /// A client must mask what it sends, and so must we in its place.
    mask: Option<[u8; 4]>,
    /// Only what completes a frame may still pass.
    ending: bool,
    /// Bytes that were written since the start.
    written: u64,
    /// Our own close frame, once it is due.
    close: Vec<u8>,
    closed: bool,
}

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TunnelEnd {
    /// One side ended in order, and the other was told.
    InOrder,
    /// The app reset its connection, so the client's is reset too.
    AppReset,
    ClientGone,
    /// We ended it.
    Ended,
}

/// Relays until one side ends or the server does.
pub(crate) async fn tunnel(
    connection: &Rc<Connection>,
    pool: &Rc<Pool>,
    upstream: Upstream,
    record: &Record<'_>,
) -> Next {
    let mut tunnel = Tunnel {
        connection,
        pool,
        upstream,
        to_client: Direction::default(),
        // The key needs no secrecy: nothing between us and the app reads along.
        to_app: Direction { mask: Some([0; 4]), ..Direction::default() },
        ending: false,
    };
    tunnel.upstream.stops_counting();
    // A tunnel has no end of its own.
    connection.slot.disarm(Wait::Total);
    let end = poll_fn(|context| {
        let (to_app, to_client) = (tunnel.to_app.written, tunnel.to_client.written);
        let end = tunnel.poll(context);
        record.moved(tunnel.to_app.written - to_app, tunnel.to_client.written - to_client);
        end
    })
    .await;
    connection.slot.disarm_waits();
    let Upstream { stream, buffer, .. } = tunnel.upstream;
    connection.thread.buffers.give_back(buffer);
    drop(stream);
    record.ended(match end {
        TunnelEnd::InOrder => End::Done,
        TunnelEnd::ClientGone => End::ClientGone,
        TunnelEnd::AppReset => End::UpstreamError,
        TunnelEnd::Ended => End::Cut,
    });
    match end {
        TunnelEnd::AppReset => {
            connection.stream.reset_on_close();
            Next::Close
        }
        TunnelEnd::ClientGone => Next::Close,
        TunnelEnd::InOrder | TunnelEnd::Ended => Next::Linger,
    }
}

struct Tunnel<'a> {
    connection: &'a Connection,
    pool: &'a Pool,
    upstream: Upstream,
    to_client: Direction,
    to_app: Direction,
    ending: bool,
}

impl Tunnel<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<TunnelEnd> {
        let slot = &self.connection.slot;
        slot.register(context);
        if !self.ending && (self.pool.ending.get() || self.connection.thread.phase.get() == Phase::Ending) {
            self.ending = true;
            self.to_client.ending = true;
            self.to_app.ending = true;
            slot.arm(Wait::Upstream, GOODBYE);
        }
        if slot.expired(Wait::Upstream) {
            return Poll::Ready(TunnelEnd::Ended);
        }
        if let Poll::Ready(end) = self.poll_to_client(context) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_to_app(context) {
            return Poll::Ready(end);
        }
        if self.to_client.closed && self.to_app.closed {
            Poll::Ready(TunnelEnd::Ended)
        } else {
            Poll::Pending
        }
    }

    fn poll_to_client(&mut self, context: &mut Context<'_>) -> Poll<TunnelEnd> {
        let Self { connection, upstream, to_client: direction, .. } = self;
        let Upstream { stream, buffer, .. } = upstream;
        let buffers = &connection.thread.buffers;
        loop {
            match direction.poll_write(context, &connection.stream, buffer) {
                Poll::Ready(Ok(())) if direction.closed => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(TunnelEnd::ClientGone),
                Poll::Pending => return Poll::Pending,
            }
            if buffer.is_full() {
                buffers.give_back(std::mem::replace(buffer, buffers.small()));
            }
            match stream.poll_read(context, buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(TunnelEnd::InOrder),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(TunnelEnd::AppReset),
                Poll::Pending => {
                    buffers.give_back(std::mem::take(buffer));
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_to_app(&mut self, context: &mut Context<'_>) -> Poll<TunnelEnd> {
        let Self { connection, upstream, to_app: direction, to_client, .. } = self;
        loop {
            let mut input: RefMut<'_, Buffer> = connection.input.borrow_mut();
            match direction.poll_write(context, &upstream.stream, &mut input) {
                Poll::Ready(Ok(())) if direction.closed => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(TunnelEnd::AppReset),
                Poll::Pending => return Poll::Pending,
            }
            drop(input);
            match connection.poll_fill(context) {
                Poll::Ready(Ok(1..)) => {}
                // Both have said goodbye; the app was to close first (RFC 6455 §7.1.1), but not every client waits for it.
                Poll::Ready(_) if direction.frames.saw_close() && to_client.frames.saw_close() => {
                    return Poll::Ready(TunnelEnd::InOrder);
                }
                Poll::Ready(_) => return Poll::Ready(TunnelEnd::ClientGone),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Direction {
    /// Writes what is in the buffer; when the tunnel ends, only to the next frame boundary, and then Close.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        to: &Stream,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.pending == 0 && !self.admit(buffer) {
                return Poll::Ready(Ok(()));
            }
            let own = !self.close.is_empty();
            let bytes = if own { &self.close[..] } else { buffer.part(0..self.pending) };
            let count = std::task::ready!(to.poll_write(context, &[IoSlice::new(bytes)]))?;
            self.written += count as u64;
            match count {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count if own => {
                    self.close.drain(..count);
                    self.closed = self.close.is_empty();
                }
                count => {
                    buffer.consume(count);
                    self.pending -= count;
                }
            }
            if own {
                self.pending = self.close.len();
            }
        }
    }

    /// Decides what may be written next; false when there is nothing.
    fn admit(&mut self, buffer: &mut Buffer) -> bool {
        if self.closed {
            // What a peer still says behind our Close is nobody's any more.
            buffer.consume(buffer.len());
            return false;
        }
        if self.ending && (self.frames.at_boundary() || self.frames.saw_close()) {
            if !self.frames.saw_close() {
                http1::write_close(&mut self.close, GOING_AWAY, self.mask);
            }
            self.closed = self.close.is_empty();
            self.pending = self.close.len();
            return !self.closed;
        }
        let count = match self.frames.next_boundary_in(buffer.data()) {
            Some(boundary) if self.ending => boundary,
            _ => buffer.len(),
        };
        self.frames.advance(buffer.part(0..count));
        self.pending = count;
        count > 0
    }
}
