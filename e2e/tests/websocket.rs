//! Promise: a WebSocket is a tunnel after a real 101 and only then, and it ends with a close frame.

use std::net::TcpStream;
use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::puppet::hex;
use e2e::server::serve_folder;
use e2e::{Check, Client, Context as _, Need, Options, Outcome, Puppet, Record, Server, Suite};
use e2e::{ensure, now};
use rustix::process::Signal;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn main() -> ExitCode {
    let checks: &[(&str, Check)] = &[
        ("10,000 messages come back", echo_many),
        ("large and fragmented messages come back", echo_large),
        ("close codes travel in both directions", close_codes),
        ("an early frame in the handshake's segment is kept", early_frame),
        ("a client that is gone is gone for the app", client_gone),
        ("an app that is gone ends the client's socket", app_gone),
        ("upgrade headers in other spellings", spellings),
        ("our lines are on the handshake, the client's reserved ones are not", trusted),
        ("what is no WebSocket handshake is served as HTTP", plain),
        ("many WebSockets at once", many),
        ("an idle WebSocket does not keep others waiting", beside),
        ("sub-protocols and extensions are agreed on by client and app alone", agreed),
        ("an app that resets its socket resets the client's", app_resets),
    ];
    let suite = checks
        .iter()
        .fold(Suite::new(), |suite, (name, check)| suite.served(name, Puppet::new(), &[], *check));
    suite
        .served(
            "SIGTERM ends a WebSocket with close frame 1001",
            Puppet::new(),
            &["--drain-timeout", "1"],
            going_away,
        )
        .served(
            "close frame 1001 comes between frames, never within one",
            Puppet::new(),
            &["--drain-timeout", "1"],
            at_boundary,
        )
        .test("where web.config forbids WebSockets, an upgrade is a plain request", forbidden)
        .needing(
            "a .NET app offers no WebSockets where web.config forbids them",
            &[Need::Dotnet],
            dotnet_forbidden,
        )
        .needing("10,000 messages through a .NET app", &[Need::Dotnet], dotnet_echo)
        .needing("close codes of a .NET app", &[Need::Dotnet], dotnet_close)
        .run()
}

type Socket = WebSocket<TcpStream>;

fn open(server: &Server, path: &str) -> Outcome<Socket> {
    open_with(server, path, HANDSHAKE)
}

fn open_with(server: &Server, path: &str, fields: &str) -> Outcome<Socket> {
    let mut client = server.client()?;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n"))?;
    into_socket(client)
}

fn into_socket(mut client: Client) -> Outcome<Socket> {
    let response = client.final_head()?;
    ensure!(response.status == 101, "no upgrade: {}", response.describe());
    let accept = response.field("Sec-WebSocket-Accept");
    ensure!(accept == Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "wrong accept: {}", response.describe());
    ensure!(response.lists("Connection", "Upgrade"), "{}", response.describe());
    let upgrade = response.field("Upgrade").map(str::to_ascii_lowercase);
    ensure!(upgrade.as_deref() == Some("websocket"), "{}", response.describe());
    let (stream, early) = client.into_parts();
    stream.set_read_timeout(Some(seconds(20)))?;
    Ok(WebSocket::from_partially_read(stream, early, Role::Client, None))
}

fn echoed(socket: &mut Socket, message: Message) -> Outcome {
    socket.send(message.clone())?;
    let back = socket.read()?;
    ensure!(back == message, "{back:?} came back for {message:?}");
    Ok(())
}

fn echo_many(server: &mut Server, _: &Record) -> Outcome {
    ten_thousand(&mut open(server, "/ws")?)
}

/// A hundred on their way at a time, texts and binaries of many sizes.
fn ten_thousand(socket: &mut Socket) -> Outcome {
    for round in 0..100_usize {
        let batch: Vec<Message> = (0..100_usize)
            .map(|number| match number % 2 {
                0 => Message::text(format!("message {round} {number}")),
                _ => Message::binary(vec![b'b'; (round * 7 + number) % 300]),
            })
            .collect();
        for message in &batch {
            socket.write(message.clone())?;
        }
        socket.flush()?;
        for message in batch {
            let back = socket.read().context(format!("round {round}"))?;
            ensure!(back == message, "round {round}: {back:?} came back for {message:?}");
        }
    }
    Ok(())
}

