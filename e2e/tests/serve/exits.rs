//! Exit codes and what is said with them: 0, 1 bad configuration, 2 usage, 3 could not bind.

use e2e::folder::Folder;
use e2e::server::serve_folder;
use e2e::{Options, Outcome, Puppet, Suite, ensure, find, process};

/// A web.config that cannot be served, and what the message must hold.
struct Mistake {
    name: &'static str,
    config: &'static str,
    /// Line and column, and words.
    said: &'static [&'static str],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "XML that is not closed",
        config: "<configuration>\n  <system.webServer>\n</configuration>\n",
        said: &["web.config:3:"],
    },
    Mistake {
        name: "a number out of range",
        config: "<configuration><system.webServer>\n<aspNetCore processPath=\"/bin/true\"\n  \
                 startupTimeLimit=\"7200\" /></system.webServer></configuration>\n",
        said: &["web.config:3:", "startupTimeLimit", "3600"],
    },
    Mistake {
        name: "no processPath",
        config: "<configuration><system.webServer>\n  <aspNetCore arguments=\"x\" />\n</system.webServer></configuration>\n",
        said: &["web.config:2:", "processPath"],
    },
    Mistake {
        name: "a boolean that is none",
        config: "<configuration><system.webServer>\n<aspNetCore processPath=\"/bin/true\" stdoutLogEnabled=\"yes\" />\n\
                 </system.webServer></configuration>\n",
        said: &["web.config:2:", "stdoutLogEnabled"],
    },
    Mistake {
        name: "two mistakes at once",
        config: "<configuration><system.webServer>\n<aspNetCore processPath=\"/bin/true\"\nstartupTimeLimit=\"x\"\n\
                 shutdownTimeLimit=\"y\" />\n</system.webServer></configuration>\n",
        said: &["web.config:3:", "startupTimeLimit", "web.config:4:", "shutdownTimeLimit"],
    },
    Mistake {
        name: "a document type",
        config: "<!DOCTYPE x>\n<configuration />\n",
        said: &["web.config:1:"],
    },
];

pub(super) fn add(suite: Suite) -> Suite {
    let suite = MISTAKES.iter().fold(suite, |suite, mistake| {
        suite.test(format!("exit 1 with the place: {}", mistake.name), move || told(mistake))
    });
    suite
        .test("exit 1: no such folder", || {
            ends_with(&Options::new(std::path::Path::new("/nonexistent/folder")), 1, &["/nonexistent/folder"])
        })
        .test("exit 1: nothing to run says what was looked for", || {
            let folder = Folder::empty()?;
            ends_with(&Options::new(folder.path()), 1, &["runtimeconfig.json"])
        })
        .test("exit 1: a bad --listen", || {
            let folder = Puppet::new().folder()?;
            ends_with(&Options::new(folder.path()).listen("127.0.0.1:99999"), 1, &["99999"])
        })
        .test("exit 2: usage", usage)
        .test("exit 0: --help and --version", help)
        .test("exit 3: a second server on the address names the first", held)
        .test("exit 3: an address that is not ours", || {
            let folder = Puppet::new().folder()?;
            ends_with(&Options::new(folder.path()).listen("192.0.2.1:8080"), 3, &["192.0.2.1:8080"])
        })
}

fn told(mistake: &Mistake) -> Outcome {
    let folder = Folder::with_config(mistake.config)?;
    ends_with(&Options::new(folder.path()), 1, mistake.said)
}

fn ends_with(options: &Options, code: i32, said: &[&str]) -> Outcome {
    let (status, output) = options.run()?;
    ensure!(status.code() == Some(code), "ended with {status}, wanted exit code {code}:\n{output}");
    for words in said {
        ensure!(output.contains(words), "{words:?} is not said:\n{output}");
    }
    Ok(())
}

fn usage() -> Outcome {
    let folder = Puppet::new().folder()?;
    ends_with(&Options::new(folder.path()).arg("--no-such-flag"), 2, &["--no-such-flag"])?;
    let output = process::command(&find::falconer()?).arg("serve").output()?;
    ensure!(output.status.code() == Some(2), "serve without a folder: {}", output.status);
    let output = process::command(&find::falconer()?).arg("swim").output()?;
    ensure!(output.status.code() == Some(2), "an unknown verb: {}", output.status);
    Ok(())
}

fn help() -> Outcome {
    for flag in ["--help", "--version"] {
        let output = process::command(&find::falconer()?).arg(flag).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.code() == Some(0) && !text.is_empty(), "{flag}: {} {text}", output.status);
    }
    Ok(())
}

fn held() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let second = Options::new(folder.path()).listen(&server.address().to_string());
        ends_with(&second, 3, &[&server.address().to_string(), &server.pid().to_string()])?;
        ensure!(server.get("/x")?.status == 200, "the first no longer serves");
        Ok(())
    })
}
