//! The start of a connection to an https binding: a look at the first byte, then the handshake, all in the task
//! of that connection, so that nobody waits for a slow one. What follows is HTTP/1.1 as everywhere.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::clock::Wait;
use crate::connection::{Connection, GRACE};
use crate::listen::h1::{self, FreeList};
use crate::pipeline::Next;
use crate::thread::Phase;
use crate::tls::Tls;

/// The type of the record that a ClientHello comes in (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// Serves one connection to its end.
pub(crate) async fn serve<F: Future<Output = Next>>(
    connection: Rc<Connection>,
    tls: Tls,
    exchanges: Rc<FreeList<F>>,
    exchange: fn(Rc<Connection>) -> F,
) {
    if open(&connection, tls).await {
        h1::serve(Rc::clone(&connection), exchanges, exchange).await;
        connection.stream.say_end();
    }
}

/// False when the connection is to be closed. A client that begins to speak HTTP in the clear passes: it reads no
/// TLS, so its first request is answered in the clear too, with 400 (as nginx does).
async fn open(connection: &Connection, tls: Tls) -> bool {
    let slot = &connection.slot;
    let config = {
        let site = connection.thread.site();
        slot.arm(Wait::ClientRead, site.limits.tls_handshake);
        Arc::clone(tls.config(site.ssl_flags))
    };
    let opened = match in_time(connection, |context| connection.stream.poll_peek(context)).await {
        Some(Ok(Some(HANDSHAKE))) => {
            connection.stream.start_tls(config);
            let handshake = in_time(connection, |context| connection.stream.poll_handshake(context)).await;
            handshake.is_some_and(|result| result.is_ok())
        }
        Some(Ok(Some(first))) => first.is_ascii_uppercase(),
        Some(Ok(None) | Err(_)) | None => false,
    };
    slot.disarm(Wait::ClientRead);
    opened
}

/// None when the deadline is over, or the server's own end.
async fn in_time<T>(
    connection: &Connection,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> Option<io::Result<T>> {
    let mut graced = false;
    poll_fn(|context| {
        let Connection { slot, thread, .. } = connection;
        slot.register(context);
        match poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if slot.expired(Wait::ClientRead) => Poll::Ready(None),
            Poll::Pending if thread.phase.get() == Phase::Ending => Poll::Ready(None),
            Poll::Pending => {
                if !thread.is_running() && !std::mem::replace(&mut graced, true) {
                    slot.arm(Wait::ClientRead, GRACE);
                }
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned<A, B, C, D, R>(_: impl FnOnce(A, B, C, D) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn a_secure_connection_costs_little_beside_its_session() {
        fn idle<F: Future<Output = Next>>(_: fn(Rc<Connection>) -> F) -> usize {
            returned(serve::<F>) + size_of::<Connection>()
        }
        let size = idle(h1::exchange);
        assert!(size <= 700, "{size} bytes");
    }
}
