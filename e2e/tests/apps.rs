//! Promise: unchanged publish folders of every kind are served, restarted and stopped.
//!
//! One row per sample app: what it answers, hosted. Each is served from a copy of its unchanged folder.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Client, Context as _, Need, Options, Outcome, Puppet, Response, Server, Suite};
use e2e::{ensure, process, wait_for};
use rustix::process::Signal;

#[path = "apps/failing.rs"]
mod failing;
#[path = "apps/kinds.rs"]
mod kinds;
#[path = "apps/table.rs"]
mod table;

use table::{APPS, App, Ask};

fn main() -> ExitCode {
    let suite = APPS.iter().fold(Suite::new().threads(3), |suite, app| {
        let suite = suite.needing(format!("{} at /", app.name), app.needs, || lives(app, ""));
        if app.base {
            suite.needing(format!("{} at /base", app.name), app.needs, || lives(app, "/base"))
        } else {
            suite
        }
    });
    kinds::add(failing::add(suite)).run()
}

/// The whole life of one app: first answer, second from the same process, death, a new process, the end.
fn lives(app: &App, base: &str) -> Outcome {
    let folder = Folder::app(app.name)?;
    logged(&folder)?;
    let mut options = Options::new(folder.path()).dotnet()?;
    if !base.is_empty() {
        options = options.arg("--path-base").arg(base);
    }
    let behind = Behind::of(app)?;
    if let Some(behind) = &behind {
        options = options.arg("--env").arg(&format!("YARP_DESTINATION=http://{}/", behind.server.address()));
    }
    serve_folder(&folder, &options, |server, _| {
        for ask in app.asks {
            answers(server, base, ask)?;
        }
        let first = wait_for("the first start's line", seconds(10), || worker(server).ok())?;
        for ask in app.asks {
            answers(server, base, ask)?;
        }
        ensure!(worker(server)? == first, "the second answer comes from another process");
        dies(server, app, base, first)?;
        ends(server, &folder, app)
    })
}

/// What the proxy among the sample apps sends its requests to.
struct Behind {
    server: Server,
    _folder: Folder,
}

impl Behind {
    fn of(app: &App) -> Outcome<Option<Self>> {
        if app.name != "yarp" {
            return Ok(None);
        }
        let folder = Puppet::new().folder()?;
        let server = Server::start(&Options::new(folder.path()))?;
        Ok(Some(Self { server, _folder: folder }))
    }
}

/// Turns the app's log on where its web.config turns it off; nothing else is changed.
fn logged(folder: &Folder) -> Outcome {
    let config = folder.path().join("web.config");
    if config.exists() && std::fs::read_to_string(&config)?.contains("stdoutLogEnabled=\"false\"") {
        folder.replace("web.config", "stdoutLogEnabled=\"false\"", "stdoutLogEnabled=\"true\"")?;
    }
    Ok(())
}

fn answers(server: &Server, base: &str, ask: &Ask) -> Outcome {
    let path = format!("{base}{}", ask.path);
    let response = wait_for(&format!("{} at {path}", ask.status), seconds(10), || {
        let response = request(server, ask.method, &path);
        // Only what an app says of itself while it warms up is asked for again.
        match &response {
            Ok(response) if response.status == 503 && ask.status == 200 && ask.path == "/healthz" => None,
            _ => Some(response),
        }
    })??;
    ensure!(response.status == ask.status, "{path}: wanted {}, got {}", ask.status, response.describe());
    let text = format!("{}{}", String::from_utf8_lossy(&response.head), response.text());
    let held = ask.holds.replace("{base}", base);
    ensure!(text.contains(&held), "{path}: {held:?} is not in {}", response.describe());
    Ok(())
}

fn request(server: &Server, method: &str, path: &str) -> Outcome<Response> {
    let mut client: Client = server.client()?.patience(seconds(60));
    let length = if method == "GET" { "" } else { "Content-Length: 0\r\n" };
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: shop.example\r\n{length}Connection: close\r\n\r\n"
    ))?;
    client.response_to(method).context(path)
}

/// The process that listens for the app: named by the last start's event line.
fn worker(server: &Server) -> Outcome<u32> {
    let output = server.output();
    let line = output.lines().rev().find(|line| line.contains("[1001]")).context("no start was told")?;
    let number = line.split('\'').nth(3).context("no process in the line")?;
    Ok(number.parse()?)
}

fn dies(server: &Server, app: &App, base: &str, first: u32) -> Outcome {
    let ask = app.asks.first().context("an app that is asked nothing")?;
    process::signal(first, Signal::KILL)?;
    if app.name.contains("python") {
        // Its threads wait in read(2), and one that is killed there takes what comes with it: nobody could tell that
        // it was never acted on. The others wait in epoll, and are asked at once.
        wait_for("the end of the killed app", seconds(10), || {
            process::living(first).is_none().then_some(())
        })?;
    }
    answers(server, base, ask).context("after kill -9")?;
    let second =
        wait_for("the second start's line", seconds(10), || worker(server).ok().filter(|pid| *pid != first))?;
    ensure!(process::living(second).is_some(), "process {second} is gone");
    Ok(())
}

fn ends(server: &mut Server, folder: &Folder, app: &App) -> Outcome {
    let last = worker(server)?;
    server.stop(seconds(15))?;
    ensure!(process::living(last).is_none(), "the app still runs");
    ensure!(!server.output().contains("SIGKILL to"), "SIGKILL was needed");
    let Some(words) = app.last_words else { return Ok(()) };
    let logs = folder.logs();
    let told = logs
        .iter()
        .any(|(path, text)| path.to_string_lossy().contains(&last.to_string()) && text.contains(words));
    ensure!(logs.is_empty() || told, "{words:?} is not in the log: {logs:?}");
    // A folder without web.config cannot enable its log.
    ensure!(!logs.is_empty() || !folder.path().join("web.config").exists(), "no log was written");
    Ok(())
}
