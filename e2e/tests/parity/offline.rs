//! `app_offline.htm` over the C# app: before its start, while it runs, while it ends, under load.

use super::*;

const NAME: &str = "app_offline.htm";
const PAGE: &str = "The app is offline.";

pub(super) const TRIALS: &[Trial] = &[
    ("offline before the first request", before),
    ("an unreadable app_offline.htm before the first request", unreadable),
    ("offline while the start fails", failing),
    ("offline and back, twice", twice),
    ("offline and back before the first start", never_seen),
    ("offline five times under load", under_load),
    ("offline in odd case and by renaming", renamed),
    ("while a slow app ends every request gets the page", slow_end),
    ("half-sent bodies and a waiting request finish after app_offline.htm", drained),
];

fn page(site: &Site, wanted: &str) -> Outcome {
    wait_for(&format!("503 with {wanted:?}"), SOON, || {
        let response = site.server.get("/HelloWorld").ok()?;
        (response.status == 503 && response.text() == wanted).then_some(())
    })
}

fn hello(site: &Site) -> Outcome {
    let response = site.until("/HelloWorld", 200)?;
    ensure!(response.text() == "Hello World", "{}", response.describe());
    Ok(())
}

fn gone(pid: u32) -> Outcome {
    wait_for("the app's end", SOON, || process::living(pid).is_none().then_some(()))
}

/// The file is there before the server is.
fn dropped(make: impl FnOnce(&Folder) -> Outcome, test: impl FnOnce(&mut Site) -> Outcome) -> Outcome {
    let folder = Hosting::new().folder()?;
    make(&folder)?;
    let options = Options::new(folder.path()).dotnet()?;
    Site::start(folder, &options)?.test(test)
}

fn before() -> Outcome {
    dropped(
        |folder| folder.write(NAME, PAGE).map(drop),
        |site| {
            let response = site.server.get("/HelloWorld")?;
            ensure!(response.status == 503 && response.text() == PAGE, "{}", response.describe());
            ensure!(response.field("Content-Type") == Some("text/html"), "{}", response.describe());
            ensure!(!site.server.output().contains("[1001]"), "it was started");
            site.remove(NAME)?;
            hello(site)
        },
    )
}

/// A link that leads back to itself, since nothing of a real file is hidden from root.
fn unreadable() -> Outcome {
    dropped(
        |folder| std::os::unix::fs::symlink(NAME, folder.path().join(NAME)).context(NAME),
        |site| {
            let response = site.server.get("/HelloWorld")?;
            ensure!(response.status == 503 && response.body.is_empty(), "{}", response.describe());
            Ok(())
        },
    )
}

fn failing() -> Outcome {
    Hosting::new().attribute("processPath", "nonexistent").serve(|site| {
        let response = site.server.get("/HelloWorld")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        site.folder.write(NAME, PAGE)?;
        page(site, PAGE)
    })
}

fn twice() -> Outcome {
    Hosting::new().serve(|site| {
        for _ in 0..2 {
            let pid = site.pid()?;
            site.folder.write(NAME, PAGE)?;
            page(site, PAGE)?;
            gone(pid)?;
            site.remove(NAME)?;
            hello(site)?;
            ensure!(site.pid()? != pid, "the same process answers");
        }
        site.event(1012, 2)
    })
}

fn never_seen() -> Outcome {
    dropped(
        |folder| {
            folder.write(NAME, PAGE)?;
            std::fs::remove_file(folder.path().join(NAME)).context(NAME)
        },
        hello_of,
    )?;
    Hosting::new().serve(|site| {
        site.folder.write(NAME, PAGE)?;
        site.remove(NAME)?;
        hello(site)
    })
}

fn hello_of(site: &mut Site) -> Outcome {
    hello(site)
}

fn under_load() -> Outcome {
    Hosting::new().serve(|site| {
        hello(site)?;
        let load = Load::start(site.server.address(), 10, &[200, 503]);
        for _ in 0..5 {
            site.folder.write(NAME, PAGE)?;
            page(site, PAGE)?;
            site.remove(NAME)?;
            hello(site)?;
        }
        let served = load.end()?;
        ensure!(served > 0, "no request of the load was answered");
        Ok(())
    })
}

fn renamed() -> Outcome {
    Hosting::new().serve(|site| {
        for round in 0..3 {
            let pid = site.pid()?;
            site.folder.write("App_Offline.Htm", PAGE)?;
            page(site, PAGE)?;
            gone(pid)?;
            // The folder is the deployer's while it is offline.
            std::fs::rename(site.folder.path().join("parity.dll"), site.folder.path().join("x.dll"))?;
            std::fs::rename(site.folder.path().join("x.dll"), site.folder.path().join("parity.dll"))?;
            let away = format!("offline{round}");
            std::fs::rename(site.folder.path().join("App_Offline.Htm"), site.folder.path().join(away))?;
            hello(site)?;
            ensure!(site.pid()? != pid, "the same process answers");
        }
        Ok(())
    })
}

fn slow_end() -> Outcome {
    let slow = Hosting::new().attribute("shutdownTimeLimit", "20").variable("PARITY_STOP_DELAY", "3000");
    slow.serve(|site| {
        let pid = site.pid()?;
        site.folder.write(NAME, PAGE)?;
        page(site, PAGE)?;
        let mut pages = 0;
        while process::living(pid).is_some() {
            let response = site.server.get("/HelloWorld")?;
            ensure!(response.status == 503 && response.text() == PAGE, "{}", response.describe());
            pages += 1;
            pause(50);
        }
        ensure!(pages > 10, "it ended within {pages} requests");
        site.remove(NAME)?;
        let next = site.another(pid)?;
        site.folder.write(NAME, PAGE)?;
        page(site, PAGE)?;
        gone(next)?;
        site.remove(NAME)?;
        site.another(next)?;
        Ok(())
    })
}

fn drained() -> Outcome {
    Hosting::new().attribute("shutdownTimeLimit", "30").serve(|site| {
        let pid = site.pid()?;
        let mut waiter = site.server.client()?;
        waiter.send("GET /Wait?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n")?;
        let mut halves = Vec::new();
        for _ in 0..2 {
            let mut client = site.server.client()?;
            let lines = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 10";
            client.send(format!("POST /Length HTTP/1.1\r\n{lines}\r\n\r\n"))?;
            // It comes when the app begins to read.
            let go = client.head(now() + SOON)?;
            ensure!(go.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&go));
            client.send("half.")?;
            halves.push(client);
        }
        // The first one is in the app by then.
        pause(1000);
        site.folder.write(NAME, PAGE)?;
        page(site, PAGE)?;
        for client in &mut halves {
            client.send(".half")?;
            let response = client.response()?;
            let text = response.text();
            ensure!(
                response.status == 200 && text == format!("length=10\npid={pid}"),
                "{}",
                response.describe()
            );
        }
        let response = waiter.response()?;
        ensure!(response.status == 200 && response.text() == format!("pid={pid}"), "{}", response.describe());
        gone(pid)
    })
}
