use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use config::{Binding, Scheme};
use contract::PairingToken;
use supervisor::{ServingWorker, WorkerId};

use super::*;

/// Answers every chunked request once its last chunk is there.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                while read_until(&mut stream, b"0\r\n\r\n") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    address
}

/// False when the connection ended before.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(end) {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return false;
        }
        seen.push(byte[0]);
    }
    true
}

fn site(body_bytes: u64) -> Site {
    let limits = Limits { body_bytes, ..Limits::default() };
    Site { limits, ..Site::default() }
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const TEN: &str = "a\r\n0123456789\r\n";

fn status(client: &mut TcpStream) -> String {
    let mut line = [0; 12];
    client.read_exact(&mut line).unwrap();
    assert!(read_until(client, b"\r\n\r\n"), "the head is cut off");
    String::from_utf8_lossy(&line[9..]).into_owned()
}

#[test]
fn a_new_site_holds_for_what_begins_and_not_for_what_is_under_way() {
    let worker = ServingWorker::fixed(WorkerId(1), backend(), PairingToken::from_bits([7; 32]), 2);
    let app = AppHandle::fixed(vec![worker]);
    let addresses = vec!["127.0.0.1:0".parse().unwrap()];
    let bindings = [Binding { text: String::new(), scheme: Scheme::Http, addresses }];
    let bound = crate::bind(&bindings, None, 2).unwrap();
    let address = bound.endpoints()[0].address;
    let proxy = start(bound, Wires::new(2), &app, site(20)).unwrap();

    // One on each thread, most likely; each is in the middle of its body when the limit shrinks.
    let mut under_way: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
    for client in &mut under_way {
        client.write_all(format!("{HEAD}{TEN}").as_bytes()).unwrap();
    }
    // Counting passes through every thread's queue, behind the bytes that have been accepted.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    while runtime.block_on(proxy.totals()).upstream_opened < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    proxy.reconfigure(site(15));
    runtime.block_on(proxy.totals());

    for client in &mut under_way {
        client.write_all(format!("{TEN}0\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(status(client), "200", "20 bytes were allowed when it began");
        client.write_all(format!("{HEAD}{TEN}{TEN}0\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(status(client), "413", "the next one on the same connection");
    }
}

/// Starts a proxy of one thread before a worker that answers each request with what the closure writes.
fn serve(limits: Limits, answer: fn(&mut TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let worker = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                while read_until(&mut stream, b"\r\n\r\n") {
                    answer(&mut stream);
                }
            });
        }
    });
    let worker = ServingWorker::fixed(WorkerId(1), worker, PairingToken::from_bits([7; 32]), 1);
    let addresses = vec!["127.0.0.1:0".parse().unwrap()];
    let bindings = [Binding { text: String::new(), scheme: Scheme::Http, addresses }];
    let bound = crate::bind(&bindings, None, 1).unwrap();
    let address = bound.endpoints()[0].address;
    let site = Site { limits, ..Site::default() };
    start(bound, Wires::new(1), &AppHandle::fixed(vec![worker]), site).unwrap();
    address
}

/// Everything that comes in return, and whether it ended in order.
fn ask(address: SocketAddr) -> (String, bool) {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut all = Vec::new();
    let in_order = client.read_to_end(&mut all).is_ok();
    (String::from_utf8_lossy(&all).into_owned(), in_order)
}

const SHORT: Duration = Duration::from_millis(500);

/// One byte every 50 ms, far from any other limit.
fn trickle(stream: &mut TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n";
    let mut sent = stream.write_all(head);
    for _ in 0..60 {
        std::thread::sleep(Duration::from_millis(50));
        sent = sent.and_then(|()| stream.write_all(b"x"));
    }
}

#[test]
fn the_total_limit_is_a_502_before_the_answer_and_a_reset_within() {
    let limits = || Limits { total_timeout: SHORT, ..Limits::default() };
    let (text, in_order) = ask(serve(limits(), |_| std::thread::sleep(Duration::from_secs(5))));
    assert!(text.starts_with("HTTP/1.1 502 ") && text.contains("totalTimeout"), "{text}");
    assert!(in_order);
    let (text, in_order) = ask(serve(limits(), trickle));
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with('x') && !in_order, "{text} {in_order}");
}

#[test]
fn without_a_total_limit_only_each_wait_counts() {
    let limits = Limits { request_timeout: SHORT, ..Limits::default() };
    let (text, in_order) = ask(serve(limits, trickle));
    assert!(text.ends_with(&"x".repeat(60)) && in_order, "{text}");
}
