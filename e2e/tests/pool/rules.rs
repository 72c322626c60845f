//! Start mode, idle timeout, warm-up, periodic recycling: what IIS keeps in the pool.

use super::*;

pub(super) fn add_to(suite: Suite) -> Suite {
    suite
        .test("preload: there before the first request", preload)
        .test(
            "idle: stopped after the timeout, not while somebody uses it, started by the next request",
            idle,
        )
        .test("warm-up pages are asked for before the first request gets in", warm_up)
        .test("a warm-up page that fails keeps nobody waiting", warm_up_fails)
        .needing("a warm-up page that is never answered is named", &[Need::Python], warm_up_hangs)
        .needing(
            "a warm-up that is under way does not keep an app from its end",
            &[Need::Python],
            warm_up_ends,
        )
        .test("recycled by age", || by(&["--recycle-time", "2"], |_| Ok(())))
        .test("recycled by requests", || by(&["--recycle-requests", "50"], many))
        .test("recycled by size", || by(&["--recycle-memory", "64"], |_| Ok(())))
        .test("without overlap the old process is gone before the new one starts, and requests wait", alone)
        .test("a fixed port is never listened on by two", fixed_port)
        .test("rules from a file beside the server", from_file)
}

fn preload() -> Outcome {
    serve(&Puppet::new(), &["--preload"], |server, record| {
        wait_for("a start", SOON, || (record.starts().len() == 1).then_some(()))?;
        let started = record.starts().first().map(|start| start.pid);
        ensure!(Some(pid(server)?) == started, "another process");
        // Unlike an app that always runs, it waits for a request after its end.
        process::signal(started.context("no start")?, Signal::KILL)?;
        pause(1000);
        ensure!(record.starts().len() == 1, "{:?}", record.starts());
        pid(server)?;
        Ok(())
    })
}

fn idle() -> Outcome {
    serve(&Puppet::new(), &["--idle-timeout", "2"], |server, record| {
        let first = pid(server)?;
        let mut client = order(server, "/slow", &slow(5000))?;
        pause(4000);
        ensure!(process::living(first).is_some(), "it was stopped with a request in it");
        ensure!(client.response()?.status == 200, "the slow request");
        gone(first)?;
        server.wait_output("[2009]", SOON)?;
        pause(500);
        ensure!(record.starts().len() == 1, "started without a request");
        ensure!(pid(server)? != first, "the same process");
        Ok(())
    })
}

const PAGES: &str = "<applicationInitialization><add initializationPage=\"/warm?one\" /><add \
                     initializationPage=\"/warm-two\" hostName=\"shop.example\" \
                     /></applicationInitialization></system.webServer>";

fn warm_up() -> Outcome {
    let folder = Puppet::new().folder()?;
    folder.replace("web.config", "</system.webServer>", PAGES)?;
    let options = Options::new(folder.path()).arg("--path-base").arg("/sub");
    serve_folder(&folder, &options, |server, record| {
        let response = server.get("/sub/first")?;
        ensure!(response.status == 200, "{}", response.describe());
        let first = response.pid().context("no pid")?;
        let targets: Vec<_> = record.requests().iter().map(e2e::record::Request::target).collect();
        ensure!(targets == ["/sub/warm?one", "/sub/warm-two", "/sub/first"], "{targets:?}");
        let requests = record.requests();
        let hosts: Vec<_> = requests.iter().flat_map(|request| request.values("Host")).collect();
        ensure!(hosts.get(..2) == Some(&["localhost".to_owned(), "shop.example".to_owned()]), "{hosts:?}");
        ensure!(requests.iter().all(|it| it.values("MS-ASPNETCORE-TOKEN").len() == 1), "no token");
        // The next process is warm as well before anybody gets to it.
        touch(&folder)?;
        wait_for("another process", SOON, || {
            server.get("/sub/later").ok()?.pid().filter(|pid| *pid != first)
        })?;
        let second = record.starts().last().map(|start| start.pid).context("no start")?;
        let order: Vec<_> = record
            .requests()
            .iter()
            .filter(|request| request.pid == second)
            .map(e2e::record::Request::target)
            .take(2)
            .collect();
        ensure!(order == ["/sub/warm?one", "/sub/warm-two"], "{order:?}");
        Ok(())
    })
}

