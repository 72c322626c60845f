//! Limits of a request: what fits is served, one more is refused, with the right status.

use std::time::Duration;

use e2e::{Context as _, Outcome, Puppet, Suite, ensure, now, pause, serve};

use super::{only, refused, served};

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("request line of 8 KiB, and one byte more", request_line)
        .test("an endless request line is refused before it ends", endless_line)
        .test("head of 30 KiB, and of 33 KiB", head_bytes)
        .test("an endless head is refused before it ends", endless_head)
        .test("90 lines, and 101", head_lines)
        .test("a head that does not end within 15 s", header_deadline)
        .test("a body over the limit, by length", body_by_length)
        .test("a body over the limit, in chunks", body_in_chunks)
        .test("a body at the limit", body_at_limit)
}

fn answered(bytes: String, status: Option<u16>) -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let mut client = server.client()?;
        client.offer(bytes);
        match status {
            None => served(&mut client, 1),
            Some(status) => {
                refused(&mut client, &[status])?;
                only(server, record, &[])
            }
        }
    })
}

fn line_of(bytes: usize) -> String {
    let rest = "GET / HTTP/1.1\r\n".len();
    format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(bytes - rest))
}

fn request_line() -> Outcome {
    answered(line_of(8192), None).context("8192")?;
    answered(line_of(8193), Some(414)).context("8193")
}

fn endless_line() -> Outcome {
    answered(format!("GET /{}", "x".repeat(20_000)), Some(414))
}

fn head_of(bytes: usize) -> String {
    let line = format!("X-Fill: {}\r\n", "v".repeat(990));
    format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", line.repeat(bytes / line.len()))
}

fn head_bytes() -> Outcome {
    answered(head_of(30 * 1024), None).context("30 KiB")?;
    answered(head_of(34 * 1024), Some(431)).context("33 KiB")
}

fn endless_head() -> Outcome {
    answered(format!("GET /x HTTP/1.1\r\nHost: a\r\nX: {}", "v".repeat(100_000)), Some(431))
}

fn head_lines() -> Outcome {
    let with = |count: usize| format!("GET /x HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count));
    answered(with(89), None).context("90 lines")?;
    answered(with(100), Some(431)).context("101 lines")
}

/// The deadline counts from the first byte, so that bytes now and then do not extend it.
fn header_deadline() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let mut client = server.client()?;
        let start = now();
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n")?;
        // Counted by the clock: on a busy machine pauses take longer than they say.
        while start.elapsed() < Duration::from_secs(11) {
            pause(1000);
            client.send("X: y\r\n").context("too early")?;
        }
        refused(&mut client, &[408])?;
        let took = start.elapsed();
        // Counted from the last byte it would be 26 s.
        let wanted = Duration::from_secs(14)..Duration::from_secs(24);
        ensure!(wanted.contains(&took), "refused after {took:?}");
        only(server, record, &[])
    })
}

fn body_by_length() -> Outcome {
    serve(&Puppet::new().body_limit(1000), &[], |server, record| {
        let mut client = server.client()?;
        client.offer("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
        refused(&mut client, &[413])?;
        only(server, record, &[])
    })
}

fn body_in_chunks() -> Outcome {
    serve(&Puppet::new().body_limit(1000), &[], |server, record| {
        let mut client = server.client()?;
        client.offer("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            client.offer(format!("190\r\n{}\r\n", "x".repeat(400)));
        }
        refused(&mut client, &[413])?;
        super::nothing_whole(server, record)
    })
}

fn body_at_limit() -> Outcome {
    serve(&Puppet::new().body_limit(1000), &[], |server, record| {
        let mut client = server.client()?;
        client.send(format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{}",
            "x".repeat(1000)
        ))?;
        client.send("POST /y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        client.send(format!("3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1000)))?;
        served(&mut client, 2)?;
        only(server, record, &["/x", "/y"])
    })
}
