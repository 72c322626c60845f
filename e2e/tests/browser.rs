//! Promise: what browsers keep open works through the front: a SignalR hub over each of its transports, server-sent
//! events, a Blazor circuit; with Microsoft's own JavaScript clients, in a real browser.

use std::process::ExitCode;

use e2e::browser::{Browser, Page};
use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Need, Options, Outcome, Server, Suite, ensure, process, wait_for};
use serde_json::Value;

const NEEDS: &[Need] = &[Need::Browser, Need::Dotnet];

fn main() -> ExitCode {
    // A browser is a dozen processes.
    Suite::new()
        .threads(2)
        .needing("a SignalR hub over WebSockets", NEEDS, || hub("ws", ""))
        .needing("a SignalR hub over server-sent events", NEEDS, || hub("sse", ""))
        .needing("a SignalR hub over long polling", NEEDS, || hub("poll", ""))
        .needing("a SignalR hub negotiates WebSockets below a path base", NEEDS, || hub("", "/base"))
        .needing("a Blazor circuit counts clicks", NEEDS, circuit)
        .needing("a SignalR hub is found again when the app is replaced", NEEDS, hub_replaced)
        .needing("a hub's event stream does not hold up a recycle", NEEDS, events_end)
        .needing("a Blazor page counts on when the app is replaced", NEEDS, circuit_replaced)
        .run()
}

/// A sample app in front of a browser.
struct Stage {
    folder: Folder,
    log: Folder,
}

impl Stage {
    fn of(app: &str) -> Outcome<Self> {
        Ok(Self { folder: Folder::app(app)?, log: Folder::empty()? })
    }

    fn play(&self, arguments: &[&str], play: impl FnOnce(&Server, &mut Browser) -> Outcome) -> Outcome {
        let log = process::text(&self.log.path().join("access.log"));
        let mut options = Options::new(self.folder.path()).dotnet()?.arg("--access-log").arg(&log);
        options = arguments.iter().fold(options, |options, one| options.arg(one));
        let mut browser = Browser::start()?;
        serve_folder(&self.folder, &options, |server, _| play(server, &mut browser))
    }

    /// Requests that ended, by method, path and status.
    fn requests(&self) -> Vec<(String, String, u64)> {
        let text = std::fs::read_to_string(self.log.path().join("access.log")).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let record: Value = serde_json::from_str(line).ok()?;
                let field = |name: &str| Some(record.get(name)?.as_str()?.to_owned());
                Some((field("method")?, field("path")?, record.get("status")?.as_u64()?))
            })
            .collect()
    }

    /// Waits until so many such requests have ended.
    fn ended(&self, count: usize, method: &str, path: &str, status: u64) -> Outcome {
        let wanted = (method.to_owned(), path.to_owned(), status);
        let outcome = wait_for(&format!("{count} × {wanted:?}"), seconds(20), || {
            (self.requests().iter().filter(|one| **one == wanted).count() >= count).then_some(())
        });
        outcome.context(format!("{:?}", self.requests()))
    }
}

/// Two pages on one hub: what one says both hear, and the front saw the transport that was wanted.
fn hub(transport: &str, base: &str) -> Outcome {
    let stage = Stage::of("signalr")?;
    let arguments = if base.is_empty() { Vec::new() } else { vec!["--path-base", base] };
    stage.play(&arguments, |server, browser| {
        let root = format!("http://{}{base}", server.address());
        let address = match transport {
            "" => format!("{root}/"),
            _ => format!("{root}/?transport={transport}"),
        };
        let (speaker, listener) = (browser.open(&address)?, browser.open(&address)?);
        for page in [&speaker, &listener] {
            connected(browser, page)?;
            let seen = browser.wait(page, "what the hub saw", "$('where').textContent")?;
            // Long polls and events carry their request on; a WebSocket and its negotiation have the same path.
            ensure!(seen == format!("{root}/chat from 127.0.0.1"), "the hub saw {seen}");
        }
        for word in ["first", "second", "third"] {
            say(browser, &speaker, word)?;
            for page in [&speaker, &listener] {
                heard(browser, page, word)?;
            }
        }
        let counted = browser.evaluate(&listener, COUNT)?;
        ensure!(counted == "1,2,3,4,5", "the hub's stream brought {counted}");
        browser.wait(&listener, "three server-sent events", "Number($('sse').textContent) >= 3")?;
        for page in [speaker, listener] {
            browser.close(page)?;
        }
        let chat = format!("{base}/chat");
        stage.ended(2, "POST", &format!("{base}/chat/negotiate"), 200)?;
        match transport {
            "sse" => stage.ended(2, "GET", &chat, 200)?,
            // The first poll of a page connects it, each later one brings something.
            "poll" => stage.ended(8, "GET", &chat, 200)?,
            _ => stage.ended(2, "GET", &chat, 101)?,
        }
        let tunnels = stage.requests().iter().filter(|(.., status)| *status == 101).count();
        ensure!((tunnels > 0) == matches!(transport, "" | "ws"), "{:?}", stage.requests());
        let posts =
            stage.requests().iter().filter(|(method, path, _)| method == "POST" && *path == chat).count();
        ensure!((posts > 0) == matches!(transport, "sse" | "poll"), "{:?}", stage.requests());
        Ok(())
    })
}

const COUNT: &str = "new Promise((done, failed) => { const all = []; hub.stream('Count', 5, 50).subscribe({ \
                     next: (n) => all.push(n), complete: () => done(all.join()), error: failed }); })";

