//! Promise: `app_offline.htm` in the app's folder takes the app offline without an error, and its end brings it back.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use e2e::clock::seconds;
use e2e::puppet::hex;
use e2e::server::serve_folder;
use e2e::{Context as _, Folder, Options, Outcome, Puppet, Record, Response, Server, Suite};
use e2e::{ensure, now, pause, process, wait_for};
use rustix::fs::{FileType, Mode};
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

const NAME: &str = "app_offline.htm";
const PAGE: &str = "\u{feff}<!DOCTYPE html>\r\n<title>Back at noon</title>\n";
/// IIS looks no more often than every 200 ms; the rest is for a busy machine.
const SEEN: Duration = seconds(10);

type Test = fn(&Site<'_>) -> Outcome;

fn main() -> ExitCode {
    let tests: &[(&'static str, Test)] = &[
        ("the answer is 503 with the bytes of the file, and the connection stays", answer),
        ("dropped while running: requests under way finish, then the process ends", drain),
        ("removed: the first request starts another process, and none before it", back),
        ("dropped while requests wait for the start: they are answered at once", waiting),
        ("the case of its name does not matter, and renaming it away ends it", cases),
        ("in a folder below it means nothing", below),
        ("a changed content is shown", changed),
        ("what cannot be read is an empty page", unreadable),
        ("a FIFO, a symlink, a giant: 503 with an empty page, and nothing hangs or grows", traps),
        ("a folder that is deployed anew is still watched", replaced),
        ("twenty times on and off under load: 200 and 503, nothing else", load),
        ("an open WebSocket gets a close frame, and the next request 503", websocket),
    ];
    let suite = tests.iter().fold(Suite::new(), |suite, (name, test)| {
        let test = *test;
        suite.test(*name, move || site(&Puppet::new(), &[], test))
    });
    suite
        .test("there before the first request: nothing is started", there_before)
        .test("always running: started again without a request, not while offline", always_running)
        .test("an app that cannot start is offline like any other", broken)
        .run()
}

/// A server over a folder that the test writes to.
struct Site<'a> {
    folder: &'a Folder,
    server: &'a Server,
    record: &'a Record,
}

fn site(puppet: &Puppet, arguments: &[&str], test: impl FnOnce(&Site<'_>) -> Outcome) -> Outcome {
    over(&puppet.folder()?, arguments, test)
}

fn over(folder: &Folder, arguments: &[&str], test: impl FnOnce(&Site<'_>) -> Outcome) -> Outcome {
    let options = arguments.iter().fold(Options::new(folder.path()), |options, one| options.arg(one));
    serve_folder(folder, &options, |server, record| test(&Site { folder, server, record }))
}

impl Site<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The app's process, from an answer of it.
    fn pid(&self) -> Outcome<u32> {
        let response = self.server.get("/x")?;
        ensure!(response.status == 200, "{}", response.describe());
        response.pid().context("no pid")
    }

    fn until(&self, status: u16) -> Outcome<Response> {
        wait_for(&format!("status {status}"), SEEN, || {
            self.server.get("/x").ok().filter(|response| response.status == status)
        })
    }

    fn until_page(&self, page: &[u8]) -> Outcome {
        wait_for(&format!("the page {:?}", String::from_utf8_lossy(page)), SEEN, || {
            let response = self.server.get("/x").ok()?;
            (response.status == 503 && response.body == page).then_some(())
        })
    }

    fn remove(&self, name: &str) -> Outcome {
        fs::remove_file(self.path(name)).context(name)
    }
}

fn gone(pid: u32, limit: Duration) -> Outcome {
    wait_for("the app's end", limit, || process::living(pid).is_none().then_some(()))
}

fn there_before() -> Outcome {
    let folder = Puppet::new().folder()?;
    folder.write(NAME, PAGE)?;
    over(&folder, &[], |site| {
        for _ in 0..3 {
            let response = site.server.get("/x")?;
            ensure!(response.status == 503 && response.body == PAGE.as_bytes(), "{}", response.describe());
        }
        ensure!(site.record.starts().is_empty(), "the app was started: {}", site.record.describe());
        site.server.wait_output("[2004]", SEEN)?;
        site.remove(NAME)?;
        site.until(200)?;
        Ok(())
    })
}

fn always_running() -> Outcome {
    let folder = Puppet::new().folder()?;
    folder.write(NAME, PAGE)?;
    over(&folder, &["--always-running"], |site| {
        pause(1000);
        ensure!(site.record.starts().is_empty(), "the app was started: {}", site.record.describe());
        site.remove(NAME)?;
        wait_for("a start", SEEN, || (!site.record.starts().is_empty()).then_some(()))
    })
}

fn broken() -> Outcome {
    site(&Puppet::new().variable("PUPPET_EXIT", "3"), &[], |site| {
        let response = site.server.get("/x")?;
        ensure!(response.status == 502, "{}", response.describe());
        site.folder.write(NAME, PAGE)?;
        site.until_page(PAGE.as_bytes())?;
        site.remove(NAME)?;
        site.until(502)?;
        Ok(())
    })
}

fn answer(site: &Site<'_>) -> Outcome {
    site.pid()?;
    site.folder.write(NAME, PAGE)?;
    site.until_page(PAGE.as_bytes())?;
    let mut client = site.server.client()?;
    for accept in ["text/html", "application/json"] {
        let response = client.get_with("/x", &format!("Accept: {accept}\r\n"))?;
        ensure!(response.status == 503 && response.body == PAGE.as_bytes(), "{}", response.describe());
        ensure!(response.all("Content-Type").eq(["text/html"]), "{}", response.describe());
        ensure!(response.field("Retry-After").is_none() && !response.closes(), "{}", response.describe());
    }
    client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let head = client.response_to("HEAD")?;
    let length = PAGE.len().to_string();
    ensure!(head.status == 503 && head.field("Content-Length") == Some(&length), "{}", head.describe());
    ensure!(client.get("/x")?.status == 503, "the connection is not where it should be behind a HEAD");
    Ok(())
}

fn drain(site: &Site<'_>) -> Outcome {
    let pid = site.pid()?;
    let mut client = site.server.client()?;
    let late = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let orders = format!("await:{};raw:{late}", process::text(&site.path("go")));
    client.send(format!("GET /slow HTTP/1.1\r\nHost: a\r\nX-Puppet: {orders}\r\n\r\n"))?;
    site.record.wait_request("/slow", SEEN)?;
    site.folder.write(NAME, PAGE)?;
    site.until_page(PAGE.as_bytes())?;
    pause(500);
    ensure!(process::living(pid).is_some(), "the process ended under a request");
    site.folder.write("go", "")?;
    let response = client.response()?;
    ensure!(response.status == 200 && response.body == b"ok", "{}", response.describe());
    gone(pid, SEEN)?;
    site.server.wait_output("was recycled after detecting app_offline.htm.", SEEN)
}

fn back(site: &Site<'_>) -> Outcome {
    let mut known = vec![site.pid()?];
    for _ in 0..3 {
        site.folder.write(NAME, PAGE)?;
        gone(*known.last().context("a pid")?, SEEN)?;
        let response = site.server.get("/x")?;
        ensure!(response.status == 503, "{}", response.describe());
        let starts = site.record.starts().len();
        site.remove(NAME)?;
        pause(600);
        ensure!(site.record.starts().len() == starts, "it was started although nobody asked");
        let pid = site.until(200)?.pid().context("no pid")?;
        ensure!(!known.contains(&pid), "process {pid} answered again");
        known.push(pid);
    }
    Ok(())
}

fn waiting(_: &Site<'_>) -> Outcome {
    site(&Puppet::new().variable("PUPPET_START_DELAY", "20000"), &[], |site| {
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = site.server.client()?;
            client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")?;
            clients.push(client);
        }
        wait_for("the start", SEEN, || (!site.record.starts().is_empty()).then_some(()))?;
        let start = now();
        site.folder.write(NAME, PAGE)?;
        for client in &mut clients {
            let response = client.response()?;
            ensure!(response.status == 503, "{}", response.describe());
        }
        ensure!(start.elapsed() < SEEN, "answered after {:?}", start.elapsed());
        Ok(())
    })
}

fn cases(site: &Site<'_>) -> Outcome {
    for name in ["App_Offline.Htm", "APP_OFFLINE.HTM"] {
        let pid = site.pid()?;
        site.folder.write(name, PAGE)?;
        site.until_page(PAGE.as_bytes()).context(name)?;
        fs::rename(site.path(name), site.path("app_offline.htm.bak"))?;
        site.until(200).context(name)?;
        ensure!(site.pid()? != pid, "the process is the same");
        site.remove("app_offline.htm.bak")?;
    }
    Ok(())
}

fn below(site: &Site<'_>) -> Outcome {
    let pid = site.pid()?;
    fs::create_dir(site.path("wwwroot"))?;
    site.folder.write("wwwroot/app_offline.htm", PAGE)?;
    site.folder.write("app_offline.html", PAGE)?;
    pause(500);
    ensure!(site.pid()? == pid, "another process answers");
    Ok(())
}

fn changed(site: &Site<'_>) -> Outcome {
    for page in ["one", "two", "", "a longer one", "short"] {
        site.folder.write(NAME, page)?;
        site.until_page(page.as_bytes())?;
    }
    Ok(())
}

fn unreadable(site: &Site<'_>) -> Outcome {
    site.folder.write("page", PAGE)?;
    fs::set_permissions(site.path("page"), fs::Permissions::from_mode(0o000))?;
    fs::rename(site.path("page"), site.path(NAME))?;
    // The server runs as we do, and nothing is unreadable to root.
    let page = if rustix::process::geteuid().is_root() { PAGE } else { "" };
    site.until_page(page.as_bytes())
}

fn traps(site: &Site<'_>) -> Outcome {
    site.folder.write("secret", "do not show")?;
    let path = site.path(NAME);
    let fifo = || {
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).context("mkfifo")
    };
    let link = || symlink("secret", &path).context("symlink");
    let giant = || fs::File::create(&path).and_then(|file| file.set_len(10 << 30)).context("a sparse file");
    let makers: [(&str, &dyn Fn() -> Outcome); 3] = [("FIFO", &fifo), ("symlink", &link), ("giant", &giant)];
    site.pid()?;
    let before = process::resident(site.server.pid())?;
    for (what, make) in makers {
        make()?;
        let start = now();
        site.until_page(b"").context(what)?;
        pause(500);
        site.until_page(b"").context(what)?;
        ensure!(start.elapsed() < SEEN, "{what}: {:?}", start.elapsed());
        site.remove(NAME)?;
        site.until(200).context(what)?;
    }
    let after = process::resident(site.server.pid())?;
    ensure!(after < before + (8 << 20), "{before} bytes became {after}");
    Ok(())
}

