//! What people who run IIS complain about: docs/from-iis.md says what becomes of it here, and each line there has its
//! trials. Those that no other suite has stand here.

use std::collections::BTreeMap;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::puppet::hex;
use e2e::server::{serve, serve_folder};
use e2e::{
    Context as _, End, Need, Options, Outcome, Puppet, Record, Server, Suite, ensure, find, named, now,
    process, wait_for,
};

use super::hosting;

const DOCUMENT: &str = include_str!("../../../docs/from-iis.md");
const PAINS: usize = 20;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("docs/from-iis.md has an answer to every complaint, and each its trials", documented)
        .test("what docs/from-iis.md names is an option or a setting", settings)
        .test("requestTimeout is for each wait, totalTimeout for the whole", timeouts)
        .served("a length above two and four gigabytes arrives as it is", roomy(), &[], lengths)
        .test("stdout logs follow one another by size, and the oldest go", logs)
        .needing("PUT and DELETE reach the app, with WebDAV removed or not", &[Need::Sdk], webdav)
}

/// Every complaint by its number, and what its section names as proof.
fn sections() -> Outcome<BTreeMap<usize, Vec<&'static str>>> {
    let mut all = BTreeMap::new();
    for section in DOCUMENT.split("\n### ").skip(1) {
        let (number, rest) = section.split_once(". ").context("a section without a number")?;
        let text = rest.split("\n## ").next().unwrap_or_default();
        all.insert(number.parse().context(number)?, trials(text));
    }
    Ok(all)
}

