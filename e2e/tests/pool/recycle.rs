//! A changed web.config, a touched one, another folder: the next process takes over before the last one goes.

use super::*;

pub(super) fn add_to(suite: Suite) -> Suite {
    suite
        .test("a touch is enough, and the old process goes only when the new one serves", touched)
        .test("under load no request is lost, and every POST arrives once", under_load)
        .test("a request that is under way ends on the process that it began on", under_way)
        .test("who is slow to read whole answers keeps no process from its end", slow_reader)
        .test("a burst of changes is one recycle", burst)
        .test("a file that is broken, empty or gone changes nothing", broken)
        .test("an app that does not start any more leaves the old process serving", fails)
        .test("a new limit holds from the recycle on", limit)
        .test(
            "where the app is reached through a symlink, its flip is a recycle from the new folder",
            flipped,
        )
        .test("a new folder that is copied slowly is followed when its web.config is there", copied)
        .test("an open WebSocket gets a close frame, an event stream its end", streams)
        .test("app_offline.htm that comes and goes in no time cuts nobody", offline_in_no_time)
        .test("a start that hangs is given up for a mended web.config", hangs)
        .test("100 touches while app_offline.htm comes and goes: only 200 and 503", offline_under_load)
}

fn touched() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let first = pid(server)?;
        touch(&folder)?;
        let second = another(server, first)?;
        gone(first)?;
        server.wait_output("[1021]", SOON)?;
        let told = format!("Sent SIGTERM to process with Id '{first}'");
        server.wait_output(&told, SOON)?;
        let output = server.output();
        let place = |text: &str| output.find(text).context(text.to_owned());
        let serves = place(&format!("process '{second}' is listening"))?;
        ensure!(serves < place(&told)?, "{output}");
        ensure!(pid(server)? == second, "it was recycled twice");
        Ok(())
    })
}

/// The long form is the promise of the README: 100 recycles at 500 requests a second.
fn under_load() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let mut last = pid(server)?;
        let load = Load::start(server.address(), 8, 500);
        for _ in 0..trials(4) {
            touch(&folder)?;
            last = another(server, last)?;
        }
        // On a slow machine that takes longer than the recycles.
        wait_for("a load", 3 * SOON, || {
            (record.requests().iter().filter(|it| it.target() != "/pid").count() > 200).then_some(())
        })?;
        let tally = load.end();
        tally.all_are(&[200])?;
        ensure!(tally.requests() > 200, "{} requests", tally.requests());
        tally.arrived_once(record)
    })
}

fn under_way() -> Outcome {
    let folder = Puppet::new().folder()?;
    let go = folder.path().join("go");
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let first = pid(server)?;
        let mut client = order(server, "/slow", &once(&go))?;
        record.wait_request("/slow", SOON)?;
        touch(&folder)?;
        another(server, first)?;
        pause(300);
        ensure!(process::living(first).is_some(), "the old process did not wait for its request");
        fs::write(&go, "")?;
        let response = client.response()?;
        ensure!(response.status == 200 && response.text() == "slow", "{}", response.describe());
        gone(first)
    })
}

/// Answers that the process is done with, more than the system has room for: the last of them stays with the server.
fn slow_reader() -> Outcome {
    const ASKED: usize = 2000;
    let answer = [&b"HTTP/1.1 200 OK\r\nContent-Length: 8192\r\n\r\n"[..], &[b'x'; 8192]].concat();
    let folder = Puppet::new().variable("PUPPET_FIXED", &hex::encode(&answer)).folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let mut client = server.client()?.patience(3 * SOON);
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(ASKED))?;
        let mut used = 0;
        wait_for("an end of the room", SOON, || {
            pause(500);
            let before = std::mem::replace(&mut used, process::ticks_of_tree(server.pid()));
            (used == before).then_some(())
        })?;
        touch(&folder)?;
        // Far less than the drain timeout.
        server.wait_output("shut down process with Id", SOON)?;
        for number in 1..=ASKED {
            let response = client.response()?;
            ensure!(response.status == 200 && response.body.len() == 8192, "answer {number} of {ASKED}");
        }
        Ok(())
    })
}

