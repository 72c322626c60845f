//! How an app starts, and how a start that fails is told.

use super::*;

/// How long it takes at most until what has happened is told.
const TOLD: Duration = seconds(10);

/// A puppet whose start fails, and what the answer and the server's lines must hold.
struct Bad {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    said: &'static [&'static str],
}

const BAD: &[Bad] = &[
    Bad { name: "it ends with code 7", variables: &[("PUPPET_EXIT", "7")], said: &["7"] },
    Bad { name: "it ends with code 0", variables: &[("PUPPET_EXIT", "0")], said: &["0"] },
    Bad {
        name: "it ends with code 150",
        variables: &[("PUPPET_EXIT", "150")],
        said: &["150", "not installed"],
    },
    Bad { name: "it crashes", variables: &[("PUPPET_CRASH", "1")], said: &["SIGABRT"] },
    Bad { name: "it never listens", variables: &[("PUPPET_LISTEN", "none")], said: &["listen"] },
];

pub(super) fn add(suite: Suite) -> Suite {
    let suite = BAD.iter().fold(suite, |suite, bad| {
        suite.test(format!("a start fails with 502.5: {}", bad.name), move || fails(bad))
    });
    suite
        .test("a start fails with 502.5: the program is missing", missing)
        .test("a start fails with 502.3 with disableStartUpErrorPage", plain_page)
        .test("an app that listens elsewhere is found and named", elsewhere)
        .test("what the app said before it failed is told", last_words)
        .test("a slow start makes requests wait", slow)
        .test("an app that is killed more often than rapidFailsPerMinute allows is left alone", rate)
        .test("an app on ::1, on every address, and behind two forks is served", places)
        .test("a launcher that leaves is no crash", launcher)
}

fn fails(bad: &Bad) -> Outcome {
    let puppet =
        bad.variables.iter().fold(Puppet::new(), |puppet, (name, value)| puppet.variable(name, value));
    // Only who never listens is waited for.
    let limit = if bad.said == ["listen"] { "2" } else { "15" };
    serve(&puppet.attribute("startupTimeLimit", limit), &[], |server, _| {
        let response = server.get("/x")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        server.wait_output("[1000]", TOLD).context("no event line")?;
        for words in bad.said {
            server.wait_output(words, TOLD)?;
        }
        server.stop(seconds(10))
    })
}

fn missing() -> Outcome {
    serve(&Puppet::new().through("/nonexistent/program", ""), &[], |server, _| {
        let response = server.get("/x")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        server.wait_output("/nonexistent/program", TOLD)
    })
}

fn plain_page() -> Outcome {
    let puppet = Puppet::new().variable("PUPPET_EXIT", "7").attribute("disableStartUpErrorPage", "true");
    serve(&puppet, &[], |server, _| {
        let response = server.get("/x")?;
        ensure!(response.status == 502 && response.text().contains("502.3"), "{}", response.describe());
        ensure!(!response.text().contains("502.5"), "{}", response.describe());
        Ok(())
    })
}

/// `app.Run("http://...")` in an app's code wins over what it is told.
fn elsewhere() -> Outcome {
    let puppet = Puppet::new().variable("PUPPET_LISTEN", "wrong").attribute("startupTimeLimit", "4");
    serve(&puppet, &[], |server, record| {
        let response = server.get("/x")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        ensure!(record.requests().is_empty(), "a request went to another port");
        let text = std::fs::read_to_string(record_path(server)?)?;
        let address =
            text.lines().find_map(|line| line.split(" listening ").nth(1)).context("no listener")?;
        let port = address.rsplit(':').next().context("no port")?.to_owned();
        server.wait_output(&port, TOLD).context("the port where it listens is not named")
    })
}

/// The record's place, as the app was told: it is in the server's table of variables' folder.
fn record_path(server: &Server) -> Outcome<std::path::PathBuf> {
    let output = server.output();
    let line =
        output.lines().find(|line| line.trim_start().starts_with("folder")).context("no folder line")?;
    let folder = line.split_ascii_whitespace().nth(1).context("no folder")?;
    Ok(std::path::Path::new(folder).join("record"))
}

fn last_words() -> Outcome {
    let puppet = Puppet::new()
        .variable("PUPPET_PRINT", "text:the reason of it all;token")
        .variable("PUPPET_EXIT", "3");
    serve(&puppet, &[], |server, _| {
        let response = server.get("/x")?;
        server.wait_output("the reason of it all", TOLD)?;
        server.wait_output(" end\n", TOLD)?;
        let output = server.output();
        let token = output.lines().find_map(|line| line.split_once("token ")?.1.split_once(" end"));
        let (token, _) = token.context("the line with the token is missing")?;
        ensure!(!token.bytes().any(|byte| byte.is_ascii_hexdigit()), "the token is told: {token}");
        ensure!(!response.text().contains("the reason of it all"), "visitors are told what the app prints");
        Ok(())
    })
}

fn slow() -> Outcome {
    serve(&Puppet::new().variable("PUPPET_START_DELAY", "2500"), &[], |server, record| {
        let start = now();
        app(server)?;
        let took = start.elapsed();
        ensure!(took > seconds(2) && took < seconds(10), "took {took:?}");
        ensure!(record.starts().len() == 1, "{:?}", record.starts());
        Ok(())
    })
}

/// `rapidFailsPerMinute` counts the ends of processes that answered; the next start is refused until the minute is over.
fn rate() -> Outcome {
    let puppet = Puppet::new().attribute("rapidFailsPerMinute", "5");
    serve(&puppet, &[], |server, record| {
        let mut refused = None;
        for _ in 0..100 {
            let response = server.get("/x")?;
            match (response.status, response.pid()) {
                (200, Some(pid)) => {
                    // It may have been killed a moment ago, with its answer still on the way.
                    let _ = process::signal(pid, Signal::KILL);
                    wait_for("its end", seconds(5), || process::living(pid).is_none().then_some(()))?;
                }
                _ if response.field("Retry-After").is_some() => {
                    refused = Some(response);
                    break;
                }
                _ => ensure!(response.status == 502, "{}", response.describe()),
            }
        }
        let refused = refused.context("no start was refused")?;
        ensure!(refused.status == 502 && refused.text().contains("502.5"), "{}", refused.describe());
        let starts = record.starts().len();
        ensure!((6..=7).contains(&starts), "{starts} starts");
        server
            .wait_output("[1003] Application '/': Maximum rapid fail count per minute of '5' exceeded", TOLD)
    })
}

fn places() -> Outcome {
    for (name, value) in [
        ("PUPPET_LISTEN", "v6"),
        ("PUPPET_LISTEN", "any"),
        ("PUPPET_LISTEN", "any6"),
        ("PUPPET_LISTEN", "both"),
        ("PUPPET_FORK", "setsid"),
        ("PUPPET_FORK", "child"),
    ] {
        serve(&Puppet::new().variable(name, value), &[], |server, _| {
            let pid = app(server)?;
            ensure!(app(server)? == pid, "another process");
            server.stop(seconds(10))?;
            ensure!(process::living(pid).is_none(), "the app still runs");
            Ok(())
        })
        .context(format!("{name}={value}"))?;
    }
    Ok(())
}

fn launcher() -> Outcome {
    serve(&Puppet::new().variable("PUPPET_FORK", "setsid"), &[], |server, record| {
        let pid = app(server)?;
        e2e::pause(1500);
        ensure!(app(server)? == pid, "started anew although its listener lives");
        ensure!(record.starts().len() == 1, "{:?}", record.starts());
        process::signal(pid, Signal::KILL)?;
        ensure!(app(server)? != pid, "the dead process answered");
        Ok(())
    })
}
