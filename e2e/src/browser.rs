//! A headless Chromium, driven over its DevTools protocol: opens pages, runs JavaScript in them, reads what they show.
//!
//! It gets a profile of its own and finds no host but this machine.

use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::clock::{seconds, wait_for};
use crate::find;
use crate::outcome::{Context, Failure, Outcome};
use crate::process;
use crate::temp::TempDir;

/// How long the browser may take to start, and to answer one command: the machine is busy.
const PATIENCE: Duration = seconds(60);

const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-port=0",
    // Its sandbox needs more than a container gives; it opens our own pages only.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/// A running browser; it ends with this value.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    socket: WebSocket<TcpStream>,
    next: u64,
    /// Goes last.
    _profile: TempDir,
}

impl Browser {
    /// Starts one.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn start() -> Outcome<Self> {
        let profile = TempDir::new()?;
        let mut command = process::command(&find::browser().context("there is no Chromium")?);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.env("HOME", profile.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().context("the browser")?;
        match connect(&mut child, profile.path()) {
            Ok(socket) => Ok(Self { child, socket, next: 0, _profile: profile }),
            Err(failure) => {
                end(&mut child);
                Err(failure)
            }
        }
    }

    /// Opens an address in a tab of its own, and does not wait until it is loaded.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn open(&mut self, address: &str) -> Outcome<Page> {
        let target = self.call(None, "Target.createTarget", &json!({ "url": address }))?;
        let target = target.get("targetId").cloned().context("no target")?;
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = self.call(None, "Target.attachToTarget", &attach)?;
        let session = attached.get("sessionId").and_then(Value::as_str).context("no session")?;
        Ok(Page(session.to_owned()))
    }

    /// The value of a JavaScript expression in a page; a promise is awaited.
    ///
    /// # Errors
    /// When it throws, with its text.
    pub fn evaluate(&mut self, page: &Page, expression: &str) -> Outcome<Value> {
        let order = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true,
        });
        let answer = self.call(Some(&page.0), "Runtime.evaluate", &order)?;
        if let Some(exception) = answer.get("exceptionDetails") {
            crate::fail!("{expression}: {exception}");
        }
        Ok(answer.pointer("/result/value").cloned().unwrap_or(Value::Null))
    }

    /// Looks until an expression is neither false, null, empty nor an exception, and gives its value.
    ///
    /// # Errors
    /// When it stays so; `what` names it, and the page's text is shown.
    pub fn wait(&mut self, page: &Page, what: &str, expression: &str) -> Outcome<Value> {
        let found = wait_for(what, PATIENCE, || {
            // The page may be on its way to another.
            let value = self.evaluate(page, expression).ok()?;
            let empty = matches!(&value, Value::Null | Value::Bool(false)) || value == json!("");
            (!empty).then_some(value)
        });
        found.map_err(|Failure(why)| {
            let shown = self.evaluate(page, "document.body.innerText").unwrap_or_default();
            Failure(format!("{why}; the page shows {shown}"))
        })
    }

    /// Closes a tab, and with it every connection that it holds.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn close(&mut self, page: Page) -> Outcome {
        // The tab is gone before the answer could come through its own session.
        let number = self.send(Some(&page.0), "Page.close", &json!({}))?;
        drop(page);
        self.answer(number).map(drop)
    }

    fn call(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Outcome<Value> {
        let number = self.send(session, method, parameters)?;
        self.answer(number).context(method)
    }

    fn send(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Outcome<u64> {
        self.next += 1;
        let mut order = json!({ "id": self.next, "method": method, "params": parameters });
        if let (Some(session), Some(order)) = (session, order.as_object_mut()) {
            order.insert("sessionId".to_owned(), json!(session));
        }
        self.socket.send(Message::text(order.to_string()))?;
        Ok(self.next)
    }

    /// The answer to that command; events in between are of no interest.
    fn answer(&mut self, number: u64) -> Outcome<Value> {
        loop {
            let Message::Text(text) = self.socket.read().context("the browser's answer")? else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            if message.get("id").and_then(Value::as_u64) != Some(number) {
                continue;
            }
            if let Some(error) = message.get("error") {
                crate::fail!("{error}");
            }
            return Ok(message.get_mut("result").map(Value::take).unwrap_or_default());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A tab.
#[derive(Debug)]
pub struct Page(String);

/// The browser writes where it listens into its profile.
fn connect(child: &mut Child, profile: &Path) -> Outcome<WebSocket<TcpStream>> {
    let place = wait_for("the browser's port", PATIENCE, || {
        let text = std::fs::read_to_string(profile.join("DevToolsActivePort")).ok();
        let place = text
            .as_deref()
            .and_then(|text| text.split_once('\n'))
            .map(|(port, path)| (port.to_owned(), path.trim().to_owned()));
        match place {
            Some((port, path)) if !path.is_empty() => Some(Ok((port, path))),
            _ => child.try_wait().ok().flatten().map(Err),
        }
    })?;
    let (port, path) = match place {
        Ok(place) => place,
        Err(status) => crate::fail!("the browser ended with {status}"),
    };
    let stream = TcpStream::connect(("127.0.0.1", port.parse()?)).context("the browser's port")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let address = format!("ws://127.0.0.1:{port}{path}");
    let (socket, _) = tungstenite::client(address, stream).map_err(|error| Failure(error.to_string()))?;
    Ok(socket)
}

/// It and its helpers are one process group.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}
