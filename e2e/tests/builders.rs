//! Promise: an app is served whichever way it is built, and where that cannot be, the operator learns why.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::{Context as _, Need, Options, Outcome, Response, Server, Suite, ensure};

/// Builder, and whether `UseIISIntegration` gets into it, so that it knows its path base and its clients.
const BUILDERS: &[(&str, bool)] = &[
    ("web", true),
    ("host", true),
    ("host-kestrel", true),
    ("webhost", true),
    ("webhost-kestrel", true),
    ("slim", false),
];

/// These hear `UseUrls` only when nothing pairs them; the port that we tell them wins.
const DEAF_TO_USE_URLS: &[&str] = &["host", "host-kestrel", "webhost", "webhost-kestrel"];

fn main() -> ExitCode {
    // One trial: it builds the app once.
    Suite::new().needing("every builder", &[Need::Sdk], builders).run()
}

fn builders() -> Outcome {
    let folder = Folder::published("probe")?;
    for (builder, paired) in BUILDERS {
        served(&folder, builder, *paired).context(builder)?;
    }
    for builder in DEAF_TO_USE_URLS {
        let mut server = start(&folder, builder, &["--env", "PROBE_URL=http://127.0.0.1:5997"])?;
        let response = server.get("/base/x")?;
        ensure!(response.status == 200, "{builder}: {}", response.describe());
        server.stop(seconds(15))?;
    }
    listens_elsewhere(&folder)?;
    startup_fails(&folder)
}

fn start(folder: &Folder, builder: &str, arguments: &[&str]) -> Outcome<Server> {
    let mut options = Options::new(folder.path()).dotnet()?.arg("--path-base").arg("/base");
    options = options.arg("--env").arg(&format!("PROBE_BUILDER={builder}"));
    Server::start(&arguments.iter().fold(options, |options, argument| options.arg(argument)))
}

fn served(folder: &Folder, builder: &str, paired: bool) -> Outcome {
    let mut server = start(folder, builder, &[])?;
    let response = server.get("/base/x?y=1")?;
    let about = format!("{}\n{}", response.describe(), server.output());
    ensure!(response.status == 200, "{about}");
    let (base, path) = if paired { ("/base", "/x") } else { ("", "/base/x") };
    ensure!(told(&response, "base") == base && told(&response, "path") == path, "{about}");
    // Also without the pairing: forwarded headers are switched on for such apps.
    ensure!(told(&response, "remote") == "127.0.0.1" && told(&response, "scheme") == "http", "{about}");
    ensure!(told(&response, "token") == "True", "{about}");
    server.stop(seconds(15))
}

/// `UseUrls` in a WebApplication beats every variable: the start fails, and says where the app listens instead.
fn listens_elsewhere(folder: &Folder) -> Outcome {
    folder.replace("web.config", "<aspNetCore ", "<aspNetCore startupTimeLimit=\"4\" ")?;
    let mut server = start(folder, "web", &["--env", "PROBE_URL=http://127.0.0.1:5998"])?;
    let response = server.client()?.patience(seconds(30)).get("/base/x")?;
    ensure!(response.status == 502, "{}", response.describe());
    for words in ["127.0.0.1:5998", "UseUrls"] {
        server.wait_output(words, seconds(10)).context(server.output())?;
    }
    server.stop(seconds(15))
}

/// An exception in Configure leaves a Host-style app running, with an error page of its own: passed on.
fn startup_fails(folder: &Folder) -> Outcome {
    let mut server = start(folder, "startup-fails", &[])?;
    let response = server.get("/base/x")?;
    ensure!(response.status == 500, "{}", response.describe());
    server.stop(seconds(15))
}

fn told(response: &Response, name: &str) -> String {
    let text = response.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_default().to_owned()
}
