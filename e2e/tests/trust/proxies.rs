//! What a trusted proxy says of its client is believed, from the right and as far as trust goes; the app gets one entry.

use e2e::server::serve_folder;
use e2e::{Context as _, Folder, Need, Options, Outcome, Puppet, Record, Server, Suite, ensure, serve};

use super::{RESERVED, arrives, last, ours, spellings};

/// The client of these tests, and what is behind it.
const TRUSTING: &[&str] = &["--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8"];

/// What the proxy sends, and the entry of either header that must arrive; `None` for the peer itself.
const SAID: &[(&str, Option<&str>, &str)] = &[
    ("", None, "http"),
    ("X-Forwarded-For: 203.0.113.7\r\n", Some("203.0.113.7"), "http"),
    ("X-Forwarded-For: 203.0.113.7:4711\r\nX-Forwarded-Proto: https\r\n", Some("203.0.113.7:4711"), "https"),
    ("X-Forwarded-Proto: https\r\n", None, "https"),
    ("X-Forwarded-Proto: http, https\r\n", None, "https"),
    ("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", None, "http"),
    ("X-Forwarded-Proto: gopher\r\n", None, "http"),
    ("X-Forwarded-Proto: wss\r\n", None, "https"),
    (
        "X-Forwarded-For: 203.0.113.7, 10.1.2.3\r\nX-Forwarded-Proto: http, https, http\r\n",
        Some("203.0.113.7"),
        "https",
    ),
    ("X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n", Some("203.0.113.7"), "http"),
    ("X-Forwarded-For: 203.0.113.7, 10.1.2.3:80, 127.0.0.1\r\n", Some("203.0.113.7"), "http"),
    ("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.1.2.3\r\n", Some("203.0.113.7"), "http"),
    ("X-Forwarded-For: [2001:db8::7]:443\r\n", Some("[2001:db8::7]:443"), "http"),
    ("X-Forwarded-For: \"[2001:db8::7]\"\r\n", Some("2001:db8::7"), "http"),
    ("X-Forwarded-For: ::ffff:203.0.113.7\r\n", Some("203.0.113.7"), "http"),
    ("X-Forwarded-For: unknown\r\n", None, "http"),
    ("X-Forwarded-For: 203.0.113.7, unknown, 10.1.2.3\r\n", Some("10.1.2.3"), "http"),
    ("X-Forwarded-For: evil\r\nX-Forwarded-Proto: evil\r\n", None, "http"),
    ("X-Forwarded-For:\r\nX-Forwarded-Proto:\r\n", None, "http"),
    ("X_Forwarded_For: 203.0.113.7\r\nX_Forwarded_Proto: https\r\n", None, "http"),
    ("Forwarded: for=203.0.113.7;proto=https\r\nX-Real-IP: 203.0.113.7\r\n", None, "http"),
    ("Connection: X-Forwarded-For\r\nX-Forwarded-For: 203.0.113.7\r\n", Some("203.0.113.7"), "http"),
];

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("what a trusted proxy says arrives as one entry each", || serve(&Puppet::new(), TRUSTING, said))
        .test("what another peer says arrives nowhere", || {
            serve(&Puppet::new(), &["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"], unheard)
        })
        .test("a trusted proxy cannot send other reserved names either", || {
            serve(&Puppet::new(), TRUSTING, |server, record| others(server, record))
        })
        .needing("a .NET app sees the client of a trusted proxy", &[Need::Dotnet], dotnet)
}

fn said(server: &mut Server, record: &Record) -> Outcome {
    for (lines, client, scheme) in SAID {
        let mut proxy = server.client()?;
        let request = arrives(&mut proxy, record, lines).context(lines)?;
        let peer = proxy.own_address()?.to_string();
        let wanted = client.map_or(peer, str::to_owned);
        ensure!(request.values("X-Forwarded-For") == [wanted], "{lines:?}: {:?}", request.lines());
        ensure!(request.values("X-Forwarded-Proto") == [*scheme], "{lines:?}: {:?}", request.lines());
    }
    Ok(())
}

fn unheard(server: &mut Server, record: &Record) -> Outcome {
    for (lines, ..) in SAID {
        let mut client = server.client()?;
        let request = arrives(&mut client, record, lines).context(lines)?;
        ours(&client, &request).context(lines)?;
    }
    Ok(())
}

fn others(server: &Server, record: &Record) -> Outcome {
    let mut proxy = server.client()?;
    for name in RESERVED.iter().filter(|name| !["X-Forwarded-For", "X-Forwarded-Proto"].contains(name)) {
        for spelling in spellings(name) {
            let lines = format!("{spelling}: evil\r\nX-Forwarded-For: 203.0.113.7\r\n");
            let request = arrives(&mut proxy, record, &lines)?;
            ensure!(!request.lines().iter().any(|line| line.contains("evil")), "{:?}", request.lines());
            ensure!(last(record)?.values("X-Forwarded-For") == ["203.0.113.7"], "{:?}", request.lines());
        }
    }
    Ok(())
}

fn dotnet() -> Outcome {
    let folder = Folder::app("probe")?;
    let options = TRUSTING.iter().fold(Options::new(folder.path()).dotnet()?, |all, one| all.arg(one));
    serve_folder(&folder, &options, |server, _| {
        for (entry, ip, port) in [
            ("203.0.113.7", "203.0.113.7", 0),
            ("203.0.113.7:4711", "203.0.113.7", 4711),
            ("2001:db8::7", "2001:db8::7", 0),
            ("[2001:db8::7]:4711", "2001:db8::7", 4711),
        ] {
            let lines = format!("X-Forwarded-For: 198.51.100.1, {entry}\r\nX-Forwarded-Proto: https\r\n");
            let response = server.client()?.get_with("/probe", &lines)?;
            let report: serde_json::Value =
                serde_json::from_slice(&response.body).context(response.describe())?;
            ensure!(report["remoteIp"] == ip && report["remotePort"] == port, "{entry}: {report}");
            ensure!(report["isHttps"] == true, "{entry}: {report}");
            ensure!(report["headers"]["X-Forwarded-For"].is_null(), "{entry}: {report}");
        }
        Ok(())
    })
}
