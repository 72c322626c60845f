//! Bodies in flight: where the next bytes of one end, and what waits to be written.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use http1::{BadChunk, Body, CHUNK_END, ChunkStep, ChunkedDecoder, LAST_CHUNK};

use crate::buffer::Buffer;
use crate::forward::events::Events;
use crate::io::Stream;

/// Pieces up to this size are copied behind the head, so that all leaves in one write; larger ones are written
/// from where they were received.
const COPY_MOST: usize = 4096;
/// Small pieces are gathered up to this size.
const GATHER: usize = 16 * 1024;
/// The end of a chunk and of the body.
const LAST: &[u8] = b"\r\n0\r\n\r\n";

/// A body being received: validated framing, data not kept.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// So many bytes are to come.
    Length(u64),
    /// Chunks are to come.
    Chunked(ChunkedDecoder),
    /// Everything up to the connection's end (responses only).
    UntilClose,
}

/// What [`Outbox::load`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// Nothing more in the buffer: write what there is, then read.
    NeedMore,
    /// Write this first.
    Flush,
    /// The body is complete: write this, then it is done.
    Ended,
}

enum Step {
    More { consumed: usize },
    Data { skip: usize, len: usize },
    End { consumed: usize },
}

impl Source {
    pub(crate) fn new(body: Body) -> Self {
        match body {
            Body::None => Self::Length(0),
            Body::Length(length) => Self::Length(length),
            Body::Chunked => Self::Chunked(ChunkedDecoder::default()),
            Body::UntilClose => Self::UntilClose,
        }
    }

    fn step(&mut self, data: &[u8]) -> Result<Step, BadChunk> {
        Ok(match self {
            Self::Length(0) => Step::End { consumed: 0 },
            Self::Length(_) | Self::UntilClose if data.is_empty() => Step::More { consumed: 0 },
            Self::Length(left) => {
                let len = usize::try_from(*left).map_or(data.len(), |left| left.min(data.len()));
                *left -= len as u64;
                Step::Data { skip: 0, len }
            }
            Self::UntilClose => Step::Data { skip: 0, len: data.len() },
            Self::Chunked(decoder) => match decoder.step(data)? {
                ChunkStep::More { consumed } => Step::More { consumed },
                ChunkStep::Data { skip, len } => Step::Data { skip, len },
                ChunkStep::End { consumed } => Step::End { consumed },
            },
        })
    }

    /// Throws away what the buffer holds of the body, and counts it; true at its end.
    ///
    /// # Errors
    /// [`BadChunk`].
    pub(crate) fn skip(&mut self, buffer: &mut Buffer, count: &mut u64) -> Result<bool, BadChunk> {
        loop {
            match self.step(buffer.data())? {
                Step::More { consumed } => {
                    buffer.consume(consumed);
                    return Ok(false);
                }
                Step::Data { skip, len } => {
                    buffer.consume(skip + len);
                    *count += len as u64;
                }
                Step::End { consumed } => {
                    buffer.consume(consumed);
                    return Ok(true);
                }
            }
        }
    }

    /// Whether so much is to come that a large buffer pays.
    pub(crate) fn is_bulky(&self, than: usize) -> bool {
        match self {
            Self::Length(left) => *left > than as u64,
            Self::Chunked(_) | Self::UntilClose => true,
        }
    }
}

/// What waits to be written to one peer: own bytes, then a stretch of the buffer that it came in, then the end
/// of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) own: Vec<u8>,
    sent: usize,
    /// Bytes at the front of the source buffer.
    direct: usize,
    tail: &'static [u8],
    /// Framing in the source buffer behind the direct bytes, to be skipped after them.
    skip: usize,
    ended: bool,
    /// Of an event stream that may end between two events.
    pub(crate) events: Option<Events>,
    /// We ended the body before the worker did.
    pub(crate) stopped: bool,
    /// Body bytes loaded so far.
    pub(crate) loaded: u64,
    /// Anything was written since the start.
    pub(crate) started: bool,
    /// So many bytes were, framing included.
    pub(crate) written: u64,
}

impl Outbox {
    pub(crate) fn new(own: Vec<u8>) -> Self {
        Self { own, ..Self::default() }
    }

