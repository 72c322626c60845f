//! CPU per request of Falconer, nginx and HAProxy in front of one backend: 64 keep-alive clients, 13 bytes, one
//! interleaved run. A reading, not a gate: it fails only when a front does not serve.
//!
//! CPU is user and system time of the front's own processes, so that a loaded machine moves it little.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use e2e::puppet::hex;
use e2e::temp::TempDir;
use e2e::{Client, Context as _, Failure, Options, Outcome, Puppet, Record, Server};
use e2e::{ensure, find, now, process, wait_for};

const CLIENTS: usize = 64;
const ROUNDS: usize = 3;
const SECONDS: u64 = 4;

/// The answer of 13 bytes that every front passes on.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

struct Front {
    name: &'static str,
    pid: u32,
    /// Processes below it that are the app's, not the front's.
    backend: Option<u32>,
    address: SocketAddr,
    ticks: u64,
    requests: u64,
    /// Keeps it running.
    child: Option<Child>,
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // SIGTERM lets nginx end its workers too; a front that is gone already needs nothing.
            let _ = process::signal(child.id(), rustix::process::Signal::TERM);
            let _ = child.wait();
        }
    }
}

pub(super) fn compare() -> Outcome {
    let folder = Puppet::new().variable("PUPPET_FIXED", &hex::encode(ANSWER.as_bytes())).folder()?;
    let server = Server::start(&Options::new(folder.path()))?;
    ensure!(server.get("/")?.text() == "Hello, World!", "the backend answers something else");
    let port = backend_port(&folder.record())?;
    let dir = TempDir::new()?;
    let mut fronts = vec![Front {
        name: "falconer",
        pid: server.pid(),
        backend: folder.record().starts().first().map(|start| start.pid),
        address: server.address(),
        ticks: 0,
        requests: 0,
        child: None,
    }];
    for start in [nginx, haproxy] {
        match start(&dir, port) {
            Ok(front) => fronts.push(front),
            Err(Failure(why)) => say(&format!("left out: {why}")),
        }
    }
    for _ in 0..ROUNDS {
        for front in &mut fronts {
            round(front)?;
        }
    }
    report(&fronts);
    Ok(())
}

fn backend_port(record: &Record) -> Outcome<u16> {
    Ok(record.starts().first().context("no start")?.port)
}

fn ticks(front: &Front) -> u64 {
    let app = front.backend.map_or(0, |pid| process::stat(pid).map_or(0, |stat| stat.ticks));
    process::ticks_of_tree(front.pid).saturating_sub(app)
}

fn round(front: &mut Front) -> Outcome {
    let before = ticks(front);
    let requests = match find::on_path("wrk") {
        Some(wrk) => with_wrk(&wrk, front.address)?,
        None => with_threads(front.address)?,
    };
    front.ticks += ticks(front) - before;
    front.requests += requests;
    ensure!(requests > 0, "{} served nothing", front.name);
    Ok(())
}

fn with_wrk(wrk: &std::path::Path, address: SocketAddr) -> Outcome<u64> {
    let mut command = process::command(wrk);
    command.args(["-t1", &format!("-c{CLIENTS}"), &format!("-d{SECONDS}s"), &format!("http://{address}/")]);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find(|line| line.contains("requests in")).context(text.clone())?;
    Ok(line.split_ascii_whitespace().next().context("an empty line")?.parse()?)
}

fn with_threads(address: SocketAddr) -> Outcome<u64> {
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            std::thread::spawn(move || -> Outcome {
                let mut client = Client::connect(address)?;
                while !stop.load(Ordering::Relaxed) {
                    ensure!(client.get("/")?.status == 200, "not served");
                    served.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    let end = now() + e2e::clock::seconds(SECONDS);
    while now() < end {
        e2e::pause(20);
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().ok().context("a client panicked")??;
    }
    Ok(served.load(Ordering::Relaxed))
}

fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A program that may lie outside of a user's PATH.
fn program(name: &str) -> Outcome<std::path::PathBuf> {
    let system = std::path::Path::new("/usr/sbin").join(name);
    find::on_path(name).or(system.is_file().then_some(system)).context(format!("there is no {name}"))
}

fn nginx(dir: &TempDir, backend: u16) -> Outcome<Front> {
    let binary = program("nginx")?;
    let port = free_port()?;
    let folder = process::text(dir.path());
    let config = dir.write(
        "nginx.conf",
        format!(
            "worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.error;\n\
             events {{ worker_connections 1024; }}\nhttp {{ access_log off; keepalive_requests 100000000;\n\
             client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n\
             uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
             upstream app {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 100000000; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app; proxy_http_version 1.1;\n\
             proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
             proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }} }} }}\n"
        ),
    )?;
    let mut command = process::command(&binary);
    command.arg("-c").arg(&config).arg("-e").arg(dir.path().join("nginx.error"));
    started("nginx", command, port)
}

fn haproxy(dir: &TempDir, backend: u16) -> Outcome<Front> {
    let binary = program("haproxy")?;
    let port = free_port()?;
    let config = dir.write(
        "haproxy.cfg",
        format!(
            "global\n  nbthread 2\n  maxconn 2000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  \
             timeout server 60s\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:{port}\n  option forwardfor\n  \
             http-request set-header X-Forwarded-Proto http\n  default_backend b\nbackend b\n  \
             server s 127.0.0.1:{backend}\n"
        ),
    )?;
    let mut command = process::command(&binary);
    command.arg("-f").arg(&config);
    started("haproxy", command, port)
}

fn started(name: &'static str, mut command: std::process::Command, port: u16) -> Outcome<Front> {
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context(name)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let front =
        Front { name, pid: child.id(), backend: None, address, ticks: 0, requests: 0, child: Some(child) };
    wait_for(name, e2e::clock::seconds(5), || {
        e2e::client::get(address, "/").ok().filter(|response| response.status == 200)
    })?;
    Ok(front)
}

fn report(fronts: &[Front]) {
    // A clock tick is 10 ms on every Linux of today.
    let tick = 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let cost = |front: &Front| (front.ticks * tick) as f64 / front.requests.max(1) as f64;
    let own = fronts.first().map_or(1.0, cost);
    for front in fronts {
        let per_second = front.requests / (ROUNDS as u64 * SECONDS);
        say(&format!(
            "{:9} {:6.2} µs CPU per request ({:.2} × falconer's), {per_second} requests a second",
            front.name,
            cost(front),
            cost(front) / own
        ));
    }
}

/// The reading is what this experiment is for, so it goes to the terminal.
fn say(line: &str) {
    let mut out = std::io::stderr().lock();
    // Where nobody reads, nobody is told.
    let _ = writeln!(out, "{line}");
}
