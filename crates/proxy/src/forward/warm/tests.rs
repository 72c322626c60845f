use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use contract::PairingToken;
use supervisor::{AppHandle, WorkerId};

use super::*;
use crate::forward::pool::{Caps, Pools};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn page(path: &str, host: Option<&str>) -> WarmUpPage {
    WarmUpPage { path: path.to_owned(), host: host.map(str::to_owned) }
}

fn site(path_base: &str) -> Site {
    Site { path_base: path_base.to_owned(), ..Site::default() }
}

/// Answers one connection after the other with these bytes, and returns what it was asked.
fn backend(answers: &'static [&'static str]) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                head.push(byte[0]);
            }
            heads.push(String::from_utf8(head).unwrap());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heads
    });
    (address, asked)
}

fn ask_for(address: SocketAddr, base: &str, pages: &[WarmUpPage], within: Duration) -> Result<(), String> {
    let worker = ServingWorker::fixed(WorkerId(1), address, PairingToken::from_bits([7; 32]), 1);
    let app = AppHandle::fixed(vec![Arc::clone(&worker)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let thread = Thread::new(0, site(base), app, Pools::new(Caps::new(256)));
        ask_for_all(&thread, &worker, pages, crate::clock::precise() + within).await
    })
}

#[test]
fn pages_are_asked_for_one_by_one_as_requests_of_the_server_itself() {
    let (address, asked) = backend(&[
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\nuntil the end",
    ]);
    let pages = [page("/warm?all=1", None), page("/", Some("shop.example"))];
    assert_eq!(ask_for(address, "/my app", &pages, Duration::from_secs(10)), Ok(()));
    let heads = asked.join().unwrap();
    assert!(heads[0].starts_with("GET /my%20app/warm?all=1 HTTP/1.1\r\nHost: localhost\r\n"), "{}", heads[0]);
    assert!(heads[1].starts_with("GET /my%20app/ HTTP/1.1\r\nHost: shop.example\r\n"), "{}", heads[1]);
    let token = format!("\r\nMS-ASPNETCORE-TOKEN: {}\r\n", "07".repeat(32));
    for head in heads {
        for line in ["\r\nX-Forwarded-For: 127.0.0.1:", "\r\nX-Forwarded-Proto: http\r\n", &token] {
            assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
        }
        for line in ["\r\nConnection: close\r\n", "\r\nUser-Agent: Falconer (IIS Application"] {
            assert!(head.contains(line), "{line} in {head}");
        }
    }
}

#[test]
fn every_page_that_went_wrong_is_told_and_the_others_are_asked_for_all_the_same() {
    let (address, asked) = backend(&[
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "nonsense",
        OK,
    ]);
    let pages = ["/a", "/b", "/c", "/with blank", "/d"].map(|path| page(path, None));
    let told = ask_for(address, "/", &pages, Duration::from_secs(10)).unwrap_err();
    assert_eq!(
        told,
        "/a was answered 500 Internal Server Error; \
         /b was not answered well: the app closed the connection before the end of its answer; \
         /c was not answered well: the response does not start with HTTP/1.1 or HTTP/1.0; \
         /with blank was not asked for: it, or its host name, holds what cannot stand in a request"
    );
    assert_eq!(asked.join().unwrap().len(), 4);
}

#[test]
fn a_worker_that_is_not_itself_or_too_slow_is_not_asked_again() {
    let pages = [page("/a", None), page("/b", None)];
    // Held, so that nobody else is given it, and never listened on.
    let holder = tokio::net::TcpSocket::new_v4().unwrap();
    holder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let told = ask_for(holder.local_addr().unwrap(), "/", &pages, Duration::from_secs(10)).unwrap_err();
    assert_eq!(told, "/a was not asked for: the app does not listen on its port any more");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let told = ask_for(silent.local_addr().unwrap(), "/", &pages, Duration::from_millis(100)).unwrap_err();
    assert_eq!(told, "/a was not answered in time");
}

#[test]
fn a_base_is_written_as_in_a_request_line() {
    assert_eq!(encoded(""), "");
    assert_eq!(encoded("/my app/é%?"), "/my%20app/%C3%A9%25%3F");
}
