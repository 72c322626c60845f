//! Clients: those that leave, and those that send what is the server's to say.

use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Need, Options, Outcome, Server, Suite, ensure, process, wait_for};
use serde_json::Value;

use super::secure::{self, Secure};
use super::{probe, text};

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .needing(
            "a hundred clients leave within their uploads, and the app is served on",
            &[Need::Dotnet],
            || probe(&[], leaving),
        )
        .needing("RequestAborted fires for a client that leaves, and only for it", &[Need::Dotnet], || {
            probe(&[], aborted)
        })
        .needing(
            "a client's MS-ASPNETCORE headers never arrive, by http and by https",
            &[Need::Dotnet],
            filtered,
        )
}

/// In eight lanes, so that a busy machine is not asked for a hundred threads.
fn leaving(server: &mut Server) -> Outcome {
    let pid = number(&json(&server.get("/probe")?.body)?, "pid");
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| -> Outcome {
                    while next.fetch_add(1, Ordering::Relaxed) < 100 {
                        let mut client = server.client()?;
                        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")?;
                        client.send(vec![b'x'; 50_000])?;
                    }
                    Ok(())
                })
            })
            .collect();
        lanes.into_iter().try_for_each(|lane| lane.join().ok().context("a client panicked")?)
    })?;
    wait_for("the end of every upload", seconds(20), || {
        let counts = json(&server.get("/aborted-count").ok()?.body).ok()?;
        (number(&counts, "active") == 0).then_some(())
    })?;
    let now = number(&json(&server.get("/probe")?.body)?, "pid");
    ensure!(now == pid, "process {now} answers in place of {pid}");
    ensure!(process::living(u32::try_from(pid)?).is_some(), "process {pid} is gone");
    Ok(())
}

/// The token of a request whose client stays does not fire, nor that of one that was answered.
fn aborted(server: &mut Server) -> Outcome {
    ensure!(counts(server)? == (0, 0), "something is under way");
    let mut stays = server.client()?.patience(seconds(60));
    stays.send("GET /slow?ms=4000 HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut leaves = server.client()?;
    leaves.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")?;
    wait_for("both requests", seconds(20), || (counts(server).ok()? == (0, 2)).then_some(()))?;
    drop(leaves);
    // Within a second: see `streaming`, where nothing else runs beside it.
    wait_for("RequestAborted", seconds(10), || (counts(server).ok()?.0 == 1).then_some(()))?;
    let response = stays.response()?;
    ensure!(response.status == 200 && response.text() == "slept 4000 ms\n", "{}", response.describe());
    drop(stays);
    // The app counts it until just after its client has the answer.
    wait_for("the end of both", seconds(10), || (counts(server).ok()?.1 == 0).then_some(()))?;
    ensure!(counts(server)? == (1, 0), "{:?}", counts(server)?);
    Ok(())
}

/// How many tokens fired, and how many requests are under way.
fn counts(server: &Server) -> Outcome<(i64, i64)> {
    let counts = json(&server.get("/aborted-count")?.body)?;
    Ok((number(&counts, "aborted"), number(&counts, "active")))
}

fn json(bytes: &[u8]) -> Outcome<Value> {
    Ok(serde_json::from_slice(bytes)?)
}

fn number(report: &Value, name: &str) -> i64 {
    report.get(name).and_then(Value::as_i64).unwrap_or(-1)
}

const RESERVED: &[&str] = &[
    "MS-ASPNETCORE",
    "mS-ASPNETCORE",
    "MS-ASPNETCORE-",
    "mS-ASPNETCORE-f",
    "MS-ASPNETCORE-foo",
    "MS-ASPNETCORE-foo-bar-MS-ASPNETCORE",
    "MS-ASPNETCORE-TOKEN",
    "ms-aspnetcore-clientcert",
    "MS-ASPNETCORE-WINAUTHTOKEN",
];

/// What arrives under such a name is the one token that we sent.
fn filtered() -> Outcome {
    let (folder, files) = (Folder::app("probe")?, secure::files(secure::CERTIFICATE, secure::KEY)?);
    let options: Options = secure::options(folder.path(), files.path()).dotnet()?;
    serve_folder(&folder, &options, |server, _| {
        let both = |(number, name)| format!("{name}: evil\r\nX-Beside-{number}: 1\r\n");
        let lines: String = RESERVED.iter().enumerate().map(both).collect();
        let plain = server.client()?.patience(seconds(60)).get_with("/probe", &lines)?;
        only_ours(&json(&plain.body)?, "http")?;
        let mut secure = Secure::connect(secure::address(server)?)?;
        secure.send(format!("GET /probe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n"))?;
        let (bytes, _) = secure.rest();
        let whole = String::from_utf8_lossy(&bytes).into_owned();
        let from = whole.find('{').context(whole.clone())?;
        let to = whole.rfind('}').context(whole.clone())?;
        only_ours(&json(whole.get(from..=to).unwrap_or_default().as_bytes())?, "https")
    })
}

fn only_ours(report: &Value, scheme: &str) -> Outcome {
    ensure!(text(report, "scheme") == scheme, "{scheme}: {report}");
    let headers = report.get("headers").and_then(Value::as_object).context("no headers")?;
    let reserved: Vec<&String> =
        headers.keys().filter(|name| name.to_ascii_uppercase().starts_with("MS-ASPNETCORE")).collect();
    ensure!(reserved == ["MS-ASPNETCORE-TOKEN"], "{scheme}: {reserved:?} arrived");
    ensure!(!report.to_string().contains("evil"), "{scheme}: a value arrived: {report}");
    let beside = headers.keys().filter(|name| name.starts_with("X-Beside-")).count();
    ensure!(beside == RESERVED.len(), "{scheme}: {beside} headers beside them arrived");
    Ok(())
}
