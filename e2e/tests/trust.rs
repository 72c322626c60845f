//! Promise: what the app believes because its server says so comes from its server alone.
//!
//! Reserved names in every spelling, nominated or not, as headers or trailers, never arrive; ours arrive once.

use std::process::ExitCode;

use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{
    Check, Client, Context as _, Need, Options, Outcome, Puppet, Record, Request, Server, Suite, ensure,
};

#[path = "trust/proxies.rs"]
mod proxies;
#[path = "trust/warm.rs"]
mod warm;

/// Names that a client may never send; each is tried in several spellings.
const RESERVED: &[&str] = &[
    "MS-ASPNETCORE-TOKEN",
    "MS-ASPNETCORE-CLIENTCERT",
    "MS-ASPNETCORE-WINAUTHTOKEN",
    "MS-ASPNETCORE-EVENT",
    "MS-ASPNETCORE-USER",
    "MS-ASPNETCORE",
    "MS-ASPNETCOREX",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
    "X-Forwarded-Anything",
    "Forwarded",
    "X-Original-For",
    "X-Original-Proto",
    "X-Original-Host",
    "X-Original-URL",
    "X-ARR-ClientCert",
    "X-ARR-SSL",
    "X-ARR-LOG-ID",
    "X-Client-Cert",
    "Proxy",
    "X-Real-IP",
    "X-Rewrite-URL",
];

