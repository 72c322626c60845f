//! Warm-up pages are requests of the server itself: with its lines, before anybody else's, to nobody but the worker.

use e2e::puppet::hex;
use e2e::server::serve_folder;
use e2e::{Context as _, Folder, Options, Outcome, Puppet, Request, Suite, clock, ensure};

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("warm-up pages come first, with our lines", first)
        .test("a warm-up page that fails is told, and the app serves all the same", failing)
}

fn warmed(pages: &str) -> Outcome<Folder> {
    let folder = Puppet::new().folder()?;
    let section = format!("</aspNetCore><applicationInitialization>{pages}</applicationInitialization>");
    folder.replace("web.config", "</aspNetCore>", &section)?;
    Ok(folder)
}

fn first() -> Outcome {
    let folder = warmed(
        "<add initializationPage=\"/warm?all=1\" hostName=\"shop.example\" /><add initializationPage=\"/\" />",
    )?;
    let options = Options::new(folder.path()).arg("--path-base").arg("/sub");
    serve_folder(&folder, &options, |server, record| {
        let response = server.get("/sub/visitor")?;
        ensure!(response.status == 200, "{}", response.describe());
        let requests = record.requests();
        let seen: Vec<String> = requests.iter().map(Request::target).collect();
        ensure!(seen == ["/sub/warm?all=1", "/sub/", "/sub/visitor"], "{seen:?}");
        let token = requests.last().map(|one| one.values("MS-ASPNETCORE-TOKEN")).context("no visitor")?;
        for (request, host) in requests.iter().zip(["shop.example", "localhost"]) {
            let lines = request.lines();
            ensure!(request.values("Host") == [host], "{lines:?}");
            ensure!(request.values("MS-ASPNETCORE-TOKEN") == token && token.len() == 1, "{lines:?}");
            let client = request.values("X-Forwarded-For");
            ensure!(client.len() == 1 && client[0].starts_with("127.0.0.1:"), "{lines:?}");
            ensure!(request.values("X-Forwarded-Proto") == ["http"], "{lines:?}");
            let agent = request.values("User-Agent").concat();
            ensure!(agent.contains("IIS Application Initialization Warmup"), "{lines:?}");
        }
        Ok(())
    })
}

fn failing() -> Outcome {
    let folder = warmed("<add initializationPage=\"/broken\" />")?;
    let answer = hex::encode(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    let variable =
        format!("<environmentVariable name=\"PUPPET_FIXED\" value=\"{answer}\" /></environmentVariables>");
    folder.replace("web.config", "</environmentVariables>", &variable)?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        // The same fixed answer for visitors: the app's own.
        let response = server.get("/visitor")?;
        ensure!(response.status == 500 && response.body.is_empty(), "{}", response.describe());
        server.wait_output("/broken was answered 500 Internal Server Error", clock::seconds(5))
    })
}
