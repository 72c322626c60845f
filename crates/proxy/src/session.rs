//! One TLS session over a client's socket, as `io` wants a stream: what was taken has left.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Boxed by its owner: it is large, and a connection in the clear must not pay for it.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    /// Bytes of the caller that are in records already, while these records have not all left.
    owed: usize,
    /// The end is to be a reset: without close_notify, so that nobody takes what came for the whole.
    cut: bool,
}

enum State {
    Handshake(Accept<TcpStream>),
    Open(TlsStream<TcpStream>),
    /// The handshake failed, and the socket is closed.
    Failed,
}

impl Session {
    pub(crate) fn new(socket: TcpStream, config: Arc<ServerConfig>) -> Self {
        let handshake = TlsAcceptor::from(config).accept(socket);
        Self { state: State::Handshake(handshake), owed: 0, cut: false }
    }

    /// Ready when requests may come.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Handshake(handshake) = &mut self.state else { return Poll::Ready(Ok(())) };
        let result = ready!(Pin::new(handshake).poll(context));
        let (state, result) = match result {
            Ok(stream) => (State::Open(stream), Ok(())),
            Err(error) => (State::Failed, Err(error)),
        };
        self.state = state;
        Poll::Ready(result)
    }

    fn open(&mut self) -> io::Result<Pin<&mut TlsStream<TcpStream>>> {
        match &mut self.state {
            State::Open(stream) => Ok(Pin::new(stream)),
            State::Handshake(_) | State::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_read(context, space)
    }

    /// Takes bytes only once their records are with the system, so that a caller who was told a count may wait
    /// for something else. Until then the caller comes back with the same bytes, as with OpenSSL's SSL_write.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.owed == 0 {
            self.owed = ready!(self.open()?.poll_write_vectored(context, parts))?;
        }
        ready!(self.open()?.poll_flush(context))?;
        Poll::Ready(Ok(std::mem::take(&mut self.owed)))
    }

    /// Whether bytes are on their way that no caller was told of: nothing else may be written then.
    pub(crate) fn owes(&self) -> bool {
        self.owed > 0
    }

    /// close_notify, then FIN; nothing when the end is to be a reset.
    pub(crate) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.cut {
            return Poll::Ready(Ok(()));
        }
        self.open()?.poll_shutdown(context)
    }

    /// No close_notify from here on.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// None when the handshake failed.
    pub(crate) fn socket(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Handshake(handshake) => handshake.get_ref(),
            State::Open(stream) => Some(stream.get_ref().0),
            State::Failed => None,
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys of the session are nobody's to print.
        f.write_str(match self {
            Self::Handshake(_) => "Handshake",
            Self::Open(_) => "Open",
            Self::Failed => "Failed",
        })
    }
}
