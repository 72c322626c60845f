//! What IIS keeps in the application pool: how many processes, how often they may fail, when they are started and
//! when they are replaced.

use std::collections::BTreeSet;

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("processesPerApplication: so many processes under load, and one again", processes),
    ("preload starts the app without a request", preload),
    ("mixed load, recycles, app_offline.htm and kills", mixed),
];

/// The processes that answer so many requests at once.
fn at_once(site: &Site, count: usize) -> Outcome<BTreeSet<String>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = site.server.client()?.patience(SOON);
        client.send("GET /Wait?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n")?;
        clients.push(client);
    }
    let mut pids = BTreeSet::new();
    for client in &mut clients {
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
        pids.insert(response.text());
    }
    Ok(pids)
}

fn processes() -> Outcome {
    const MANY: usize = 4;
    let many = Hosting::new().attribute("processesPerApplication", &MANY.to_string());
    many.serve(|site| {
        let pids = wait_for("so many processes", SOON, || {
            at_once(site, 3 * MANY).ok().filter(|pids| pids.len() == MANY)
        })?;
        let again = at_once(site, 5 * MANY)?;
        ensure!(again == pids, "{again:?} after {pids:?}");
        site.config(&Hosting::new())?;
        wait_for("one process", SOON, || {
            let one = at_once(site, 2 * MANY).ok()?;
            (one.len() == 1 && one.is_disjoint(&pids)).then_some(())
        })
    })?;
    ten()
}

/// The same with ten, over an app that starts faster.
fn ten() -> Outcome {
    serve(&Puppet::new().attribute("processesPerApplication", "10"), &[], |server, record| {
        let late = e2e::puppet::hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let all = wait_for("ten processes", SOON, || {
            let clients: Vec<Client> = (0..20)
                .filter_map(|_| {
                    let mut client = server.client().ok()?;
                    let line =
                        format!("GET /x HTTP/1.1\r\nHost: a\r\nX-Puppet: sleep:200;raw:{late}\r\n\r\n");
                    client.send(line).ok()?;
                    Some(client)
                })
                .collect();
            let answered = clients.into_iter().all(|mut client| client.response().is_ok());
            let pids: BTreeSet<u32> = record.requests().iter().map(|request| request.pid).collect();
            (answered && pids.len() >= 10).then_some(pids)
        })?;
        ensure!(all.len() == 10, "{all:?}");
        Ok(())
    })
}

fn preload() -> Outcome {
    Hosting::new().serve_with(
        |options| options.arg("--preload"),
        |site| {
            site.event(1001, 1)?;
            ensure!(site.text("/HelloWorld")? == "Hello World", "another app answers");
            ensure!(site.server.output().matches("[1001]").count() == 1, "it was started twice");
            Ok(())
        },
    )
}

fn mixed() -> Outcome {
    Hosting::new().attribute("rapidFailsPerMinute", "100").serve(|site| {
        site.pid()?;
        let load = Load::start(site.server.address(), 6, &[200, 502, 503]);
        for _ in 0..3 {
            site.touch("web.config")?;
            pause(300);
            let pid = wait_for("a process", SOON, || site.pid().ok())?;
            process::signal(pid, Signal::KILL)?;
            site.until("/HelloWorld", 200)?;
            site.folder.write("app_offline.htm", "offline")?;
            site.until("/HelloWorld", 503)?;
            site.remove("app_offline.htm")?;
            site.until("/HelloWorld", 200)?;
        }
        let served = load.end()?;
        ensure!(served > 100, "only {served} requests were answered");
        site.text("/HelloWorld").map(drop)
    })
}
