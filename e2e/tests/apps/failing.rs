//! Sample apps whose start fails: the visitor gets 502.5, the operator a sentence that says why.

use super::*;

struct Failing {
    name: &'static str,
    environment: &'static [&'static str],
    /// What must stand in the server's lines.
    said: &'static [&'static str],
}

const FAILING: &[Failing] = &[
    Failing { name: "broken-crash", environment: &[], said: &["SIGABRT", "Unhandled exception"] },
    Failing { name: "broken-exit0", environment: &[], said: &["code 0"] },
    Failing { name: "broken-nodll", environment: &[], said: &["missing.dll"] },
    Failing { name: "broken-port", environment: &["BROKEN_PORT=5993"], said: &["5993"] },
    Failing { name: "future", environment: &[], said: &["99.0.0"] },
    Failing { name: "legacy-net8", environment: &[], said: &["8.0.0"] },
];

pub(super) fn add(suite: Suite) -> Suite {
    FAILING.iter().fold(suite, |suite, app| {
        suite.needing(format!("{} fails with a reason", app.name), &[Need::Dotnet], || fails(app))
    })
}

fn fails(app: &Failing) -> Outcome {
    let folder = Folder::app(app.name)?;
    folder.replace("web.config", "<aspNetCore ", "<aspNetCore startupTimeLimit=\"10\" ")?;
    let mut options = Options::new(folder.path()).dotnet()?;
    for setting in app.environment {
        options = options.arg("--env").arg(setting);
    }
    // Some of them may already be refused at the start, which is as good: with exit code 1 and the reason.
    let Ok(mut server) = Server::start(&options) else {
        let (status, output) = options.run()?;
        ensure!(status.code() == Some(1), "ended with {status}: {output}");
        return said(app, &output);
    };
    let response = server.get("/")?;
    ensure!(
        response.status == 502 && response.text().contains("502.5"),
        "{}\n{}",
        response.describe(),
        server.output()
    );
    for words in app.said {
        server.wait_output(words, seconds(10)).context(server.output())?;
    }
    server.stop(seconds(15))
}

fn said(app: &Failing, output: &str) -> Outcome {
    for words in app.said {
        ensure!(output.contains(words), "{words:?} is not said: {output}");
    }
    Ok(())
}
