//! Requests and answers of the C# app, and of several apps side by side.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("path, query, folders and limits as the app sees them", seen),
    ("an app that aborts its connection is 502", aborted),
    ("forwardResponseConnectionHeader passes Connection: close on", connection),
    ("a hundred clients vanish within their uploads", vanishing),
    ("a hundred first requests at once", first_requests),
    ("a form comes back, short and long", forms),
    ("requestTimeout above and below what the app needs", timeout),
    ("what the app compresses passes, and urlCompression is told as not honoured", compressed),
    ("the app's response caching works", cached),
    ("two apps are two processes, whatever their hosting models", two_apps),
    ("ten apps that are started at once all answer", ten_apps),
];

fn seen() -> Outcome {
    let folder = Hosting::new().folder()?;
    folder.write("wwwroot/some.txt", "served by whom it is")?;
    let options = Options::new(folder.path()).dotnet()?;
    Site::start(folder, &options)?.test(|site| {
        let root = process::text(&std::fs::canonicalize(site.folder.path())?);
        let webroot = format!("{root}/wwwroot");
        for (path, wanted) in [
            ("/HelloWorld", "Hello World"),
            ("/Path/%3F%3F?query", "/??"),
            ("/Query/%3FPath?query?", "?query?"),
            ("/Auth", "null"),
            ("/ContentRoot", &root),
            ("/WebRoot", &webroot),
            ("/CurrentDirectory", &root),
            // Kestrel's own, which IIS lifted in apps of older versions.
            ("/BodyLimit", "30000000"),
        ] {
            let text = site.text(path)?;
            ensure!(text == wanted, "{path}: {text:?} and not {wanted:?}");
        }
        Ok(())
    })
}

fn aborted() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        let response = site.server.get("/Abort")?;
        ensure!(response.status == 502 && response.text().contains("502.3"), "{}", response.describe());
        ensure!(site.pid()? == pid, "another process answers");
        Ok(())
    })
}

fn connection() -> Outcome {
    for (value, passed) in [("true", true), ("TRUE", true), ("false", false)] {
        Hosting::new().setting("forwardResponseConnectionHeader", value).serve(|site| {
            let response = site.server.client()?.get("/Close")?;
            ensure!(
                response.status == 200 && response.closes() == passed,
                "{value}: {}",
                response.describe()
            );
            Ok(())
        })?;
    }
    Ok(())
}

fn vanishing() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        let half = vec![b'a'; 5000];
        for number in 0..100 {
            let mut client = site.server.client()?;
            client.send("POST /Length HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")?;
            client.send(half.get(..number * 50).unwrap_or_default())?;
        }
        for _ in 0..10 {
            ensure!(site.pid()? == pid, "another process answers");
        }
        Ok(())
    })
}

fn first_requests() -> Outcome {
    Hosting::new().serve(|site| {
        let mut clients = Vec::new();
        for _ in 0..100 {
            let mut client = site.server.client()?.patience(SOON);
            client.send("GET /HelloWorld HTTP/1.1\r\nHost: a\r\n\r\n")?;
            clients.push(client);
        }
        for client in &mut clients {
            let response = client.response()?;
            ensure!(response.status == 200 && response.text() == "Hello World", "{}", response.describe());
        }
        site.event(1001, 1)?;
        ensure!(site.server.output().matches("[1001]").count() == 1, "it was started more than once");
        Ok(())
    })
}

fn forms() -> Outcome {
    Hosting::new().serve(|site| {
        let mut client = site.server.client()?;
        for length in [5, 200_000] {
            let text = "posted text ".chars().cycle().take(length).collect::<String>();
            let body = format!("text={}", text.replace(' ', "+"));
            client.send(format!(
                "POST /Form HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ))?;
            let response = client.response()?;
            ensure!(response.status == 200 && response.text() == text, "{length}: {}", response.describe());
        }
        Ok(())
    })
}

fn timeout() -> Outcome {
    Hosting::new().attribute("requestTimeout", "00:00:20").serve(|site| {
        site.pid()?;
        site.text("/Wait?ms=2500").map(drop)
    })?;
    Hosting::new().attribute("requestTimeout", "00:00:04").serve(|site| {
        site.pid()?;
        let response = site.server.get("/Wait?ms=15000")?;
        ensure!(response.status == 502 && response.text().contains("502.3"), "{}", response.describe());
        Ok(())
    })
}

fn compressed() -> Outcome {
    let hosting = Hosting::new().section("<urlCompression doDynamicCompression=\"true\" />\n");
    hosting.serve(|site| {
        let mut client = site.server.client()?;
        let gzip = "Accept-Encoding: gzip\r\n";
        let response = client.get_with("/Compressed", gzip)?;
        let encoding = response.field("Content-Encoding");
        ensure!(response.status == 200 && encoding == Some("gzip"), "{}", response.describe());
        ensure!(
            response.body.starts_with(&[0x1f, 0x8b]) && response.body.len() < 4000,
            "{}",
            response.describe()
        );
        for (path, lines) in [("/Compressed", ""), ("/HelloWorld", gzip)] {
            let response = client.get_with(path, lines)?;
            ensure!(response.field("Content-Encoding").is_none(), "{path}: {}", response.describe());
        }
        site.server.wait_output("urlCompression", SOON)
    })
}

fn cached() -> Outcome {
    Hosting::new().serve(|site| {
        // Kept for two seconds, which may be over when the second one is asked for.
        let first = wait_for("one answer twice", SOON, || {
            let (first, again) = (site.text("/Cached").ok()?, site.text("/Cached").ok()?);
            (first == again).then_some(first)
        })?;
        wait_for("another answer", SOON, || site.text("/Cached").ok().filter(|text| *text != first))?;
        Ok(())
    })
}

fn two_apps() -> Outcome {
    let at = |path: &'static str| move |options: Options| options.arg("--path-base").arg(path);
    for (one, other) in
        [("outofprocess", "outofprocess"), ("outofprocess", "inprocess"), ("InProcess", "inprocess")]
    {
        Hosting::new().attribute("hostingModel", one).serve_with(at("/app1"), |first| {
            Hosting::new().attribute("hostingModel", other).serve_with(at("/app2"), |second| {
                let (one, other) = (first.text("/app1/ProcessId")?, second.text("/app2/ProcessId")?);
                ensure!(one != other, "{one} answers for both");
                Ok(())
            })
        })?;
    }
    Ok(())
}

fn ten_apps() -> Outcome {
    let run = || {
        serve(&Puppet::new(), &[], |server, _| {
            let response = server.get("/x")?;
            ensure!(response.status == 200, "{}", response.describe());
            Ok(())
        })
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..10).map(|_| scope.spawn(run)).collect();
        all.into_iter().try_for_each(|one| one.join().ok().context("a trial panicked")?)
    })
}