fn warm_up_fails() -> Outcome {
    let answer = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    let folder = Puppet::new().variable("PUPPET_FIXED", &hex::encode(answer.as_bytes())).folder()?;
    folder.replace("web.config", "</system.webServer>", PAGES)?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        ensure!(server.get("/x")?.status == 500, "the app's own status");
        server.wait_output("[2010]", SOON)
    })
}

fn warm_up_hangs() -> Outcome {
    let folder = stops::warming()?;
    folder.replace("web.config", "processPath=", "startupTimeLimit=\"4\" processPath=")?;
    serve_folder(&folder, &Options::new(folder.path()).arg("--preload"), |server, _| {
        server.wait_output("could not be had: /warm was not answered in time", seconds(20))
    })
}

/// As a .NET app does, it ends when the last request has.
fn warm_up_ends() -> Outcome {
    let program = "-c \"import os, signal, socket, time; s = socket.socket(); s.bind(('127.0.0.1', \
                   int(os.environ['ASPNETCORE_PORT']))); s.listen(); c = s.accept()[0]; c.recv(9999); \
                   signal.signal(signal.SIGTERM, lambda *_: (c.recv(1), os._exit(0))); open('asked', 'w').close(); \
                   time.sleep(600)\"";
    let folder = Puppet::new().through("python3", program).folder()?;
    folder.replace("web.config", "</system.webServer>", PAGES)?;
    serve_folder(&folder, &Options::new(folder.path()).arg("--preload"), |server, _| {
        wait_for("the first page", SOON, || folder.path().join("asked").exists().then_some(()))?;
        folder.write("app_offline.htm", "offline")?;
        server.wait_output("it exited with code 0", 2 * SOON)
    })
}

fn many(server: &Server) -> Outcome {
    for _ in 0..60 {
        ensure!(server.get("/x")?.status == 200, "a request");
    }
    Ok(())
}

/// Another process comes by itself, and the old one goes.
fn by(arguments: &'static [&'static str], then: fn(&Server) -> Outcome) -> Outcome {
    serve(&Puppet::new(), arguments, |server, _| {
        let first = pid(server)?;
        then(server)?;
        wait_for("another process", seconds(25), || {
            server.get("/pid").ok()?.pid().filter(|it| *it != first)
        })?;
        server.wait_output("[2007]", SOON)?;
        gone(first)
    })
}

fn alone() -> Outcome {
    let folder = Puppet::new().variable("PUPPET_START_DELAY", "300").folder()?;
    let options = Options::new(folder.path()).arg("--disallow-overlapping-rotation");
    serve_folder(&folder, &options, |server, record| {
        let first = pid(server)?;
        let load = Load::start(server.address(), 4, 100);
        touch(&folder)?;
        let second = another(server, first)?;
        let tally = load.end();
        tally.all_are(&[200])?;
        tally.arrived_once(record)?;
        let texts = [format!("shut down process with Id '{first}'"), format!("started process '{second}'")];
        // Who is served need not wait until it is told.
        texts.iter().try_for_each(|text| server.wait_output(text, SOON))?;
        let output = server.output();
        ensure!(texts.iter().map(|text| output.find(text)).is_sorted(), "{output}");
        Ok(())
    })
}

fn fixed_port() -> Outcome {
    let port = e2e::port::free_of(e2e::port::UNDRAWN)?;
    let puppet = Puppet::new()
        .variable("ASPNETCORE_PORT", &port.to_string())
        .attribute("processesPerApplication", "3");
    let folder = puppet.folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let mut last = pid(server)?;
        for _ in 0..3 {
            touch(&folder)?;
            last = another(server, last)?;
        }
        ensure!(record.starts().iter().all(|start| start.port == port), "{:?}", record.starts());
        ensure!(record.starts().len() == 4, "{:?}", record.starts());
        Ok(())
    })
}

fn from_file() -> Outcome {
    let beside = Folder::empty()?;
    let file = beside.write(
        "falconer.toml",
        "[applicationPool.processModel]\nidleTimeout = \"00:00:02\"\n[application]\npreloadEnabled = true\n",
    )?;
    let folder = Puppet::new().folder()?;
    let options = Options::new(folder.path()).arg("--config").arg(&process::text(&file));
    serve_folder(&folder, &options, |server, record| {
        wait_for("a start", SOON, || (record.starts().len() == 1).then_some(()))?;
        server.wait_output("[2009]", SOON)?;
        pid(server)?;
        Ok(())
    })
}
