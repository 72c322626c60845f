//! The long forms of promises that a few trials cannot show. `FALCONER_SOAK_TRIALS` says how many trials; without
//! it each runs a few, so that the everyday run proves that the experiment itself works.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::trials::{Launch, orphans, thieves, trials};
use e2e::{Context as _, Need, Options, Outcome, Puppet, Server, Suite, ensure, find, process, wait_for};

#[path = "soak/speed.rs"]
mod speed;
#[path = "soak/transfer.rs"]
mod transfer;

use transfer::Transfer;

fn main() -> ExitCode {
    // One after the other: each of them loads the machine by itself.
    Suite::new()
        .threads(1)
        .needing("orphans: dotnet X.dll", &[Need::Dotnet], || orphans(Launch::Dotnet, trials(1), 0))
        .test("orphans: sh without exec", || orphans(Launch::Shell, trials(1), 0))
        .test("orphans: double fork with setsid", || orphans(Launch::Daemon, trials(1), 0))
        .test("orphans: after idling", || orphans(Launch::Plain, trials(1), idle()))
        .needing("orphans: dotnet X.dll after idling", &[Need::Dotnet], || {
            orphans(Launch::Dotnet, trials(1), idle())
        })
        .test("thief: IPv4", || thieves(kills(), false))
        .test("thief: IPv6", || thieves(kills(), true))
        .needing("upload by length", &[Need::Dotnet], || through_probe(Transfer::UploadByLength))
        .needing("upload in chunks", &[Need::Dotnet], || through_probe(Transfer::UploadInChunks))
        .needing("download", &[Need::Dotnet], || through_probe(Transfer::Download))
        .test("stdout flood", flood)
        .needing("speed", &[Need::ByName], speed::compare)
        .run()
}

/// How long the server idles before it is killed: keep-alive, polls and timers have all been through by then.
fn idle() -> u64 {
    if find::number("FALCONER_SOAK_TRIALS").is_some() { 30 } else { 2 }
}

/// Half of 200 for each family.
fn kills() -> u64 {
    if find::number("FALCONER_SOAK_TRIALS").is_some() { 100 } else { 3 }
}

/// 3 GiB, or 64 MiB in the short form.
fn bytes() -> u64 {
    if find::number("FALCONER_SOAK_TRIALS").is_some() { 3 << 30 } else { 64 << 20 }
}

/// 2 GiB of output with the token at both ends, or 20 MB in the short form: requests go on, memory stays, and the
/// token is in no log.
fn flood() -> Outcome {
    let bytes = if find::number("FALCONER_SOAK_TRIALS").is_some() { 2 << 30 } else { 20_000_000_u64 };
    let orders = format!("token;text:begin;flood:{bytes};token;text:all said");
    let folder = Puppet::new().logged().variable("PUPPET_PRINT", &orders).folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let before = process::resident(server.pid())?;
        // It prints before it listens.
        let environment = server.client()?.patience(seconds(110)).get("/env")?.text();
        let mut lines = environment.lines();
        let token = lines.find_map(|line| line.strip_prefix("ASPNETCORE_TOKEN=")).context("no token")?;
        let growth = process::resident(server.pid())?.saturating_sub(before);
        ensure!(growth < 16 * 1024 * 1024, "memory grew by {growth} bytes");
        let first = || Some(std::fs::read_dir(folder.path().join("logs")).ok()?.next()?.ok()?.path());
        let log = wait_for("the log", seconds(10), first)?;
        // What comes while the log is 1 MiB behind is dropped, the last words too; then a line says so.
        let end = |text: &str| text.contains("all said") || text.contains("of output dropped");
        wait_for("the end of the flood", seconds(60), || end(&tail(&log)).then_some(()))?;
        let half = &token[..32];
        ensure!(!tail(&log).contains(half) && !server.output().contains(half), "the token was told");
        Ok(())
    })
}

/// The last of a file that may be large.
fn tail(path: &std::path::Path) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut text = Vec::new();
    let read = std::fs::File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4096)))?;
        file.read_to_end(&mut text)
    });
    read.map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

fn through_probe(transfer: Transfer) -> Outcome {
    let folder = Folder::app("probe")?;
    folder.replace(
        "web.config",
        "</system.webServer>",
        "<security><requestFiltering><requestLimits maxAllowedContentLength=\"4294967295\" \
         /></requestFiltering></security></system.webServer>",
    )?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| measured(server, transfer))
}

fn measured(server: &Server, transfer: Transfer) -> Outcome {
    server.get("/probe")?;
    let before = process::resident(server.pid())?;
    let address = server.address();
    let running = std::thread::spawn(move || transfer.run(address, bytes()));
    let mut most = before;
    while !running.is_finished() {
        most = most.max(process::resident(server.pid())?);
        std::thread::sleep(seconds(1) / 20);
    }
    running.join().ok().context("the transfer panicked")??;
    let growth = most.saturating_sub(before);
    ensure!(growth < 8 * 1024 * 1024, "memory grew by {growth} bytes from {before}");
    Ok(())
}
