//! A log that nobody takes: requests go on as if there were none, and what is missing is counted.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use e2e::clock::seconds;
use e2e::server::serve_folder;
use e2e::{Context as _, Outcome, Puppet, Server, Suite, ensure, now, process, wait_for};

use super::{count, hurry, parsed, sum, with_log};

/// Lines of about 2 KiB each: more than all queues hold.
const MANY: usize = 4000;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("a log that nobody reads holds up nothing, and tells later what it lost", unread)
        .test("a log that nobody ever reads does not hold up the end", never_read)
        .test("a full disk costs lines, not requests", full)
}

fn fifo(path: &Path) -> Outcome {
    let status = process::command(Path::new("mkfifo")).arg(path).status().context("mkfifo")?;
    ensure!(status.success(), "mkfifo ended with {status}");
    Ok(())
}

fn long() -> String {
    format!("/{}", "x".repeat(2000))
}

/// The same number of requests without a log, on this machine, now.
fn without(server: &Server) -> Outcome<Duration> {
    hurry(server, 500, &long())
}

fn unread() -> Outcome {
    let folder = Puppet::new().folder()?;
    let path = folder.path().join("pipe");
    fifo(&path)?;
    let options = with_log(&folder, &path).arg("--threads").arg("1");
    serve_folder(&folder, &options, |server, _| {
        hurry(server, MANY, &long())?;
        count(server)?;
        let lost = sum(server, "unlogged")?;
        ensure!(lost > 0 && sum(server, "requests")? == MANY as u64, "{lost} lines are missing");
        // Now somebody reads, from the first line that was kept to the one that tells of the others.
        let mut reader = std::fs::File::open(&path)?;
        let (mut bytes, mut block) = (Vec::new(), vec![0; 1 << 16]);
        let until = now() + seconds(10);
        while !bytes.ends_with(b"}\n") || !bytes.windows(10).any(|part| part == b"\"dropped\":") {
            ensure!(now() < until, "nothing tells of the lost lines");
            let read = reader.read(&mut block)?;
            bytes.extend_from_slice(block.get(..read).unwrap_or_default());
        }
        let lines = parsed(&bytes)?;
        let dropped: u64 = lines.iter().filter_map(|line| line["dropped"].as_u64()).sum();
        let whole = lines.iter().filter(|line| line["status"] == 200).count() as u64;
        ensure!(dropped == lost, "{dropped} lines were told of, {lost} are missing");
        ensure!(whole + dropped == MANY as u64, "{whole} lines and {dropped} lost of {MANY}");
        Ok(())
    })
}

fn never_read() -> Outcome {
    let folder = Puppet::new().folder()?;
    let path = folder.path().join("pipe");
    fifo(&path)?;
    serve_folder(&folder, &with_log(&folder, &path), |server, _| {
        hurry(server, 10, "/x")?;
        let start = now();
        server.stop(seconds(10))?;
        ensure!(start.elapsed() < seconds(8), "the end took {:?}", start.elapsed());
        ensure!(server.output().contains("[2106]"), "nobody told that lines are missing");
        Ok(())
    })
}

/// `/dev/full` is a disk without room.
fn full() -> Outcome {
    let folder = Puppet::new().folder()?;
    let plain = e2e::Options::new(folder.path());
    let mut usual = Duration::ZERO;
    serve_folder(&folder, &plain, |server, _| {
        usual = without(server)?;
        Ok(())
    })?;
    serve_folder(&folder, &with_log(&folder, Path::new("/dev/full")), |server, _| {
        let took = without(server)?;
        // Waits for the log, one in each request, would come to more than what a busy machine takes.
        ensure!(took < usual * 4 + seconds(5), "{took:?} for what takes {usual:?} without a log");
        wait_for("every line to be lost", seconds(10), || {
            count(server).ok()?;
            (sum(server, "unlogged").ok()? == 500).then_some(())
        })?;
        server.wait_output("[2106]", seconds(10))?;
        let told = server.output().matches("[2106]").count();
        ensure!(told == 1, "it was told {told} times");
        server.stop(seconds(10))
    })
}
