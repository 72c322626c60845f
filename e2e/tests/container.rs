//! Falconer as the first process of a container: it reaps whoever is given to it, and stops as anywhere else.
//!
//! A container is what `unshare` makes: a PID namespace with a `/proc` of its own. That needs root.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ExitCode, Stdio};

use e2e::clock::seconds;
use e2e::{Context, Folder, Need, Outcome, Puppet, Suite, client, ensure, find, process, wait_for};
use rustix::process::Signal;

const NEEDS: &[Need] = &[Need::Root];

fn main() -> ExitCode {
    Suite::new()
        .needing("PID 1 reaps the orphans of others", NEEDS, orphans)
        .needing("PID 1 still sees how its apps end, and starts them again", NEEDS, crash)
        .needing("PID 1 stops on SIGTERM, and leaves nothing", NEEDS, stop)
        .run()
}

/// Everything in it ends with it.
struct Container {
    /// `unshare`, which waits for the first process and ends as it did.
    outer: Child,
    /// The first process, by its number outside.
    first: u32,
    address: SocketAddr,
    _folder: Folder,
}

impl Container {
    fn start() -> Outcome<Self> {
        let folder = Puppet::new().folder()?;
        let unshare = find::on_path("unshare").context("there is no unshare on PATH")?;
        let mut command = process::command(&unshare);
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(find::falconer()?);
        command.arg("serve").arg(folder.path()).args(["--listen", "127.0.0.1:0"]);
        let mut outer = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("unshare")?;
        let mut lines = BufReader::new(outer.stdout.take().context("a pipe")?).lines();
        let address = loop {
            let line = lines.next().context("the server ended early")??;
            if let Some(address) = line.split("Listening on http://").nth(1) {
                break address.trim_end_matches('/').parse()?;
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let first = child_of(outer.id()).context("no first process")?;
        Ok(Self { outer, first, address, _folder: folder })
    }

    /// Runs a shell in the container, as `docker exec` does, and returns when it has ended.
    fn exec(&self, script: &str) -> Outcome {
        let nsenter = find::on_path("nsenter").context("there is no nsenter on PATH")?;
        let mut command = process::command(&nsenter);
        let target = self.first.to_string();
        command.args(["--target", &target, "--pid", "--mount", "sh", "-c", script]);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "nsenter ended with {status}");
        Ok(())
    }

    /// Children of the first process, dead or alive.
    fn children(&self) -> Vec<u32> {
        let is_child = |pid: &u32| process::stat(*pid).is_some_and(|stat| stat.parent == self.first);
        process::all().into_iter().filter(is_child).collect()
    }

    fn app(&self) -> Outcome<u32> {
        ensure!(client::get(self.address, "/x")?.status == 200, "no answer");
        let keeper = child_of(self.first).context("no keeper")?;
        child_of(keeper).context("no app")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // `--kill-child` ends the first process with it, and the kernel everything below.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

fn child_of(parent: u32) -> Option<u32> {
    process::all().into_iter().find(|pid| process::stat(*pid).is_some_and(|stat| stat.parent == parent))
}

fn orphans() -> Outcome {
    let container = Container::start()?;
    let app = container.app()?;
    let before = container.children();
    ensure!(before.len() == 1, "not only a keeper: {before:?}");
    for _ in 0..20 {
        // The shell ends first, so that its child comes to the first process of the container.
        container.exec("sleep 0.3 & sleep 2 & true & :")?;
    }
    wait_for("adopted orphans", seconds(5), || (container.children().len() > 1).then_some(()))?;
    wait_for("no orphan, dead or alive", seconds(12), || (container.children() == before).then_some(()))?;
    ensure!(container.app()? == app, "the app was disturbed");
    Ok(())
}

fn crash() -> Outcome {
    let container = Container::start()?;
    for _ in 0..5 {
        let old = container.app()?;
        container.exec("sleep 0.01 &")?;
        process::signal(old, Signal::KILL)?;
        wait_for("another app", seconds(10), || container.app().ok().filter(|new| *new != old))?;
    }
    wait_for("one keeper, no zombies", seconds(10), || (container.children().len() == 1).then_some(()))
}

fn stop() -> Outcome {
    let mut container = Container::start()?;
    let app = container.app()?;
    container.exec("sleep 600 &")?;
    process::signal(container.first, Signal::TERM)?;
    let outer = &mut container.outer;
    let status = wait_for("the container's end", seconds(10), || outer.try_wait().ok().flatten())?;
    ensure!(status.code() == Some(0), "ended with {status}");
    ensure!(process::living(app).is_none(), "the app still runs");
    Ok(())
}
