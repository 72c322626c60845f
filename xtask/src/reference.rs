//! The generated pages of `docs/`: written by `cargo xtask docs`, and compared by the step `reference`, since a page
//! that lags behind the code is worse than none. The binary itself knows what stands in them; what the tests have
//! proved is known to their package.

use crate::command::{self, Call};

/// Names of the pages as files of `docs/`, and what prints each.
const PAGES: &[(&str, &[&str])] = &[
    ("web-config", &["--package", "falconer", "--", "__docs", "web-config"]),
    ("configuration", &["--package", "falconer", "--", "__docs", "configuration"]),
    ("errors", &["--package", "falconer", "--", "__docs", "errors"]),
    ("ancm-parity", &["--package", "e2e", "--bin", "parity-page"]),
];

/// Writes every page anew.
pub(crate) fn write() -> Result<(), String> {
    for (page, printer) in PAGES {
        let file = file_of(page);
        std::fs::write(command::root().join(&file), generate(printer)?)
            .map_err(|error| format!("cannot write {file}: {error}"))?;
        println!("{file}");
    }
    Ok(())
}

/// Pages that are not as the code has them, as sentences.
pub(crate) fn check() -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    for (page, printer) in PAGES {
        let file = file_of(page);
        let old = command::read(&file).unwrap_or_default();
        wrong.extend(stale(&file, &old, &generate(printer)?));
    }
    Ok(wrong)
}

fn file_of(page: &str) -> String {
    format!("docs/{page}.md")
}

fn generate(printer: &[&str]) -> Result<String, String> {
    printer.iter().fold(Call::cargo(&["run", "--quiet"]), |call, part| call.and(part)).capture()
}

fn stale(file: &str, old: &str, new: &str) -> Option<String> {
    let differs = || old.lines().zip(new.lines()).take_while(|(old, new)| old == new).count() + 1;
    (old != new).then(|| format!("{file}:{}: is not what the code says; run `cargo xtask docs`", differs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_the_code_says_or_named_with_its_line() {
        assert_eq!(stale("a.md", "x\ny\n", "x\ny\n"), None);
        assert!(stale("a.md", "x\ny\n", "x\nz\n").is_some_and(|text| text.starts_with("a.md:2: ")));
        assert!(stale("a.md", "x\n", "x\ny\n").is_some_and(|text| text.starts_with("a.md:2: ")));
        assert!(stale("a.md", "", "x\n").is_some());
    }
}
