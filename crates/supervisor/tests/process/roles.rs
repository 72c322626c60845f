//! The other lives of the test binary: keeper, server, app, thief.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use supervisor::process::Launch;

use crate::harness::{self, App, this_binary};
use crate::life;

/// Plays a role to its end; none when the word is no role.
pub(crate) fn play(role: &OsStr, words: &[OsString]) -> Option<ExitCode> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().expect("roles take plain words")).collect();
    match role.to_str()? {
        "__keep" => return Some(supervisor::keep()),
        "serve" => serve(words[0], words.get(1).copied()),
        "serve-private" => serve_private(),
        "serve-many" => serve_many(words[0]),
        "serve-alone" => serve_alone(),
        "listen" => listen(&words),
        "accept" => accept(words[0], words[1].parse().expect("a number")),
        "hold" => wait(vec![1_u8; words[0].parse().expect("a number")]),
        "listen-again" => listen_again(words[0]),
        "full-disk" => full_disk(words[0]),
        "flood" => flood(words[0], words[1].parse().expect("a number")),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}

/// A server: starts this script, says so, and waits to be killed. With a second word its own binary is removed
/// before.
fn serve(script: &str, remove: Option<&str>) {
    supervisor::process::harden().expect("as a server does");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let spawner = supervisor::process::Spawner::start().expect("a spawner");
        if remove.is_some() {
            std::fs::remove_file(this_binary()).expect("it was there");
        }
        let mut app = App::start_with(&spawner, harness::shell(script));
        let event = app.next().await.map_err(|error| format!("{error:?}")).expect("an event");
        say(&format!("{event:?}\n"));
        std::future::pending::<()>().await;
    });
}

/// A server whose app is to have a network of its own. Says which event came first.
fn serve_private() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let launch = Launch { private_network: true, ..harness::shell("exit 0") };
        let mut app = App::start(launch).expect("a spawner");
        let event = app.next().await.map_err(|error| format!("{error:?}")).expect("an event");
        say(&format!("{event:?}\n"));
    });
}

/// A server that starts one app after the other, to be killed anywhere in between.
fn serve_many(script: &str) {
    supervisor::process::harden().expect("as a server does");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let spawner = supervisor::process::Spawner::start().expect("a spawner");
        say("ready\n");
        let mut apps = Vec::new();
        for _ in 0..100 {
            apps.push(App::start_with(&spawner, harness::shell(script)));
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        std::future::pending::<()>().await;
    });
}

/// A server with nothing beside it: starts many apps, and says what is left of them.
fn serve_alone() {
    supervisor::process::harden().expect("as a server does");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let left = runtime.block_on(life::many_at_once());
    say(&format!("{left:?}\n"));
}

fn say(words: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(words.as_bytes()).and_then(|()| stdout.flush());
}

/// Listens at these addresses for ever, or until the standard input of a thief ends.
fn listen(addresses: &[&str]) {
    let open: Vec<_> = addresses.iter().map(|address| TcpListener::bind(address).expect(address)).collect();
    say("listening\n");
    wait(open);
}

/// Accepts one connection after the other and keeps them, with a pause before each.
fn accept(address: &str, pause: u64) {
    let listener = TcpListener::bind(address).expect(address);
    say("listening\n");
    let mut open = Vec::new();
    loop {
        std::thread::sleep(Duration::from_millis(pause));
        open.extend(listener.accept());
    }
}

/// Listens, closes, and listens again at the same address.
fn listen_again(address: &str) {
    drop(TcpListener::bind(address).expect(address));
    let first = TcpListener::bind(address).expect(address);
    say("first\n");
    std::thread::sleep(Duration::from_millis(300));
    drop(first);
    let second = TcpListener::bind(address).expect(address);
    say("second\n");
    wait(second);
}

/// An app's standard input is /dev/null and so at its end already: then there is only the signal.
fn wait<T>(held: T) {
    let piped =
        std::fs::read_link("/proc/self/fd/0").is_ok_and(|path| path.to_string_lossy().starts_with("pipe:"));
    if piped {
        let _ = std::io::stdin().read(&mut [0]);
    } else {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
    drop(held);
}

/// A server whose log file cannot grow: what starts it has set a limit. Says which events came.
fn full_disk(folder: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let log =
            config::StdoutLog { folder: folder.into(), prefix: "x".into(), max_size: None, max_files: None };
        let told = format!("{folder}.told");
        let script =
            format!("head -c 9000000 /dev/zero | tr '\\0' x; until [ -e {told} ]; do sleep 0.02; done");
        let mut app =
            App::start(Launch { stdout_log: Some(log), ..harness::shell(&script) }).expect("a start");
        app.started().await.map_err(|error| format!("{error:?}")).expect("it starts");
        let first = app.next().await.map_err(|error| format!("{error:?}")).expect("an event");
        std::fs::write(told, "").expect("an empty file has room");
        let mut events = vec![format!("{first:?}")];
        events.extend(app.rest().await.map_err(|error| format!("{error:?}")).expect("it ends"));
        let names: Vec<_> = events.iter().map(|event| event.split(' ').next().unwrap_or_default()).collect();
        say(&format!("{}\n", names.join(", then ")));
    });
}

/// Prints so many lines, each with the token, so that it comes to stand at every offset of a read.
fn flood(token: &str, lines: usize) {
    let mut stdout = std::io::stdout().lock();
    for line in 0..lines {
        let padding = "-".repeat(line % 131);
        let _ = writeln!(stdout, "{line}{padding}{token}");
    }
    let _ = stdout.flush();
}

/// Another process that is none of ours.
pub(crate) struct Outsider {
    pub(crate) child: Child,
    _stdin: Option<ChildStdin>,
}

impl Outsider {
    /// Starts this binary, or another one, in a role; returns once it has printed a line, which comes with it.
    pub(crate) fn start(binary: &std::path::Path, words: &[&str]) -> std::io::Result<(Self, String)> {
        #[expect(clippy::disallowed_methods, reason = "a process that the spawner must not know")]
        let mut command = Command::new(binary);
        let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        let (mut line, mut byte) = (Vec::new(), [0]);
        while stdout.read(&mut byte)? == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        let stdin = child.stdin.take();
        Ok((Self { child, _stdin: stdin }, String::from_utf8_lossy(&line).into_owned()))
    }

    /// A thief at this address.
    pub(crate) fn at(address: &str) -> std::io::Result<Self> {
        Ok(Self::start(&this_binary(), &["listen", address])?.0)
    }

    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
