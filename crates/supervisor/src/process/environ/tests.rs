use std::time::Duration;

use config::{EnvironmentEntry, Handler, Origin, PortChoice, Program};

use super::*;

fn plan(environment: &[(&str, &str)]) -> AppPlan {
    AppPlan {
        folder: "/srv/shop".into(),
        path_base: "/shop".into(),
        handler: Handler::AspNetCore,
        program: Program { path: "/usr/bin/dotnet".into(), arguments: vec!["Shop.dll".into()] },
        environment: environment
            .iter()
            .map(|&(name, value)| EnvironmentEntry {
                name: name.into(),
                value: value.into(),
                origin: Origin::Default,
            })
            .collect(),
        dotnet_root: Some("/usr/lib/dotnet".into()),
        port: PortChoice::Draw,
        startup_time_limit: Duration::from_secs(120),
        shutdown_time_limit: Duration::from_secs(10),
        rapid_fails_per_minute: 10,
        processes_per_application: 1,
        stdout_log: None,
        console_redirection: true,
        disable_start_up_error_page: false,
        forward_response_connection_header: false,
        always_running: false,
        preload: false,
        warm_up: Vec::new(),
        idle_timeout: None,
        disallow_overlapping_rotation: false,
        disallow_rotation_on_config_change: false,
        recycling: config::Recycling::default(),
        web_sockets: true,
        error_page_link: None,
        debug_log: None,
        private_network: false,
        config_files: Vec::new(),
    }
}

fn composed(inherited: &[(&str, &str)], plan: &AppPlan, https_port: Option<u16>) -> Vec<(String, String)> {
    let inherited: Vec<_> = inherited.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let token = PairingToken::from_bits([0xAB; 32]);
    let all = compose(&inherited, &Computed { port: 23456, token: &token, plan, https_port });
    all.into_iter().map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap())).collect()
}

/// Every value of a name, whatever its spelling.
fn values<'a>(all: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    all.iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

#[test]
fn an_app_gets_what_pairs_it() {
    let all = composed(&[("PATH", "/bin"), ("HOME", "/root"), ("TMPDIR", "/t")], &plan(&[]), None);
    let token = "ab".repeat(32);
    let expected = [
        ("PATH", "/bin"),
        ("HOME", "/root"),
        ("TMPDIR", "/t"),
        ("ASPNETCORE_PORT", "23456"),
        ("ASPNETCORE_TOKEN", token.as_str()),
        ("ASPNETCORE_APPL_PATH", "/shop"),
        ("ASPNETCORE_IIS_HTTPAUTH", "anonymous;"),
        ("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", "true"),
        ("ASPNETCORE_IIS_PHYSICAL_PATH", "/srv/shop"),
        ("ASPNETCORE_URLS", "http://127.0.0.1:23456"),
        ("HTTP_PLATFORM_PORT", "23456"),
        ("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true"),
        ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "9"),
        ("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", ";Microsoft.AspNetCore.Server.IISIntegration"),
        ("DOTNET_ROOT", "/usr/lib/dotnet"),
    ];
    for (name, value) in expected {
        assert_eq!(values(&all, name), [value], "{name}");
    }
    assert_eq!(all.len(), expected.len(), "{all:?}");
}

#[test]
fn programs_that_are_no_apps_of_dotnet_find_their_port_under_its_plain_name() {
    let inherited = [("PORT", "8080")];
    let program = |environment| AppPlan { handler: Handler::HttpPlatform, ..plan(environment) };
    assert_eq!(values(&composed(&inherited, &program(&[]), None), "PORT"), ["23456"]);
    let written = program(&[("port", "<%HTTP_PLATFORM_PORT%>")]);
    assert_eq!(values(&composed(&inherited, &written, None), "PORT"), ["<23456>"]);
    let node = Program { path: "/usr/bin/node".into(), arguments: vec!["./server.js".into()] };
    assert_eq!(
        values(&composed(&inherited, &AppPlan { program: node, ..plan(&[]) }, None), "PORT"),
        ["23456"]
    );
    let apphost = Program { path: "/srv/shop/Shop".into(), arguments: Vec::new() };
    for dotnet in [plan(&[]), AppPlan { program: apphost, ..plan(&[]) }] {
        assert_eq!(values(&composed(&inherited, &dotnet, None), "PORT"), ["8080"]);
    }
    assert!(values(&composed(&[], &plan(&[]), None), "PORT").is_empty());
}

