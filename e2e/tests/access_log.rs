//! Promise: every request is one line that says what became of it, and the log never holds up a request.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Context as _, Options, Outcome, Puppet, Record, Server, Suite};
use e2e::{ensure, now, wait_for};
use rustix::process::Signal;
use serde_json::Value;

#[path = "access_log/behind.rs"]
mod behind;
#[path = "access_log/counted.rs"]
mod counted;
#[path = "access_log/ends.rs"]
mod ends;
#[path = "access_log/proxied.rs"]
mod proxied;

fn main() -> ExitCode {
    let suite = Suite::new()
        .test("what strangers send cannot leave its line", strangers)
        .test("a long path is cut", long_path)
        .test("the page's request id is the line's", request_id)
        .test("a log is appended to, and not for everybody", appended)
        .test("a log that cannot be opened is said before anything listens", unopened);
    let suite = ends::add(suite);
    let suite = proxied::add(behind::add(suite));
    counted::add(suite).run()
}

/// A server's access log.
struct Log(PathBuf);

impl Log {
    /// Every whole line so far.
    fn lines(&self) -> Outcome<Vec<Value>> {
        let text = std::fs::read(&self.0).unwrap_or_default();
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        parsed(text.get(..whole).unwrap_or_default())
    }

    /// Waits until there are so many lines; more than that is wrong.
    fn wait(&self, count: usize) -> Outcome<Vec<Value>> {
        let enough = || self.lines().is_ok_and(|lines| lines.len() >= count).then_some(());
        let waited = wait_for(&format!("{count} lines"), seconds(5), enough);
        let lines = self.lines()?;
        waited.context(format!("{lines:?}"))?;
        ensure!(lines.len() == count, "{count} lines were expected: {lines:?}");
        Ok(lines)
    }

    /// The line about this path.
    fn about(&self, path: &str) -> Outcome<Value> {
        wait_for(&format!("a line about {path}"), seconds(5), || {
            self.lines().ok()?.into_iter().find(|line| line["path"] == path)
        })
    }
}

/// One JSON object per line, without a byte that a terminal could obey.
fn parsed(bytes: &[u8]) -> Outcome<Vec<Value>> {
    let text = std::str::from_utf8(bytes).context("not UTF-8")?;
    text.split_terminator('\n')
        .map(|line| {
            ensure!(!line.chars().any(char::is_control), "a control character in {line:?}");
            let value: Value = serde_json::from_str(line).context(line)?;
            ensure!(value.is_object(), "no object: {line}");
            Ok(value)
        })
        .collect()
}

/// A puppet behind a server with a log.
fn logged(
    puppet: &Puppet,
    arguments: &[&str],
    test: impl FnOnce(&mut Server, &Record, &Log) -> Outcome,
) -> Outcome {
    let folder = puppet.folder()?;
    let log = Log(folder.path().join("access.log"));
    let options = arguments.iter().fold(with_log(&folder, &log.0), |options, one| options.arg(one));
    serve_folder(&folder, &options, |server, record| test(server, record, &log))
}

fn with_log(folder: &Folder, log: &Path) -> Options {
    Options::new(folder.path()).arg("--access-log").arg(&log.to_string_lossy())
}

fn strangers() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        for byte in 1..=255_u8 {
            let mut client = server.client()?;
            // A line end would only ask for a body or begin another head.
            let byte = if byte == b'\n' { b'\t' } else { byte };
            client.offer([b"GET /a".as_slice(), &[byte, b'b'], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
            client.response().context(format!("byte {byte:#x}"))?;
        }
        let lines = log.wait(255)?;
        let served = lines.iter().filter(|line| line["status"] == 200).count();
        ensure!(served > 60, "only {served} were served");
        for line in &lines {
            let understood = line["path"].as_str().is_some_and(|path| path.starts_with("/a"));
            ensure!(understood || line["status"] == 400, "{line}");
        }
        Ok(())
    })
}

fn long_path() -> Outcome {
    logged(&Puppet::new(), &[], |server, _, log| {
        let path = format!("/{}", "x".repeat(3000));
        ensure!(server.get(&format!("{path}?token=secret"))?.status == 200, "not served");
        let line = log.wait(1)?.remove(0);
        ensure!(line["path"] == format!("{}…", &path[..2048]), "{line}");
        ensure!(!line.to_string().contains("secret"), "the query is in {line}");
        Ok(())
    })
}

fn request_id() -> Outcome {
    logged(&Puppet::new(), &["--path-base", "/shop"], |server, _, log| {
        let page = server.get("/elsewhere")?;
        ensure!(page.status == 404, "{}", page.describe());
        let line = log.wait(1)?.remove(0);
        let id = page.field("X-Request-Id").context("no X-Request-Id")?;
        ensure!(line["id"] == id && page.text().contains(id), "{line}, {}", page.describe());
        Ok(())
    })
}

fn appended() -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Puppet::new().folder()?;
    let log = Log(folder.path().join("access.log"));
    for round in 1..=2 {
        serve_folder(&folder, &with_log(&folder, &log.0), |server, _| {
            ensure!(server.get("/x")?.status == 200, "not served");
            server.stop(seconds(10))
        })?;
        ensure!(log.lines()?.len() == round, "the end of the server lost lines: {:?}", log.lines()?);
    }
    let mode = std::fs::metadata(&log.0)?.permissions().mode();
    ensure!(mode & 0o137 == 0, "its mode is {mode:o}");
    Ok(())
}

fn unopened() -> Outcome {
    let folder = Puppet::new().folder()?;
    for place in [folder.path().to_owned(), folder.path().join("nothing/access.log")] {
        let (status, output) = with_log(&folder, &place).run()?;
        ensure!(status.code() == Some(3), "{status}: {output}");
        ensure!(output.contains(&*place.to_string_lossy()) && !output.contains("istening"), "{output}");
    }
    Ok(())
}

/// Sends requests one after the other over one connection, and says how long that took.
fn hurry(server: &Server, count: usize, path: &str) -> Outcome<std::time::Duration> {
    let start = now();
    let mut client = server.client()?;
    for number in 0..count {
        let response = client.get(path).context(number)?;
        ensure!(response.status == 200, "{}", response.describe());
    }
    Ok(start.elapsed())
}

/// What the last line of sums says under this name.
fn sum(server: &Server, name: &str) -> Outcome<u64> {
    let output = server.output();
    let line = output.lines().rfind(|line| line.contains("Counted")).context("no sums")?;
    let value = line.split([' ', '"']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    Ok(value.context(format!("no {name} in {line}"))?.parse()?)
}

/// Asks for sums and waits for them.
fn count(server: &Server) -> Outcome {
    let told = || server.output().matches("Counted since").count();
    let before = told();
    server.signal(Signal::USR1)?;
    wait_for("the sums", seconds(10), || (told() > before).then_some(()))
}
