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
    /// The certificate that the client showed, in base64: made once, sent with each request.
    certificate: Option<Box<[u8]>>,
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
        Self { state: State::Handshake(handshake), owed: 0, certificate: None, cut: false }
    }

    /// Ready when requests may come.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Handshake(handshake) = &mut self.state else { return Poll::Ready(Ok(())) };
        let result = ready!(Pin::new(handshake).poll(context));
        let (state, result) = match result {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates();
                self.certificate = shown.and_then(<[_]>::first).map(|leaf| base64(leaf).into());
                (State::Open(stream), Ok(()))
            }
            Err(error) => (State::Failed, Err(error)),
        };
        self.state = state;
        Poll::Ready(result)
    }

    /// Of the client, DER in base64; none when it showed none.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
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

/// RFC 4648 §4, in one line.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u32::from(byte) << (16 - 8 * at));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { digit } else { b'=' });
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_the_standard_has_it() {
        for (text, wanted) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), wanted.as_bytes(), "RFC 4648 §10");
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xBF]), b"+/+/");
    }
}
