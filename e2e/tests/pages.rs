//! Promise: the page of a failed start tells people at this machine everything and visitors nothing but the fact.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::folder::Folder;
use e2e::{Client, Need, Options, Outcome, Response, Server, Suite, clock, ensure};

/// A program that prints a line and fails.
const FAILING: &str = r#"<configuration><system.webServer>
<aspNetCore processPath="/bin/sh" arguments="-c &quot;echo 'what-it-printed &lt;b&gt;'; exit 3&quot;" ATTRIBUTES>
<environmentVariables>VARIABLES</environmentVariables></aspNetCore></system.webServer></configuration>"#;

/// Host, further lines, and whether the reader may see the journey.
const READERS: &[(&str, &str, bool)] = &[
    ("localhost", "", true),
    ("localhost:8080", "", true),
    ("127.0.0.1", "", true),
    ("[::1]:80", "", true),
    ("shop.example", "", false),
    ("127.0.0.1.nip.io", "", false),
    ("192.168.0.7", "", false),
    ("localhost", "X-Forwarded-For: 203.0.113.7\r\n", false),
    ("localhost", "x-forwarded-host: shop.example\r\n", false),
    ("localhost", "Forwarded: for=203.0.113.7\r\n", false),
    ("localhost", "Via: 1.1 proxy\r\n", false),
    ("localhost", "X-Real-IP: 203.0.113.7\r\n", false),
    ("localhost", "CF-Connecting-IP: 203.0.113.7\r\n", false),
    ("localhost", "User-Agent: curl\r\nAccept-Language: de\r\n", true),
];

fn main() -> ExitCode {
    Suite::new()
        .test("the journey is for readers at this machine", readers)
        .test("behind a trusted proxy its client is the reader", proxied)
        .test("while starts fail, the answer says when to come back", come_back)
        .test("the page points where ANCM_ADDITIONAL_ERROR_PAGE_LINK says", linked)
        .test("in Development everybody may read it", development)
        .test("problem+json on Accept, by the same rule", problem)
        .test("disableStartUpErrorPage answers 502.3 without it", disabled)
        .test("an executable without its bit is named", no_bit)
        .needing("a dll in another case is named", &[Need::Dotnet], other_case)
        .test("a program that is not there is named", not_there)
        .run()
}

fn failing(attributes: &str, variables: &str) -> Outcome<Folder> {
    Folder::with_config(&FAILING.replace("ATTRIBUTES", attributes).replace("VARIABLES", variables))
}

/// All at once, so that they wait for the same start.
fn ask(server: &Server, readers: &[(&str, &str, bool)]) -> Outcome<Vec<Response>> {
    let mut clients = Vec::new();
    for (host, lines, _) in readers {
        let mut client = Client::connect(server.address())?.patience(seconds(20));
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n"))?;
        clients.push(client);
    }
    clients.iter_mut().map(Client::response).collect()
}

fn readers() -> Outcome {
    let folder = failing("", "")?;
    let mut server = Server::start(&Options::new(folder.path()))?;
    for ((host, lines, full), response) in READERS.iter().zip(ask(&server, READERS)?) {
        let page = response.text();
        let about = format!("Host {host}, {lines:?}: {}\n{page}", response.describe());
        ensure!(response.status == 502 && page.contains("HTTP Error 502.5 - ANCM Out-Of-Process"), "{about}");
        ensure!(response.field("x-request-id").is_some_and(|id| page.contains(id)), "no request id: {about}");
        ensure!(page.ends_with("</html>\r\n"), "the end: {about}");
        for part in ["what-it-printed &lt;b&gt;", "/bin/sh", "exited with code 3"] {
            ensure!(page.contains(part) == *full, "{part:?} should be shown: {full}. {about}");
        }
    }
    server.stop(seconds(5))
}

/// The markup of the module's own page, for every reader, and the end that tools look for.
fn linked() -> Outcome {
    let folder = failing("", "")?;
    let options =
        Options::new(folder.path()).variable("ANCM_ADDITIONAL_ERROR_PAGE_LINK", "http://help.example");
    let mut server = Server::start(&options)?;
    let readers = [("localhost", "", true), ("shop.example", "", false)];
    for ((host, ..), response) in readers.iter().zip(ask(&server, &readers)?) {
        let page = response.text();
        let link = "<a href=\"http://help.example\"> <cite> http://help.example </cite></a> and ";
        ensure!(page.contains("HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure"), "{host}: {page}");
        ensure!(
            page.contains(link) && page.contains("808681") && page.ends_with("</html>\r\n"),
            "{host}: {page}"
        );
    }
    server.stop(seconds(5))
}

/// The first failures are followed by another start at once; then each answer names the seconds, and starts nothing.
fn come_back() -> Outcome {
    let folder = failing("", "")?;
    let mut server = Server::start(&Options::new(folder.path()))?;
    for _ in 0..10 {
        let response = server.get("/")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        if let Some(seconds) = response.field("Retry-After") {
            let seconds: u32 = seconds.parse()?;
            ensure!((1..=30).contains(&seconds), "{}", response.describe());
            return server.stop(clock::seconds(5));
        }
    }
    e2e::fail!("ten failures, and nobody is told to wait: {}", server.output())
}

