//! What the app prints: into a log, or into the event of a start that failed.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("stdout and stderr go to a log with the name that IIS gives it", named),
    ("a log that cannot be made stops nobody", blocked),
    ("what the app printed before its start failed is told", wow),
    ("without redirection nothing of the output is told", not_told),
    ("of long output the last 30,000 characters are told", long),
    ("a log keeps UTF-8, and there is one for each start", one_each),
    ("the trace file of debugFile", trace),
    ("the folder of the log is made, and a blocked one is event 1004", made),
];

/// The words of the app in the mode `Print`, in two scripts.
const SAID: [&str; 2] = ["TEST MESSAGE 彡⾔", "ERROR MESSAGE 彡⾔"];

fn logs(site: &Site) -> Outcome<Vec<(String, String)>> {
    wait_for("the app's log", SOON, || {
        let all = site.folder.logs();
        let named: Vec<(String, String)> = all
            .into_iter()
            .filter(|(_, text)| SAID.iter().all(|words| text.contains(words)))
            .filter_map(|(path, text)| Some((path.file_name()?.to_str()?.to_owned(), text)))
            .collect();
        (!named.is_empty()).then_some(named)
    })
}

fn named() -> Outcome {
    Hosting::new().starting("Print").logged().serve(|site| {
        let pid = site.pid()?;
        let logs = logs(site)?;
        let [(name, _)] = logs.as_slice() else { e2e::fail!("{logs:?}") };
        let time = name.strip_prefix("stdout_").and_then(|rest| rest.strip_suffix(&format!("_{pid}.log")));
        let time = time.context(format!("the log is called {name}"))?;
        ensure!(time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
        Ok(())
    })
}

fn blocked() -> Outcome {
    // A drive of Windows, and a folder that is none.
    for place in ["Q:\\std", ".\\parity.dll\\std"] {
        Hosting::new().logged().attribute("stdoutLogFile", place).serve(|site| {
            ensure!(site.text("/HelloWorld")? == "Hello World", "{place}");
            Ok(())
        })?;
    }
    Ok(())
}

/// A start that fails for what that way of starting prints and does.
fn failed(hosting: &Hosting, test: impl FnOnce(&mut Site) -> Outcome) -> Outcome {
    hosting.serve(|site| {
        let response = site.server.get("/")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        site.event(1020, 1)?;
        test(site)
    })
}

fn wow() -> Outcome {
    failed(&Hosting::new().starting("Wow"), |site| site.server.wait_output("Wow!", SOON))
}

fn not_told() -> Outcome {
    let hosting = Hosting::new().starting("Wow").setting("enableOutOfProcessConsoleRedirection", "false");
    failed(&hosting, |site| {
        let output = site.server.output();
        ensure!(!output.contains("Wow!"), "{output}");
        Ok(())
    })
}

fn long() -> Outcome {
    // 30,000 characters of numbers with eight digits each, to the last of 5000.
    let wanted: String = (1250..5000).map(|number| format!("{number:08}")).collect();
    failed(&Hosting::new().starting("Long"), |site| {
        site.server
            .wait_output(&wanted, SOON)
            .map_err(|_| Failure("the end is not told whole".to_owned()))?;
        ensure!(!site.server.output().contains("00001249"), "more than 30,000 characters are told");
        Ok(())
    })
}

fn one_each() -> Outcome {
    Hosting::new().starting("Print").logged().serve(|site| {
        let pid = site.pid()?;
        process::signal(pid, Signal::KILL)?;
        let next = site.another(pid)?;
        let logs = wait_for("two logs", SOON, || logs(site).ok().filter(|logs| logs.len() == 2))?;
        for pid in [pid, next] {
            let ends = format!("_{pid}.log");
            ensure!(logs.iter().any(|(name, _)| name.ends_with(&ends)), "none is of {pid}: {logs:?}");
        }
        Ok(())
    })
}

fn made() -> Outcome {
    let hosting = Hosting::new().starting("Print").logged();
    hosting.serve(|site| {
        // No folder of that name is published.
        let pid = site.pid()?;
        let log = logs(site)?.first().context("no log")?.0.clone();
        site.remove(&format!("logs/{log}"))?;
        site.pid()?;
        ensure!(site.folder.logs().is_empty(), "it was made again without a start");
        process::signal(pid, Signal::KILL)?;
        site.another(pid)?;
        logs(site)?;
        site.folder.write("app_offline.htm", "offline")?;
        site.until("/", 503)?;
        wait_for("nobody to hold the log", SOON, || holders(site).is_empty().then_some(()))?;
        std::fs::remove_dir_all(site.folder.path().join("logs")).context("logs")
    })?;
    let folder = hosting.folder()?;
    folder.write("logs", "in the way")?;
    let options = Options::new(folder.path()).dotnet()?;
    Site::start(folder, &options)?.test(|site| {
        site.pid()?;
        site.event(1004, 1)
    })
}

/// Processes of the server that have a file of the folder's logs open.
fn holders(site: &Site) -> Vec<u32> {
    let below = process::descendants(site.server.pid()).into_iter().map(|one| one.pid);
    let logs = site.folder.path().join("logs");
    below
        .chain([site.server.pid()])
        .filter(|pid| {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.filter_map(|one| std::fs::read_link(one.path()).ok()).any(|path| path.starts_with(&logs))
        })
        .collect()
}

fn trace() -> Outcome {
    let info = Hosting::new().setting("debugLevel", "file,info");
    traced(&info.clone().setting("debugFile", "logs\\trace.txt"), "logs/trace.txt")?;
    traced(&info, "aspnetcore-debug.log")?;
    // From the environment of the server, and web.config beats it.
    traced(&Hosting::new(), "of-environment.txt")?;
    traced(&Hosting::new().setting("debugFile", "of-config.txt"), "of-config.txt")
}

/// Whether the start of the app is told in that file.
fn traced(hosting: &Hosting, file: &str) -> Outcome {
    let environment = |options: Options| {
        if file.starts_with("of-") {
            let options = options.variable("ASPNETCORE_MODULE_DEBUG", "info");
            return options.variable("ASPNETCORE_MODULE_DEBUG_FILE", "of-environment.txt");
        }
        options
    };
    hosting.serve_with(environment, |site| {
        site.pid()?;
        wait_for(&format!("the start in {file}"), SOON, || {
            let text = std::fs::read_to_string(site.folder.path().join(file)).ok()?;
            text.contains("listening on port").then_some(())
        })?;
        let other = site.folder.path().join("of-environment.txt");
        ensure!(file != "of-config.txt" || !other.exists(), "both files are written");
        Ok(())
    })
}
