//! WebSockets of a real app: messages, sub-protocols, who closes and how, and what ends them.

use std::net::TcpStream;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::{Context as _, Need, Outcome, Server, Suite, ensure, wait_for};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

use super::{hosting, probe, report};

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .needing(
            "a WebSocket echoes, agrees on a sub-protocol and is closed by either side",
            &[Need::Dotnet],
            || probe(&[], whole_life),
        )
        .needing("an app that takes no WebSocket answers plainly, and is served on", &[Need::Sdk], || {
            super::site(&[], not_taken)
        })
        .needing(
            "app_offline.htm ends an open WebSocket in order, then shows its page",
            &[Need::Dotnet],
            offline,
        )
}

type Socket = WebSocket<TcpStream>;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The socket, and the sub-protocol that was agreed on.
fn open(server: &Server, lines: &str) -> Outcome<(Socket, Option<String>)> {
    let mut client = server.client()?.patience(seconds(60));
    client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}{lines}\r\n"))?;
    let response = client.final_head()?;
    ensure!(response.status == 101 && response.lists("Connection", "Upgrade"), "{}", response.describe());
    let chosen = response.field("Sec-WebSocket-Protocol").map(str::to_owned);
    let (stream, early) = client.into_parts();
    stream.set_read_timeout(Some(seconds(30)))?;
    Ok((WebSocket::from_partially_read(stream, early, Role::Client, None), chosen))
}

fn echoed(socket: &mut Socket, message: Message) -> Outcome {
    socket.send(message.clone())?;
    let back = socket.read()?;
    ensure!(back == message, "{back:?} came back for {message:?}");
    Ok(())
}

fn closed(socket: &mut Socket) -> Outcome<(CloseCode, String)> {
    match socket.read()? {
        Message::Close(Some(frame)) => Ok((frame.code, frame.reason.as_str().to_owned())),
        other => e2e::fail!("not a close frame: {other:?}"),
    }
}

fn pid(server: &Server) -> Outcome<Option<i64>> {
    let report = report(server, "/probe", 503)?.context("the app is offline")?;
    Ok(report.get("pid").and_then(serde_json::Value::as_i64))
}

fn whole_life(server: &mut Server) -> Outcome {
    let before = pid(server)?;
    let (mut socket, chosen) = open(server, "Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n")?;
    ensure!(chosen.as_deref() == Some("chat.v2"), "agreed on {chosen:?}");
    echoed(&mut socket, Message::text("Hello"))?;
    echoed(&mut socket, Message::binary(vec![0, 1, 255]))?;
    socket.send(Message::text("subprotocol"))?;
    ensure!(socket.read()? == Message::text("chat.v2"), "the app knows no sub-protocol");
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "ClosingFromClient".into() }))?;
    let close = closed(&mut socket)?;
    ensure!(close == (CloseCode::Normal, "ClosingFromClient".to_owned()), "the client's close: {close:?}");
    let (mut socket, chosen) = open(server, "")?;
    ensure!(chosen.is_none(), "agreed on {chosen:?} unasked");
    socket.send(Message::text("close 1000 ClosingFromServer"))?;
    let close = closed(&mut socket)?;
    ensure!(close == (CloseCode::Normal, "ClosingFromServer".to_owned()), "the server's close: {close:?}");
    let (mut socket, _) = open(server, "")?;
    socket.send(Message::text("close 4001 mine"))?;
    ensure!(closed(&mut socket)? == (CloseCode::from(4001), "mine".to_owned()), "a code of the app's own");
    ensure!(pid(server)? == before, "another process answers");
    Ok(())
}

/// As with IIS's WebSocket module taken away: no upgrade, an ordinary answer, and everything goes on.
fn not_taken(server: &mut Server) -> Outcome {
    let mut client = server.client()?.patience(seconds(60));
    for path in ["/count", "/nowhere"] {
        let response = client.get_with(path, HANDSHAKE)?;
        ensure!(matches!(response.status, 200 | 404), "{path}: {}", response.describe());
        ensure!(!response.lists("Connection", "Upgrade"), "{path}: {}", response.describe());
        ensure!(response.field("Upgrade").is_none(), "{path}: {}", response.describe());
    }
    ensure!(client.get("/count")?.status == 200, "the connection is unusable");
    Ok(())
}

/// Twice, since what ended once must be whole again.
fn offline() -> Outcome {
    let folder = Folder::app("probe")?;
    hosting(&folder, &[], |server| {
        for round in 1..=2 {
            let (mut socket, _) = open(server, "")?;
            echoed(&mut socket, Message::text("Hello"))?;
            let page = folder.path().join("app_offline.htm");
            // In one step, as careful deployers do: else the page may be seen while it is still empty.
            std::fs::rename(folder.write("page", "back soon")?, &page)?;
            let (code, _) = closed(&mut socket).context(format!("round {round}"))?;
            ensure!(code == CloseCode::Away, "round {round}: closed with {code:?}");
            let response = server.get("/probe")?;
            ensure!(response.status == 503 && response.text() == "back soon", "{}", response.describe());
            std::fs::remove_file(page)?;
            wait_for("the app", seconds(20), || pid(server).ok())?;
        }
        Ok(())
    })
}
