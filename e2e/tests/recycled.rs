//! Promise: apps of every kind are replaced while they are used: another process answers, nobody waits for it, nobody
//! is refused, and who was signed in stays so.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Failure, Need, Options, Outcome, Server, Suite, ensure, process, wait_for};
use rustix::fs::{CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

#[path = "recycled/launched.rs"]
mod launched;
#[path = "recycled/signed_in.rs"]
mod signed_in;

const DOTNET: &[Need] = &[Need::Dotnet];
const NODE: &[Need] = &[Need::Dotnet, Need::Node];
const PYTHON: &[Need] = &[Need::Dotnet, Need::Python];

/// A sample app, what it needs, a path, and what its answer holds. Each runs with `falconer serve DIR` alone.
const APPS: &[(&str, &[Need], &str, &str)] = &[
    ("web", DOTNET, "/", "Hello World!"),
    ("mvc", DOTNET, "/Home/Privacy", "Privacy"),
    ("blazor", DOTNET, "/counter", "Counter"),
    ("webapi", DOTNET, "/weatherforecast", "temperatureC"),
    ("worker", DOTNET, "/", "ticks"),
    ("slim", DOTNET, "/items", "item 2"),
    ("aot", DOTNET, "/todos", "["),
    ("selfcontained", DOTNET, "/where", "127.0.0.1"),
    ("singlefile-fdd", DOTNET, "/where", "127.0.0.1"),
    ("httpplatform-node", NODE, "/any", "/any"),
    ("httpplatform-python", PYTHON, "/any", "/any"),
    ("generic-node", NODE, "/any", "/any"),
];

fn main() -> ExitCode {
    let suite = APPS.iter().fold(Suite::new().threads(3), |suite, (name, needs, path, holds)| {
        suite.needing(format!("{name} is replaced while it is used"), needs, || replaced(name, path, holds))
    });
    let suite = launched::add(suite);
    signed_in::add(suite).run()
}

fn replaced(name: &str, path: &str, holds: &str) -> Outcome {
    let folder = Folder::app(name)?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        used_over_a_recycle(server, &folder, path, holds)?;
        server.stop(seconds(20))
    })
}

/// Clients ask without a pause while the app is replaced, and see answers of it only.
fn used_over_a_recycle(server: &Server, folder: &Folder, path: &str, holds: &str) -> Outcome {
    let ask = || -> Outcome {
        let response = server.client()?.patience(seconds(90)).get_with(path, "Connection: close\r\n")?;
        let good = response.status == 200 && response.text().contains(holds);
        ensure!(good, "{path}: {}", response.describe());
        Ok(())
    };
    ask().context("before")?;
    let first = worker(server, None)?;
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| -> Outcome {
                    while !done.load(Ordering::Relaxed) {
                        ask()?;
                        served.fetch_add(1, Ordering::Relaxed);
                        e2e::pause(5);
                    }
                    Ok(())
                })
            })
            .collect();
        let replaced = another(server, folder, first);
        done.store(true, Ordering::Relaxed);
        let clients = clients.into_iter().try_for_each(|one| one.join().ok().context("a client panicked")?);
        clients.context("meanwhile").and(replaced)
    })?;
    ask().context("after")?;
    ensure!(served.load(Ordering::Relaxed) > 0, "nobody asked meanwhile");
    Ok(())
}

/// Has the app replaced, and waits for the end of what was before.
fn another(server: &Server, folder: &Folder, first: u32) -> Outcome<u32> {
    touch(folder)?;
    let second = worker(server, Some(first))?;
    wait_for(&format!("the end of process {first}"), seconds(60), || {
        process::living(first).is_none().then_some(())
    })?;
    ensure!(process::living(second).is_some(), "process {second} is gone");
    Ok(second)
}

/// What `touch web.config` does; an app that was published without one gets the one that it runs by.
fn touch(folder: &Folder) -> Outcome {
    let config = folder.path().join("web.config");
    if !config.exists() {
        let name = executable(folder)?;
        let text = format!(
            "<configuration><system.webServer><handlers><add name=\"aspNetCore\" path=\"*\" verb=\"*\" \
             modules=\"AspNetCoreModuleV2\" /></handlers><aspNetCore processPath=\".\\{name}\" \
             /></system.webServer></configuration>"
        );
        std::fs::rename(folder.write("new.config", text)?, config)?;
        return Ok(());
    }
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    utimensat(CWD, &config, &times, rustix::fs::AtFlags::empty()).context("touch")
}

/// Of the sample apps without a web.config: named like the app itself.
fn executable(folder: &Folder) -> Outcome<String> {
    ["aot", "selfcontained"]
        .into_iter()
        .find(|name| folder.path().join(name).is_file())
        .map(str::to_owned)
        .context("no executable")
}

/// The process that serves, by the last start that was told, once it is another than `other`.
fn worker(server: &Server, other: Option<u32>) -> Outcome<u32> {
    wait_for("the line of a start", seconds(90), || {
        let output = server.output();
        let line = output.lines().rev().find(|line| line.contains("[1001]"))?;
        line.split('\'').nth(3)?.parse().ok().filter(|pid| Some(*pid) != other)
    })
    .map_err(|Failure(why)| Failure(format!("{why}\n{}", server.output())))
}
