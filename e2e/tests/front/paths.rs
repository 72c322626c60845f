//! Paths: what the app sees of them, what is refused, and what belongs to the app's path base.

use e2e::{Context as _, Ending, Need, Outcome, Puppet, Record, Server, Suite, clock, ensure};

use super::{report, site, text};

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .needing("doubled slashes stay, dot segments go, escaped ones too", &[Need::Sdk], || {
            site(&[], slashes_and_dots)
        })
        .served("control characters in a path are refused, raw and escaped", Puppet::new(), &[], controls)
        .needing("a path base in every spelling", &[Need::Sdk], || site(&["--path-base", "/Sub/App"], split))
}

fn slashes_and_dots(server: &mut Server) -> Outcome {
    for (target, path) in [
        ("//a/b//c", "//a/b//c"),
        ("//", "//"),
        ("/a/b/../c", "/a/c"),
        ("/a/./b", "/a/b"),
        ("/a/b/%2E%2E/c", "/a/c"),
        ("/a/%2e/b", "/a/b"),
        ("/a/.%2E/b", "/b"),
        ("/a/...", "/a/..."),
        ("/a//../b", "/a/b"),
    ] {
        let seen = report(server, target, 400)?.context(format!("{target} was refused"))?;
        for name in ["path", "rawTarget"] {
            ensure!(text(&seen, name) == path, "{target}: {name} is {}", text(&seen, name));
        }
    }
    for target in ["/../a", "/a/../../b", "/%2E%2E/a"] {
        ensure!(report(server, target, 400)?.is_none(), "{target} was served");
    }
    Ok(())
}

/// IIS takes a raw tab and a raw line feed for the end of a target; here they are refused as the others are.
fn controls(server: &mut Server, record: &Record) -> Outcome {
    let mut targets: Vec<Vec<u8>> = Vec::new();
    for byte in (0..0x20_u8).chain([0x7f]) {
        targets.push([b"/a", [byte].as_slice(), b"b"].concat());
        targets.push(format!("/a%{byte:02x}b").into_bytes());
        targets.push(format!("/a%{byte:02X}b?q").into_bytes());
    }
    for target in targets {
        let shown = String::from_utf8_lossy(&target).into_owned();
        let mut client = server.client()?;
        client.offer([b"GET ", target.as_slice(), b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
        let response = client.response().context(format!("{shown:?}"))?;
        ensure!(response.status == 400 && response.closes(), "{shown:?}: {}", response.describe());
        let (rest, ending) = client.ending(clock::seconds(5));
        ensure!(rest.is_empty() && ending != Ending::Open, "{shown:?}: {ending:?}");
    }
    ensure!(server.get("/a%20b?%0a")?.status == 200, "no escape is served at all");
    ensure!(record.requests().len() == 1, "something arrived: {}", record.describe());
    Ok(())
}

/// Sent; and the path base and the path that the app sees, or none for our 404.
type Split = (&'static str, Option<(&'static str, &'static str)>);

/// Case does not count, escapes of letters neither, and the app sees its base as the client wrote it. What IIS makes
/// a slash of (`\`, `%5C`, `%2F`) is none for Kestrel, which would serve these without their base: they are refused.
const SPELLINGS: &[Split] = &[
    ("/Sub/App", Some(("/Sub/App", ""))),
    ("/SUb/APp", Some(("/SUb/APp", ""))),
    ("/sub/app/", Some(("/sub/app", "/"))),
    ("/Sub/App/PathAndPathBase/", Some(("/Sub/App", "/PathAndPathBase/"))),
    ("/%53ub/%41pp/x", Some(("/Sub/App", "/x"))),
    ("/Sub/./App/x", Some(("/Sub/App", "/x"))),
    ("/Sub/x/../App/y", Some(("/Sub/App", "/y"))),
    ("/Sub/App/a%2Fb", Some(("/Sub/App", "/a%2Fb"))),
    ("/Sub/App/a%5Cb", Some(("/Sub/App", "/a\\b"))),
    ("/Sub\\App/x", None),
    ("/Sub%5CApp/x", None),
    ("/Sub%2FApp/x", None),
    ("/Sub%2fApp", None),
    ("/Sub/App%2Fx", None),
    ("/Sub/App\\x", None),
    ("/Sub", None),
    ("/Sub/Ap", None),
    ("/Sub/Apple", None),
    ("/", None),
    ("/x", None),
    // Doubled slashes behind the base are the app's. Before and within it they make another path of it.
    ("/Sub/App//", Some(("/Sub/App", "//"))),
    ("/Sub/App//x", Some(("/Sub/App", "//x"))),
    ("/Sub/App/x//y", Some(("/Sub/App", "/x//y"))),
    ("/SUB/APP//x//", Some(("/SUB/APP", "//x//"))),
    ("/Sub/App/.//x", Some(("/Sub/App", "//x"))),
    ("/Sub/App//../x", Some(("/Sub/App", "/x"))),
    ("//Sub/App", None),
    ("//Sub/App/x", None),
    ("/Sub//App", None),
    ("/Sub//App/x", None),
    ("///Sub///App", None),
    ("//Sub//App//", None),
    ("/\\Sub/App", None),
    ("/Sub/\\App", None),
    ("/Sub%2F/App", None),
    ("//", None),
];

fn split(server: &mut Server) -> Outcome {
    let mut wrong = Vec::new();
    for (target, wanted) in SPELLINGS {
        let seen = report(server, target, 404)?.map(|seen| (text(&seen, "pathBase"), text(&seen, "path")));
        let seen = seen.as_ref().map(|(base, path)| (base.as_str(), path.as_str()));
        if seen != *wanted {
            wrong.push(format!("{target} is seen as {seen:?}, wanted {wanted:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
