//! How the app is found and started, and how long that may take.

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("every way to write processPath and arguments", ways),
    ("a program that is not there is 502.5", missing),
    ("handlerVersion changes nothing", handler_version),
    ("the name of the first module is known", first_module),
    ("one process, and event 1001", one_process),
    ("startupTimeLimit above and below what the app needs", time_limit),
    ("a killed app is another process at the next request", killed),
    ("a killed server takes its app along", server_killed),
    ("disableStartUpErrorPage makes it 502.3", no_page),
    ("ANCM_LAUNCHER_PATH beats processPath", launcher_path),
    ("ANCM_LAUNCHER_ARGS beats arguments", launcher_arguments),
    ("the page of a failed start", page),
];

/// `{folder}` and `{dotnet}` stand for the two places, in either kind of slashes.
const WAYS: &[(&str, &str)] = &[
    ("dotnet", ".\\parity.dll"),
    ("dotnet.exe", "./parity.dll"),
    ("dotnet", "parity.dll --some argument"),
    ("dotnet", "exec .\\parity.dll"),
    ("dotnet", "\"{folder}/parity.dll\""),
    ("{dotnet}", ".\\parity.dll"),
    ("C:\\Program Files\\dotnet\\dotnet.exe", ".\\PARITY.dll"),
    ("%DotnetFolder%\\dotnet.exe", "%AppFolder%\\parity.dll"),
    (".\\parity.exe", ""),
    ("parity.exe", ""),
    ("./parity", ""),
    ("dotnet", ".\\bin\\parity.dll"),
    (".\\bin\\parity.exe", ""),
];

fn ways() -> Outcome {
    let dotnet = e2e::parity::site::dotnet()?;
    let root = process::text(dotnet.parent().context("the folder of dotnet")?);
    for (program, arguments) in WAYS {
        let folder = Hosting::new().folder()?;
        let path = process::text(folder.path());
        let written =
            |text: &str| text.replace("{folder}", &path).replace("{dotnet}", &process::text(&dotnet));
        let hosting = Hosting::new().attribute("processPath", &written(program));
        let hosting = hosting.attribute("arguments", &written(arguments));
        folder.write("web.config", hosting.config())?;
        if program.contains("bin") || arguments.contains("bin") {
            into_bin(&folder)?;
        }
        let options = Options::new(folder.path()).dotnet()?;
        let options = options.variable("DotnetFolder", &root).variable("AppFolder", &path);
        Site::start(folder, &options)?
            .test(|site| {
                ensure!(site.text("/HelloWorld")? == "Hello World", "another app answers");
                ensure!(site.text("/CurrentDirectory")? == path, "it runs elsewhere");
                Ok(())
            })
            .context(format!("{program} {arguments}"))?;
    }
    Ok(())
}

/// Moves what was published one folder down.
fn into_bin(folder: &Folder) -> Outcome {
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin)?;
    for entry in std::fs::read_dir(folder.path())? {
        let entry = entry?;
        if entry.file_name() != "bin" && entry.file_name() != "web.config" {
            std::fs::rename(entry.path(), bin.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn missing() -> Outcome {
    for (program, arguments) in
        [("nonexistent", ""), (".\\nonexistent.exe", ""), ("dotnet", ".\\nonexistent.dll")]
    {
        let hosting = Hosting::new().attribute("processPath", program).attribute("arguments", arguments);
        hosting.serve(|site| {
            let response = site.server.get("/")?;
            let page = response.text();
            ensure!(response.status == 502 && page.contains("502.5"), "{program}: {}", response.describe());
            site.server.wait_output("nonexistent", SOON)
        })?;
    }
    Ok(())
}

fn handler_version() -> Outcome {
    Hosting::new().setting("handlerVersion", "88.93").serve(|site| {
        ensure!(site.text("/HelloWorld")? == "Hello World", "another app answers");
        Ok(())
    })
}

fn first_module() -> Outcome {
    let folder = Hosting::new().folder()?;
    folder.replace("web.config", "AspNetCoreModuleV2", "AspNetCoreModule")?;
    let options = Options::new(folder.path()).dotnet()?;
    Site::start(folder, &options)?.test(|site| site.pid().map(drop))
}

fn one_process() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        ensure!(site.pid()? == pid, "two processes answer");
        site.event(1001, 1)?;
        let line = process::command_line(pid);
        ensure!(line.contains("dotnet") && line.contains("parity.dll"), "{line}");
        let output = site.server.output();
        let told = output.lines().find(|line| line.contains("[1001]")).context("no event 1001")?;
        ensure!(told.contains(&format!("'{pid}'")), "{told}");
        Ok(())
    })
}

