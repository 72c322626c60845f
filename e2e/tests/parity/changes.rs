//! web.config and the app's files change while it runs.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("a touched web.config means a new process", touched),
    ("hostingModel changed to inprocess goes on serving", into_process),
    ("web.config touched a hundred times under load", hundred),
    ("a broken edit of web.config keeps the old app", broken),
    ("a touched web.config of the site root means a new process", parent),
    ("the files of a running app can be replaced", replaced),
    ("rewrite rules are told as not honoured, and do not stand in the way", rewrite),
    ("a WebSocket is closed when web.config changes, and the next one opens", socket),
];

fn touched() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        let load = Load::start(site.server.address(), 2, &[200]);
        site.touch("web.config")?;
        let next = site.another(pid)?;
        wait_for("the end of the old process", SOON, || process::living(pid).is_none().then_some(()))?;
        load.end()?;
        ensure!(site.pid()? == next, "a third process answers");
        site.event(1021, 1)
    })
}

fn into_process() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        let load = Load::start(site.server.address(), 2, &[200]);
        site.config(&Hosting::new().attribute("hostingModel", "inprocess"))?;
        site.another(pid)?;
        load.end()?;
        let response = site.server.get("/HelloWorld")?;
        ensure!(
            response.status == 200 && response.field("Server") == Some("Kestrel"),
            "{}",
            response.describe()
        );
        Ok(())
    })
}

fn hundred() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        let load = Load::start(site.server.address(), 4, &[200]);
        for _ in 0..100 {
            site.touch("web.config")?;
            pause(50);
        }
        site.another(pid)?;
        let served = load.end()?;
        ensure!(served > 100, "only {served} requests were answered meanwhile");
        // The last recycle may still be under way.
        site.text("/HelloWorld").map(drop)
    })
}

fn broken() -> Outcome {
    let good = Hosting::new();
    good.serve(|site| {
        let pid = site.pid()?;
        for (text, word) in [
            (good.config().replace("outofprocess", "bogus"), "bogus"),
            (good.config().replace("</configuration>", ""), "web.config:"),
            (String::new(), "web.config"),
        ] {
            let before = site.server.output().len();
            site.folder.write("web.config", text)?;
            wait_for(&format!("a line with {word}"), SOON, || {
                site.server.output().get(before..)?.contains(word).then_some(())
            })?;
            ensure!(site.pid()? == pid, "{word}: another process answers");
        }
        site.config(&good)?;
        site.another(pid).map(drop)
    })
}

/// The app is a folder of the site's, which has a web.config of its own.
fn parent() -> Outcome {
    let root = Folder::empty()?;
    root.write(
        "web.config",
        "<configuration><system.webServer><aspNetCore shutdownTimeLimit=\"7\" /></system.webServer></configuration>",
    )?;
    let app = Hosting::new().folder()?;
    e2e::temp::copy_tree(app.path(), &root.path().join("app"))?;
    let options = Options::new(&root.path().join("app")).dotnet()?;
    let options = options.arg("--site-root").arg(&process::text(root.path()));
    Site::start(root, &options)?.test(|site| {
        let mut pid = site.text("/app/ProcessId")?;
        for file in ["web.config", "app/web.config"] {
            site.touch(file)?;
            pid = wait_for(&format!("another process for {file}"), SOON, || {
                site.text("/app/ProcessId").ok().filter(|text| *text != pid)
            })?;
        }
        Ok(())
    })
}

fn replaced() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        let dll = site.folder.path().join("parity.dll");
        let bytes = std::fs::read(&dll)?;
        site.remove("parity.dll")?;
        site.folder.write("parity.dll", &bytes)?;
        site.folder.write("wwwroot/new.txt", "deployed")?;
        ensure!(site.pid()? == pid, "another process answers");
        site.touch("web.config")?;
        site.another(pid).map(drop)
    })
}

const RULES: &str = "<rewrite><rules><rule name=\"app\" stopProcessing=\"true\"><match url=\"^old/(.*)\" />\
    <action type=\"Rewrite\" url=\"{R:1}\" /></rule></rules></rewrite>\n";

fn rewrite() -> Outcome {
    Hosting::new().section(RULES).serve(|site| {
        site.server.wait_output("rewrite", SOON)?;
        let pid = site.pid()?;
        site.touch("web.config")?;
        site.another(pid)?;
        site.folder.write("app_offline.htm", "offline")?;
        site.until("/HelloWorld", 503)?;
        site.remove("app_offline.htm")?;
        site.until("/HelloWorld", 200)?;
        Ok(())
    })
}

fn socket() -> Outcome {
    Hosting::new().serve_with(
        // What has no end gets this long to come to one.
        |options| options.arg("--drain-timeout").arg("1"),
        |site| {
            let pid = site.pid()?;
            let (mut socket, _) = sockets::open(site)?;
            site.touch("web.config")?;
            let message = socket.read()?;
            ensure!(message.is_close(), "{message:?}");
            site.another(pid)?;
            let (mut socket, _) = sockets::open(site)?;
            socket.send(tungstenite::Message::text("again"))?;
            ensure!(socket.read()? == tungstenite::Message::text("again"), "no echo");
            Ok(())
        },
    )
}
