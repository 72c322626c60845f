//! WebSockets of the C# app.

use std::net::TcpStream;

use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("a WebSocket is opened with headers and cookies, and echoes", echoes),
    ("a request with a body is no upgrade", with_body),
    ("the app can upgrade, unless web.config turns WebSockets off", feature),
];

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// An open WebSocket, and the head of its 101.
pub(super) fn open(site: &Site) -> Outcome<(WebSocket<TcpStream>, Response)> {
    let mut client = site.server.client()?.patience(SOON);
    client.send(format!("GET /WebSocket HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}\r\n"))?;
    let response = client.final_head()?;
    ensure!(response.status == 101, "{}", response.describe());
    let (stream, early) = client.into_parts();
    stream.set_read_timeout(Some(SOON))?;
    Ok((WebSocket::from_partially_read(stream, early, Role::Client, None), response))
}

fn echoes() -> Outcome {
    Hosting::new().serve(|site| {
        let (mut socket, head) = open(site)?;
        ensure!(head.field("X-Header") == Some("header of the 101"), "{}", head.describe());
        let cookie = head.field("Set-Cookie").context("no cookie")?;
        ensure!(cookie.starts_with("cookie=of-the-101"), "{cookie}");
        for length in [0, 1, 125, 126, 40_000] {
            for message in [Message::text("x".repeat(length)), Message::binary(vec![7; length])] {
                socket.send(message.clone())?;
                ensure!(socket.read()? == message, "{length} bytes came back otherwise");
            }
        }
        ensure!(site.text("/Upgradable")? == "False", "a plain request is told as an upgrade");
        Ok(())
    })
}

fn with_body() -> Outcome {
    Hosting::new().serve(|site| {
        let mut client = site.server.client()?;
        client.send(format!(
            "POST /WebSocket HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}Content-Length: 5\r\n\r\nhello"
        ))?;
        let response = client.final_head()?;
        ensure!(response.status == 400, "{}", response.describe());
        ensure!(site.text("/HelloWorld")? == "Hello World", "the server does not go on");
        Ok(())
    })
}

fn feature() -> Outcome {
    for (section, wanted) in [
        ("", "Enabled"),
        ("<webSocket enabled=\"true\" />", "Enabled"),
        ("<webSocket enabled=\"false\" />", "Disabled"),
    ] {
        Hosting::new().section(section).serve(|site| {
            let text = site.text("/Upgrade")?;
            ensure!(text == wanted, "{section}: {text}");
            Ok(())
        })?;
    }
    Ok(())
}