fn connected(browser: &mut Browser, page: &Page) -> Outcome {
    browser.wait(page, "the hub", "$('state').textContent === 'connected'").map(drop)
}

fn say(browser: &mut Browser, page: &Page, word: &str) -> Outcome {
    let press = format!("$('text').value = '{word}'; document.querySelector('#form button').click(); true");
    browser.evaluate(page, &press).map(drop)
}

fn heard(browser: &mut Browser, page: &Page, word: &str) -> Outcome {
    let shown =
        format!("[...document.querySelectorAll('#said li')].some((one) => one.textContent === 'me: {word}')");
    browser.wait(page, &format!("{word:?} on the page"), &shown).map(drop)
}

/// The page comes ready made; only its circuit makes the button count.
fn circuit() -> Outcome {
    let stage = Stage::of("blazor")?;
    stage.play(&[], |server, browser| {
        let page = browser.open(&format!("http://{}/counter", server.address()))?;
        browser.wait(&page, "the first click that counts", CLICKED)?;
        let before = count(browser, &page)?;
        for more in 1..=3 {
            browser.evaluate(&page, "document.querySelector('button.btn').click(); true")?;
            let shown = format!("document.body.innerText.includes('Current count: {}')", before + more);
            browser.wait(&page, &format!("click {more}"), &shown)?;
        }
        browser.close(page)?;
        stage.ended(1, "GET", "/_blazor", 101)
    })
}

const SHOWN: &str = "Number(/Current count: ([0-9]+)/.exec(document.body.innerText)[1])";
/// Clicks before the circuit stands are lost. The next one waits for the last one, lest many be under way at once.
const CLICKED: &str = "if (!(Date.now() - window.clicked < 3000)) { \
                       window.clicked = Date.now(); document.querySelector('button.btn').click(); } \
                       /Current count: [1-9]/.test(document.body.innerText)";

/// What the counter shows, once clicks that are still on their way have arrived.
fn count(browser: &mut Browser, page: &Page) -> Outcome<i64> {
    let mut last = -1;
    wait_for("a counter that rests", seconds(20), || {
        let now = browser.evaluate(page, SHOWN).ok()?.as_i64()?;
        let rests = now == last;
        last = now;
        e2e::pause(200);
        rests.then_some(now)
    })
}

/// Has the app replaced, and waits until its first process is gone.
fn replace(server: &Server, folder: &Folder) -> Outcome {
    let first = starts(server).last().copied().context("no start")?;
    let config = std::fs::read(folder.path().join("web.config"))?;
    folder.write("web.config", config)?;
    wait_for("another process", seconds(60), || (*starts(server).last()? != first).then_some(()))?;
    wait_for("the end of the first", seconds(60), || process::living(first).is_none().then_some(()))
}

/// The processes that were started, as the event lines tell.
fn starts(server: &Server) -> Vec<u32> {
    let output = server.output();
    let lines = output.lines().filter(|line| line.contains("[1001]"));
    lines.filter_map(|line| line.split('\'').nth(3)?.parse().ok()).collect()
}

/// Over each transport: the client notices the end, and connects to the process that is there now.
fn hub_replaced() -> Outcome {
    let stage = Stage::of("signalr")?;
    stage.play(&["--drain-timeout", "1"], |server, browser| {
        let mut pages = Vec::new();
        for transport in ["ws", "sse", "poll"] {
            let page = browser.open(&format!("http://{}/?transport={transport}", server.address()))?;
            connected(browser, &page)?;
            let before = browser.evaluate(&page, "hub.connectionId")?;
            pages.push((transport, page, before));
        }
        replace(server, &stage.folder)?;
        for (transport, page, before) in &pages {
            let other = format!("hub.state === 'Connected' && hub.connectionId !== {before}");
            browser.wait(page, &format!("another connection over {transport}"), &other)?;
        }
        for (number, (_, speaker, _)) in pages.iter().enumerate() {
            let word = format!("after {number}");
            say(browser, speaker, &word)?;
            for (_, page, _) in &pages {
                heard(browser, page, &word)?;
            }
        }
        Ok(())
    })
}

/// SignalR's stream ends between two events: its page is at the next process long before the drain is over, and nothing
/// that it sends meets a process that does not know it.
fn events_end() -> Outcome {
    let stage = Stage::of("signalr")?;
    stage.play(&["--drain-timeout", "600"], |server, browser| {
        let page = browser.open(&format!("http://{}/?transport=sse", server.address()))?;
        connected(browser, &page)?;
        let before = browser.evaluate(&page, "hub.connectionId")?;
        replace(server, &stage.folder)?;
        let other = format!("hub.state === 'Connected' && hub.connectionId !== {before}");
        browser.wait(&page, "another connection", &other)?;
        say(browser, &page, "after")?;
        heard(browser, &page, "after")
    })
}

/// A circuit lives in one process; its page asks the next one, and goes on by itself.
fn circuit_replaced() -> Outcome {
    let stage = Stage::of("blazor")?;
    stage.play(&["--drain-timeout", "1"], |server, browser| {
        let page = browser.open(&format!("http://{}/counter", server.address()))?;
        browser.wait(&page, "the first click that counts", CLICKED)?;
        replace(server, &stage.folder)?;
        let before = count(browser, &page)?;
        let counts =
            format!("document.querySelector('button.btn').click(); {SHOWN} > 0 && {SHOWN} !== {before}");
        browser.wait(&page, "a click that counts afterwards", &counts)?;
        Ok(())
    })
}
