//! What IIS keeps in the application pool: how many processes, how often they may fail, when they are started and
//! when they are replaced.

use std::collections::BTreeSet;

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("beyond rapidFailsPerMinute it is 502.5 and event 1003", rapid_fails),
    ("processesPerApplication: so many processes under load, and one again", processes),
    ("memory beyond its limit replaces the process", memory),
    ("preload starts the app without a request", preload),
    ("the pages of applicationInitialization are asked for at the start", pages),
    ("mixed load, recycles, app_offline.htm and kills", mixed),
];

fn rapid_fails() -> Outcome {
    for limit in [3, 0] {
        Hosting::new().attribute("rapidFailsPerMinute", &limit.to_string()).serve(|site| {
            let refused = (1..=10).find_map(|kill| match kill_once(site) {
                Ok(200) => None,
                Ok(status) => Some(Ok((kill, status))),
                Err(failure) => Some(Err(failure)),
            });
            let (kill, status) = refused.context("ten kills, and it is served")??;
            ensure!(status == 502 && (limit..limit + 3).contains(&kill), "{status} after {kill} kills");
            let page = site.server.get("/HelloWorld")?;
            ensure!(page.status == 502 && page.text().contains("502.5"), "{}", page.describe());
            site.event(1003, 1)?;
            let output = site.server.output();
            let told = output.lines().find(|line| line.contains("[1003]")).context("no event 1003")?;
            ensure!(told.contains(&format!("'{limit}'")), "{told}");
            Ok(())
        })?;
    }
    Ok(())
}

/// Kills the process that answers, and says how the next request is answered.
fn kill_once(site: &Site) -> Outcome<u16> {
    let pid = site.pid()?;
    process::signal(pid, Signal::KILL)?;
    wait_for("the app's end", SOON, || process::living(pid).is_none().then_some(()))?;
    Ok(site.server.get("/HelloWorld")?.status)
}

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

fn memory() -> Outcome {
    Hosting::new().serve_with(
        // Without a leak .NET takes the more memory the more processors there are.
        |options| options.arg("--recycle-memory").arg("300000"),
        |site| {
            let pid = site.pid()?;
            for _ in 0..20 {
                ensure!(site.pid()? == pid, "replaced although it does not leak");
                pause(20);
            }
            ensure!(site.text("/Keep?mb=400")? == "kept", "it keeps nothing");
            site.another(pid).map(drop)
        },
    )
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

fn pages() -> Outcome {
    let folder = Puppet::new().folder()?;
    let section = "<applicationInitialization><add initializationPage=\"/warm?up=1\" hostName=\"warm.example\" />\
                   </applicationInitialization></system.webServer>";
    folder.replace("web.config", "</system.webServer>", section)?;
    let options = Options::new(folder.path()).arg("--preload");
    e2e::server::serve_folder(&folder, &options, |server, record| {
        let request = record.wait_request("/warm?up=1", SOON)?;
        ensure!(request.values("Host") == ["warm.example"], "{:?}", request.lines());
        ensure!(server.get("/x")?.status == 200, "it is not served");
        let pages = record.requests().iter().filter(|request| request.target() == "/warm?up=1").count();
        ensure!(pages == 1, "asked for {pages} times");
        Ok(())
    })
}

fn mixed() -> Outcome {
    Hosting::new().attribute("rapidFailsPerMinute", "100").serve(|site| {
        site.pid()?;
        let load = Load::start(site.server.address(), 6, &[200, 502, 503]);
        for _ in 0..3 {
            site.touch("web.config")?;
            pause(300);
            // One that is being replaced may be gone before it can be killed.
            wait_for("a process", SOON, || process::signal(site.pid().ok()?, Signal::KILL).ok())?;
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
