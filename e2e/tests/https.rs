//! Promise: over TLS everything is as without, the app is told, and nobody waits for another's handshake.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::puppet::hex::{self, Hash};
use e2e::{Context as _, Folder, Need, Outcome, Puppet, Record, Server, Suite};
use e2e::{ensure, pause, process};
use rustix::process::Signal;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

#[path = "https/clients.rs"]
mod clients;
#[path = "https/handshakes.rs"]
mod handshakes;
#[path = "https/secure.rs"]
mod secure;

use secure::{Check, Ending, Secure, secured};

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const MANY: u64 = 32 * 1024 * 1024;

fn main() -> ExitCode {
    let checks: &[(&str, Check)] = &[
        ("TLS 1.2 and 1.3 reach the app, which is told", handshakes::versions),
        ("TLS 1.1 is refused", handshakes::old_versions),
        ("a slow handshake ends after ten seconds", handshakes::slow),
        ("a hundred handshakes that do not move hold nobody up", handshakes::many),
        ("a client that goes away within its handshake leaves nothing behind", handshakes::gone),
        ("HTTP in the clear is answered 400", handshakes::in_the_clear),
        ("many requests over one connection, one by one and at once", keep_alive),
        ("a large download arrives whole", download),
        ("a reader that stalls gets everything in the end", stalling_reader),
        ("an answer that breaks off is never told as whole", broken_off),
        ("a WebSocket echoes and closes", websocket),
    ];
    let mut suite = Suite::new();
    for (name, check) in checks {
        suite = suite.test(*name, || secured(&Puppet::new(), &[], *check));
    }
    clients::add(suite)
        .test("a large upload arrives whole", || {
            secured(&Puppet::new().body_limit(4_294_967_295), &[], upload)
        })
        .test("SIGTERM lets busy connections finish and closes idle ones", || {
            secured(&Puppet::new(), &["--drain-timeout", "60"], drain)
        })
        .test("SIGTERM ends a WebSocket with close frame 1001", || {
            secured(&Puppet::new(), &["--drain-timeout", "1"], going_away)
        })
        .test("files that cannot be used are told before anything listens", handshakes::mistakes)
        .test("the certificate is found wherever it stands in its file", handshakes::any_order)
        .needing("OpenSSL reaches the app", &[Need::Python], handshakes::openssl)
        .needing("UseHttpsRedirection leads to the https address", &[Need::Dotnet], handshakes::redirection)
        .run()
}

fn keep_alive(_: &mut Server, address: SocketAddr, record: &Record) -> Outcome {
    let mut secure = Secure::connect(address)?;
    let request =
        |number: usize| format!("POST /{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    for number in 0..50 {
        secure.send(request(number))?;
        let (_, body) = secure.response().context(number)?;
        let wanted = format!("target=/{number}\n");
        ensure!(String::from_utf8_lossy(&body).contains(&wanted), "{number}: {body:?}");
    }
    secure.send((50..150).map(request).collect::<String>())?;
    for number in 50..150 {
        let (_, body) = secure.response().context(number)?;
        let wanted = format!("target=/{number}\n");
        ensure!(String::from_utf8_lossy(&body).contains(&wanted), "{number}: {body:?}");
    }
    ensure!(record.requests().len() == 150, "{} requests", record.requests().len());
    Ok(())
}

fn ask_for_many(secure: &mut Secure) -> Outcome {
    let block = hex::encode(&(0..=255_u8).collect::<Vec<u8>>());
    let head = hex::encode(format!("HTTP/1.1 200 OK\r\nContent-Length: {MANY}\r\n\r\n").as_bytes());
    secure.send(format!(
        "GET /big HTTP/1.1\r\nHost: localhost\r\nX-Puppet: raw:{head};repeat:{}:{block}\r\n\r\n",
        MANY / 256
    ))?;
    let head = secure.head()?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    Ok(())
}

/// Reads the body and sees that each byte follows the one before.
fn read_many(secure: &mut Secure, mut before_each: impl FnMut(u64)) -> Outcome {
    let mut block = vec![0; 200_000];
    let mut at = 0;
    while at < MANY {
        before_each(at);
        let count = secure.0.read(&mut block).context(format!("at {at}"))?;
        ensure!(count > 0, "ended at {at}");
        for byte in block.iter().take(count) {
            ensure!(u64::from(*byte) == at % 256, "{byte} stands at {at}");
            at += 1;
        }
    }
    ensure!(at == MANY, "{at} bytes");
    Ok(())
}