fn echo_large(server: &mut Server, _: &Record) -> Outcome {
    let mut socket = open(server, "/ws")?;
    for size in [125, 126, 127, 65_535, 65_536, 1_000_000] {
        echoed(&mut socket, Message::binary(vec![7_u8; size])).context(size)?;
    }
    echoed(&mut socket, Message::text("")).context("an empty text")?;
    socket.send(Message::Ping(vec![1, 2, 3].into()))?;
    let pong = socket.read()?;
    ensure!(pong == Message::Pong(vec![1, 2, 3].into()), "{pong:?} for a ping");
    Ok(())
}

fn close_code(message: Message) -> Outcome<(CloseCode, String)> {
    match message {
        Message::Close(Some(frame)) => Ok((frame.code, frame.reason.as_str().to_owned())),
        other => e2e::fail!("not a close frame: {other:?}"),
    }
}

fn close_codes(server: &mut Server, record: &Record) -> Outcome {
    for (number, code) in [1000_u16, 1001, 1008, 3000, 4001].into_iter().enumerate() {
        let mut socket = open(server, "/ws")?;
        socket.send(Message::text(format!("close {code} the reason")))?;
        let (came, reason) = close_code(socket.read()?)?;
        ensure!(u16::from(came) == code && reason == "the reason", "{came:?} {reason} for {code}");
        finish(&mut socket)?;
        let mut socket = open(server, "/ws")?;
        socket.close(Some(tungstenite::protocol::CloseFrame { code: code.into(), reason: "bye".into() }))?;
        let (came, _) = close_code(socket.read()?)?;
        ensure!(u16::from(came) == code, "{came:?} for {code}");
        finish(&mut socket)?;
        // One line for the answer to the app's own close, one for the client's.
        record.wait_count("closed", 2 * (number + 1), seconds(5))?;
    }
    Ok(())
}

/// The closing handshake is answered by the next read, which then sees the end of the connection.
fn finish(socket: &mut Socket) -> Outcome {
    match socket.read() {
        Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Ok(()),
        other => e2e::fail!("after the closing handshake came {other:?}"),
    }
}

fn masked_text(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(125);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text].concat()
}

fn early_frame(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    let head = format!("GET /ws HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}\r\n");
    client.send([head.as_bytes(), &masked_text(b"early")].concat())?;
    let mut socket = into_socket(client)?;
    let back = socket.read()?;
    ensure!(back == Message::text("early"), "{back:?}");
    Ok(())
}

/// Within a second, of which a machine that does something else for a moment may take some: once of five is enough.
fn client_gone(server: &mut Server, record: &Record) -> Outcome {
    let mut took = Vec::new();
    while took.iter().all(|one| *one >= seconds(1)) {
        ensure!(took.len() < 5, "after {took:?}");
        let mut socket = open(server, "/ws")?;
        echoed(&mut socket, Message::text("x"))?;
        let start = now();
        drop(socket);
        record.wait_count("end", took.len() + 1, seconds(10)).context("the app keeps the socket")?;
        took.push(start.elapsed());
    }
    Ok(())
}

fn app_gone(server: &mut Server, _: &Record) -> Outcome {
    let mut socket = open(server, "/ws")?;
    echoed(&mut socket, Message::text("x"))?;
    socket.send(Message::text("abort"))?;
    match socket.read() {
        Err(_) => Ok(()),
        // A close frame of ours is fine too; the app sent none.
        Ok(Message::Close(_)) => Ok(()),
        Ok(other) => e2e::fail!("{other:?} after the app was gone"),
    }
}