#[test]
fn what_is_for_the_server_stays_with_the_server() {
    let names = [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SYSTEMD_EXEC_PID",
        "FALCONER_X",
        "falconer_y",
        "KRB5_KTNAME",
        "SSLKEYLOGFILE",
        "CREDENTIALS_DIRECTORY",
        "ASPNETCORE_ANCM_HTTPS_PORT",
    ];
    let inherited: Vec<_> = names.iter().map(|&name| (name, "secret")).collect();
    let all = composed(&inherited, &plan(&[]), None);
    assert!(all.iter().all(|(_, value)| value != "secret"), "{all:?}");
    // Neighbours of those names are nobody's but the operator's.
    let all = composed(&[("LISTEN", "1"), ("WATCHDOG", "2"), ("MY_FALCONER_X", "3")], &plan(&[]), None);
    assert_eq!(
        [values(&all, "LISTEN"), values(&all, "WATCHDOG"), values(&all, "MY_FALCONER_X")],
        [["1"], ["2"], ["3"]]
    );
}

#[test]
fn the_pairing_always_wins_in_one_spelling() {
    for name in OURS.iter().take(6).chain([&contract::URLS, &contract::HTTP_PLATFORM_PORT]) {
        let lower = name.to_lowercase();
        let all =
            composed(&[(name, "inherited"), (&lower, "inherited")], &plan(&[(&lower, "configured")]), None);
        let values = values(&all, name);
        assert_eq!(values.len(), 1, "{name}");
        assert!(values[0] != "inherited" && values[0] != "configured", "{name}");
    }
}

/// The module's own tests of variables, by what they are called there: what the server has, what web.config says, and
/// what the app must see; none for a name that it must not.
#[test]
fn what_the_modules_tests_ask_of_variables_holds() {
    let long = "AReallyLongValueThatIsGreaterThan300CharactersToForceResizeInNative".repeat(8);
    let startup = "Microsoft.AspNetCore.Server.IISIntegration";
    let appended = format!("Asm1;{startup}");
    let first = format!(";{startup}");
    type Pairs<'a> = &'a [(&'a str, &'a str)];
    let rows: [(&str, Pairs<'_>, Pairs<'_>, &str, Option<&str>); 13] = [
        ("GetLongEnvironmentVariable", &[], &[("LONG", &long)], "LONG", Some(&long)),
        ("GetLongEnvironmentVariable, inherited", &[("LONG", &long)], &[], "LONG", Some(&long)),
        (
            "AuthHeaderEnvironmentVariableRemoved",
            &[],
            &[("ASPNETCORE_IIS_HTTPAUTH", "shouldberemoved")],
            "ASPNETCORE_IIS_HTTPAUTH",
            Some("anonymous;"),
        ),
        (
            "WebConfigOverridesGlobalEnvironmentVariables",
            &[("ASPNETCORE_ENVIRONMENT", "Development")],
            &[("ASPNETCORE_ENVIRONMENT", "Production")],
            "ASPNETCORE_ENVIRONMENT",
            Some("Production"),
        ),
        (
            "WebConfigAppendsHostingStartup",
            &[("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Asm1")],
            &[],
            "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
            Some(&appended),
        ),
        ("EnvironmentVariablesTest, startup", &[], &[], "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", Some(&first)),
        (
            "WebConfigOverridesHostingStartup",
            &[("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Asm1")],
            &[("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Asm2")],
            "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
            Some("Asm2"),
        ),
        (
            "AncmHttpsPortCanBeOverriden",
            &[],
            &[("ASPNETCORE_ANCM_HTTPS_PORT", "123")],
            "ASPNETCORE_ANCM_HTTPS_PORT",
            Some("123"),
        ),
        ("AncmHttpsPortCanBeOverriden, the other", &[], &[], "ASPNETCORE_HTTPS_PORT", None),
        ("MultipleHttpsPortsProduceNoEnvVar", &[], &[], "ASPNETCORE_ANCM_HTTPS_PORT", None),
        ("EnvironmentVariablesTest, inherited", &[("OS", "Linux")], &[("FOO", "x")], "OS", Some("Linux")),
        ("EnvironmentVariablesTest, custom", &[], &[("ANCMTestFoo", "bar")], "ANCMTestFoo", Some("bar")),
        ("a name with a colon", &[], &[("Parent:ApiKey", "k")], "Parent:ApiKey", Some("k")),
    ];
    for (test, inherited, configured, name, expected) in rows {
        let all = composed(inherited, &plan(configured), None);
        assert_eq!(values(&all, name), Vec::from_iter(expected), "{test}");
    }
    let count = |configured: Pairs<'_>| composed(&[], &plan(configured), None).len();
    assert_eq!(count(&[("ANCMTestFoo", "bar")]), count(&[]) + 1, "exactly one more");
    assert_eq!(count(&[("ASPNETCORE_IIS_HTTPAUTH", "bar")]), count(&[]), "no more");
    assert_eq!(values(&composed(&[], &plan(&[]), Some(44_300)), "ASPNETCORE_ANCM_HTTPS_PORT"), ["44300"]);
}

