use super::*;

fn ended(exit: Exit, output: &str) -> FailedAttempt {
    let evidence = Evidence { output: output.to_owned(), port_held: false };
    FailedAttempt { cause: Cause::Ended(Some(exit)), port: 12345, evidence }
}

#[test]
fn every_measured_exit_becomes_a_sentence_with_a_hint() {
    let cases = [
        (Exit::Code(150), "You must install or update .NET", "not installed", "DOTNET_ROLL_FORWARD"),
        (Exit::Code(154), "The application to execute does not exist", "not found", "whole publish folder"),
        (Exit::Code(147), "Invalid runtimeconfig.json", "not valid", "JSON"),
        (Exit::Code(131), "libhostpolicy.so", "host library", "runtimeconfig.json"),
        (Exit::Code(131), "x.json' did not specify a framework.", "host library", "self-contained"),
        (Exit::Code(134), "Unhandled exception. x", "aborted", "exception"),
        (Exit::Signal(6), "Stack overflow.", "SIGABRT", "stack overflow"),
        (Exit::Signal(6), "Bad IL format.", "SIGABRT", "damaged"),
        (Exit::Signal(9), "", "SIGKILL", "memory"),
        (Exit::Code(0), "", "code 0", "by itself"),
        (
            Exit::Code(1),
            "Could not execute because the specified command or file was not found.",
            "code 1",
            "case-sensitive",
        ),
    ];
    for (exit, output, reason, hint) in cases {
        let told = ended(exit, output).explain(Duration::from_secs(120));
        assert!(told.reason.contains(reason) && told.reason.contains("12345"), "{exit:?}: {}", told.reason);
        let given = told.hint.expect("every measured exit has a hint");
        assert!(given.contains(hint), "{exit:?}: {given}");
    }
    assert_eq!(ended(Exit::Code(7), "").explain(Duration::ZERO).hint, None);
}

#[test]
fn only_failures_that_a_port_explains_are_tried_again() {
    let with = |cause| FailedAttempt { cause, port: 1, evidence: Evidence::default() };
    let deadline = |elsewhere| Cause::NotListening(NotListening::Deadline { elsewhere });
    let address = "127.0.0.1:5000".parse().expect("an address");
    let spawn = Cause::SpawnFailed { stage: "execve".into(), errno: libc::ENOENT, path: "x".into() };
    assert!(with(deadline(vec![])).may_be_the_port());
    assert!(!with(deadline(vec![])).may_pass_on_the_same_port());
    assert!(!with(deadline(vec![address])).may_be_the_port());
    assert!(with(Cause::NotListening(NotListening::Stranger { owner: None })).may_pass_on_the_same_port());
    assert!(!with(spawn).may_be_the_port());
    assert!(!with(Cause::InvalidPort("x".into())).may_be_the_port());
    assert!(!ended(Exit::Code(134), "Unhandled exception").may_be_the_port());
    assert!(
        ended(Exit::Code(134), "bind to address http://127.0.0.1:1: address already in use.")
            .may_be_the_port()
    );
    assert!(ended(Exit::Code(1), "Error: listen EADDRINUSE: address").may_pass_on_the_same_port());
    let mut silent = ended(Exit::Code(134), "");
    silent.evidence.port_held = true;
    assert!(silent.may_be_the_port());
    assert!(silent.explain(Duration::ZERO).reason.contains("already in use"));
}

#[test]
fn a_port_that_an_app_was_not_given_is_told_by_its_own_number() {
    let ended = |output: &str| FailedAttempt {
        cause: Cause::Ended(Some(Exit::Code(134))),
        port: 23456,
        evidence: Evidence { output: output.to_owned(), port_held: false },
    };
    for output in [
        "Failed to bind to address http://127.0.0.1:5055: address already in use.\n (98): Address already in use",
        "Error: listen EADDRINUSE: address already in use :::5055",
        "12:30:59 listen tcp 0.0.0.0:5055: bind: address already in use",
    ] {
        let attempt = ended(output);
        // Another port would not help.
        assert!(!attempt.may_be_the_port(), "{output}");
        let told = attempt.explain(Duration::ZERO);
        assert!(told.reason.contains("port 5055,") && told.reason.contains("23456"), "{}", told.reason);
        assert!(told.hint.expect("a hint").contains("overlap"));
    }
    for output in [
        "Failed to bind to address http://127.0.0.1:23456: address already in use.",
        "12:30:59 OSError: [Errno 98] Address already in use",
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:23456\n:9090: address in use",
    ] {
        assert!(ended(output).may_be_the_port(), "{output}");
    }
}

#[test]
fn an_app_that_listens_elsewhere_is_told_why() {
    let elsewhere = vec!["127.0.0.1:5000".parse().expect("an address")];
    let cause = Cause::NotListening(NotListening::Deadline { elsewhere });
    let told =
        FailedAttempt { cause, port: 1, evidence: Evidence::default() }.explain(Duration::from_secs(9));
    assert!(told.reason.contains("127.0.0.1:5000"), "{}", told.reason);
    assert!(told.hint.expect("a hint").contains("app.Run(url)"));
    let elsewhere = ["127.0.0.1:5077".parse().expect("an address")];
    let told =
        deadline(1, &elsewhere, Duration::ZERO, "Using launch settings from /srv/x.json...\nBuilding...");
    assert!(told.hint.expect("a hint").contains("--no-launch-profile"));
}

#[test]
fn a_network_that_nobody_lets_us_make_is_told_with_what_to_do() {
    let told = spawn_failed("network", libc::EPERM, "");
    assert!(told.reason.contains("private network"), "{}", told.reason);
    assert!(told.hint.expect("a hint").contains("--private-network"));
}

#[test]
fn a_program_that_cannot_be_executed_is_told_why() {
    for (errno, hint) in
        [(libc::ENOENT, "processPath"), (libc::EACCES, "chmod +x"), (libc::ENOEXEC, "processor")]
    {
        let told = spawn_failed("execve", errno, "/srv/app/run");
        assert!(told.reason.contains("/srv/app/run"));
        assert!(told.hint.expect("a hint").contains(hint));
    }
    let dotnet = spawn_failed("execve", libc::ENOENT, "dotnet").hint.expect("a hint");
    assert!(dotnet.contains("install the ASP.NET Core runtime"), "{dotnet}");
    let windows = spawn_failed("execve", libc::EACCES, "./shop.exe").hint.expect("a hint");
    assert!(windows.contains("for Windows") && !windows.contains("chmod"), "{windows}");
}
