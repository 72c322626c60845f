//! What the options of `serve` mean to `check`, and how their values are told.

use super::*;

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("a file is not checked with options that need a folder", needs_folder)
        .test("every time is in seconds, and none has no unit", times)
        .test("what the file switched on a flag switches off", switched_off)
        .test("more connections than descriptors are told", unaffordable)
}

fn needs_folder() -> Outcome {
    let folder = Puppet::new().folder()?;
    let file = folder.path().join("web.config");
    for flag in ["--site-root=/srv", "--config=/etc/falconer.toml", "--preload=false", "--queue-length=10"] {
        let said = check(&file, &[flag], &[])?;
        let name = flag.split('=').next().context(flag)?;
        let right = said.err.contains(name) && said.err.contains("hint: name the folder");
        ensure!(said.code == 2 && said.out.is_empty() && right, "{flag}: {} {}", said.code, said.err);
    }
    check(&file, &["--env", "A=1"], &[])?.says(0, &["No mistakes."])?;
    check(&file, &["--env", "=1"], &[])?.says(1, &["error[bad-variable]"])
}

fn times() -> Outcome {
    let folder = Puppet::new().attribute("requestTimeout", "12:00:00").folder()?;
    let flags =
        ["--idle-timeout=1200", "--recycle-time=104400", "--connection-timeout=60", "--drain-timeout=7200"];
    let all = check(folder.path(), &[&flags[..], &["--json"]].concat(), &[])?.json()?;
    let value = |group: &str, name: &str| -> Outcome<(Value, Value)> {
        let list = all["plan"][group].as_array().context(group)?;
        let one = list.iter().find(|one| one["name"] == name).context(name)?;
        Ok((one["value"].clone(), one["unit"].clone()))
    };
    for (group, name, seconds) in [
        ("limits", "request_timeout", "43200"),
        ("limits", "keep_alive", "60"),
        ("limits", "client_stall", "60"),
        ("limits", "header_deadline", "15"),
        ("settings", "idleTimeout", "1200"),
        ("settings", "periodicRestart time", "104400"),
        ("settings", "drain timeout", "7200"),
        ("settings", "startupTimeLimit", "120"),
    ] {
        let (value, unit) = value(group, name)?;
        ensure!(value == seconds && unit == "seconds", "{name}: {value} {unit}");
    }
    let (none, unit) = value("limits", "total_timeout")?;
    ensure!(none == "none" && unit.is_null(), "total_timeout: {none} {unit}");
    check(folder.path(), &flags, &[])?.says(
        0,
        &[
            "request_timeout (requestTimeout) 12:00:00 web.config",
            "keep_alive (connectionTimeout) 60 seconds --connection-timeout",
            "idleTimeout 00:20:00 --idle-timeout",
            "periodicRestart time 29:00:00 --recycle-time",
        ],
    )
}

fn switched_off() -> Outcome {
    let (app, working) = (Puppet::new().folder()?, Folder::empty()?);
    working.write(
        "falconer.toml",
        "applicationPool.startMode = \"AlwaysRunning\"\napplication.preloadEnabled = true\n",
    )?;
    let look = |flags: &[&str]| check_from(working.path(), app.path(), flags, &[]);
    look(&[])?.says(0, &["always running true falconer.toml:1:", "preloadEnabled true falconer.toml:2:"])?;
    look(&["--always-running=false", "--preload=false"])?
        .says(0, &["always running false --always-running", "preloadEnabled false --preload"])?;
    let wrong = look(&["--preload=perhaps"])?;
    ensure!(wrong.code == 2 && wrong.err.contains("--preload"), "{} {}", wrong.code, wrong.err);
    Ok(())
}

fn unaffordable() -> Outcome {
    let folder = Puppet::new().folder()?;
    // More than any system has descriptors.
    check(folder.path(), &["--max-connections", "4294967294"], &[])?
        .says(0, &["warning[few-descriptors]", "at --max-connections", "LimitNOFILE=", "inferred"])?;
    check(folder.path(), &["--max-connections", "4294967295"], &[])?.says(0, &["No mistakes."])?;
    check(folder.path(), &["--max-connections", "5"], &[])?
        .says(0, &["connections (maxConnections) 5 connections --max-connections", "No mistakes."])
}