#[test]
fn an_app_is_told_whether_there_are_web_sockets() {
    for (web_sockets, told) in [(true, "true"), (false, "false")] {
        let plan = AppPlan { web_sockets, ..plan(&[("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", "maybe")]) };
        assert_eq!(values(&composed(&[], &plan, None), contract::IIS_WEBSOCKETS_SUPPORTED), [told]);
    }
}

#[test]
fn what_only_helps_gives_way_to_web_config() {
    let configured = [
        ("aspnetcore_ForwardedHeaders_Enabled", "false"),
        ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "77"),
        ("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES", "Mine"),
        ("ASPNETCORE_ANCM_HTTPS_PORT", "444"),
        ("DOTNET_ROOT", "/opt/dotnet"),
    ];
    let inherited: Vec<_> = configured.iter().map(|&(name, _)| (name, "inherited")).collect();
    let all = composed(&inherited, &plan(&configured), Some(443));
    for (name, value) in configured {
        assert_eq!(values(&all, name), [value], "{name}");
    }
    assert_eq!(values(&composed(&[], &plan(&[]), Some(443)), contract::ANCM_HTTPS_PORT), ["443"]);
    assert_eq!(values(&composed(&[("DOTNET_ROOT", "/own")], &plan(&[]), None), "DOTNET_ROOT"), ["/own"]);
}

#[test]
fn inherited_hosting_startup_is_kept() {
    let of = |value| {
        let all = composed(&[(contract::HOSTINGSTARTUPASSEMBLIES, value)], &plan(&[]), None);
        values(&all, contract::HOSTINGSTARTUPASSEMBLIES).join("|")
    };
    assert_eq!(of("A;B"), "A;B;Microsoft.AspNetCore.Server.IISIntegration");
    assert_eq!(
        of("A;Microsoft.AspNetCore.Server.IISIntegration"),
        "A;Microsoft.AspNetCore.Server.IISIntegration"
    );
    assert_eq!(of(""), ";Microsoft.AspNetCore.Server.IISIntegration");
}

#[test]
fn web_config_replaces_an_inherited_name_in_any_case() {
    let all =
        composed(&[("Color", "red"), ("OTHER", "1")], &plan(&[("COLOR", "port %http_platform_port%")]), None);
    let colors: Vec<_> = all.iter().filter(|(name, _)| name.eq_ignore_ascii_case("color")).collect();
    assert_eq!(colors, [&("COLOR".to_owned(), "port 23456".to_owned())]);
}

#[test]
fn the_apps_own_shutdown_timeout_stays_below_ours() {
    let of = |seconds| {
        let mut plan = plan(&[]);
        plan.shutdown_time_limit = Duration::from_secs(seconds);
        shutdown_seconds(&plan)
    };
    assert_eq!([of(0), of(1), of(2), of(10), of(60), of(600)], [1, 1, 1, 9, 56, 569]);
}

#[test]
fn placeholders_are_filled_in_any_case() {
    assert_eq!(fill_port("--port %HTTP_PLATFORM_PORT%", 80), "--port 80");
    assert_eq!(fill_port("%aspnetcore_port%%Http_Platform_Port%", 81), "8181");
    assert_eq!(fill_port("100% of %PATH% %ASPNETCORE_PORT", 80), "100% of %PATH% %ASPNETCORE_PORT");
    assert_eq!(fill_port("ü%ü%HTTP_PLATFORM_PORT%ü", 80), "ü%ü80ü");
    assert_eq!(fill_port("", 80), "");
}
