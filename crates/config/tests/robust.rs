//! Whatever the bytes are: no panic, a plan exactly when there is no error, and places that exist.

mod support;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use config::{Input, Loaded, Severity};
use proptest::prelude::*;

/// The web.config of every case, as text.
static SAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(folder).expect("the cases are part of the crate");
    let texts = entries.map(|entry| {
        let path = entry.expect("the folder can be read").path();
        fs::read_to_string(path).expect("a case is UTF-8")
    });
    let configs = texts.filter_map(|text| {
        let (_, config) = text.split_once("\nweb.config:\n")?;
        config.split("\n--------").next().map(str::to_owned)
    });
    let samples: Vec<String> = configs.collect();
    assert!(samples.len() >= 40, "only {} samples were found", samples.len());
    samples
});

const SETTINGS: &str = "/etc/falconer.toml";

fn settings(case: &mut support::Case, bytes: &[u8]) {
    case.input.config = Some(SETTINGS.into());
    case.files.file(SETTINGS, bytes, false);
}

fn load(bytes: &[u8], change: impl FnOnce(&mut Input)) -> Loaded {
    load_with(bytes, |case| change(&mut case.input))
}

fn load_with(bytes: &[u8], change: impl FnOnce(&mut support::Case)) -> Loaded {
    let directives = "environment HOME=/home/ann\nenvironment PATH=/usr/bin\ndotnet /usr/bin 10.0.1\n\
                      program web\nfile web.dll\nruntimeconfig web 10.0.0\n--------";
    let mut case = support::read_case(directives);
    assert!(case.expected.is_empty());
    case.files.file("/srv/app/web.config", bytes, false);
    change(&mut case);
    let loaded = config::load(&case.input, &case.files);
    let _ = support::show(&loaded);
    loaded
}

/// What holds for every load.
fn check(loaded: &Loaded, text: Option<&str>) {
    let error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(loaded.plan.is_none(), error, "{:?}", loaded.diagnostics);
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.hint.is_some(), "{diagnostic} has no hint");
        assert!(
            diagnostic.place.is_some() || diagnostic.severity == Severity::Missing,
            "{diagnostic} has no place"
        );
        let place = diagnostic.place.as_ref().filter(|place| !place.file.starts_with('/'));
        let (Some(text), Some(place)) = (text, place) else { continue };
        if place.line > 0 {
            let line = text.split('\n').nth(place.line as usize - 1).expect("the line exists");
            assert!((1..=line.chars().count() + 1).contains(&(place.column as usize)), "{diagnostic}");
        }
    }
    if let Some(plan) = &loaded.plan {
        assert!(plan.app.folder.is_absolute() && !plan.bindings.is_empty());
        assert!(plan.app.path_base.starts_with('/'));
        assert!(plan.app.path_base == "/" || !plan.app.path_base.ends_with('/'));
        let mut names: Vec<String> =
            plan.app.environment.iter().map(|entry| entry.name.to_lowercase()).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(names.iter().all(|name| !name.contains(['=', '\0']) && !name.is_empty()), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("aspnetcore_iis_") || name == "aspnetcore_token"));
    }
}

