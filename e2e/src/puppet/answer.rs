//! The answers of a puppet that behaves: facts about the request, the environment, an echo, a WebSocket.

use std::io::{self, Write as _};

use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

use super::connection::{Head, Then, Wire};
use super::log;

pub(super) fn answer(wire: &mut Wire, head: &Head) -> io::Result<Then> {
    if head.value("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return websocket(wire, head);
    }
    // As Kestrel does: the 100 comes when the app first reads.
    if head.value("expect").is_some() {
        wire.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let path = head.target.split('?').next().unwrap_or_default();
    if path.ends_with("/echo") {
        return echo(wire, head);
    }
    let (length, hash) = wire.body(head, |_| ())?;
    let text = match path.rsplit('/').next() {
        Some("env") => {
            crate::find::variables().iter().map(|(name, value)| format!("{name}={value}\n")).collect()
        }
        Some("args") => std::env::args().map(|one| format!("{one}\n")).collect(),
        _ => facts(wire, head, length, hash),
    };
    wire.reply(&head.method, text.as_bytes())?;
    Ok(Then::GoOn)
}

fn facts(wire: &Wire, head: &Head, length: u64, hash: u64) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    format!(
        "pid={}\nconnection={}\nmethod={}\ntarget={}\nlength={length}\nhash={hash}\nfolder={}\n",
        std::process::id(),
        wire.number,
        head.method,
        head.target,
        folder.display()
    )
}

impl Wire {
    /// A whole answer with its length.
    pub(super) fn reply(&mut self, method: &str, body: &[u8]) -> io::Result<()> {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
        let body = if method == "HEAD" { &[] } else { body };
        self.stream.write_all(&[head.as_bytes(), body].concat())
    }
}

/// Chunks back as they come.
fn echo(wire: &mut Wire, head: &Head) -> io::Result<Then> {
    let mut out = wire.stream.try_clone()?;
    out.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    let mut failed = Ok(());
    wire.body(head, |data| {
        let chunk = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
        if failed.is_ok() {
            failed = out.write_all(&chunk);
        }
    })?;
    failed?;
    wire.stream.write_all(b"0\r\n\r\n")?;
    Ok(Then::GoOn)
}

/// Echoes messages; the text `close CODE REASON` closes, `abort` drops the connection.
fn websocket(wire: &mut Wire, head: &Head) -> io::Result<Then> {
    let key = derive_accept_key(head.value("sec-websocket-key").unwrap_or_default().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    );
    wire.stream.write_all(answer.as_bytes())?;
    let early = wire.rest();
    let mut socket = WebSocket::from_partially_read(wire.stream.try_clone()?, early, Role::Server, None);
    loop {
        match socket.read() {
            Ok(Message::Close(frame)) => {
                let code = frame.map_or(1005, |frame| u16::from(frame.code));
                log::note(wire.number, "closed", &code.to_string());
            }
            Ok(Message::Text(text)) if text.starts_with("close ") => close(&mut socket, &text),
            Ok(Message::Text(text)) if text.as_str() == "abort" => return Ok(Then::Close),
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                socket.send(message).map_err(io::Error::other)?;
            }
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(Then::Close),
            Err(error) => {
                log::note(wire.number, "broken", &error.to_string().replace(' ', "_"));
                return Ok(Then::Close);
            }
        }
    }
}

fn close(socket: &mut WebSocket<std::net::TcpStream>, text: &str) {
    let mut words = text.splitn(3, ' ').skip(1);
    let code: u16 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1000);
    let reason = words.next().unwrap_or_default().to_owned();
    // The peer may be gone already; the next read says so.
    let _ = socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
}
