//! Apps that do not start, end, hang: what visitors get, and how seldom it is tried again.

use super::*;

pub(super) fn add_to(suite: Suite) -> Suite {
    suite
        .test(
            "an app that exits at once is started ever more seldom, and asked about in no time",
            exits_at_once,
        )
        .test("one that ends before it answers is held back as well", ends_unanswered)
        .test("always running: tried again by itself when the pause is over", tried_by_itself)
        .test("kill -9 with 64 requests under way: those fail, the next one waits and is served", killed)
        .test("a worker that takes no connection any more is replaced", deaf)
        .test("a worker that is stopped is replaced, and its debugger is not disturbed", stopped)
        .test("one that is stopped with a request in it is replaced as well", stopped_within)
        .test("in Development one that is stopped stays: it may be at a breakpoint", stopped_on_purpose)
        .test("requests that time out are one line in the event log", timed_out)
        .served(
            "what an app began to answer, or had for long, is not asked again",
            Puppet::new(),
            &[],
            asked_once,
        )
}

/// The long form takes 30 seconds, as the promise does.
fn exits_at_once() -> Outcome {
    let folder = Puppet::new().variable("PUPPET_EXIT", "3").folder()?;
    let options = Options::new(folder.path());
    let span = if trials(0) > 0 { 30 } else { 6 };
    serve_folder(&folder, &options, |server, record| {
        let (begun, used) = (now(), process::ticks_of_tree(server.pid()));
        let (mut asked, mut held) = (0, Vec::new());
        while begun.elapsed() < seconds(span) {
            let at = now();
            let response = server.get("/x")?;
            let took = at.elapsed();
            ensure!(response.status == 502, "{}", response.describe());
            if response.field("Retry-After").is_some() {
                held.push(took);
            }
            asked += 1;
            std::thread::sleep(Duration::from_millis(50).saturating_sub(took));
        }
        let starts = record.starts().len();
        let most = if span == 30 { 8 } else { 6 };
        ensure!((4..=most).contains(&starts), "{starts} starts in {span} s");
        // The others waited for a start, each for another one.
        ensure!(asked - held.len() <= starts, "{} of {asked} were answered at once", held.len());
        held.sort_unstable();
        // A busy machine may hold up some; the median says what is meant.
        let median = *held.get(held.len() / 2).context("nobody was answered at once")?;
        ensure!(median < Duration::from_millis(10), "the median is {median:?}");
        let ticks = process::ticks_of_tree(server.pid()) - used;
        // A tick is 10 ms of one processor: 2 % of the span, and what the starts themselves take.
        ensure!(ticks <= 2 * span + 5 * starts as u64, "{ticks} ticks of CPU in {span} s");
        folder.replace("web.config", "PUPPET_EXIT", "MENDED")?;
        wait_for("the mended app", SOON, || server.get("/x").ok().filter(|it| it.status == 200))?;
        Ok(())
    })
}

fn ends_unanswered() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let begun = now();
        while begun.elapsed() < seconds(4) {
            // The process ends with the request in it: nothing of an answer.
            let mut client = order(server, "/x", "exit:3")?;
            let response = client.response()?;
            ensure!(response.status == 502, "{}", response.describe());
            pause(20);
        }
        let starts = record.starts().len();
        ensure!((3..=6).contains(&starts), "{starts} starts in 4 s");
        server.wait_output("[2011]", SOON)?;
        server.wait_output("[2006]", SOON)
    })
}

fn tried_by_itself() -> Outcome {
    let folder = Puppet::new().variable("PUPPET_EXIT", "3").folder()?;
    let options = Options::new(folder.path()).arg("--always-running");
    serve_folder(&folder, &options, |_, record| {
        // At once, at once again, after 0.5 s, after one more second.
        wait_for("four starts", seconds(10), || (record.starts().len() >= 4).then_some(()))
    })
}

fn killed() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let first = pid(server)?;
        let clients: Vec<_> = (0..64)
            .map(|number| order(server, &format!("/hang/{number}"), "hang"))
            .collect::<Outcome<_>>()?;
        wait_for("64 requests", SOON, || {
            let held = record.requests().iter().filter(|one| one.target().starts_with("/hang/")).count();
            (held == 64).then_some(())
        })?;
        // What had been with the app for a moment may have been acted on.
        pause(100);
        process::signal(first, Signal::KILL)?;
        let next = pid(server)?;
        ensure!(next != first, "the killed process answers");
        for mut client in clients {
            let response = client.response()?;
            ensure!(response.status == 502, "{}", response.describe());
        }
        ensure!(record.starts().len() == 2, "{:?}", record.starts());
        Ok(())
    })
}

