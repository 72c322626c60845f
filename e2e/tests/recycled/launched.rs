//! Apps that something else launches: shell scripts with and without `exec`, and `dotnet run`.

use std::os::unix::fs::PermissionsExt as _;

use e2e::find;
use e2e::suite::unique;
use e2e::temp::copy_tree;
use std::path::Path;

use super::*;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .needing("an app behind a script that ends with exec is replaced while it is used", DOTNET, || {
            script("exec \"$DOTNET_ROOT/dotnet\" ./web.dll")
        })
        .needing("an app behind a script without exec is replaced while it is used", DOTNET, || {
            script("\"$DOTNET_ROOT/dotnet\" ./web.dll\necho after")
        })
        .needing("an app of dotnet run is replaced while it is used", &[Need::Sdk], dotnet_run)
}

fn config(program: &str, arguments: &str) -> String {
    format!(
        "<configuration><system.webServer><handlers><add name=\"aspNetCore\" path=\"*\" verb=\"*\" \
         modules=\"AspNetCoreModuleV2\" /></handlers><aspNetCore processPath=\"{program}\" \
         arguments=\"{arguments}\" /></system.webServer></configuration>"
    )
}

fn script(last: &str) -> Outcome {
    let folder = Folder::app("web")?;
    let script = folder.write("start.sh", format!("#!/bin/sh\n# As people write them.\n{last}\n"))?;
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))?;
    folder.write("web.config", config(".\\start.sh", ""))?;
    nothing_is_left(&folder, &[], "Hello World!")
}

/// Each start builds what changed, in the app's own folder; here nothing does after the first.
fn dotnet_run() -> Outcome {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join("probe");
    let folder = Folder::empty()?;
    copy_tree(&source, folder.path())?;
    folder.write("web.config", config("dotnet", "run"))?;
    // Build servers that outlive a build would be the next start's business.
    let settings = [
        "DOTNET_CLI_TELEMETRY_OPTOUT=1",
        "DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1",
        "DOTNET_GENERATE_ASPNET_CERTIFICATE=false",
        "DOTNET_CLI_USE_MSBUILD_SERVER=0",
        "MSBUILDDISABLENODEREUSE=1",
        "UseSharedCompilation=false",
    ];
    let packages = format!("NUGET_PACKAGES={}", process::text(&folder.path().join("packages")));
    let settings: Vec<&str> = settings.into_iter().chain([packages.as_str()]).collect();
    nothing_is_left(&folder, &settings, "path=/")
}

/// Served, replaced and stopped, whoever of its processes heeds what.
fn nothing_is_left(folder: &Folder, settings: &[&str], holds: &str) -> Outcome {
    let mark = format!("E2E_MARK={}", unique());
    let options = Options::new(folder.path()).dotnet()?;
    let options = settings
        .iter()
        .chain([&mark.as_str()])
        .fold(options, |options, setting| options.arg("--env").arg(setting));
    let options = options.variable("PATH", &path()?);
    serve_folder(folder, &options, |server, _| {
        used_over_a_recycle(server, folder, "/", holds)?;
        server.stop(seconds(30))?;
        let left = process::marked(&mark);
        ensure!(left.is_empty(), "left: {}", process::describe(&left));
        Ok(())
    })
}

/// With the .NET of the tests first.
fn path() -> Outcome<String> {
    let own = find::variable("PATH").unwrap_or_default();
    Ok(format!("{}:{own}", process::text(&find::dotnet()?.root)))
}
