//! The long forms of promises that a few trials cannot show. `FALCONER_SOAK_TRIALS` says how many trials; without
//! it each runs a few, so that the everyday run proves that the experiment itself works.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::trials::{Launch, orphans, thieves, trials};
use e2e::{Context as _, Need, Options, Outcome, Server, Suite, ensure, find, process};

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
