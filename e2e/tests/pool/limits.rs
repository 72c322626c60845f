//! How many requests get in at once, how many wait, and for how long: what IIS keeps at the site and the pool.

use super::*;

pub(super) fn add_to(suite: Suite) -> Suite {
    suite
        .served(
            "300 requests at once get to one process that is allowed them",
            Puppet::new(),
            MORE,
            many_at_once,
        )
        .served("the 257th request waits for one of the 256 before it", Puppet::new(), &[], one_more)
        .served("more than queueLength wait for no connection: 503", Puppet::new(), SHORT_QUEUE, queue_full)
        .served("who waits longer than requestTimeout for a connection: 503", impatient(), ALONE, too_late)
        .test("upstreamConnections holds after SIGHUP for the process that takes over, and who waited goes there", after_hang_up)
        .served("connectionTimeout ends a connection that nobody uses", Puppet::new(), UNUSED, unused)
        .served("headerWaitTimeout ends a head that does not end", Puppet::new(), SLOW_HEAD, slow_head)
}

const MORE: &[&str] = &["--upstream-connections=400"];
const ALONE: &[&str] = &["--upstream-connections=1"];
const SHORT_QUEUE: &[&str] = &["--upstream-connections=1", "--queue-length=10"];
const UNUSED: &[&str] = &["--connection-timeout=1"];
const SLOW_HEAD: &[&str] = &["--header-wait-timeout=1"];

/// What one process gets by default.
const MOST: usize = 256;
/// How long something does not happen that must not.
const A_WHILE: u64 = 500;

fn impatient() -> Puppet {
    Puppet::new().attribute("requestTimeout", "00:00:01")
}

/// A request that the app has, and cannot answer before its body is there.
fn hold(server: &Server, target: &str) -> Outcome<Client> {
    let mut client = server.client()?;
    client.send(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n"))?;
    Ok(client)
}

fn release(client: &mut Client) -> Outcome {
    client.send("x")?;
    let response = client.response()?;
    ensure!(response.status == 200, "{}", response.describe());
    Ok(())
}

fn is_answered(client: &Client) -> std::io::Result<bool> {
    client.stream().set_nonblocking(true)?;
    let answered = matches!(client.stream().peek(&mut [0]), Ok(1));
    client.stream().set_nonblocking(false)?;
    Ok(answered)
}

/// So many that are all with the app at the same time.
fn held(server: &Server, record: &Record, count: usize) -> Outcome<Vec<Client>> {
    let clients: Outcome<Vec<Client>> = (0..count).map(|_| hold(server, "/held")).collect();
    record.wait_count("head", count, 2 * SOON)?;
    clients
}

fn has_come(record: &Record, target: &str) -> bool {
    record.requests().iter().any(|request| request.target() == target)
}

fn many_at_once(server: &mut Server, record: &Record) -> Outcome {
    let mut clients = held(server, record, 300)?;
    ensure!(record.starts().len() == 1, "{:?}", record.starts());
    clients.iter_mut().try_for_each(release)
}

fn one_more(server: &mut Server, record: &Record) -> Outcome {
    let mut clients = held(server, record, MOST)?;
    let mut next = hold(server, "/next")?;
    pause(A_WHILE);
    ensure!(!has_come(record, "/next"), "the 257th came before one of the others was answered");
    release(clients.first_mut().context("no client")?)?;
    record.wait_request("/next", SOON)?;
    release(&mut next)?;
    clients.iter_mut().skip(1).try_for_each(release)
}

fn queue_full(server: &mut Server, record: &Record) -> Outcome {
    let mut first = held(server, record, 1)?;
    let mut waiting: Vec<Client> = Vec::new();
    // Ten wait; the eleventh is told so, in whatever order the threads see them.
    for _ in 0..11 {
        waiting.push(hold(server, "/waiting")?);
    }
    let refused = wait_for("a refusal", SOON, || {
        waiting.iter().position(|client| is_answered(client).unwrap_or(false))
    });
    let mut refused = waiting.swap_remove(refused?);
    let response = refused.response()?;
    ensure!(response.status == 503, "{}", response.describe());
    ensure!(response.field("Retry-After") == Some("1"), "{}", response.describe());
    ensure!(response.text().contains("queueLength"), "{}", response.describe());
    // All bodies first: which of them comes next is not for us to say.
    first.iter_mut().chain(&mut waiting).try_for_each(|client| client.send("x"))?;
    for client in first.iter_mut().chain(&mut waiting) {
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
    }
    Ok(())
}

fn too_late(server: &mut Server, record: &Record) -> Outcome {
    // While its body is awaited from the client, nobody waits for the app.
    let mut first = held(server, record, 1)?;
    let response = server.client()?.patience(2 * SOON).get("/late")?;
    ensure!(response.status == 503, "{}", response.describe());
    ensure!(response.field("Retry-After") == Some("1"), "{}", response.describe());
    ensure!(response.text().contains("requestTimeout"), "{}", response.describe());
    ensure!(!has_come(record, "/late"), "it came to the app and was answered 503");
    first.iter_mut().try_for_each(release)
}

fn after_hang_up() -> Outcome {
    let beside = Folder::empty()?;
    let most = |count: u32| beside.write("falconer.toml", format!("limits.upstreamConnections = {count}\n"));
    let file = process::text(&most(1)?);
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--config").arg(&file);
    serve_folder(&folder, &options, |server, record| {
        let mut old = held(server, record, 1)?;
        let mut waits = hold(server, "/waits")?;
        pause(A_WHILE);
        ensure!(!has_come(record, "/waits"), "two at once");
        let first = record.starts().first().context("no start")?.pid;
        most(300)?;
        server.signal(Signal::HUP)?;
        server.wait_output("[2103]", SOON)?;
        let second = wait_for("another process", SOON, || {
            record.starts().iter().map(|start| start.pid).find(|pid| *pid != first)
        })?;
        // Who waits for the old process goes to the new one.
        let came = record.wait_request("/waits", SOON)?;
        ensure!(came.pid == second, "it came to the old process");
        let mut new: Vec<Client> =
            (0..MOST + 20).map(|_| hold(server, "/new")).collect::<Outcome<Vec<Client>>>()?;
        wait_for("every request at the new process", 2 * SOON, || {
            let new = |one: &e2e::record::Request| one.pid == second && one.target() == "/new";
            (record.requests().into_iter().filter(new).count() == MOST + 20).then_some(())
        })?;
        old.iter_mut().chain([&mut waits]).chain(&mut new).try_for_each(release)
    })
}

fn unused(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    ensure!(client.get("/")?.status == 200, "no answer");
    let (rest, ending) = client.ending(SOON);
    ensure!(rest.is_empty() && ending == Ending::Fin, "{ending:?} after {rest:?}");
    Ok(())
}

fn slow_head(server: &mut Server, _: &Record) -> Outcome {
    let mut client = server.client()?;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")?;
    let response = client.patience(SOON).response()?;
    ensure!(response.status == 408, "{}", response.describe());
    Ok(())
}
