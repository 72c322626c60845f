//! What the app is given: variables, arguments, folder; and the path base in front of it.

use std::collections::BTreeMap;

use e2e::server::serve_folder;
use e2e::{Context as _, Options, Outcome, Puppet, Server, Suite, ensure};

pub(super) fn add(suite: Suite) -> Suite {
    suite
        .test("the variables of the pairing", pairing)
        .test("web.config cannot override the pairing", stubborn)
        .test("a variable of --env beats web.config", precedence)
        .test("what belongs to the server stays with the server", inherited)
        .test("an own HOSTINGSTARTUPASSEMBLIES is kept", hosting_startup)
        .test("ASPNETCORE_PORT of web.config is honoured", fixed_port)
        .test("a bad ASPNETCORE_PORT fails the start", bad_port)
        .test("arguments and folder", arguments)
        .test("the token is new for each start", new_token)
        .served("the path base is told", Puppet::new(), &["--path-base", "/My App/"], |server, _| {
            let response = server.get("/my%20app/env")?;
            ensure!(response.status == 200, "{}", response.describe());
            ensure!(response.text().contains("ASPNETCORE_APPL_PATH=/My App\n"), "{}", response.text());
            Ok(())
        })
}

fn environment(server: &Server) -> Outcome<BTreeMap<String, String>> {
    let response = server.get("/env")?;
    ensure!(response.status == 200, "{}", response.describe());
    let pairs = response.text();
    let pairs = pairs.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn with(puppet: &Puppet, change: impl FnOnce(Options) -> Options) -> Outcome<BTreeMap<String, String>> {
    let folder = puppet.folder()?;
    let options = change(Options::new(folder.path()));
    let mut found = BTreeMap::new();
    serve_folder(&folder, &options, |server, _| {
        found = environment(server)?;
        Ok(())
    })?;
    Ok(found)
}

fn is(found: &BTreeMap<String, String>, name: &str, wanted: Option<&str>) -> Outcome {
    let have = found.get(name).map(String::as_str);
    ensure!(have == wanted, "{name} is {have:?}, not {wanted:?}");
    Ok(())
}

fn pairing() -> Outcome {
    let found = with(&Puppet::new(), |options| options)?;
    let port = found.get("ASPNETCORE_PORT").context("no ASPNETCORE_PORT")?;
    let number: u16 = port.parse()?;
    ensure!((10_000..=60_999).contains(&number), "port {number}");
    let token = found.get("ASPNETCORE_TOKEN").context("no ASPNETCORE_TOKEN")?;
    ensure!(
        token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()),
        "a bad token"
    );
    is(&found, "ASPNETCORE_APPL_PATH", Some("/"))?;
    is(&found, "ASPNETCORE_URLS", Some(&format!("http://127.0.0.1:{port}")))?;
    is(&found, "HTTP_PLATFORM_PORT", Some(port))?;
    is(&found, "ASPNETCORE_IIS_HTTPAUTH", Some("anonymous;"))?;
    is(&found, "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", Some("true"))?;
    is(&found, "ASPNETCORE_FORWARDEDHEADERS_ENABLED", Some("true"))?;
    let hosting = found.get("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES").context("no HOSTINGSTARTUPASSEMBLIES")?;
    ensure!(hosting.ends_with("Microsoft.AspNetCore.Server.IISIntegration"), "{hosting}");
    let seconds = found.get("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS").context("no SHUTDOWNTIMEOUTSECONDS")?;
    ensure!((1..10).contains(&seconds.parse::<u64>()?), "{seconds}");
    is(&found, "ASPNETCORE_ANCM_HTTPS_PORT", None)
}

fn stubborn() -> Outcome {
    let puppet = [
        ("ASPNETCORE_TOKEN", "mine"),
        ("ASPNETCORE_APPL_PATH", "/mine"),
        ("ASPNETCORE_URLS", "http://127.0.0.1:1"),
        ("aspnetcore_urls", "http://127.0.0.1:1"),
        ("HTTP_PLATFORM_PORT", "1"),
        ("ASPNETCORE_IIS_HTTPAUTH", "windows;"),
    ]
    .iter()
    .fold(Puppet::new(), |puppet, (name, value)| puppet.variable(name, value));
    let found = with(&puppet, |options| options)?;
    let port = found.get("ASPNETCORE_PORT").context("no ASPNETCORE_PORT")?;
    is(&found, "ASPNETCORE_APPL_PATH", Some("/"))?;
    is(&found, "ASPNETCORE_URLS", Some(&format!("http://127.0.0.1:{port}")))?;
    is(&found, "aspnetcore_urls", None)?;
    is(&found, "HTTP_PLATFORM_PORT", Some(port))?;
    is(&found, "ASPNETCORE_IIS_HTTPAUTH", Some("anonymous;"))?;
    ensure!(
        found.get("ASPNETCORE_TOKEN").is_some_and(|token| token.len() == 64),
        "the token of web.config is used"
    );
    Ok(())
}