fn download(_: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    let mut secure = Secure::connect(address)?;
    ask_for_many(&mut secure)?;
    read_many(&mut secure, |_| ())?;
    secure.send("GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    ensure!(secure.response()?.0.starts_with("HTTP/1.1 200"), "the connection is unusable");
    Ok(())
}

/// The socket's buffers are full again and again, in the middle of records.
fn stalling_reader(_: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    let mut secure = Secure::connect(address)?;
    ask_for_many(&mut secure)?;
    let mut next = 0;
    read_many(&mut secure, |at| {
        if at >= next {
            pause(100);
            next += MANY / 16;
        }
    })
}

fn upload(_: &mut Server, address: SocketAddr, record: &Record) -> Outcome {
    let block: Vec<u8> = (0..=255_u8).cycle().take(64 * 1024).collect();
    let blocks = MANY / block.len() as u64;
    let mut hash = Hash::default();
    let mut secure = Secure::connect(address)?;
    secure.send(format!("POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MANY}\r\n\r\n"))?;
    for _ in 0..blocks {
        hash.update(&block);
        secure.send(&block)?;
    }
    let (head, _) = secure.response()?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    let body = record.wait_request("/up", seconds(1))?.body.context("no body")?;
    ensure!(
        body.length == MANY && body.hash == hash.value() && body.complete,
        "{} bytes arrived",
        body.length
    );
    Ok(())
}

/// close_notify says "this is all" (RFC 8446 §6.1), so it must not follow half an answer.
fn broken_off(_: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    for head in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let order = hex::encode(format!("HTTP/1.1 200 OK\r\n{head}\r\n5\r\nhello").as_bytes());
        let mut secure = Secure::connect(address)?;
        secure.send(format!(
            "GET /x HTTP/1.1\r\nHost: localhost\r\nX-Puppet: raw:{order};sleep:200;close\r\n\r\n"
        ))?;
        let (bytes, ending) = secure.rest();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        ensure!(text.contains("hello") && ending == Ending::Cut, "{ending:?} after {text}");
    }
    Ok(())
}

fn open(address: SocketAddr) -> Outcome<WebSocket<impl std::io::Read + std::io::Write>> {
    let mut secure = Secure::connect(address)?;
    secure.send(format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n"))?;
    let head = secure.head()?;
    ensure!(head.starts_with("HTTP/1.1 101"), "no upgrade: {head}");
    Ok(WebSocket::from_raw_socket(secure.0, Role::Client, None))
}

fn websocket(_: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    let mut socket = open(address)?;
    for size in [0, 1, 125, 126, 16_384, 65_536, 1_000_000] {
        let message = Message::binary(vec![7_u8; size]);
        socket.send(message.clone())?;
        let back = socket.read().context(size)?;
        ensure!(back == message, "another message came back for {size} bytes");
    }
    for number in 0..1000 {
        let message = Message::text(format!("message {number}"));
        socket.send(message.clone())?;
        ensure!(socket.read()? == message, "another message came back for {number}");
    }
    socket.send(Message::text("close 4001 the reason"))?;
    match socket.read()? {
        Message::Close(Some(frame)) => ensure!(u16::from(frame.code) == 4001, "{frame:?}"),
        other => e2e::fail!("{other:?} instead of a close frame"),
    }
    Ok(())
}

fn drain(server: &mut Server, address: SocketAddr, record: &Record) -> Outcome {
    let mut idle = Secure::connect(address)?;
    idle.send("GET /idle HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    idle.response()?;
    let answer = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let folder = Folder::empty()?;
    let go = process::text(&folder.path().join("go"));
    let mut busy = Secure::connect(address)?;
    busy.send(format!("GET /busy HTTP/1.1\r\nHost: localhost\r\nX-Puppet: await:{go};raw:{answer}\r\n\r\n"))?;
    record.wait_request("/busy", seconds(10))?;
    server.signal(Signal::TERM)?;
    // It waits for nobody: the busy one is answered only afterwards.
    let (rest, ending) = idle.rest();
    ensure!(rest.is_empty() && ending == Ending::Told, "the idle one: {ending:?} after {rest:?}");
    folder.write("go", "")?;
    let (rest, ending) = busy.rest();
    let text = String::from_utf8_lossy(&rest).into_owned();
    ensure!(text.contains("Connection: close") && text.ends_with("hello"), "the busy one: {text}");
    ensure!(ending == Ending::Told, "the busy one ends without close_notify");
    let status = server.wait(seconds(15))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    Ok(())
}

fn going_away(server: &mut Server, address: SocketAddr, _: &Record) -> Outcome {
    let mut socket = open(address)?;
    socket.send(Message::text("x"))?;
    socket.read()?;
    server.signal(Signal::TERM)?;
    match socket.read().context("no close frame")? {
        Message::Close(Some(frame)) => ensure!(frame.code == CloseCode::Away, "{frame:?}"),
        other => e2e::fail!("{other:?} instead of a close frame"),
    }
    let status = server.wait(seconds(10))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    Ok(())
}
