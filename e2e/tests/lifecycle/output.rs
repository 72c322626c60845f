//! What the app prints: logged whole, never with its token, and never a reason for the app to wait.

use std::os::unix::fs::MetadataExt as _;

use super::*;

/// What may stand where the token stood: anything without its digits.
const TOKEN: usize = 64;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("the token is masked at every offset of a read", || masked("swept:0:200;token", 201))
        .test("the token is masked around the edges of large reads", || {
            masked("flood:65000;swept:400:700", 300)
        })
        .test("the token is masked when it comes in two writes", || masked("split", TOKEN - 1))
        .test("the log is a new file of its own, for its owner alone", log_file)
        .test("both outputs go into one log, in order", log_text)
        .test("a link in the log's place is not followed", link)
        .test("a flood of output holds nobody up", flood)
        .test("no log unless it is enabled", no_log)
}

/// The app's log, once it holds that many lines with a token's place.
fn log_of(folder: &e2e::Folder, enough: impl Fn(&str) -> bool) -> Outcome<(std::path::PathBuf, String)> {
    wait_for("the app's log", seconds(10), || folder.logs().into_iter().find(|(_, text)| enough(text)))
}

fn masked(orders: &str, count: usize) -> Outcome {
    let folder =
        Puppet::new().logged().variable("PUPPET_PRINT", &format!("{orders};text:all said")).folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let token = server.get("/env")?.text();
        let token =
            token.lines().find_map(|line| line.strip_prefix("ASPNETCORE_TOKEN=")).context("no token")?;
        let (_, text) = log_of(&folder, |text| text.contains("all said"))?;
        ensure!(!text.contains(token), "the token stands in the log");
        // Half of it would be as bad: 32 digits are enough to recognise, and far more than chance.
        let half = token.get(..32).context("a short token")?;
        let other = token.get(32..).context("a short token")?;
        ensure!(!text.contains(half) && !text.contains(other), "half of the token stands in the log");
        let masks = text.lines().filter(|line| line.contains("**")).count();
        ensure!(masks == count, "{masks} masks for {count} tokens:\n{text}");
        ensure!(!server.output().contains(half), "the token is told by the server");
        Ok(())
    })
}

fn log_file() -> Outcome {
    let folder = Puppet::new().logged().variable("PUPPET_PRINT", "text:hello").folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let pid = app(server)?;
        let (path, _) = log_of(&folder, |text| text.contains("hello"))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let words: Vec<&str> = name.trim_end_matches(".log").split('_').collect();
        let [prefix, time, number] = words.as_slice() else { e2e::fail!("the log's name is {name}") };
        ensure!(*prefix == "stdout" && name.ends_with(".log"), "{name}");
        ensure!(time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()), "no time in {name}");
        ensure!(*number == pid.to_string(), "{name} does not name process {pid}");
        let mode = std::fs::metadata(&path)?.mode() & 0o777;
        ensure!(mode == 0o600, "mode {mode:o}");
        process::signal(pid, Signal::KILL)?;
        app(server)?;
        wait_for("a second log", seconds(5), || (folder.logs().len() == 2).then_some(()))
    })
}

fn log_text() -> Outcome {
    let arguments = "-c \"echo one; echo two >&2; echo three; exec '{puppet}'\"";
    let folder = Puppet::new().logged().through("/bin/sh", arguments).folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        app(server)?;
        // They come over two pipes, of which one may be read a moment later.
        let words = ["one", "two", "three"];
        let (_, text) = log_of(&folder, |text| words.iter().all(|word| text.contains(word)))?;
        ensure!(text.find("one") < text.find("three"), "{text}");
        Ok(())
    })
}

fn link() -> Outcome {
    let folder = Puppet::new().logged().variable("PUPPET_PRINT", "text:hello").folder()?;
    let target = folder.write("victim/untouched", "as it was")?;
    std::fs::remove_dir(folder.path().join("logs"))?;
    std::os::unix::fs::symlink(folder.path().join("victim"), folder.path().join("logs"))?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        // The operator's own link to a folder may be followed or refused; the app is served either way.
        app(server)?;
        ensure!(std::fs::read_to_string(&target)? == "as it was", "a file was overwritten");
        Ok(())
    })
}

/// 50 MB of output during the start: it is dropped or written, but nobody waits.
fn flood() -> Outcome {
    let folder = Puppet::new().logged().variable("PUPPET_PRINT", "flood:50000000;text:all said").folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let before = process::resident(server.pid())?;
        ensure!(server.client()?.patience(seconds(90)).get("/x")?.status == 200, "no answer");
        let growth = process::resident(server.pid())?.saturating_sub(before);
        ensure!(growth < 16 * 1024 * 1024, "memory grew by {growth} bytes");
        Ok(())
    })
}

fn no_log() -> Outcome {
    let folder = Puppet::new().variable("PUPPET_PRINT", "text:hello").folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        app(server)?;
        e2e::pause(200);
        ensure!(folder.logs().is_empty(), "{:?}", folder.logs());
        Ok(())
    })
}