fn spellings(server: &mut Server, _: &Record) -> Outcome {
    for (connection, upgrade) in [
        ("upgrade", "WebSocket"),
        ("keep-alive, Upgrade", "websocket"),
        ("Upgrade,close", "WEBSOCKET"),
        ("x\r\nConnection: upgrade", "websocket"),
    ] {
        let fields = format!(
            "Connection: {connection}\r\nUpgrade: {upgrade}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        let mut socket = open_with(server, "/ws", &fields).context(connection)?;
        echoed(&mut socket, Message::text("x"))?;
    }
    Ok(())
}

fn trusted(server: &mut Server, record: &Record) -> Outcome {
    let fields = format!("MS-ASPNETCORE-TOKEN: evil\r\nX-Forwarded-For: evil\r\nX-Hop: evil\r\n{HANDSHAKE}");
    let fields = fields.replace("Connection: Upgrade", "Connection: Upgrade, X-Hop");
    let mut socket = open_with(server, "/ws", &fields)?;
    echoed(&mut socket, Message::text("x"))?;
    let request = record.wait_request("/ws", seconds(1))?;
    ensure!(!request.lines().iter().any(|line| line.contains("evil")), "{:?}", request.lines());
    for (name, count) in
        [("MS-ASPNETCORE-TOKEN", 1), ("X-Forwarded-For", 1), ("Connection", 1), ("Upgrade", 1)]
    {
        ensure!(request.values(name).len() == count, "{name}: {:?}", request.lines());
    }
    ensure!(request.values("Sec-WebSocket-Key") == ["dGhlIHNhbXBsZSBub25jZQ=="], "{:?}", request.lines());
    Ok(())
}

/// What the two say of it passes unread, and so do frames that only they understand (RSV1: compressed).
fn agreed(server: &mut Server, record: &Record) -> Outcome {
    let accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: soap\r\n\
                  Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\nSet-Cookie: a=1\r\n\r\n";
    let orders = format!("X-Puppet: raw:{};echo\r\n", hex::encode(accept.as_bytes()));
    let offers = [
        ("Sec-WebSocket-Protocol", "chat, soap"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-own; a=\"b, c\""),
    ];
    let lines: String = offers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut client = server.client()?;
    client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}{lines}{orders}\r\n"))?;
    let response = client.final_head()?;
    ensure!(response.status == 101, "{}", response.describe());
    for (name, wanted) in [
        ("Sec-WebSocket-Protocol", "soap"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover"),
        ("Set-Cookie", "a=1"),
    ] {
        ensure!(response.all(name).eq([wanted]), "{name}: {}", response.describe());
    }
    let request = record.wait_request("/ws", seconds(1))?;
    for (name, value) in offers {
        ensure!(request.values(name) == [value], "{name}: {:?}", request.lines());
    }
    for frame in [&b"\xC1\x83\x01\x02\x03\x04abc"[..], b"\x09\x80\0\0\0\0", b"\x80\x80\0\0\0\0"] {
        client.send(frame)?;
        let back = client.exactly(frame.len())?;
        ensure!(back == frame, "{back:?} came back for {frame:?}");
    }
    Ok(())
}

fn app_resets(server: &mut Server, _: &Record) -> Outcome {
    let accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let orders = format!("X-Puppet: raw:{};sleep:200;reset\r\n", hex::encode(accept.as_bytes()));
    let mut client = server.client()?;
    client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{HANDSHAKE}{orders}\r\n"))?;
    ensure!(client.final_head()?.status == 101, "no upgrade");
    let (rest, ending) = client.ending(seconds(5));
    ensure!(rest.is_empty() && ending == e2e::Ending::Reset, "{ending:?} after {rest:?}");
    Ok(())
}

fn forbid(folder: &Folder, behind: &str) -> Outcome {
    folder.replace("web.config", behind, &format!("{behind}<webSocket enabled=\"false\" />"))
}

/// As IIS without its WebSocket module: no Upgrade, no Connection, an answer like any other.
fn forbidden() -> Outcome {
    let folder = Puppet::new().folder()?;
    forbid(&folder, "</aspNetCore>")?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let mut client = server.client()?;
        // The puppet would upgrade if it were asked to.
        let response = client.get_with("/ws", HANDSHAKE)?;
        ensure!(response.status == 200, "{}", response.describe());
        let request = record.wait_request("/ws", seconds(1))?;
        for name in ["Upgrade", "Connection"] {
            ensure!(request.values(name).is_empty(), "{name} arrived: {:?}", request.lines());
        }
        ensure!(!request.values("Sec-WebSocket-Key").is_empty(), "{:?}", request.lines());
        ensure!(client.get("/same")?.status == 200, "the connection is unusable");
        let told = client.get("/env")?.text();
        ensure!(told.contains("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED=false\n"), "{told}");
        Ok(())
    })
}

fn dotnet_forbidden() -> Outcome {
    let folder = Folder::app("probe")?;
    forbid(&folder, "</handlers>")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        let response = server.client()?.get_with("/probe", HANDSHAKE)?;
        ensure!(response.status == 200, "{}", response.describe());
        ensure!(response.text().contains("\"isWebSocketRequest\": false"), "{}", response.describe());
        Ok(())
    })
}

