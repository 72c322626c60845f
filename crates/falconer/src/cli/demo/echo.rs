//! The demo's WebSocket: says back what it hears (RFC 6455).
//!
//! Each one has a blocking thread of its own: an app with a page for one person at a time needs no more, and the library
//! is made for it.

use std::net::TcpStream;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::sync::Semaphore;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// Threads, and so WebSockets at once.
static ROOM: Semaphore = Semaphore::const_new(16);
/// What may be said at once, in bytes.
const MESSAGE: usize = 4096;

/// Answers a handshake and serves the socket that comes of it.
pub(super) async fn echo(mut request: Request) -> Response {
    let Some(accept) = accept(request.headers()) else {
        return (StatusCode::UPGRADE_REQUIRED, [(SEC_WEBSOCKET_VERSION, "13")]).into_response();
    };
    let Ok(place) = ROOM.try_acquire() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A client that is gone by now needs no thread.
        let Some((stream, early)) = upgrade.await.ok().and_then(blocking) else { return };
        let serve = move || {
            let _place = place;
            // It ends with its client, or with this process.
            let _ = say_back(stream, &early);
        };
        // Without a thread the socket is closed, which says enough.
        let _ = std::thread::Builder::new().name("echo".to_owned()).spawn(serve);
    });
    let fields = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, fields).into_response()
}

/// The proof that the handshake was understood; none when it is none.
fn accept(headers: &HeaderMap) -> Option<String> {
    let is = |name, wanted: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    (is(UPGRADE, "websocket") && is(SEC_WEBSOCKET_VERSION, "13")).then(|| derive_accept_key(key.as_bytes()))
}

fn blocking(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = downcast::<TokioIo<tokio::net::TcpStream>>(upgraded).ok()?;
    let stream = parts.io.into_inner().into_std().ok()?;
    stream.set_nonblocking(false).ok()?;
    Some((stream, parts.read_buf))
}

fn say_back(stream: TcpStream, early: &[u8]) -> tungstenite::Result<()> {
    let limits = WebSocketConfig::default().max_message_size(Some(MESSAGE)).max_frame_size(Some(MESSAGE));
    let mut socket = WebSocket::from_partially_read(stream, early.to_vec(), Role::Server, Some(limits));
    loop {
        match socket.read()? {
            Message::Text(text) => {
                socket.send(Message::text(format!("{text} (from process {})", std::process::id())))?;
            }
            other @ Message::Binary(_) => socket.send(other)?,
            // Answered by the library, which says by an error when the socket is closed.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
}
