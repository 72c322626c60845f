//! Runs every test, with nextest where it is installed, and keeps the runner's closing line for the end.

use std::path::Path;

use crate::command::{self, Call};

/// Runs the tests of the whole workspace; gives back what the runner said of them at the end.
pub(crate) fn run(binary: &Path) -> Result<String, String> {
    let nextest = Call::cargo(&["nextest", "--version"]).capture().is_ok();
    let call = if nextest {
        Call::cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        Call::cargo(&["test", "--workspace", "--no-fail-fast"])
    };
    // A build for another target lies elsewhere; then the tests find it themselves.
    let call = if binary.is_file() { call.with("FALCONER_BIN", &binary.to_string_lossy()) } else { call };
    // Its output passes through us, which would cost the colours that a terminal gets.
    let call = match std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        true if command::variable("NO_COLOR").is_none() => call.with("CARGO_TERM_COLOR", "always"),
        _ => call,
    };
    if nextest {
        // It leaves out the examples in docs, which readers copy.
        Call::cargo(&["test", "--workspace", "--doc"]).run()?;
    }
    let mut closing = Closing::default();
    let result = call.watch(&mut |line| closing.see(line));
    match (result, closing.line()) {
        (Ok(()), Some(line)) => Ok(line),
        (Ok(()), None) => Err("the test runner did not say that it ran a test".to_owned()),
        (Err(failure), Some(line)) => Err(format!("{failure}\n{line}")),
        (Err(failure), None) => Err(failure),
    }
}

/// What the runner says of all tests: nextest in one line, `cargo test` in one per program.
#[derive(Debug, Default)]
struct Closing {
    summary: Option<String>,
    programs: u32,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Closing {
    fn see(&mut self, line: &str) {
        let line = without_colours(line);
        let line = line.trim();
        if line.starts_with("Summary [") {
            self.summary = Some(line.to_owned());
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.programs += 1;
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
            self.ignored += count(counts, "ignored");
        }
    }

    /// None when no test ran: silence is not success.
    fn line(&self) -> Option<String> {
        let Self { programs, passed, failed, ignored, .. } = self;
        let counted = || {
            let verdict = if *failed == 0 { "ok" } else { "FAILED" };
            format!(
                "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; {programs} programs"
            )
        };
        self.summary.clone().or_else(|| (passed + failed > 0).then(counted))
    }
}

/// The number before a word in `ok. 12 passed; 0 failed; …`.
fn count(counts: &str, word: &str) -> u64 {
    let words: Vec<&str> = counts.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// The text without terminal escapes (ECMA-48 control sequences).
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|letter: char| letter.is_ascii_alphabetic());
        text + end.map_or("", |end| &part[end + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(lines: &[&str]) -> Option<String> {
        let mut closing = Closing::default();
        lines.iter().for_each(|line| closing.see(line));
        closing.line()
    }

    #[test]
    fn nextest_speaks_for_itself() {
        let summary =
            "\x1b[32;1m     Summary\x1b[0m [   0.011s] \x1b[1m2\x1b[0m tests run: 2 passed, 0 skipped";
        let expected = "Summary [   0.011s] 2 tests run: 2 passed, 0 skipped";
        assert_eq!(closing(&["PASS a", summary, "------"]).as_deref(), Some(expected));
    }

    #[test]
    fn programs_of_cargo_test_are_added_up() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ];
        let expected = "test result: FAILED. 15 passed; 2 failed; 1 ignored; 2 programs";
        assert_eq!(closing(&lines).as_deref(), Some(expected));
    }

    #[test]
    fn silence_is_not_success() {
        assert_eq!(closing(&["nothing to do"]), None);
        let empty = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(closing(&[empty]), None);
    }
}
