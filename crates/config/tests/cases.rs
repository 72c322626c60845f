//! Every `cases/*.case`: input, a dashed line, expected plan and diagnostics. The record of compatibility.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What differs, between the lines that do not.
fn difference(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let shared = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut out = String::new();
    for line in &old[..start] {
        let _ = writeln!(out, "    {line}");
    }
    for line in &old[start..old.len() - shared] {
        let _ = writeln!(out, "  - {line}");
    }
    for line in &new[start..new.len() - shared] {
        let _ = writeln!(out, "  + {line}");
    }
    for line in &old[old.len() - shared..] {
        let _ = writeln!(out, "    {line}");
    }
    out
}

#[test]
fn every_case_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the cases are part of the crate")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "case"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 60, "only {} cases were found", paths.len());
    let mut failures = String::new();
    for path in &paths {
        let text = fs::read_to_string(path).expect("a case is UTF-8");
        let case = support::read_case(&text);
        let loaded = config::load(&case.input, &case.files);
        let error =
            loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == config::Severity::Error);
        assert_eq!(
            loaded.plan.is_none(),
            error,
            "{}: a plan is missing exactly when there is an error",
            path.display()
        );
        let actual = support::show(&loaded);
        if actual != case.expected {
            let name = path.file_name().expect("a file has a name").to_string_lossy();
            let _ =
                writeln!(failures, "{name}  (- expected, + actual)\n{}", difference(&case.expected, &actual));
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
