//! `falconer demo`: every button does what it says, and nothing of the demo is left when it ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use e2e::clock::seconds;
use e2e::{Client, Context, Outcome, Response, Suite, client, ensure, find, now, process, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

const PRESSED: &str = "X-Demo-Button: 1\r\n";
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn main() -> ExitCode {
    Suite::new()
        .test("the page is whole, and needs nothing from elsewhere", page)
        .test("the page shows who started whom", || demo(who))
        .test("the page shows what came with the request", || demo(facts))
        .test("crash: the next request starts another process", || demo(crash))
        .test("slow: answers are late until told otherwise", || demo(slow))
        .test("stop: nothing runs until the next request", || demo(stop))
        .test("offline: visitors get the file, until the demo removes it", || demo(offline))
        .test("WebSocket: says back what was said, and closes with the app", || demo(socket))
        .test("no other page can press a button", || demo(foreign))
        .test("Ctrl-C ends it soon, and leaves nothing", end)
        .test("the sample app runs for nobody but its server", alone)
        .run()
}

/// A running demo; killed on drop.
struct Demo {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Demo {
    fn start() -> Outcome<Self> {
        let mut command = process::command(&find::falconer()?);
        command.args(["demo", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("falconer demo")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let (mut folder, mut address) = (None, None);
        while address.is_none() {
            let line = lines.next().context("the demo ended early")??;
            folder = folder
                .or_else(|| Some(PathBuf::from(line.split("publish folder is ").nth(1)?.split(':').next()?)));
            address = line.split("Listening on http://").nth(1).map(str::parse).transpose()?;
        }
        // Nobody else reads what it prints.
        std::thread::spawn(move || lines.for_each(drop));
        let (folder, address) = (folder.context("no folder named")?, address.context("no address")?);
        Ok(Self { child, address, folder })
    }

    fn get(&self, path: &str) -> Outcome<Response> {
        client::get(self.address, path)
    }

    fn press(&self, button: &str, body: &str) -> Outcome<Response> {
        self.post(button, PRESSED, body)
    }

    fn post(&self, button: &str, lines: &str, body: &str) -> Outcome<Response> {
        let mut client = Client::connect(self.address)?;
        let length = body.len();
        client.send(format!(
            "POST /{button} HTTP/1.1\r\nHost: demo\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
        ))?;
        client.response().context(button)
    }

    fn state(&self) -> Outcome<Value> {
        let response = self.get("/state")?;
        ensure!(response.status == 200, "{}", response.describe());
        Ok(serde_json::from_slice(&response.body)?)
    }

    fn pid(&self) -> Outcome<u32> {
        pid(&self.state()?, "app")
    }

    fn wait(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        let child = &mut self.child;
        wait_for("the demo's end", limit, || child.try_wait().ok().flatten())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself. Killed, it cannot remove its folder.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn demo(check: fn(&Demo) -> Outcome) -> Outcome {
    check(&Demo::start()?)
}

fn gone(pid: u32) -> Outcome {
    wait_for("the app's end", seconds(10), || process::living(pid).is_none().then_some(()))
}

fn pid(state: &Value, whose: &str) -> Outcome<u32> {
    Ok(u32::try_from(state[whose]["pid"].as_u64().context(format!("no pid of {whose} in {state}"))?)?)
}

fn page() -> Outcome {
    let demo = Demo::start()?;
    let response = demo.get("/")?;
    ensure!(response.status == 200, "{}", response.describe());
    let text = response.text();
    ensure!(text.contains("Crash it") && text.trim_end().ends_with("</html>"), "the page is not whole");
    // The name of SVG is a name, not an address.
    let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
    ensure!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "the page names other places");
    let policy = response.field("Content-Security-Policy").context("no policy")?;
    ensure!(policy.starts_with("default-src 'none'"), "{policy}");
    Ok(())
}

fn who(demo: &Demo) -> Outcome {
    let state = demo.state()?;
    let (falconer, keeper, app) = (pid(&state, "falconer")?, pid(&state, "keeper")?, pid(&state, "app")?);
    ensure!(falconer == demo.child.id(), "the server is {}, the page says {state}", demo.child.id());
    let parent = |pid| process::stat(pid).map(|stat| stat.parent);
    ensure!(parent(app) == Some(keeper) && parent(keeper) == Some(falconer), "another family than {state}");
    ensure!(state["app"]["starts"] == 1, "{state}");
    ensure!(state["web_config"].as_str().is_some_and(|text| text.contains("__demo-app")), "{state}");
    Ok(())
}

fn facts(demo: &Demo) -> Outcome {
    let mut client = Client::connect(demo.address)?;
    let own = client.own_address()?.to_string();
    let response = client.get_with("/state", "X-Forwarded-For: 203.0.113.9\r\n")?;
    let state: Value = serde_json::from_slice(&response.body)?;
    let request = &state["request"];
    ensure!(request["client"] == own.as_str(), "{own} asked, the page says {request}");
    ensure!(request["scheme"] == "http" && request["host"] == "shop.example", "{request}");
    Ok(())
}

fn crash(demo: &Demo) -> Outcome {
    let before = demo.pid()?;
    for round in 2..5 {
        let old = demo.pid()?;
        let response = demo.press("crash", "")?;
        ensure!(response.status == 502, "{}", response.describe());
        let state = demo.state()?;
        ensure!(pid(&state, "app")? != old && state["app"]["starts"] == round, "{state}");
        gone(old)?;
    }
    let state = demo.state()?;
    let first = &state["lives"][0];
    ensure!(first["pid"] == before && first["told"] == "crash", "{state}");
    Ok(())
}

fn slow(demo: &Demo) -> Outcome {
    let before = demo.pid()?;
    ensure!(demo.press("slow", "2500")?.status == 204, "not accepted");
    let start = now();
    ensure!(demo.state()?["app"]["delay"] == 2500, "not told");
    ensure!(start.elapsed() >= Duration::from_millis(2500), "it is not slow: {:?}", start.elapsed());
    ensure!(demo.press("slow", "0")?.status == 204, "not accepted");
    let start = now();
    ensure!(demo.pid()? == before, "another process");
    ensure!(start.elapsed() < seconds(2), "it is still slow: {:?}", start.elapsed());
    for wrong in ["", "x", "-1", "10001"] {
        ensure!(demo.press("slow", wrong)?.status == 400, "{wrong:?} was taken");
    }
    Ok(())
}

fn stop(demo: &Demo) -> Outcome {
    let before = demo.pid()?;
    ensure!(demo.press("stop", "")?.status == 202, "not accepted");
    gone(before)?;
    wait_for("no process", seconds(10), || process::descendants(demo.child.id()).is_empty().then_some(()))?;
    e2e::pause(1500);
    ensure!(process::descendants(demo.child.id()).is_empty(), "started without a request");
    let state = demo.state()?;
    ensure!(pid(&state, "app")? != before && state["lives"][0]["told"] == "stop", "{state}");
    Ok(())
}

fn offline(demo: &Demo) -> Outcome {
    let before = demo.pid()?;
    let start = now();
    ensure!(demo.press("offline", "")?.status == 202, "not accepted");
    let page = wait_for("the page", seconds(5), || {
        demo.get("/state").ok().filter(|response| response.status == 503)
    })?;
    ensure!(page.text().contains("app_offline.htm"), "{}", page.describe());
    gone(before)?;
    let after = wait_for("the app's return", seconds(20), || demo.pid().ok())?;
    ensure!(start.elapsed() > seconds(4), "it came back after {:?}", start.elapsed());
    let state = demo.state()?;
    ensure!(after != before && state["lives"][0]["told"] == "offline", "{state}");
    Ok(())
}

fn socket(demo: &Demo) -> Outcome {
    let app = demo.pid()?;
    let mut client = Client::connect(demo.address)?;
    client.send(format!("GET /echo HTTP/1.1\r\nHost: demo\r\n{HANDSHAKE}\r\n"))?;
    let response = client.final_head()?;
    ensure!(response.status == 101, "{}", response.describe());
    let (stream, early) = client.into_parts();
    stream.set_read_timeout(Some(seconds(10)))?;
    let mut socket = WebSocket::from_partially_read(stream, early, Role::Client, None);
    socket.send(Message::text("Hello"))?;
    let back = socket.read()?;
    ensure!(back == Message::text(format!("Hello (from process {app})")), "{back:?}");
    demo.press("crash", "")?;
    ensure!(!matches!(socket.read(), Ok(Message::Text(_))), "it goes on without its app");
    Ok(())
}

fn foreign(demo: &Demo) -> Outcome {
    let before = demo.pid()?;
    for button in ["crash", "stop", "slow", "offline"] {
        let response = demo.post(button, "Origin: http://evil.example\r\n", "5")?;
        ensure!(response.status == 403, "{button}: {}", response.describe());
        let mut client = Client::connect(demo.address)?;
        ensure!(client.get_with(&format!("/{button}"), PRESSED)?.status == 405, "{button} by GET");
    }
    let mut asking = Client::connect(demo.address)?;
    let question = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\
                    Access-Control-Request-Headers: x-demo-button\r\n";
    asking.send(format!("OPTIONS /crash HTTP/1.1\r\nHost: demo\r\n{question}\r\n"))?;
    let response = asking.response()?;
    ensure!(response.field("Access-Control-Allow-Origin").is_none(), "{}", response.describe());
    ensure!(demo.pid()? == before, "another process");
    Ok(())
}

fn end() -> Outcome {
    let mut demo = Demo::start()?;
    let app = demo.pid()?;
    let mut client = Client::connect(demo.address)?;
    client.send(format!("GET /echo HTTP/1.1\r\nHost: demo\r\n{HANDSHAKE}\r\n"))?;
    ensure!(client.final_head()?.status == 101, "no WebSocket");
    ensure!(demo.folder.join("web.config").is_file(), "{} is no folder of ours", demo.folder.display());
    process::signal(demo.child.id(), Signal::INT)?;
    let status = demo.wait(seconds(10))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    ensure!(process::living(app).is_none(), "the app still runs");
    ensure!(!demo.folder.exists(), "{} is left", demo.folder.display());
    Ok(())
}

fn alone() -> Outcome {
    let output =
        process::command(&find::falconer()?).arg("__demo-app").current_dir(Path::new("/")).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && said.contains("falconer demo"), "{}: {said}", output.status);
    Ok(())
}