/// One edit at a place given in thousandths of the text.
#[derive(Debug, Clone)]
enum Edit {
    Delete(usize, usize),
    Insert(usize, String),
    Copy(usize, usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece = prop_oneof![
        r#"[<>"'&;=/% \\.:!\[\]a-zA-Z0-9-]{1,12}"#,
        "\\PC{1,4}",
        Just("<aspNetCore processPath=\"%HOME%\\x.exe\" arguments='\"' />".to_owned()),
        Just("<location path=\"\"><system.webServer>".to_owned()),
        Just("<environmentVariable name=\"ASPNETCORE_PORT\" value=\"%\" />".to_owned()),
        Just("<clear/>".to_owned()),
    ];
    prop_oneof![
        (0..1000_usize, 1..40_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (0..1000_usize, piece).prop_map(|(at, text)| Edit::Insert(at, text)),
        (0..1000_usize, 0..1000_usize, 1..200_usize)
            .prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
    ]
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let at = |thousandths: usize| thousandths * chars.len() / 1000;
        match edit {
            Edit::Delete(from, length) => {
                let from = at(*from);
                chars.drain(from..(from + length).min(chars.len()));
            }
            Edit::Insert(to, piece) => {
                let to = at(*to);
                chars.splice(to..to, piece.chars());
            }
            Edit::Copy(from, to, length) => {
                let (from, to) = (at(*from), at(*to));
                let piece = chars[from..(from + length).min(chars.len())].to_vec();
                chars.splice(to..to, piece);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400), mark in 0..4_usize) {
        let marks: [&[u8]; 4] = [b"", b"\xEF\xBB\xBF", b"\xFF\xFE", b"\xFE\xFF"];
        check(&load(&[marks[mark], &bytes].concat(), |_| ()), None);
    }

    #[test]
    fn mutated_samples(which in any::<prop::sample::Index>(), edits in proptest::collection::vec(edit(), 1..6)) {
        let text = apply(which.get::<String>(&SAMPLES), &edits);
        // The parser reads CR LF as one line break, as XML says; the samples have none.
        check(&load(text.as_bytes(), |_| ()), Some(&text));
    }

    #[test]
    fn any_attribute_value(name in 0..12_usize, value in "\\PC{0,20}|[0-9:.-]{0,12}|[%a-zA-Z\\\\/. \"]{0,24}") {
        let names = [
            "processPath", "arguments", "startupTimeLimit", "shutdownTimeLimit", "rapidFailsPerMinute",
            "requestTimeout", "stdoutLogEnabled", "stdoutLogFile", "processesPerApplication",
            "forwardWindowsAuthToken", "disableStartUpErrorPage", "hostingModel",
        ];
        let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let program = if names[name] == "processPath" { "" } else { "processPath=\"web.exe\" " };
        let log = if names[name] == "stdoutLogEnabled" { "" } else { "stdoutLogEnabled=\"true\" " };
        let text = format!(
            "<configuration><system.webServer><aspNetCore {program}{log}{}=\"{escaped}\" /></system.webServer></configuration>",
            names[name],
        );
        check(&load(text.as_bytes(), |_| ()), Some(&text));
    }

    #[test]
    fn any_file_above(which in any::<prop::sample::Index>(), edits in proptest::collection::vec(edit(), 0..4), own in any::<prop::sample::Index>()) {
        let above = apply(which.get::<String>(&SAMPLES), &edits);
        let own = own.get::<String>(&SAMPLES);
        let loaded = load_with(own.as_bytes(), |case| {
            case.input.site_root = Some("/srv".into());
            case.files.file("/srv/web.config", above.as_bytes(), false);
        });
        check(&loaded, None);
        if let Some(plan) = &loaded.plan {
            assert_eq!(plan.app.path_base, "/app");
            assert_eq!(plan.app.config_files.len(), 2);
        }
    }

    #[test]
    fn any_bytes_as_settings(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let loaded = load_with(b"<configuration />", |case| settings(case, &bytes));
        check(&loaded, None);
    }

    #[test]
    fn mutated_settings(edits in proptest::collection::vec(edit(), 1..6)) {
        let text = apply(config::OPTIONS_EXAMPLE, &edits);
        let loaded = load_with(b"<configuration />", |case| settings(case, text.as_bytes()));
        // Places in the file that is checked are not checked for places elsewhere.
        check(&loaded, None);
        for diagnostic in &loaded.diagnostics {
            let place = diagnostic.place.as_ref().filter(|place| place.file == SETTINGS && place.line > 0);
            let Some(place) = place else { continue };
            let line = text.split('\n').nth(place.line as usize - 1).expect("the line exists");
            assert!((1..=line.chars().count() + 1).contains(&(place.column as usize)), "{diagnostic}");
        }
    }

    #[test]
    fn any_value_of_a_setting(which in any::<prop::sample::Index>(), value in "\\PC{0,20}|[0-9:._-]{0,12}|\"[0-9a-z:./]{0,16}\"|\\[(\"[0-9a-f:./]{0,12}\",?){0,3}\\]|\\{.{0,8}\\}") {
        let option = which.get::<config::OptionInfo>(config::OPTIONS);
        let text = format!("{} = {value}", option.key);
        let loaded = load_with(b"<configuration />", |case| settings(case, text.as_bytes()));
        check(&loaded, None);
    }

    #[test]
    fn any_flags(listen in "\\PC{0,12}|[0-9a-f:.\\[\\]/htps*+]{0,20}", base in "\\PC{0,8}|/[a-z./%]{0,8}", env in "\\PC{0,8}|[A-Z]{1,4}=.{0,4}") {
        let loaded = load(b"<configuration />", |input| {
            input.listen.push(listen.clone());
            input.path_base = Some(base.clone());
            input.env.push(env.clone());
        });
        check(&loaded, None);
    }
}
