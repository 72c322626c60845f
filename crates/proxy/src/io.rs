//! One side of an exchange as bytes: a socket that both directions of one task may poll.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::buffer::Buffer;

/// A connected socket. Reading and writing go through `&self`, since one task drives both directions; the
/// cell is borrowed only inside a poll. (TLS and Unix sockets become further variants.)
#[derive(Debug)]
pub(crate) struct Stream(RefCell<Inner>);

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
}

impl Stream {
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self(RefCell::new(Inner::Tcp(stream)))
    }

    /// Reads what there is into the buffer's space, which must not be empty. 0 is the end.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buffer.space());
        debug_assert!(space.capacity() > 0, "a full buffer would look like the end");
        let result = match &mut *self.0.borrow_mut() {
            Inner::Tcp(stream) => Pin::new(stream).poll_read(context, &mut space),
        };
        let count = space.filled().len();
        result.map_ok(|()| {
            buffer.filled(count);
            count
        })
    }

    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self.0.borrow_mut() {
            Inner::Tcp(stream) => match parts {
                [one] => Pin::new(stream).poll_write(context, one),
                many => Pin::new(stream).poll_write_vectored(context, many),
            },
        }
    }

    /// Says that nothing more comes from us. Only ever towards clients: an app takes it as "client gone".
    pub(crate) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.borrow_mut() {
            Inner::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    /// Makes the coming close a reset, so that the peer cannot take what it got for the whole.
    pub(crate) fn reset_on_close(&self) {
        match &*self.0.borrow() {
            // The socket may be gone already; then it is closed in any case.
            Inner::Tcp(stream) => {
                let _ = rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO));
            }
        }
    }

    /// Whether the peer's system refused what we sent, found at the end of the connection: a reset that came
    /// behind its FIN.
    pub(crate) fn was_refused(&self) -> bool {
        match &*self.0.borrow() {
            Inner::Tcp(stream) => matches!(stream.take_error(), Ok(Some(_)) | Err(_)),
        }
    }

    /// Whether an unused connection is still good: neither ended nor has it sent anything unasked.
    /// Costs no system call while nothing has happened.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0_u8; 1];
        let mut probe = ReadBuf::new(&mut byte);
        let context = &mut Context::from_waker(Waker::noop());
        match &mut *self.0.borrow_mut() {
            Inner::Tcp(stream) => Pin::new(stream).poll_read(context, &mut probe).is_pending(),
        }
    }
}