fn burst() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        for _ in 0..10 {
            let (last, before) = (pid(server)?, record.starts().len());
            let together = touched_often(&folder)?;
            another(server, last)?;
            pause(1500);
            let starts = record.starts().len() - before;
            if together {
                ensure!(starts == 1, "{starts} starts");
                return Ok(());
            }
        }
        e2e::fail!("never twenty changes without a pause between them")
    })
}

/// Whether it was one burst: a quarter of a second without a change ends it, and it lasts for no more than a second.
fn touched_often(folder: &Folder) -> Outcome<bool> {
    let (begun, mut last, mut longest) = (now(), now(), Duration::ZERO);
    for _ in 0..20 {
        e2e::parity::site::touch(folder, "web.config")?;
        longest = longest.max(last.elapsed());
        last = now();
        pause(10);
    }
    Ok(longest < Duration::from_millis(200) && begun.elapsed() < Duration::from_millis(800))
}

fn broken() -> Outcome {
    let folder = Puppet::new().folder()?;
    let good = fs::read_to_string(folder.path().join("web.config"))?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let first = pid(server)?;
        let half = good.get(..good.len() / 2).unwrap_or_default();
        for (number, text) in ["", half, "<configuration>"].into_iter().enumerate() {
            folder.write("web.config", text)?;
            wait_for("the refusal", SOON, || {
                (server.output().matches("[2108]").count() > number).then_some(())
            })?;
            ensure!(pid(server)? == first, "another process after {text:?}");
        }
        fs::remove_file(folder.path().join("web.config"))?;
        server.wait_output("web.config is gone", SOON)?;
        ensure!(pid(server)? == first, "another process without web.config");
        folder.write("web.config", &good)?;
        another(server, first)?;
        ensure!(record.starts().len() == 2, "{:?}", record.starts());
        Ok(())
    })
}

fn fails() -> Outcome {
    let folder = Puppet::new().folder()?;
    let good = fs::read_to_string(folder.path().join("web.config"))?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let first = pid(server)?;
        let crash = "<environmentVariable name=\"PUPPET_EXIT\" value=\"3\" /></environmentVariables>";
        folder.write("web.config", good.replace("</environmentVariables>", crash))?;
        server.wait_output("[2008]", SOON)?;
        ensure!(pid(server)? == first, "the old process does not serve");
        folder.write("web.config", &good)?;
        another(server, first)?;
        Ok(())
    })
}

fn limit() -> Outcome {
    let folder = Puppet::new().body_limit(10).folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let first = pid(server)?;
        let post = |server: &Server| -> Outcome<u16> {
            let mut client = server.client()?;
            client.send(
                "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n01234567890123456789",
            )?;
            Ok(client.response()?.status)
        };
        ensure!(post(server)? == 413, "a body above the limit");
        folder.replace("web.config", "maxAllowedContentLength=\"10\"", "maxAllowedContentLength=\"20\"")?;
        another(server, first)?;
        ensure!(post(server)? == 200, "a body within the new limit");
        Ok(())
    })
}

fn flipped() -> Outcome {
    let (one, two) = (Puppet::new().folder()?, Puppet::new().folder()?);
    let above = Folder::empty()?;
    let current = above.path().join("current");
    symlink(one.path(), &current)?;
    serve_folder(&one, &Options::new(&current), |server, _| {
        let first = pid(server)?;
        ensure!(one.record().starts().len() == 1, "{:?}", one.record().starts());
        // As careful deployments do it: there is never a moment without the link.
        let next = above.path().join("next");
        symlink(two.path(), &next)?;
        fs::rename(&next, &current)?;
        let second = another(server, first)?;
        ensure!(two.record().starts().iter().any(|start| start.pid == second), "not from the new folder");
        touch(&two)?;
        another(server, second)?;
        Ok(())
    })
}