/// As above, for a server that trusts this machine's proxy.
const PROXIED: &[(&str, &str, bool)] = &[
    ("localhost", "", true),
    ("localhost", "X-Forwarded-For: 127.0.0.1\r\n", true),
    ("localhost", "X-Forwarded-For: 203.0.113.7, [::1]:4711\r\n", true),
    ("shop.example", "X-Forwarded-For: 127.0.0.1\r\n", false),
    ("localhost", "X-Forwarded-For: 203.0.113.7\r\n", false),
    ("localhost", "X-Forwarded-For: 127.0.0.1, 203.0.113.7\r\n", false),
    ("localhost", "X-Forwarded-For: 203.0.113.7, 127.0.0.1\r\n", false),
    ("localhost", "X-Forwarded-For: unknown\r\n", false),
    ("localhost", "X-Forwarded-For: unknown, 127.0.0.1\r\n", false),
    ("localhost", "X-Forwarded-For:\r\n", false),
    ("localhost", "X-Forwarded-Proto: https\r\n", false),
    ("localhost", "X-Real-IP: 203.0.113.7\r\n", false),
];

fn proxied() -> Outcome {
    let folder = failing("", "")?;
    let options = Options::new(folder.path()).arg("--trusted-proxy").arg("127.0.0.1");
    let mut server = Server::start(&options)?;
    for ((host, lines, full), response) in PROXIED.iter().zip(ask(&server, PROXIED)?) {
        let shown = response.text().contains("what-it-printed");
        ensure!(response.status == 502 && shown == *full, "{host} {lines:?}: {}", response.describe());
    }
    server.stop(seconds(5))
}

fn development() -> Outcome {
    let folder = failing("", r#"<environmentVariable name="ASPNETCORE_ENVIRONMENT" value="Development" />"#)?;
    let mut server = Server::start(&Options::new(folder.path()))?;
    let page = ask(&server, &[("shop.example", "Via: 1.1 proxy\r\n", true)])?.remove(0).text();
    ensure!(page.contains("what-it-printed"), "{page}");
    server.stop(seconds(5))
}

fn problem() -> Outcome {
    let folder = failing("", "")?;
    let mut server = Server::start(&Options::new(folder.path()))?;
    let readers = [
        ("localhost", "Accept: application/problem+json\r\n", true),
        ("shop.example", "Accept: application/json\r\n", false),
    ];
    for ((host, _, full), response) in readers.iter().zip(ask(&server, &readers)?) {
        ensure!(
            response.field("content-type") == Some("application/problem+json"),
            "{}",
            response.describe()
        );
        let json: serde_json::Value = match serde_json::from_str(&response.text()) {
            Ok(json) => json,
            Err(error) => e2e::fail!("{error}: {}", response.text()),
        };
        ensure!(json["status"] == 502 && json["substatus"] == 5, "{json}");
        ensure!(
            json["output"].as_str().is_some_and(|text| text.contains("what-it-printed")) == *full,
            "{host}: {json}"
        );
    }
    server.stop(seconds(5))
}

fn disabled() -> Outcome {
    let folder = failing(r#"disableStartUpErrorPage="true""#, "")?;
    let mut server = Server::start(&Options::new(folder.path()))?;
    let page = ask(&server, &[("localhost", "", false)])?.remove(0).text();
    ensure!(page.contains("HTTP Error 502.3 - Bad Gateway") && !page.contains("what-it-printed"), "{page}");
    server.stop(seconds(5))
}

/// The page of a folder that cannot start, which must say each of these.
fn page_says(folder: &Folder, options: &Options, words: &[&str]) -> Outcome {
    let mut server = Server::start(options)?;
    let page = ask(&server, &[("localhost", "", true)])?.remove(0).text();
    for word in words {
        ensure!(
            page.contains(word),
            "{word:?} is missing for {}: {page}\n{}",
            folder.path().display(),
            server.output()
        );
    }
    server.stop(seconds(5))
}

fn config(process: &str, arguments: &str) -> String {
    format!(
        r#"<configuration><system.webServer><aspNetCore processPath="{process}" arguments="{arguments}" />
</system.webServer></configuration>"#
    )
}

fn no_bit() -> Outcome {
    let folder = Folder::with_config(&config(r".\shop", ""))?;
    folder.write("shop", "#!/bin/sh\nexit 0\n")?;
    page_says(&folder, &Options::new(folder.path()), &["HTTP Error 502.5", "chmod", "shop"])
}

fn other_case() -> Outcome {
    let folder = Folder::with_config(&config("dotnet", r".\Shop.dll"))?;
    folder.write("shop.DLL.txt", "not it")?;
    folder.write("shop.dll", "not really a dll")?;
    page_says(&folder, &Options::new(folder.path()).dotnet()?, &["HTTP Error 502.5", "shop.dll"])
}

fn not_there() -> Outcome {
    let folder = Folder::with_config(&config(r".\nowhere", ""))?;
    page_says(&folder, &Options::new(folder.path()), &["HTTP Error 502.5", "nowhere", "No such file"])
}
