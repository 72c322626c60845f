//! Programs that were not made for this machine, and programs that know nothing of the module.

use super::*;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .needing("an apphost for another processor: its dll runs", &[Need::Dotnet], || {
            // `e_machine` of the ELF header: s390x, which nobody who runs these tests has.
            apphost("web", "./web", |host| host[18..20].copy_from_slice(&[22, 0]))
        })
        .needing("an apphost for Windows: its dll runs", &[Need::Dotnet], || {
            apphost("web.exe", ".\\web.exe", |host| host[..4].copy_from_slice(b"MZ\x90\0"))
        })
        .needing("a program for Windows without a dll is told as such", &[], only_for_windows)
        .needing(
            "files that come after their web.config are found without another word",
            &[Need::Dotnet],
            late,
        )
        .needing("a Python program that knows its port as PORT runs", &[Need::Python], knows_only_port)
}

/// The sample app with another apphost, made by changing the head of its own.
fn apphost(name: &str, process: &str, change: impl FnOnce(&mut [u8])) -> Outcome {
    let folder = Folder::app("web")?;
    let own = folder.path().join("web");
    let mut host = std::fs::read(&own)?;
    change(&mut host);
    std::fs::write(&own, &host)?;
    std::fs::rename(&own, folder.path().join(name))?;
    folder.replace("web.config", "processPath=\"dotnet\"", &format!("processPath=\"{process}\""))?;
    folder.replace("web.config", "arguments=\".\\web.dll\"", "")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        let response = server.get("/")?;
        ensure!(response.status == 200 && response.text() == "Hello World!", "{}", response.describe());
        server.stop(seconds(15))
    })
}

/// A deployment that begins with web.config: what is to be run is not known before the rest is there.
fn late() -> Outcome {
    let folder = Folder::with_config(&WINDOWS.replace("shop.exe", "web.exe"))?;
    let rest = Folder::app("web")?;
    serve_folder(&folder, &Options::new(folder.path()).dotnet()?, |server, _| {
        let response = server.get("/")?;
        ensure!(response.status == 502, "{}", response.describe());
        for name in ["web.dll", "web.deps.json", "web.runtimeconfig.json"] {
            std::fs::copy(rest.path().join(name), folder.path().join(name)).context(name)?;
        }
        let good = || server.get("/").ok().filter(|response| response.status == 200);
        let response = wait_for("the app", seconds(60), good).context(server.output())?;
        ensure!(response.text() == "Hello World!", "{}", response.describe());
        server.stop(seconds(15))
    })
}

const WINDOWS: &str = "<configuration><system.webServer><handlers><add name=\"aspNetCore\" path=\"*\" verb=\"*\" \
                       modules=\"AspNetCoreModuleV2\" /></handlers><aspNetCore processPath=\".\\shop.exe\" \
                       /></system.webServer></configuration>";

fn only_for_windows() -> Outcome {
    let folder = Folder::with_config(WINDOWS)?;
    folder.write("shop.exe", "MZ and the rest of a single file")?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        server
            .wait_output("[foreign-program]: ./shop.exe is a program for Windows", seconds(20))
            .context(server.output())?;
        let response = server.get("/")?;
        ensure!(response.status == 502, "{}", response.describe());
        server.wait_output("[1020]", seconds(20)).context(server.output())?;
        server.wait_output("The file is a program for Windows", seconds(20)).context(server.output())?;
        let output = server.output();
        ensure!(!output.contains("chmod"), "{output}");
        Ok(())
    })
}

/// As on platforms that give a program nothing but `PORT`; the server's own one must not get there.
fn knows_only_port() -> Outcome {
    for (module, element) in [("httpPlatformHandler", "httpPlatform"), ("AspNetCoreModuleV2", "aspNetCore")] {
        let folder = Folder::with_config(&format!(
            "<configuration><system.webServer><handlers><add name=\"p\" path=\"*\" verb=\"*\" \
             modules=\"{module}\" /></handlers><{element} processPath=\"python3\" arguments=\"app.py\" \
             /></system.webServer></configuration>",
        ))?;
        folder.write(
            "app.py",
            "import os\nfrom http.server import HTTPServer, SimpleHTTPRequestHandler\n\
             HTTPServer((\"127.0.0.1\", int(os.environ[\"PORT\"])), SimpleHTTPRequestHandler).serve_forever()\n",
        )?;
        let options = Options::new(folder.path()).variable("PORT", "1");
        serve_folder(&folder, &options, |server, _| {
            let response = server.get("/app.py")?;
            let served = response.status == 200 && response.text().contains("serve_forever");
            ensure!(served, "{element}: {}", response.describe());
            Ok(())
        })?;
    }
    Ok(())
}