    /// Takes as much of the body out of the buffer as one write should carry. `chunked` re-frames it: received
    /// framing is never passed on.
    ///
    /// # Errors
    /// [`BadChunk`], and nothing of the bad part was loaded.
    pub(crate) fn load(
        &mut self,
        source: &mut Source,
        buffer: &mut Buffer,
        chunked: bool,
    ) -> Result<Loaded, BadChunk> {
        if self.ended {
            return Ok(Loaded::Ended);
        }
        // A peer that takes little a time is asked again and again; what waits for it must go first.
        if self.direct > 0 || !self.tail.is_empty() || self.own.len() >= GATHER {
            return Ok(Loaded::Flush);
        }
        loop {
            match source.step(buffer.data())? {
                Step::More { consumed } => {
                    buffer.consume(consumed);
                    return Ok(Loaded::NeedMore);
                }
                Step::End { consumed } => {
                    buffer.consume(consumed);
                    return Ok(self.end(chunked));
                }
                Step::Data { skip, len } => {
                    buffer.consume(skip);
                    self.loaded += len as u64;
                    if let Some(events) = &mut self.events {
                        events.pass(buffer.part(0..len));
                    }
                    if chunked {
                        http1::write_chunk_head(&mut self.own, len);
                    }
                    if len > COPY_MOST {
                        return Ok(self.load_direct(source, buffer, len, chunked));
                    }
                    self.own.extend_from_slice(buffer.part(0..len));
                    buffer.consume(len);
                    if chunked {
                        self.own.extend_from_slice(CHUNK_END);
                    }
                    if self.own.len() >= GATHER {
                        return Ok(Loaded::Flush);
                    }
                }
            }
        }
    }

    /// Takes no more of an event stream than its event under way, and ends it behind that.
    ///
    /// # Errors
    /// [`BadChunk`], as [`Outbox::load`].
    pub(crate) fn stop(
        &mut self,
        source: &mut Source,
        buffer: &mut Buffer,
        chunked: bool,
    ) -> Result<Loaded, BadChunk> {
        let Some(events) = self.events.as_mut().filter(|_| !self.ended) else {
            return self.load(source, buffer, chunked);
        };
        if self.direct > 0 || !self.tail.is_empty() {
            return Ok(Loaded::Flush);
        }
        while !events.are_whole() {
            match source.step(buffer.data())? {
                Step::More { consumed } => {
                    buffer.consume(consumed);
                    return Ok(Loaded::NeedMore);
                }
                Step::End { consumed } => {
                    buffer.consume(consumed);
                    return Ok(self.end(chunked));
                }
                Step::Data { skip, len } => {
                    buffer.consume(skip);
                    let count = events.rest(buffer.part(0..len));
                    self.loaded += count as u64;
                    if chunked {
                        http1::write_chunk_head(&mut self.own, count);
                    }
                    self.own.extend_from_slice(buffer.part(0..count));
                    buffer.consume(count);
                    if chunked {
                        self.own.extend_from_slice(CHUNK_END);
                    }
                }
            }
        }
        self.stopped = true;
        Ok(self.end(chunked))
    }

    fn end(&mut self, chunked: bool) -> Loaded {
        if chunked {
            self.own.extend_from_slice(LAST_CHUNK);
        }
        self.ended = true;
        Loaded::Ended
    }

    /// A stretch too long to copy; looks behind it, so that the end of the body leaves in the same write.
    fn load_direct(&mut self, source: &mut Source, buffer: &Buffer, len: usize, chunked: bool) -> Loaded {
        self.direct = len;
        self.tail = if chunked { CHUNK_END } else { b"" };
        let mut ahead = source.clone();
        // An error behind it is met again by the next load.
        if let Ok(Step::End { consumed }) = ahead.step(buffer.part(len..buffer.len())) {
            *source = ahead;
            self.skip = consumed;
            self.tail = if chunked { LAST } else { b"" };
            self.ended = true;
            return Loaded::Ended;
        }
        Loaded::Flush
    }

    /// Whether a part of the own bytes has left, and not yet the rest.
    pub(crate) fn is_halfway(&self) -> bool {
        self.sent > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.own.len() && self.direct == 0 && self.tail.is_empty()
    }