fn deaf() -> Outcome {
    serve(&Puppet::new(), &[], |server, _| {
        let first = pid(server)?;
        let ok = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let mut client = order(server, "/deaf", &format!("deaf;raw:{ok}"))?;
        ensure!(client.response()?.status == 200, "it did not obey");
        // The connection that it has is used on; only others show that it takes no more.
        let waiting: Vec<_> = (0..6).map(|_| order(server, "/x", "hang")).collect::<Outcome<_>>()?;
        server.wait_output("takes no connection", seconds(30))?;
        another(server, first)?;
        drop(waiting);
        Ok(())
    })
}

fn stopped() -> Outcome {
    serve(&Puppet::new(), &[], |server, _| {
        let first = pid(server)?;
        process::signal(first, Signal::STOP)?;
        // It holds the connections that it has; these few need new ones, which nobody accepts.
        let waiting: Vec<_> = (0..4).map(|_| order(server, "/x", "")).collect::<Outcome<_>>()?;
        server.wait_output("takes no connection", seconds(30))?;
        another(server, first)?;
        drop(waiting);
        Ok(())
    })
}

/// The one request goes over a connection that is there: nobody waits to be accepted.
fn stopped_within() -> Outcome {
    serve(&Puppet::new(), &[], |server, record| {
        let first = pid(server)?;
        let held = order(server, "/hang", "hang")?;
        record.wait_request("/hang", SOON)?;
        process::signal(first, Signal::STOP)?;
        server.wait_output("takes no connection", seconds(30))?;
        another(server, first)?;
        drop(held);
        Ok(())
    })
}

fn stopped_on_purpose() -> Outcome {
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--env").arg("ASPNETCORE_ENVIRONMENT=Development");
    serve_folder(&folder, &options, |server, _| {
        let first = pid(server)?;
        process::signal(first, Signal::STOP)?;
        let mut waiting: Vec<_> = (0..4).map(|_| order(server, "/x", &slow(0))).collect::<Outcome<_>>()?;
        // Longer than the twelve seconds within which another would be replaced.
        pause(14_000);
        process::signal(first, Signal::CONT)?;
        for client in &mut waiting {
            let response = client.response()?;
            ensure!(response.status == 200, "{}", response.describe());
        }
        ensure!(pid(server)? == first, "it was replaced");
        Ok(())
    })
}

fn timed_out() -> Outcome {
    serve(&Puppet::new().attribute("requestTimeout", "00:00:03"), &[], |server, _| {
        pid(server)?;
        let clients: Vec<_> = (0..8).map(|_| order(server, "/x", "hang")).collect::<Outcome<_>>()?;
        for mut client in clients {
            ensure!(client.response()?.status == 502, "it is not given up");
        }
        server.wait_output("took longer than requestTimeout (3 s)", SOON)?;
        // The next line comes ten seconds later.
        server.wait_output("7 requests to application '/' took longer", 2 * SOON)?;
        let lines = server.output().matches("[2012]").count();
        ensure!(lines == 2, "{lines} lines");
        Ok(())
    })
}

/// Both end with a reset over a connection that was used before, as the end of an unused one would.
fn asked_once(server: &mut Server, record: &Record) -> Outcome {
    // The reset destroys what nobody has read yet, so there is time for that; less than the second after which nothing
    // is asked again.
    let begun = format!("raw:{};sleep:900;reset", hex::encode(b"HTTP/1.1 200 OK\r\nContent-"));
    for (path, orders) in [("/begun", begun.as_str()), ("/late", "sleep:1500;reset")] {
        let mut client = server.client()?;
        client.get("/first")?;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Puppet: {orders}\r\n\r\n"))?;
        let response = client.response()?;
        ensure!(response.status == 502, "{}", response.describe());
        let times = record.requests().iter().filter(|one| one.target() == path).count();
        ensure!(times == 1, "{path} was asked {times} times");
    }
    Ok(())
}