fn precedence() -> Outcome {
    let puppet = Puppet::new()
        .variable("ONE", "web.config")
        .variable("TWO", "web.config")
        .variable("EMPTY", "")
        .variable("ASPNETCORE_ENVIRONMENT", "Staging")
        .variable("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "77")
        .variable("EXPANDED", "%INHERITED%/x");
    let found = with(&puppet, |options| {
        let options = options.arg("--env").arg("TWO=flag").arg("--env").arg("THREE=a=b c");
        options.variable("INHERITED", "outer").variable("ONE", "outer").variable("FOUR", "outer")
    })?;
    for (name, wanted) in [
        ("ONE", "web.config"),
        ("TWO", "flag"),
        ("THREE", "a=b c"),
        ("FOUR", "outer"),
        ("EXPANDED", "outer/x"),
        ("ASPNETCORE_ENVIRONMENT", "Staging"),
        ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "77"),
    ] {
        is(&found, name, Some(wanted))?;
    }
    Ok(())
}

fn inherited() -> Outcome {
    let own = [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SYSTEMD_EXEC_PID",
        "FALCONER_ANYTHING",
        "KRB5_KTNAME",
        "SSLKEYLOGFILE",
        "CREDENTIALS_DIRECTORY",
    ];
    let found = with(&Puppet::new(), |options| {
        own.iter()
            .fold(options, |options, name| options.variable(name, "inherited"))
            .variable("LISTENER", "stays")
    })?;
    for name in own {
        is(&found, name, None)?;
    }
    is(&found, "LISTENER", Some("stays"))?;
    let path = e2e::find::variable("PATH");
    is(&found, "PATH", path.as_deref())
}

fn hosting_startup() -> Outcome {
    let name = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
    let found = with(&Puppet::new(), |options| options.variable(name, "Mine"))?;
    is(&found, name, Some("Mine;Microsoft.AspNetCore.Server.IISIntegration"))?;
    let found = with(&Puppet::new().variable(name, "Other"), |options| options)?;
    is(&found, name, Some("Other"))
}

fn fixed_port() -> Outcome {
    let port = e2e::port::free_of(e2e::port::UNDRAWN)?;
    let found = with(&Puppet::new().variable("ASPNETCORE_PORT", &port.to_string()), |options| options)?;
    is(&found, "ASPNETCORE_PORT", Some(&port.to_string()))?;
    let found = with(&Puppet::new().variable("ASPNETCORE_PORT", ""), |options| options)?;
    ensure!(found.get("ASPNETCORE_PORT").is_some_and(|port| !port.is_empty()), "an empty port is no port");
    Ok(())
}

fn bad_port() -> Outcome {
    for port in ["abc", "0", "80", "1024", "65536", "-1"] {
        let folder = Puppet::new().variable("ASPNETCORE_PORT", port).folder()?;
        serve_folder(&folder, &Options::new(folder.path()), |server, record| {
            let response = server.get("/x")?;
            ensure!(
                response.status == 502 && response.text().contains("502.5"),
                "{port}: {}",
                response.describe()
            );
            ensure!(record.starts().is_empty(), "{port}: the app was started");
            Ok(())
        })?;
    }
    Ok(())
}

fn arguments() -> Outcome {
    let puppet = Puppet::new().through("{puppet}", "one \"two words\" a\\\"b c\\\\d %HTTP_PLATFORM_PORT%");
    let folder = puppet.folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, record| {
        let text = server.get("/args")?.text();
        let words: Vec<&str> = text.lines().skip(1).collect();
        let port = record.starts().first().context("no start")?.port.to_string();
        // `%HTTP_PLATFORM_PORT%` means something to <httpPlatform>; elsewhere it may stay as it is.
        let last = words.last().copied().unwrap_or_default();
        ensure!(last == port || last == "%HTTP_PLATFORM_PORT%" || last.is_empty(), "{words:?}");
        ensure!(words.starts_with(&["one", "two words", "a\"b", "c\\\\d"]), "{words:?}");
        let folder_told = server.get("/x")?.value("folder").context("no folder")?;
        ensure!(folder_told == folder.path().to_string_lossy(), "runs in {folder_told}");
        Ok(())
    })
}

fn new_token() -> Outcome {
    let folder = Puppet::new().folder()?;
    serve_folder(&folder, &Options::new(folder.path()), |server, _| {
        let mut tokens = Vec::new();
        for _ in 0..3 {
            let found = environment(server)?;
            tokens.push(found.get("ASPNETCORE_TOKEN").context("no token")?.clone());
            let pid = server.get("/x")?.pid().context("no pid")?;
            e2e::process::signal(pid, rustix::process::Signal::KILL)?;
        }
        tokens.sort();
        tokens.dedup();
        ensure!(tokens.len() == 3, "a token came twice");
        Ok(())
    })
}
