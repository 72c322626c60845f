//! SIGTERM comes when it comes: in every state the server ends in order, soon, and leaves nobody behind.

use super::*;

pub(super) fn add_to(suite: Suite) -> Suite {
    let hung = || Puppet::new().variable("PUPPET_LISTEN", "none");
    suite
        .test("stopped while a start hangs", move || stops(&hung(), &[], |server, _| asked(server, "/x", "")))
        .needing("stopped while a worker is warmed", &[Need::Python], || {
            stops_over(&warming()?, &[], |server, _| asked(server, "/x", ""))
        })
        .test("stopped while starts are held back", || {
            stops(&Puppet::new().variable("PUPPET_EXIT", "3"), &[], |server, _| {
                for _ in 0..3 {
                    ensure!(server.get("/x")?.status == 502, "it started");
                }
                Ok(None)
            })
        })
        .test("stopped while one drains and the next one starts", || stops(&Puppet::new(), &[], recycling))
        .test("stopped while the next one waits for the end of the last", || {
            stops(&Puppet::new(), &["--disallow-overlapping-rotation"], recycling)
        })
        .test("stopped while it is offline with a request still in", || {
            stops(&Puppet::new(), &[], |server, folder| {
                pid(server)?;
                let client = order(server, "/slow", &slow(20_000))?;
                folder.write("app_offline.htm", "offline")?;
                wait_for("503", SOON, || server.get("/x").ok().filter(|response| response.status == 503))?;
                Ok(Some(client))
            })
        })
}

type Prepare = fn(&Server, &Folder) -> Outcome<Option<Client>>;

pub(super) fn warming() -> Outcome<Folder> {
    // Its page is never answered: the program takes no connection.
    let program = "-c \"import os, socket, time; s = socket.socket(); s.bind(('127.0.0.1', \
                   int(os.environ['ASPNETCORE_PORT']))); s.listen(); time.sleep(600)\"";
    let folder = Puppet::new().through("python3", program).folder()?;
    let pages = "<applicationInitialization><add initializationPage=\"/warm\" \
                 /></applicationInitialization></system.webServer>";
    folder.replace("web.config", "</system.webServer>", pages)?;
    Ok(folder)
}

fn asked(server: &Server, target: &str, orders: &str) -> Outcome<Option<Client>> {
    let client = order(server, target, orders)?;
    pause(700);
    Ok(Some(client))
}

/// A request that takes long on the old process, and a touch.
fn recycling(server: &Server, folder: &Folder) -> Outcome<Option<Client>> {
    pid(server)?;
    let client = order(server, "/slow", &slow(20_000))?;
    pause(200);
    touch(folder)?;
    server.wait_output("[1021]", SOON)?;
    Ok(Some(client))
}

fn stops(puppet: &Puppet, arguments: &[&str], prepare: Prepare) -> Outcome {
    stops_over(&puppet.folder()?, arguments, prepare)
}

fn stops_over(folder: &Folder, arguments: &[&str], prepare: Prepare) -> Outcome {
    let mark = format!("E2E_MARK={}", e2e::suite::unique());
    let options = arguments.iter().fold(Options::new(folder.path()), |options, one| options.arg(one));
    let options = options.arg("--drain-timeout").arg("2").arg("--env").arg(&mark);
    serve_folder(folder, &options, |server, _| {
        let client = prepare(server, folder)?;
        // The drain, the app's shutdownTimeLimit, and what a busy machine takes.
        server.stop(seconds(20))?;
        drop(client);
        wait_for("the end of every process", SOON, || process::marked(&mark).is_empty().then_some(()))
    })
}
