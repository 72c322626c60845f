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
    let mut proxy = start(bound, Wires::new(2), &app, site(20)).unwrap();

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
    serve_by(1, limits, answer).0
}

/// With so many threads.
fn serve_by(threads: usize, limits: Limits, answer: fn(&mut TcpStream)) -> (SocketAddr, Proxy) {
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
    let worker = ServingWorker::fixed(WorkerId(1), worker, PairingToken::from_bits([7; 32]), threads);
    let addresses = vec!["127.0.0.1:0".parse().unwrap()];
    let bindings = [Binding { text: String::new(), scheme: Scheme::Http, addresses }];
    let bound = crate::bind(&bindings, None, threads).unwrap();
    let address = bound.endpoints()[0].address;
    let site = Site { limits, ..Site::default() };
    let proxy = start(bound, Wires::new(threads), &AppHandle::fixed(vec![worker]), site).unwrap();
    (address, proxy)
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

/// More than a machine that is busy takes for anything, and less than a whole answer of [`trickle`].
const MIDDLE: Duration = Duration::from_secs(2);

/// One byte every 50 ms, for four seconds.
fn trickle(stream: &mut TcpStream) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n";
    let mut sent = stream.write_all(head);
    for _ in 0..80 {
        std::thread::sleep(Duration::from_millis(50));
        sent = sent.and_then(|()| stream.write_all(b"x"));
    }
}

#[test]
fn the_total_limit_is_a_502_before_the_answer_and_a_reset_within() {
    let limits = || Limits { total_timeout: MIDDLE, ..Limits::default() };
    let (text, in_order) = ask(serve(limits(), |_| std::thread::sleep(Duration::from_secs(5))));
    assert!(text.starts_with("HTTP/1.1 502 ") && text.contains("totalTimeout"), "{text}");
    assert!(in_order);
    let (text, in_order) = ask(serve(limits(), trickle));
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with('x') && !in_order, "{text} {in_order}");
}

#[test]
fn without_a_total_limit_only_each_wait_counts() {
    let limits = Limits { request_timeout: MIDDLE, ..Limits::default() };
    let (text, in_order) = ask(serve(limits, trickle));
    assert!(text.ends_with(&"x".repeat(80)) && in_order, "{text}");
}

fn empty(stream: &mut TcpStream) {
    // A client that is gone needs no answer.
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/// One that has asked, and waits for at most so long.
fn asking(address: SocketAddr, patience: Duration) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(patience)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    client
}

fn is_answered(client: &mut TcpStream) -> bool {
    matches!(client.peek(&mut [0]), Ok(1))
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn one_connection_at_a_time_is_served_whichever_thread_it_comes_to() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let (address, _proxy) = serve_by(4, limits, empty);
    // Sixteen that all come to one of four threads are as likely as a fault of the machine.
    for _ in 0..16 {
        assert_eq!(status(&mut asking(address, LONG)), "200");
    }
}

#[test]
fn the_number_of_connections_follows_a_new_site() {
    let limits = |connections| Limits { connections, ..Limits::default() };
    let (address, mut proxy) = serve_by(2, limits(1), empty);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let allow = |proxy: &mut Proxy, connections| {
        let site = Site { limits: limits(connections), ..Site::default() };
        runtime.block_on(async {
            proxy.reconfigure(site);
            // Whoever pays back what is open too much must be in the queue.
            tokio::task::yield_now().await;
            proxy.totals().await
        })
    };
    let mut first = asking(address, LONG);
    assert_eq!(status(&mut first), "200");
    let mut second = asking(address, SHORT);
    assert!(!is_answered(&mut second), "one may be open, and one is");
    allow(&mut proxy, 2);
    second.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(status(&mut second), "200");

    allow(&mut proxy, 1);
    let mut third = asking(address, SHORT);
    drop(first);
    assert!(!is_answered(&mut third), "one may be open, and the second is");
    drop(second);
    third.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(status(&mut third), "200");
}

#[test]
fn a_request_without_a_connection_to_its_worker_waits_for_so_long_and_so_many_wait() {
    let limits =
        Limits { upstream_connections: 1, start_queue: 1, request_timeout: LONG, ..Limits::default() };
    let (address, mut proxy) = serve_by(1, limits.clone(), |_| std::thread::sleep(Duration::from_secs(60)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _busy = asking(address, LONG);
    while runtime.block_on(proxy.totals()).upstream_opened < 1 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Both are to be there before the time of either is over.
    proxy.reconfigure(Site { limits: Limits { request_timeout: 2 * MIDDLE, ..limits }, ..Site::default() });
    runtime.block_on(proxy.totals());
    // The queue has room for one; who is refused is told at once, and the one who waits when its time is over.
    let mut clients: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    }
    let answers = clients.iter_mut().map(|client| {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    });
    let answers: Vec<String> = answers.collect();
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    }
    let says = |word: &str| answers.iter().filter(|answer| answer.contains(word)).count();
    assert_eq!((says("queueLength"), says("requestTimeout")), (1, 1), "{answers:?}");
}