/// A link to the current release is changed, as deployment tools do it.
fn replaced(_: &Site<'_>) -> Outcome {
    let folder = Puppet::new().folder()?;
    let current = folder.path().with_extension("current");
    symlink(folder.path(), &current)?;
    let outcome = serve_folder(&folder, &Options::new(&current), |server, record| {
        let site = Site { folder: &folder, server, record };
        site.pid()?;
        let next = Puppet::new().folder()?;
        fs::remove_file(&current)?;
        symlink(next.path(), &current)?;
        // The path is looked at every two seconds.
        pause(4500);
        next.write(NAME, PAGE)?;
        site.until_page(PAGE.as_bytes())
    });
    fs::remove_file(&current)?;
    outcome
}

fn load(site: &Site<'_>) -> Outcome {
    site.pid()?;
    let (done, served, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| -> Outcome {
                    let mut client = site.server.client()?;
                    while !done.load(Ordering::Relaxed) {
                        let response = client.get("/x")?;
                        match response.status {
                            200 => served.fetch_add(1, Ordering::Relaxed),
                            503 => refused.fetch_add(1, Ordering::Relaxed),
                            _ => e2e::fail!("{}", response.describe()),
                        };
                        ensure!(!response.closes(), "the connection ends: {}", response.describe());
                        pause(2);
                    }
                    Ok(())
                })
            })
            .collect();
        let cycles = (0..20).try_for_each(|_| {
            let (served_before, refused_before) =
                (served.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
            site.folder.write(NAME, PAGE)?;
            wait_for("refusals", SEEN, || (refused.load(Ordering::Relaxed) > refused_before).then_some(()))?;
            site.remove(NAME)?;
            wait_for("answers", SEEN, || (served.load(Ordering::Relaxed) > served_before + 20).then_some(()))
        });
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| e2e::Failure("a client panicked".to_owned()))??;
        }
        cycles
    })
}

fn websocket(site: &Site<'_>) -> Outcome {
    let mut client = site.server.client()?;
    client.send(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let response = client.final_head()?;
    ensure!(response.status == 101, "{}", response.describe());
    let (stream, early) = client.into_parts();
    stream.set_read_timeout(Some(seconds(10)))?;
    let mut socket = WebSocket::from_partially_read(stream, early, Role::Client, None);
    socket.send(Message::text("hello"))?;
    ensure!(socket.read()? == Message::text("hello"), "no echo");
    site.folder.write(NAME, PAGE)?;
    let Message::Close(Some(close)) = socket.read()? else { e2e::fail!("no close frame") };
    ensure!(close.code == CloseCode::Away, "{close:?}");
    site.until_page(PAGE.as_bytes())
}
