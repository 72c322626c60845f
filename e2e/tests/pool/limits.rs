//! How many requests get in at once, how many wait, and for how long: what IIS keeps at the site and the pool.

use std::path::PathBuf;

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
const UNUSED: &[&str] = &["--connection-timeout=3"];
const SLOW_HEAD: &[&str] = &["--header-wait-timeout=1"];

/// What one process gets by default.
const MOST: usize = 256;
/// How long something does not happen that must not.
const A_WHILE: u64 = 1800;

/// For a client; the app that answers on must not be taken for one that is late where it is held up for a moment.
fn impatient() -> Puppet {
    Puppet::new().attribute("requestTimeout", "00:00:03")
}

/// Requests that the app is at work on until they are released.
struct Gates(Folder);

struct Held {
    client: Client,
    go: PathBuf,
}

impl Gates {
    fn new() -> Outcome<Self> {
        Folder::empty().map(Self)
    }

    fn hold(&self, server: &Server, target: &str) -> Outcome<Held> {
        let mut client = server.client()?;
        let go = self.0.path().join(client.stream().local_addr()?.port().to_string());
        let answer = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let orders = format!("await:{};raw:{answer}", process::text(&go));
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Puppet: {orders}\r\n\r\n"))?;
        Ok(Held { client, go })
    }

    /// So many that are all with the app at the same time.
    fn held(&self, server: &Server, record: &Record, count: usize) -> Outcome<Vec<Held>> {
        let held: Outcome<Vec<Held>> = (0..count).map(|_| self.hold(server, "/held")).collect();
        record.wait_count("head", count, 2 * SOON)?;
        held
    }
}

impl Held {
    fn let_go(&self) -> Outcome {
        std::fs::write(&self.go, "").context("a gate")
    }

    fn release(&mut self) -> Outcome {
        self.let_go()?;
        let response = self.client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
        Ok(())
    }

    fn is_answered(&self) -> std::io::Result<bool> {
        let stream = self.client.stream();
        stream.set_nonblocking(true)?;
        let answered = matches!(stream.peek(&mut [0]), Ok(1));
        stream.set_nonblocking(false)?;
        Ok(answered)
    }
}

fn has_come(record: &Record, target: &str) -> bool {
    record.requests().iter().any(|request| request.target() == target)
}

fn many_at_once(server: &mut Server, record: &Record) -> Outcome {
    let gates = Gates::new()?;
    let mut all = gates.held(server, record, 300)?;
    ensure!(record.starts().len() == 1, "{:?}", record.starts());
    all.iter_mut().try_for_each(Held::release)
}

fn one_more(server: &mut Server, record: &Record) -> Outcome {
    let gates = Gates::new()?;
    let mut all = gates.held(server, record, MOST)?;
    let mut next = gates.hold(server, "/next")?;
    // Who waits for its client for a second gives its place up by now; these wait for the app.
    pause(A_WHILE);
    ensure!(!has_come(record, "/next"), "the 257th came before one of the others was answered");
    all.first_mut().context("nobody")?.release()?;
    record.wait_request("/next", SOON)?;
    next.release()?;
    all.iter_mut().skip(1).try_for_each(Held::release)
}

fn queue_full(server: &mut Server, record: &Record) -> Outcome {
    let gates = Gates::new()?;
    let mut first = gates.held(server, record, 1)?;
    let mut waiting: Vec<Held> = Vec::new();
    // Ten wait; the eleventh is told so, in whatever order the threads see them.
    for _ in 0..11 {
        waiting.push(gates.hold(server, "/waiting")?);
    }
    let refused =
        wait_for("a refusal", SOON, || waiting.iter().position(|held| held.is_answered().unwrap_or(false)));
    let response = waiting.swap_remove(refused?).client.response()?;
    ensure!(response.status == 503, "{}", response.describe());
    ensure!(response.field("Retry-After") == Some("1"), "{}", response.describe());
    ensure!(response.text().contains("queueLength"), "{}", response.describe());
    // All gates first: which of them comes next is not for us to say.
    first.iter().chain(&waiting).try_for_each(Held::let_go)?;
    first.iter_mut().chain(&mut waiting).try_for_each(Held::release)
}

fn too_late(server: &mut Server, record: &Record) -> Outcome {
    // An app that answers on is not late; it is only not done.
    let first = trickling(server)?;
    record.wait_count("head", 1, SOON)?;
    let response = server.client()?.patience(2 * SOON).get("/late")?;
    ensure!(response.status == 503, "{}", response.describe());
    ensure!(response.field("Retry-After") == Some("1"), "{}", response.describe());
    ensure!(response.text().contains("requestTimeout"), "{}", response.describe());
    ensure!(!has_come(record, "/late"), "it came to the app and was answered 503");
    drop(first);
    Ok(())
}

/// An answer that takes a byte each tenth of a second, for a minute.
fn trickling(server: &Server) -> Outcome<Client> {
    let head = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n");
    let body = hex::encode(&[b'x'; 600]);
    let mut client = server.client()?;
    let orders = format!("raw:{head};trickle:100:{body}");
    client.send(format!("GET /held HTTP/1.1\r\nHost: localhost\r\nX-Puppet: {orders}\r\n\r\n"))?;
    Ok(client)
}

fn after_hang_up() -> Outcome {
    let beside = Folder::empty()?;
    let most = |count: u32| beside.write("falconer.toml", format!("limits.upstreamConnections = {count}\n"));
    let file = process::text(&most(1)?);
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--config").arg(&file);
    serve_folder(&folder, &options, |server, record| {
        let gates = Gates::new()?;
        let mut old = gates.held(server, record, 1)?;
        let mut waits = gates.hold(server, "/waits")?;
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
        let new: Outcome<Vec<Held>> = (0..MOST + 20).map(|_| gates.hold(server, "/new")).collect();
        let mut new = new?;
        wait_for("every request at the new process", 2 * SOON, || {
            let new = |one: &e2e::record::Request| one.pid == second && one.target() == "/new";
            (record.requests().into_iter().filter(new).count() == MOST + 20).then_some(())
        })?;
        old.iter_mut().chain([&mut waits]).chain(&mut new).try_for_each(Held::release)
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