/// Not a handshake, so the backend sees no Upgrade, and the answer is a plain one.
fn plain(server: &mut Server, record: &Record) -> Outcome {
    let get = |fields: &str| format!("GET /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let cases = [
        ("another protocol", get("Connection: Upgrade\r\nUpgrade: foo\r\n")),
        (
            "no Connection: Upgrade",
            get("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhl\r\n"),
        ),
    ];
    for (name, bytes) in cases {
        let mut client = server.client()?;
        client.send(bytes)?;
        let response = client.response().context(name)?;
        ensure!(response.status == 200, "{name}: {}", response.describe());
        ensure!(client.get("/same")?.status == 200, "{name}: the connection is unusable");
    }
    let upgraded = record.requests().iter().any(|one| !one.values("Upgrade").is_empty());
    ensure!(!upgraded, "Upgrade arrived: {}", record.describe());
    Ok(())
}

fn many(server: &mut Server, _: &Record) -> Outcome {
    let mut sockets: Vec<Socket> = (0..100).map(|_| open(server, "/ws")).collect::<Outcome<_>>()?;
    for round in 0..3 {
        for (number, socket) in sockets.iter_mut().enumerate() {
            echoed(socket, Message::text(format!("{round} {number}")))?;
        }
    }
    Ok(())
}

fn beside(server: &mut Server, _: &Record) -> Outcome {
    let _idle = open(server, "/ws")?;
    for _ in 0..50 {
        ensure!(server.get("/x")?.status == 200, "not served beside a WebSocket");
    }
    Ok(())
}

fn going_away(server: &mut Server, _: &Record) -> Outcome {
    let mut socket = open(server, "/ws")?;
    echoed(&mut socket, Message::text("x"))?;
    let start = now();
    server.signal(Signal::TERM)?;
    let (code, _) = close_code(socket.read().context("no close frame")?)?;
    ensure!(code == CloseCode::Away, "closed with {code:?}");
    let took = start.elapsed();
    ensure!(took > seconds(1) / 2 && took < seconds(10), "the close frame came after {took:?}");
    let status = server.wait(seconds(10))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    Ok(())
}

/// The app is in the middle of a frame of 8 bytes when the drain ends: five came, three never will.
fn at_boundary(server: &mut Server, _: &Record) -> Outcome {
    server.get("/first")?;
    let accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let start = format!("raw:{}", hex::encode(accept.as_bytes()));
    let frame = hex::encode(b"\x82\x08hello");
    let rest = hex::encode(b"you");
    let fields = format!("{HANDSHAKE}X-Puppet: {start};raw:{frame};sleep:2500;raw:{rest};hang\r\n");
    let mut client = server.client()?;
    client.send(format!("GET /ws HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))?;
    let response = client.final_head()?;
    ensure!(response.status == 101, "{}", response.describe());
    ensure!(client.exactly(7)? == b"\x82\x08hello", "the frame's start");
    server.signal(Signal::TERM)?;
    let (rest, _) = client.ending(seconds(10));
    // Whole frame then close frame 1001, or the frame stays cut: but nothing may stand inside it.
    let good =
        rest.is_empty() || (rest.starts_with(b"you") && (rest.len() == 3 || rest.get(3) == Some(&0x88)));
    ensure!(good, "inside a frame came {rest:?}");
    let status = server.wait(seconds(20))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    Ok(())
}

fn probe(test: impl FnOnce(&mut Server) -> Outcome) -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| test(server))
}

fn dotnet_echo() -> Outcome {
    probe(|server| ten_thousand(&mut open(server, "/ws")?))
}

fn dotnet_close() -> Outcome {
    probe(|server| {
        let mut socket = open(server, "/ws")?;
        socket.send(Message::text("close 4001 the reason"))?;
        let (code, reason) = close_code(socket.read()?)?;
        ensure!(u16::from(code) == 4001 && reason == "the reason", "{code:?} {reason}");
        let mut socket = open(server, "/ws")?;
        socket.send(Message::text("abort"))?;
        // WebSocket.Abort: Kestrel resets its connection, and nobody may take what came for the end of a talk.
        match socket.read() {
            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                Ok(())
            }
            other => e2e::fail!("no reset after the abort but {other:?}"),
        }
    })
}