fn time_limit() -> Outcome {
    let slow = Hosting::new().variable("PARITY_START_DELAY", "3000");
    slow.clone().attribute("startupTimeLimit", "60").serve(|site| site.pid().map(drop))?;
    slow.attribute("startupTimeLimit", "1").serve(|site| {
        let response = site.server.get("/")?;
        ensure!(response.status == 502 && response.text().contains("502.5"), "{}", response.describe());
        site.event(1000, 1)
    })
}

fn killed() -> Outcome {
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        process::signal(pid, Signal::KILL)?;
        site.another(pid)?;
        site.event(1001, 2)
    })
}

fn server_killed() -> Outcome {
    let folder = Hosting::new().folder()?;
    let options = Options::new(folder.path()).dotnet()?;
    let mut first = None;
    Site::start(folder, &options)?.test(|site| {
        let pid = site.pid()?;
        first = process::living(pid);
        site.server.kill()?;
        wait_for("the app's end", SOON, || process::living(pid).is_none().then_some(()))?;
        site.remove("parity.dll")?;
        site.folder.write("parity.dll", "replaced").map(drop)
    })?;
    ensure!(first.is_some(), "no process was seen");
    Hosting::new().serve(|site| {
        let pid = site.pid()?;
        ensure!(process::living(pid) != first, "the same process");
        Ok(())
    })
}

fn no_page() -> Outcome {
    let hosting = Hosting::new().attribute("processPath", "bogus").section(
        "<httpErrors><remove statusCode=\"502\" subStatusCode=\"-1\" /><error statusCode=\"502\" \
         subStatusCode=\"3\" prefixLanguageFilePath=\"\" path=\"custom.html\" responseMode=\"File\" /></httpErrors>\n",
    );
    for (disabled, number, other) in [("true", "502.3", "502.5"), ("false", "502.5", "502.3")] {
        hosting.clone().attribute("disableStartUpErrorPage", disabled).serve(|site| {
            let response = site.server.get("/")?;
            let page = response.text();
            ensure!(response.status == 502 && page.contains(number), "{disabled}: {}", response.describe());
            ensure!(!page.contains(other), "{disabled}: {}", response.describe());
            site.event(1000, 1)?;
            let output = site.server.output();
            let told = output.lines().find(|line| line.contains("[1000]")).context("no event 1000")?;
            ensure!(told.contains("bogus"), "{told}");
            ensure!(output.contains("httpErrors"), "nobody says that httpErrors is not honoured: {output}");
            Ok(())
        })?;
    }
    Ok(())
}

fn launcher_path() -> Outcome {
    let dotnet = process::text(&e2e::parity::site::dotnet()?);
    Hosting::new()
        .attribute("processPath", "nonexistent")
        .serve_with(|options| options.variable("ANCM_LAUNCHER_PATH", &dotnet), |site| site.pid().map(drop))
}

fn launcher_arguments() -> Outcome {
    Hosting::new().attribute("arguments", "nonexistent").serve_with(
        |options| options.variable("ANCM_LAUNCHER_ARGS", ".\\parity.dll told"),
        |site| {
            let arguments = site.text("/Arguments")?;
            ensure!(arguments == "told", "{arguments}");
            Ok(())
        },
    )
}

fn page() -> Outcome {
    Hosting::new().attribute("processPath", "doesnot").serve_with(
        |options| options.variable("ANCM_ADDITIONAL_ERROR_PAGE_LINK", "http://example/help?a=1&b=2"),
        |site| {
            let response = site.server.get("/")?;
            let text = response.text();
            ensure!(response.status == 502, "{}", response.describe());
            for part in
                ["HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure", "http://example/help?a=1&amp;b=2"]
            {
                ensure!(text.contains(part), "{part:?} is not in {text}");
            }
            ensure!(text.ends_with("</html>\r\n"), "{text}");
            ensure!(
                response.field("Content-Type").is_some_and(|kind| kind.starts_with("text/html")),
                "{text}"
            );
            Ok(())
        },
    )
}
