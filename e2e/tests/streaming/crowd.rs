//! Promise: streams without an end, and connections that nobody uses, keep nobody waiting.

use super::*;

/// More than the connections that one process gets for requests.
const CROWD: usize = 300;
/// As many as it gets.
const MOST: usize = 256;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .served("many event streams keep no request waiting", Puppet::new(), &[], many_streams)
        .served("many slow uploads keep no request waiting", Puppet::new(), &[], many_uploads)
        .served("unused connections of one thread keep no other thread waiting", Puppet::new(), &[], unused)
}

fn many_streams(server: &mut Server, _: &Record) -> Outcome {
    let head =
        raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut streams = Vec::new();
    for number in 0..CROWD {
        let mut client = server.client()?;
        client.send(format!(
            "GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nX-Puppet: {head};hang\r\n\r\n"
        ))?;
        ensure!(client.final_head().context(number)?.status == 200, "no stream");
        streams.push(client);
    }
    ensure!(
        server.client()?.patience(seconds(10)).get("/next")?.status == 200,
        "no answer beside the streams"
    );
    Ok(())
}

/// A client needs next to nothing to keep an upload open for ever.
fn many_uploads(server: &mut Server, record: &Record) -> Outcome {
    server.get("/first")?;
    let mut uploads = Vec::new();
    for _ in 0..CROWD {
        let mut client = server.client()?;
        client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nslow")?;
        uploads.push(client);
    }
    record.wait_count("head", 1 + MOST, seconds(20))?;
    let next = server.client()?.patience(seconds(10)).get("/next").context("kept waiting")?;
    ensure!(next.status == 200, "{}", next.describe());
    // Those that gave their places up are none the worse for it.
    for client in &mut uploads {
        client.send([b'x'; 96])?;
    }
    for client in &mut uploads {
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
    }
    Ok(())
}

/// Client connections by the thread that has them: one after the other, all of a thread get the same connection to
/// the app.
fn by_thread(server: &Server) -> Outcome<Vec<Vec<Client>>> {
    let mut threads: Vec<(String, Vec<Client>)> = Vec::new();
    for _ in 0..2 * CROWD {
        let mut client = server.client()?;
        let own = client.get("/")?.value("connection").context("no connection")?;
        match threads.iter_mut().find(|(known, _)| *known == own) {
            Some((_, clients)) => clients.push(client),
            None => threads.push((own, vec![client])),
        }
    }
    threads.sort_by_key(|(_, clients)| clients.len());
    Ok(threads.into_iter().map(|(_, clients)| clients).collect())
}

fn unused(server: &mut Server, record: &Record) -> Outcome {
    let mut threads = by_thread(server)?;
    let mut many = threads.pop().context("no connection")?;
    // On a machine with one processor, or with many, there is nothing to be had here.
    let Some(mut few) = threads.pop().filter(|few| few.len() > 1 && many.len() >= MOST) else {
        return Ok(());
    };
    for client in &mut many {
        client.send(with_script("/slow", &format!("sleep:300;{}", raw(HELLO))))?;
    }
    for client in &mut many {
        ensure!(client.response()?.text() == "hello", "no answer");
    }
    let (mut first, mut second) = (few.remove(0), few.remove(0));
    first.send(with_script("/hang", "hang"))?;
    record.wait_request("/hang", seconds(10))?;
    second.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let response = second.patience(seconds(10)).response().context("kept waiting")?;
    ensure!(response.status == 200, "{}", response.describe());
    Ok(())
}