    /// Writes everything that was loaded.
    pub(crate) fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        peer: &Stream,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let own = IoSlice::new(&self.own[self.sent..]);
            let direct = IoSlice::new(buffer.part(0..self.direct));
            let tail = IoSlice::new(self.tail);
            let count = ready!(match (own.is_empty(), self.direct, self.tail.is_empty()) {
                (_, 0, true) => peer.poll_write(context, &[own]),
                (true, 1.., true) => peer.poll_write(context, &[direct]),
                _ => peer.poll_write(context, &[own, direct, tail]),
            })?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written(count, buffer);
        }
        self.own.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, count: usize, buffer: &mut Buffer) {
        self.started = true;
        self.written += count as u64;
        let own = count.min(self.own.len() - self.sent);
        self.sent += own;
        let direct = (count - own).min(self.direct);
        self.direct -= direct;
        buffer.consume(direct);
        if self.direct == 0 {
            buffer.consume(std::mem::take(&mut self.skip));
        }
        self.tail = &self.tail[count - own - direct..];
    }

    pub(crate) fn into_own(self) -> Vec<u8> {
        self.own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Buffers;
    use proptest::prelude::*;

    /// One write to a peer that takes at most `most` bytes a time; false when nothing waited.
    fn write(outbox: &mut Outbox, buffer: &mut Buffer, most: usize, out: &mut Vec<u8>) -> bool {
        if outbox.is_empty() {
            outbox.own.clear();
            outbox.sent = 0;
            return false;
        }
        let mut all = outbox.own[outbox.sent..].to_vec();
        all.extend_from_slice(buffer.part(0..outbox.direct));
        all.extend_from_slice(outbox.tail);
        let count = all.len().min(most);
        out.extend_from_slice(&all[..count]);
        outbox.written(count, buffer);
        true
    }

    /// Relays `wire`, arriving in pieces, and returns what left with what stayed in the buffer behind the body.
    fn relay(body: Body, wire: &[u8], piece: usize, most: usize, chunked: bool) -> (Vec<u8>, Vec<u8>) {
        let buffers = Buffers::default();
        let (mut buffer, mut source) = (buffers.large(), Source::new(body));
        let (mut outbox, mut out, mut pieces) = (Outbox::default(), Vec::new(), wire.chunks(piece));
        loop {
            match outbox.load(&mut source, &mut buffer, chunked).expect("good framing") {
                Loaded::Ended => break,
                // Like a peer that blocks after each write: the outbox is asked again before all has left.
                Loaded::Flush => {
                    write(&mut outbox, &mut buffer, most, &mut out);
                }
                Loaded::NeedMore => {
                    if write(&mut outbox, &mut buffer, most, &mut out) {
                        continue;
                    }
                    let next = pieces.next().expect("the body ends within the wire");
                    buffer.space()[..next.len()].copy_from_slice(next);
                    buffer.filled(next.len());
                }
            }
        }
        while write(&mut outbox, &mut buffer, most, &mut out) {}
        let mut rest = buffer.data().to_vec();
        pieces.for_each(|piece| rest.extend_from_slice(piece));
        (out, rest)
    }

    fn decode(mut wire: &[u8]) -> Vec<u8> {
        let (mut decoder, mut body) = (ChunkedDecoder::default(), Vec::new());
        loop {
            match decoder.step(wire).expect("good framing") {
                ChunkStep::Data { skip, len } => {
                    body.extend_from_slice(&wire[skip..skip + len]);
                    wire = &wire[skip + len..];
                }
                ChunkStep::End { consumed } => {
                    assert_eq!(consumed, wire.len(), "nothing follows");
                    return body;
                }
                ChunkStep::More { .. } => panic!("the body is cut off"),
            }
        }
    }

    proptest! {
        #[test]
        fn bodies_arrive_whole_and_nothing_behind_them_is_touched(
            sizes in proptest::collection::vec(1_usize..9000, 0..6), piece in 1_usize..20_000, most in 1_usize..20_000,
        ) {
            let (mut body, mut wire) = (Vec::new(), Vec::new());
            for (n, &size) in sizes.iter().enumerate() {
                let data = vec![b'a' + n as u8; size];
                http1::write_chunk_head(&mut wire, size);
                wire.extend_from_slice(&data);
                wire.extend_from_slice(b"\r\n");
                body.extend_from_slice(&data);
            }
            wire.extend_from_slice(b"0\r\nTrailer: dropped\r\n\r\nNEXT");
            let (out, rest) = relay(Body::Chunked, &wire, piece, most, true);
            prop_assert_eq!(decode(&out), body.clone());
            prop_assert_eq!(rest, b"NEXT".to_vec());
            let (out, _) = relay(Body::Chunked, &wire, piece, most, false);
            prop_assert_eq!(&out, &body);
            let mut plain = body.clone();
            plain.extend_from_slice(b"NEXT");
            let (out, rest) = relay(Body::Length(body.len() as u64), &plain, piece, most, false);
            prop_assert_eq!(&out, &body);
            prop_assert_eq!(rest, b"NEXT".to_vec());
        }
    }

    #[test]
    fn a_long_stretch_leaves_with_the_end_of_its_body() {
        let buffers = Buffers::default();
        let (mut buffer, mut source) = (buffers.large(), Source::new(Body::Chunked));
        let mut wire = b"2000\r\n".to_vec();
        wire.extend_from_slice(&[b'x'; 0x2000]);
        wire.extend_from_slice(b"\r\n0\r\n\r\n");
        buffer.space()[..wire.len()].copy_from_slice(&wire);
        buffer.filled(wire.len());
        let mut outbox = Outbox::default();
        assert_eq!(outbox.load(&mut source, &mut buffer, true).expect("good framing"), Loaded::Ended);
        assert_eq!((outbox.direct, outbox.tail), (0x2000, LAST));
    }
}