/// Names about one connection only (RFC 9110 §7.6.1).
const HOP_BY_HOP: &[&str] = &["Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "HTTP2-Settings"];

/// Lines that are the app's, with the values that must arrive.
const PASSING: &[(&str, &str)] = &[
    ("Authorization", "Bearer abc"),
    ("Cookie", "a=1; b=2"),
    ("Cookie", "c=3"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Accept", "text/html;q=0.9, */*"),
    ("X-Forwarded", "not reserved"),
    ("X_Under_Score", "stays"),
    ("X-Twice", "first"),
    ("x-twice", "second"),
    ("Via", "1.1 other"),
    ("X-Request-Id-Of-Mine", "7"),
    ("X-Utf8", "\u{e9}\u{20ac}"),
    ("X-Empty", ""),
];

fn main() -> ExitCode {
    let checks: &[(&str, Check)] = &[
        ("D1 D4 D5 D6 reserved names never arrive, however spelled", reserved),
        ("D3 nominated names: reserved ones never, ours always, the client's own go", nominated),
        ("D3 nominating Host, length or credentials changes nothing", nominated_vital),
        ("D1 trailers under reserved names never arrive", trailers),
        ("D2 a client's shutdown event never arrives", shutdown_event),
        ("D4 exactly one client address and one scheme", ours_once),
        ("D8 what is the app's passes, every line of it", passing),
        ("hop-by-hop names never arrive", hop_by_hop),
    ];
    let suite = checks
        .iter()
        .fold(Suite::new(), |suite, (name, check)| suite.served(name, Puppet::new(), &[], *check));
    warm::add(proxies::add(suite))
        .test("D4 a client over IPv6 is named with brackets", ipv6)
        .needing("direct requests without the token get 400 from a .NET app", &[Need::Dotnet], direct)
        .needing("D2 a client's shutdown event does not stop a .NET app", &[Need::Dotnet], no_shutdown)
        .run()
}

/// The request that the backend saw last.
fn last(record: &Record) -> Outcome<Request> {
    record.requests().pop().context("nothing arrived")
}

fn arrives(client: &mut Client, record: &Record, fields: &str) -> Outcome<Request> {
    let response = client.get_with("/x", fields)?;
    ensure!(response.status == 200, "not served: {}", response.describe());
    last(record)
}

fn spellings(name: &str) -> Vec<String> {
    let mixed = name
        .char_indices()
        .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })
        .collect();
    let all = vec![
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        mixed,
        name.replace('-', "_"),
        name.replacen('-', "_", 1),
        name.to_ascii_lowercase().replace('-', "_"),
    ];
    all
}

fn reserved(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    for name in RESERVED {
        for spelling in spellings(name) {
            let request = arrives(&mut client, record, &format!("{spelling}: evil\r\nX-After: 1\r\n"))?;
            let lines = request.lines();
            ensure!(!lines.iter().any(|line| line.contains("evil")), "{spelling} arrived: {lines:?}");
            ensure!(request.values("X-After") == ["1"], "a line beside {spelling} is gone: {lines:?}");
            ours(&client, &request).context(spelling)?;
        }
        let request = arrives(&mut client, record, &format!("{name}: evil\r\nX: y\r\n{name}:evil\r\n"))?;
        ensure!(!request.lines().iter().any(|line| line.contains("evil")), "{name} arrived when sent twice");
    }
    Ok(())
}

/// Our own lines: each exactly once, with the right value.
fn ours(client: &Client, request: &Request) -> Outcome {
    let token = request.values("MS-ASPNETCORE-TOKEN");
    let good = token.len() == 1 && token.iter().all(|token| token.len() == 64 && is_lower_hex(token));
    ensure!(good, "token lines: {token:?}");
    let wanted = client.own_address()?.to_string();
    ensure!(request.values("X-Forwarded-For") == [wanted.clone()], "not {wanted}: {:?}", request.lines());
    ensure!(request.values("X-Forwarded-Proto") == ["http"], "{:?}", request.lines());
    ensure!(request.values("Host").len() == 1, "{:?}", request.lines());
    Ok(())
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn nominated(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    let nominations = [
        "close, MS-ASPNETCORE-TOKEN, MS-ASPNETCORE-CLIENTCERT, X-Forwarded-For, X-Forwarded-Proto",
        "MS-ASPNETCORE-TOKEN,X-Forwarded-For",
        "x-forwarded-proto\r\nConnection: ms-aspnetcore-token",
        "X-Hop, , keep-alive,x-other",
    ];
    for nomination in nominations {
        let fields = format!(
            "Connection: {nomination}\r\nMS-ASPNETCORE-TOKEN: evil\r\nX-Forwarded-For: evil\r\nX-Hop: mine\r\n"
        );
        let request = arrives(&mut client, record, &fields)?;
        let lines = request.lines();
        ensure!(!lines.iter().any(|line| line.contains("evil")), "{nomination}: {lines:?}");
        ensure!(request.values("Connection").is_empty(), "{nomination}: Connection arrived: {lines:?}");
        ensure!(
            request.values("X-Hop").is_empty() == nomination.contains("X-Hop"),
            "{nomination}: {lines:?}"
        );
        ours(&client, &request).context(nomination)?;
        if nomination.starts_with("close") {
            client = server.client()?;
        }
    }
    Ok(())
}

/// A front that lets a client take these away lets it change what the request means (CVE-2025-48865).
fn nominated_vital(server: &mut Server, record: &Record) -> Outcome {
    for name in ["Host", "Authorization", "Cookie", "Content-Length", "Content-Type"] {
        let mut client = server.client()?;
        client.send(format!(
            "POST /x HTTP/1.1\r\nHost: shop.example\r\nConnection: {name}\r\nAuthorization: Basic YTpi\r\n\
             Cookie: a=1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
        ))?;
        let response = client.response()?;
        if response.status == 400 {
            continue;
        }
        ensure!(response.status == 200, "{name}: {}", response.describe());
        let request = last(record)?;
        for (vital, value) in [("Host", "shop.example"), ("Authorization", "Basic YTpi"), ("Cookie", "a=1")] {
            ensure!(
                request.values(vital) == [value],
                "Connection: {name} changed {vital}: {:?}",
                request.lines()
            );
        }
        let body = request.body.context("no body")?;
        ensure!(body.complete && body.length == 5, "Connection: {name} changed the body: {body:?}");
    }
    Ok(())
}

fn trailers(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    for name in RESERVED {
        client.send(format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nTrailer: {name}\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\n{name}: evil\r\n\r\n"
        ))?;
        let response = client.response()?;
        ensure!(response.status == 200, "{name}: {}", response.describe());
        let request = last(record)?;
        let body = request.body.clone().context("no body")?;
        let wire = String::from_utf8_lossy(&body.wire).into_owned();
        ensure!(body.complete && body.length == 5 && !wire.contains("evil"), "{name}: {wire:?}");
        ensure!(!request.lines().iter().any(|line| line.contains("evil")), "{name}: {:?}", request.lines());
        ensure!(request.values("Trailer").is_empty(), "Trailer arrived: {:?}", request.lines());
    }
    Ok(())
}

fn shutdown_event(server: &mut Server, record: &Record) -> Outcome {
    for name in ["MS-ASPNETCORE-EVENT", "ms-aspnetcore-event", "MS_ASPNETCORE_EVENT"] {
        let mut client = server.client()?;
        client.send(format!("POST /iisintegration HTTP/1.1\r\nHost: a\r\n{name}: shutdown\r\n\r\n"))?;
        let response = client.response()?;
        ensure!(response.status == 200, "{}", response.describe());
        let request = last(record)?;
        ensure!(!request.lines().iter().any(|line| line.contains("shutdown")), "{:?}", request.lines());
    }
    Ok(())
}

fn ours_once(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    let request = arrives(&mut client, record, "")?;
    ours(&client, &request)?;
    let env = client.get("/env")?.text();
    let token =
        env.lines().find_map(|line| line.strip_prefix("ASPNETCORE_TOKEN=")).context("no token in env")?;
    ensure!(
        request.values("MS-ASPNETCORE-TOKEN") == [token],
        "the token is not the one that the app was given"
    );
    Ok(())
}

fn passing(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    let fields: String = PASSING.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = arrives(&mut client, record, &fields)?;
    for (name, _) in PASSING {
        let of_name = |(have, _): &&(&str, &str)| have.eq_ignore_ascii_case(name);
        let wanted: Vec<&str> = PASSING.iter().filter(of_name).map(|(_, value)| *value).collect();
        ensure!(request.values(name) == wanted, "{name}: wanted {wanted:?} in {:?}", request.lines());
    }
    Ok(())
}

fn hop_by_hop(server: &mut Server, record: &Record) -> Outcome {
    let mut client = server.client()?;
    for name in HOP_BY_HOP {
        for spelling in spellings(name) {
            let request = arrives(&mut client, record, &format!("{spelling}: evil\r\n"))?;
            ensure!(
                !request.lines().iter().any(|line| line.contains("evil")),
                "{spelling}: {:?}",
                request.lines()
            );
        }
    }
    Ok(())
}

fn ipv6() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()).listen("[::1]:0"), |server, record| {
        ensure!(server.address().is_ipv6(), "listens on {}", server.address());
        let mut client = server.client()?;
        let request = arrives(&mut client, record, "")?;
        ours(&client, &request)
    })
}

fn direct() -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        let through = server.get("/probe")?;
        ensure!(through.status == 200, "{}", through.describe());
        let report: serde_json::Value = serde_json::from_slice(&through.body)?;
        let port = find_text(&report, "ASPNETCORE_PORT")
            .context("no ASPNETCORE_PORT in the report")?
            .parse::<u16>()?;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let direct = e2e::client::get(address, "/probe")?;
        ensure!(direct.status == 400, "without the token the app answers {}", direct.describe());
        Ok(())
    })
}

/// The first text of that name anywhere in a JSON value.
fn find_text(value: &serde_json::Value, name: &str) -> Option<String> {
    match value {
        serde_json::Value::Object(fields) => fields.iter().find_map(|(have, value)| match value {
            serde_json::Value::String(text) if have == name => Some(text.clone()),
            inner => find_text(inner, name),
        }),
        serde_json::Value::Array(items) => items.iter().find_map(|item| find_text(item, name)),
        _ => None,
    }
}

fn no_shutdown() -> Outcome {
    let folder = Folder::app("probe")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        let before = report_pid(server)?;
        for path in ["/iisintegration", "/IISINTEGRATION"] {
            let mut client = server.client()?;
            client.send(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nMS-ASPNETCORE-EVENT: shutdown\r\nContent-Length: 0\r\n\r\n"
            ))?;
            let response = client.response()?;
            ensure!(response.status != 202, "the app was told to stop: {}", response.describe());
        }
        ensure!(report_pid(server)? == before, "the app was restarted");
        Ok(())
    })
}

fn report_pid(server: &Server) -> Outcome<u64> {
    let response = server.get("/probe")?;
    let report: serde_json::Value = serde_json::from_slice(&response.body).context(response.describe())?;
    report.get("pid").and_then(serde_json::Value::as_u64).context("no pid in the report")
}