fn trials(text: &'static str) -> Vec<&'static str> {
    text.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect()
}

fn documented() -> Outcome {
    let sections = sections()?;
    let numbers: Vec<usize> = sections.keys().copied().collect();
    ensure!(numbers == (1..=PAINS).collect::<Vec<_>>(), "sections {numbers:?}");
    let bare: Vec<&usize> = sections.iter().filter(|(_, named)| named.is_empty()).map(|(it, _)| it).collect();
    ensure!(bare.is_empty(), "without a trial: {bare:?}");
    let kinds =
        DOCUMENT.split("\n## ").find(|section| section.starts_with("Apps that")).context("no kinds")?;
    let kinds = trials(kinds);
    ensure!(!kinds.is_empty(), "kinds of apps without a trial");
    let all = sections.iter().chain([(&0, &kinds)]);
    let all = all.flat_map(|(number, named)| named.iter().map(move |name| (number, *name)));
    let missing = named::unknown(all)?;
    ensure!(missing.is_empty(), "no such trials:\n{}", missing.join("\n"));
    Ok(())
}

/// What stands in backticks and begins like an option, or like a setting with its tables.
fn settings() -> Outcome {
    let help = process::command(&find::falconer()?).args(["serve", "--help"]).output()?;
    let check = process::command(&find::falconer()?).args(["check", "--help"]).output()?;
    let known = [String::from_utf8_lossy(&help.stdout), String::from_utf8_lossy(&check.stdout)].concat();
    let words = known.split_whitespace().filter(|word| word.starts_with("--"));
    // What may be told to be false stands there as `--preload[=<true|false>]`.
    let options: Vec<&str> = words.map(|word| word.split('[').next().unwrap_or(word)).collect();
    let described = include_str!("../../../docs/configuration.md");
    let names = DOCUMENT.split('`').skip(1).step_by(2);
    let unknown: Vec<&str> = names
        .filter(|name| match name.split_once('.') {
            _ if name.starts_with("--") => !options.contains(name),
            Some(("site" | "application" | "applicationPool" | "stdoutLog" | "limits" | "webLimits", _)) => {
                !described.contains(&format!("`{name}"))
            }
            _ => false,
        })
        .collect();
    ensure!(options.len() > 20 && unknown.is_empty(), "there is no {unknown:?}");
    Ok(())
}

/// A byte every 300 ms is nothing that the app keeps anybody waiting for; but all of them may be too much.
fn timeouts() -> Outcome {
    let puppet = Puppet::new().attribute("requestTimeout", "00:00:02");
    let trickle = |count: usize| {
        let head = hex::encode(format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n").as_bytes());
        format!("X-Puppet: raw:{head};trickle:300:{}\r\n", hex::encode(&vec![b'x'; count]))
    };
    serve(&puppet, &[], |server, _| {
        let response = server.client()?.get_with("/slowly", &trickle(12))?;
        ensure!(response.end == End::Complete && response.body.len() == 12, "{}", response.describe());
        let response = server.client()?.get_with("/never", "X-Puppet: hang\r\n")?;
        ensure!(response.status == 502 && response.text().contains("502.3"), "{}", response.describe());
        Ok(())
    })?;
    serve(&puppet, &["--total-timeout", "3"], |server, _| {
        server.get("/first")?;
        let start = now();
        let response = server.client()?.patience(seconds(60)).get_with("/slowly", &trickle(100))?;
        ensure!(response.end == End::Cut, "{}", response.describe());
        let took = start.elapsed();
        ensure!(took > seconds(2) && took < seconds(20), "cut after {took:?}");
        Ok(())
    })
}

fn roomy() -> Puppet {
    Puppet::new().body_limit(4_294_967_295)
}

/// The module reads lengths with 32 bits. Nobody sends so much here: the head tells.
fn lengths(server: &mut Server, record: &Record) -> Outcome {
    for length in [2_147_483_648_u64, 4_294_967_295] {
        let answer = hex::encode(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        let mut client = server.client()?;
        client.send(format!(
            "POST /{length} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nX-Puppet: early;raw:{answer};hang\r\n\r\nx"
        ))?;
        let response = client.response().context(length)?;
        ensure!(response.status == 200, "{length}: {}", response.describe());
        let request = record.wait_request(&format!("/{length}"), seconds(5))?;
        ensure!(request.values("Content-Length") == [length.to_string()], "{:?}", request.lines());
    }
    let response = server.client()?.get_with("/x", "Content-Length: 4294967296\r\n")?;
    ensure!(response.status == 413, "above the limit: {}", response.describe());
    Ok(())
}

fn logs() -> Outcome {
    let folder = Puppet::new().logged().variable("PUPPET_PRINT", "flood:500000;text:the-last").folder()?;
    let options = Options::new(folder.path());
    let options = ["--stdout-log-max-size", "50000", "--stdout-log-max-files", "3"]
        .into_iter()
        .fold(options, |options, one| options.arg(one));
    serve_folder(&folder, &options, |server, _| {
        server.get("/")?;
        wait_for("the last line in the newest log", seconds(20), || {
            folder.logs().iter().any(|(_, text)| text.contains("the-last")).then_some(())
        })?;
        let sizes = || folder.logs().iter().map(|(_, text)| text.len()).collect::<Vec<_>>();
        // The oldest goes when the next one is there, so that for a moment there may be one more.
        wait_for("three logs", seconds(10), || (sizes().len() <= 3).then_some(()))
            .context(format!("{:?}", sizes()))?;
        ensure!(sizes().iter().all(|size| *size <= 60_000), "{:?}", sizes());
        ensure!(sizes().len() > 1, "{:?}", sizes());
        Ok(())
    })
}

/// The lines that every site with a web API has, and none.
fn webdav() -> Outcome {
    let folder = Folder::built("site")?;
    let original = std::fs::read_to_string(folder.path().join("web.config"))?;
    let removed = original.replace(
        "<handlers>",
        "<modules><remove name=\"WebDAVModule\" /></modules><handlers><remove name=\"WebDAV\" />",
    );
    ensure!(removed != original, "no handlers in {original}");
    for config in [original, removed] {
        folder.write("web.config", config)?;
        hosting(&folder, &[], |server| {
            for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
                let mut client = server.client()?.patience(seconds(60));
                client
                    .send(format!("{method} /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"))?;
                let response = client.response().context(method)?;
                ensure!(response.text().starts_with(&format!("{method} 5 ")), "{}", response.describe());
            }
            Ok(())
        })?;
    }
    Ok(())
}
