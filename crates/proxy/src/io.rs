//! One side of an exchange as bytes: a socket that both directions of one task may poll.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rustls::ServerConfig;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::buffer::Buffer;
use crate::session::Session;

/// A connected socket. Reading and writing go through `&self`, since one task drives both directions; the
/// cell is borrowed only inside a poll. (Unix sockets become a further variant.)
#[derive(Debug)]
pub(crate) struct Stream(RefCell<Inner>);

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    Tls(Box<Session>),
    /// Between the two, for the length of one assignment.
    Changing,
}

impl Inner {
    /// None when it is closed.
    fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(session) => session.socket(),
            Self::Changing => None,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, space),
            Self::Tls(session) => session.poll_read(context, space),
            Self::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(session) => session.poll_shutdown(context),
            Self::Changing => Poll::Ready(Ok(())),
        }
    }
}

impl Stream {
    pub(crate) fn tcp(stream: TcpStream) -> Self {
        Self(RefCell::new(Inner::Tcp(stream)))
    }

    /// The first byte that waits, which stays where it is; none at the end. Only before any TLS.
    pub(crate) fn poll_peek(&self, context: &mut Context<'_>) -> Poll<io::Result<Option<u8>>> {
        let mut byte = [0_u8; 1];
        let mut space = ReadBuf::new(&mut byte);
        let inner = self.0.borrow();
        let Some(socket) = inner.socket() else { return Poll::Ready(Ok(None)) };
        socket.poll_peek(context, &mut space).map_ok(|count| (count > 0).then_some(byte[0]))
    }

    /// From here on, everything is TLS.
    pub(crate) fn start_tls(&self, config: Arc<ServerConfig>) {
        let mut inner = self.0.borrow_mut();
        if let Inner::Tcp(socket) = std::mem::replace(&mut *inner, Inner::Changing) {
            *inner = Inner::Tls(Box::new(Session::new(socket, config)));
        }
    }

    /// Ready when the handshake is over; at once where there is none.
    pub(crate) fn poll_handshake(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self.0.borrow_mut() {
            Inner::Tls(session) => session.poll_handshake(context),
            Inner::Tcp(_) | Inner::Changing => Poll::Ready(Ok(())),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(&*self.0.borrow(), Inner::Tls(_))
    }

    /// Looks at the certificate that the client showed (DER in base64), if it did.
    pub(crate) fn with_certificate<T>(&self, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match &*self.0.borrow() {
            Inner::Tls(session) => session.certificate().map(look),
            Inner::Tcp(_) | Inner::Changing => None,
        }
    }

    /// Whether the peer got bytes that no caller was told of, so that only the same ones may follow.
    pub(crate) fn owes(&self) -> bool {
        matches!(&*self.0.borrow(), Inner::Tls(session) if session.owes())
    }

    /// Tells the peer that the end, which comes now, is the end (close_notify), as far as it can be told without
    /// waiting. Without TLS the closing itself says it.
    pub(crate) fn say_end(&self) {
        if let Inner::Tls(session) = &mut *self.0.borrow_mut()
            && !session.owes()
        {
            // A peer that takes nothing any more will not miss it.
            let _ = session.poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Reads what there is into the buffer's space, which must not be empty. 0 is the end.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(buffer.space());
        debug_assert!(space.capacity() > 0, "a full buffer would look like the end");
        let result = self.0.borrow_mut().poll_read(context, &mut space);
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
            Inner::Tls(session) => session.poll_write(context, parts),
            Inner::Changing => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Says that nothing more comes from us. Only ever towards clients: an app takes it as "client gone".
    pub(crate) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_shutdown(context)
    }

    /// Makes the coming close a reset, so that the peer cannot take what it got for the whole.
    pub(crate) fn reset_on_close(&self) {
        let inner = &mut *self.0.borrow_mut();
        if let Inner::Tls(session) = inner {
            session.cut();
        }
        if let Some(socket) = inner.socket() {
            // It may be gone already; then it is closed in any case.
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(std::time::Duration::ZERO));
        }
    }

    /// Whether the peer's system refused what we sent, found at the end of the connection: a reset that came
    /// behind its FIN.
    pub(crate) fn was_refused(&self) -> bool {
        self.0.borrow().socket().is_none_or(|socket| matches!(socket.take_error(), Ok(Some(_)) | Err(_)))
    }

    /// Bytes that were written and that the peer's system has not taken yet; none where the kernel does not say.
    pub(crate) fn out_queue(&self) -> Option<u64> {
        self.0.borrow().socket().and_then(crate::raw::out_queue)
    }

    /// Whether an unused connection is still good: neither ended nor has it sent anything unasked.
    /// Costs no system call while nothing has happened.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [0_u8; 1];
        let mut probe = ReadBuf::new(&mut byte);
        let context = &mut Context::from_waker(Waker::noop());
        self.0.borrow_mut().poll_read(context, &mut probe).is_pending()
    }
}
