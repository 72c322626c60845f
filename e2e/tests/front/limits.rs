//! The size of a request's body: the limit of `requestLimits`, the app's own, and how they stand to one another.

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{
    Client, Context as _, Ending, Need, Options, Outcome, Puppet, Record, Response, Server, Suite, ensure,
};

use super::site;

/// The default of IIS and of Kestrel.
const DEFAULT: u64 = 30_000_000;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .served(
            "30,000,001 bytes are refused by default, by length and in chunks",
            Puppet::new(),
            &[],
            default,
        )
        .needing("a smaller maxAllowedContentLength is kept", &[Need::Sdk], smaller)
        .needing(
            "a larger maxAllowedContentLength reaches an app that lifts its limit",
            &[Need::Dotnet],
            larger,
        )
        .needing("above 30,000,000 the app's own limit bites, and is told of", &[Need::Sdk], own_limit)
        .needing("a limit that the app sets for a request is kept", &[Need::Sdk], || site(&[], per_request))
}

/// Sends a body of that many bytes, as far as it is taken, and reads the answer.
fn upload(client: &mut Client, path: &str, bytes: u64, chunked: bool) -> Outcome<Response> {
    let framing =
        if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {bytes}") };
    client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"))?;
    let block = vec![b'b'; 1_000_000];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        let data = block.get(..part).unwrap_or_default();
        // A refusal may come at any moment, and ends the connection.
        if chunked {
            client.offer([format!("{part:x}\r\n").as_bytes(), data, b"\r\n"].concat());
        } else {
            client.offer(data);
        }
        left -= part as u64;
    }
    if chunked {
        client.offer("0\r\n\r\n");
    }
    client.response().context(format!("{bytes} bytes to {path}, chunked: {chunked}"))
}

fn patient(server: &Server) -> Outcome<Client> {
    Ok(server.client()?.patience(seconds(60)))
}

/// A length is refused before a byte of the body, chunks when they have become too many.
fn default(server: &mut Server, record: &Record) -> Outcome {
    let mut client = patient(server)?;
    client.send(format!("POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", DEFAULT + 1))?;
    let response = client.response()?;
    ensure!(response.status == 413 && response.closes(), "{}", response.describe());
    ensure!(client.ending(seconds(5)).1 != Ending::Open, "the connection is still open");
    for chunked in [false, true] {
        let response = upload(&mut patient(server)?, "/fits", DEFAULT, chunked)?;
        ensure!(response.status == 200, "at the limit, chunked: {chunked}: {}", response.describe());
    }
    let response = upload(&mut patient(server)?, "/long", DEFAULT + 1, true)?;
    ensure!(response.status == 413, "in chunks: {}", response.describe());
    let whole = |path: &str| {
        let requests = record.requests();
        let of = requests.iter().filter(|one| one.target() == path);
        of.filter(|one| one.body.as_ref().is_some_and(|body| body.complete)).count()
    };
    ensure!(whole("/fits") == 2 && whole("/long") == 0, "{}", record.describe());
    Ok(())
}

/// A sample app with a limit of that many bytes in its web.config.
fn limited(folder: &Folder, bytes: u64) -> Outcome<Options> {
    let limits = format!(
        "<security><requestFiltering><requestLimits maxAllowedContentLength=\"{bytes}\" \
         /></requestFiltering></security></system.webServer>"
    );
    folder.replace("web.config", "</system.webServer>", &limits)?;
    Options::new(folder.path()).dotnet()
}

fn smaller() -> Outcome {
    let folder = Folder::built("site")?;
    serve_folder(&folder, &limited(&folder, 100)?, |server, _| {
        for chunked in [false, true] {
            let response = upload(&mut patient(server)?, "/count", 100, chunked)?;
            ensure!(response.text().starts_with("POST 100 "), "{}", response.describe());
            let response = upload(&mut patient(server)?, "/count", 101, chunked)?;
            ensure!(response.status == 413, "chunked: {chunked}: {}", response.describe());
        }
        Ok(())
    })
}

/// The sample app `probe` has set Kestrel's limit to none.
fn larger() -> Outcome {
    let folder = Folder::app("probe")?;
    let limit = 40_000_000;
    serve_folder(&folder, &limited(&folder, limit)?, |server, _| {
        for chunked in [false, true] {
            let response = upload(&mut patient(server)?, "/upload", limit, chunked)?;
            ensure!(
                response.status == 200 && response.text().contains("\"bytes\":40000000"),
                "chunked: {chunked}: {}",
                response.describe()
            );
            let response = upload(&mut patient(server)?, "/upload", limit + 1, chunked)?;
            ensure!(response.status == 413, "chunked: {chunked}: {}", response.describe());
        }
        Ok(())
    })
}

/// 2,147,483,647 in web.config, as many have it: 30,000,001 bytes are 413 by the app, and the server has said so.
fn own_limit() -> Outcome {
    let folder = Folder::built("site")?;
    serve_folder(&folder, &limited(&folder, 2_147_483_647)?, |server, _| {
        server.wait_output("body-limit", seconds(5)).context("the app's own limit is not told")?;
        for chunked in [false, true] {
            // Kestrel counts the lines between the chunks too.
            let fits = if chunked { DEFAULT - 100_000 } else { DEFAULT };
            let response = upload(&mut patient(server)?, "/count", fits, chunked)?;
            ensure!(response.text().starts_with(&format!("POST {fits} ")), "{}", response.describe());
            let response = upload(&mut patient(server)?, "/count", DEFAULT + 1, chunked)?;
            ensure!(response.status == 413, "chunked: {chunked}: {}", response.describe());
        }
        Ok(())
    })
}

fn per_request(server: &mut Server) -> Outcome {
    for chunked in [false, true] {
        let fits = if chunked { 80 } else { 100 };
        let response = upload(&mut patient(server)?, "/own-limit?bytes=100", fits, chunked)?;
        ensure!(response.status == 200, "chunked: {chunked}: {}", response.describe());
        let response = upload(&mut patient(server)?, "/own-limit?bytes=100", 101, chunked)?;
        ensure!(response.status == 413, "chunked: {chunked}: {}", response.describe());
    }
    ensure!(server.get("/count")?.status == 200, "the app is no longer served");
    Ok(())
}