/// Programs may come first, and would run without what the web.config says.
fn copied() -> Outcome {
    let (one, two) = (Puppet::new().folder()?, Folder::empty()?);
    let above = Folder::empty()?;
    let current = above.path().join("current");
    symlink(one.path(), &current)?;
    serve_folder(&one, &Options::new(&current), |server, record| {
        let first = pid(server)?;
        symlink("/bin/true", two.path().join("program"))?;
        fs::remove_file(&current)?;
        symlink(two.path(), &current)?;
        server.wait_output("web.config is gone", SOON)?;
        ensure!(pid(server)? == first && record.starts().len() == 1, "{:?}", record.starts());
        fs::copy(one.path().join("web.config"), two.path().join("web.config"))?;
        another(server, first)?;
        ensure!(!server.output().contains("[1020]"), "a start failed");
        Ok(())
    })
}

fn streams() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let first = pid(server)?;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let orders = format!("raw:{};sse:1000:50", hex::encode(head.as_bytes()));
        // As EventSource asks.
        let mut events = server.client()?;
        events.send(format!(
            "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nX-Puppet: {orders}\r\n\r\n"
        ))?;
        events.final_head()?;
        let mut socket = server.client()?;
        socket.send(
            "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )?;
        ensure!(socket.final_head()?.status == 101, "no WebSocket");
        touch(&folder)?;
        another(server, first)?;
        let end = now() + SOON;
        while !events.chunk(end).context("the event stream has no end")?.is_empty() {}
        // A close frame with 1001, "going away" (RFC 6455 §7.4.1).
        let frame = socket.exactly(4)?;
        ensure!(frame == [0x88, 0x02, 0x03, 0xE9], "{frame:02x?}");
        gone(first)
    })
}

fn offline_under_load() -> Outcome {
    let folder = Puppet::new().folder()?;
    let page = folder.path().join("app_offline.htm");
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        pid(server)?;
        let load = Load::start(server.address(), 8, 500);
        for _ in 0..trials(3) {
            touch(&folder)?;
            fs::write(&page, "offline")?;
            wait_for("503", SOON, || server.get("/").ok().filter(|response| response.status == 503))?;
            fs::remove_file(&page)?;
            wait_for("200", SOON, || server.get("/").ok().filter(|response| response.status == 200))?;
        }
        let tally = load.end();
        tally.all_are(&[200, 503])?;
        tally.arrived_once(record)
    })
}

/// More processes are on their way out than may be: each has a second for the requests in it.
fn offline_in_no_time() -> Outcome {
    let folder = Puppet::new().folder()?;
    let page = folder.path().join("app_offline.htm");
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let mut clients = Vec::new();
        for round in 1..=6 {
            wait_for("200", SOON, || pid(server).ok())?;
            for _ in 0..3 {
                clients.push(order(server, "/slow", &slow(800))?);
            }
            pause(20);
            fs::write(&page, "offline")?;
            wait_for("503", SOON, || server.get("/").ok().filter(|response| response.status == 503))?;
            // A request that is late must not start one more.
            if round < 6 {
                fs::remove_file(&page)?;
            }
        }
        for mut client in clients {
            let response = client.response()?;
            ensure!([200, 503].contains(&response.status), "{}", response.describe());
        }
        ensure!(record.starts().len() == 6, "{:?}", record.starts());
        Ok(())
    })
}

fn hangs() -> Outcome {
    let puppet = Puppet::new().variable("PUPPET_LISTEN", "none").attribute("startupTimeLimit", "120");
    let folder = puppet.folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let mut client = order(server, "/x", &slow(0))?;
        wait_for("a start", SOON, || (record.starts().len() == 1).then_some(()))?;
        folder.replace("web.config", "PUPPET_LISTEN", "MENDED")?;
        let mended = now();
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
        ensure!(mended.elapsed() < SOON, "it took {:?}", mended.elapsed());
        Ok(())
    })
}
