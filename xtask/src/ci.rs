//! `cargo xtask ci`: every proof that a change must pass, in one command.
//!
//! Lives here: the list of steps, how they are run and the summary. What a step proves lives in the file that
//! is named after it. Quick steps come first, so that a slip of the pen costs seconds.

use std::time::Duration;

use crate::command::{self, Call};
use crate::metadata::Metadata;
use crate::{arrows, dependencies, limits, readme, reference, tests_step, words};

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    keep_going: bool,
    /// Empty for all.
    steps: Vec<String>,
}

struct Step {
    name: &'static str,
    proves: &'static str,
    run: fn() -> Result<Outcome, String>,
}

/// How a step ended that did not fail.
enum Outcome {
    Passed,
    /// Passed, and this is to be the last line of all.
    PassedSaying(String),
    /// There was nothing to do, for this reason.
    NothingToDo(&'static str),
}

struct Row {
    name: &'static str,
    took: Duration,
    result: Result<Outcome, String>,
}

/// Where the tests of the model checker live in `supervisor`.
const MODELS: &str = "gate::model::";

const STEPS: &[Step] = &[
    Step { name: "format", proves: "the code is formatted", run: format },
    Step { name: "limits", proves: "no file is too long", run: || passed_if_none(limits::check()?) },
    Step { name: "words", proves: "files speak of the product", run: || passed_if_none(words::check()?) },
    Step { name: "readme", proves: "the README lists every limit", run: readme },
    Step { name: "arrows", proves: "rooms depend as drawn", run: arrows },
    Step {
        name: "dependencies",
        proves: "what comes from outside is allowed and explained",
        run: dependencies,
    },
    Step { name: "deny", proves: "cargo-deny agrees", run: deny },
    Step { name: "lint", proves: "clippy finds nothing", run: lint },
    Step { name: "docs", proves: "the reference builds without a warning", run: docs },
    Step { name: "model", proves: "gates are right in every interleaving", run: model },
    Step { name: "build", proves: "the binary builds", run: build },
    Step {
        name: "reference",
        proves: "the generated pages are as the code says",
        run: || passed_if_none(reference::check()?),
    },
    Step { name: "test", proves: "every test passes", run: test },
];

impl Options {
    /// Reads `[--keep-going] [STEP]...`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--keep-going" => options.keep_going = true,
                name if STEPS.iter().any(|step| step.name == name) => options.steps.push(name.to_owned()),
                unknown => return Err(format!("ci has no step or option `{unknown}`")),
            }
        }
        Ok(options)
    }

    fn wants(&self, step: &Step) -> bool {
        self.steps.is_empty() || self.steps.iter().any(|name| name == step.name)
    }
}

/// The names of all steps, for the usage message.
pub(crate) fn step_names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
}

/// Runs the steps and prints how each ended.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut rows = Vec::new();
    for step in STEPS.iter().filter(|step| options.wants(step)) {
        println!("\n== {}: {}", step.name, step.proves);
        let start = command::now();
        let result = (step.run)();
        let row = Row { name: step.name, took: start.elapsed(), result };
        if let Err(failure) = &row.result {
            println!("{failure}");
        }
        println!("-- {}", row.line());
        let failed = row.result.is_err();
        rows.push(row);
        if failed && !options.keep_going {
            break;
        }
    }
    println!("\n{}", summary(&rows));
    let failed: Vec<&str> = rows.iter().filter(|row| row.result.is_err()).map(|row| row.name).collect();
    if failed.is_empty() {
        rows.iter().filter_map(Row::closing).for_each(|line| println!("{line}"));
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

impl Row {
    fn line(&self) -> String {
        let how = match &self.result {
            Ok(Outcome::Passed | Outcome::PassedSaying(_)) => "passed",
            Ok(Outcome::NothingToDo(why)) => return format!("{:<13} {:>8}  {why}", self.name, "-"),
            Err(_) => "FAILED",
        };
        format!("{:<13} {:>7.1}s  {how}", self.name, self.took.as_secs_f64())
    }

    fn closing(&self) -> Option<&str> {
        match &self.result {
            Ok(Outcome::PassedSaying(line)) => Some(line),
            Ok(Outcome::Passed | Outcome::NothingToDo(_)) | Err(_) => None,
        }
    }
}

fn summary(rows: &[Row]) -> String {
    let total: Duration = rows.iter().map(|row| row.took).sum();
    let mut lines: Vec<String> = rows.iter().map(Row::line).collect();
    lines.push(format!("{:<13} {:>7.1}s", "all", total.as_secs_f64()));
    lines.join("\n")
}

fn passed_if_none(wrong: Vec<String>) -> Result<Outcome, String> {
    if wrong.is_empty() { Ok(Outcome::Passed) } else { Err(wrong.join("\n")) }
}

fn passed(result: Result<(), String>) -> Result<Outcome, String> {
    result.map(|()| Outcome::Passed)
}

fn format() -> Result<Outcome, String> {
    passed(Call::cargo(&["fmt", "--all", "--check"]).run())
}

fn readme() -> Result<Outcome, String> {
    passed_if_none(readme::check(&command::read("crates/config/src/plan.rs")?, &command::read("README.md")?))
}

fn arrows() -> Result<Outcome, String> {
    passed_if_none(arrows::check(&Metadata::load()?))
}

fn dependencies() -> Result<Outcome, String> {
    let metadata = Metadata::load()?;
    let policy = dependencies::Policy::read(&command::read("deny.toml")?)?;
    let mut wrong = dependencies::check_packages(&metadata, &policy);
    wrong.extend(dependencies::check_features(&metadata));
    wrong.extend(dependencies::check_reasons(&metadata, &command::read("docs/dependencies.md")?));
    passed_if_none(wrong)
}

fn deny() -> Result<Outcome, String> {
    if Call::cargo(&["deny", "--version"]).capture().is_err() {
        return Ok(Outcome::NothingToDo(
            "cargo-deny is not installed; `dependencies` has checked the same lists",
        ));
    }
    // Advisories need the network, and would fail a change for what happened elsewhere.
    passed(Call::cargo(&["deny", "check", "licenses", "bans", "sources"]).run())
}

fn lint() -> Result<Outcome, String> {
    passed(Call::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run())
}

fn docs() -> Result<Outcome, String> {
    passed(Call::cargo(&["doc", "--workspace", "--no-deps"]).with("RUSTDOCFLAGS", "-D warnings").run())
}

/// The model checker needs its own build of everything, so that it gets a folder of its own.
fn model() -> Result<Outcome, String> {
    let call = Call::cargo(&["test", "--package", "supervisor", "--lib", "--release"]);
    let call = call.and("--target-dir=target/loom").and(MODELS).with("RUSTFLAGS", "--cfg loom");
    let mut proved = 0;
    call.watch(&mut |line| proved += u32::from(is_proved_model(line)))?;
    // A filter that matches nothing passes too.
    if proved > 0 { Ok(Outcome::Passed) } else { Err(format!("no test below {MODELS} ran")) }
}

fn is_proved_model(line: &str) -> bool {
    line.strip_prefix("test ").is_some_and(|test| test.starts_with(MODELS) && test.ends_with(" ... ok"))
}

fn build() -> Result<Outcome, String> {
    passed(Call::cargo(&["build", "--package", "falconer"]).run())
}

/// The end-to-end tests start the binary: built here once, rather than asked for by each of them.
fn test() -> Result<Outcome, String> {
    build()?;
    let binary = Metadata::load()?.target.join("debug/falconer");
    tests_step::run(&binary).map(Outcome::PassedSaying)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line() {
        assert_eq!(parse(""), Ok(Options::default()));
        let some = parse("--keep-going arrows lint").expect("known steps");
        assert!(some.keep_going);
        let wanted: Vec<&str> = STEPS.iter().filter(|step| some.wants(step)).map(|step| step.name).collect();
        assert_eq!(wanted, ["arrows", "lint"]);
        assert!(parse("everything").is_err() && parse("--fast").is_err());
    }

    #[test]
    fn only_a_model_that_ran_counts() {
        assert!(is_proved_model("test gate::model::the_last_shard_says_empty_once ... ok"));
        for other in
            ["test gate::tests::alone ... ok", "test gate::model::x ... ignored", "test result: ok. 1 passed"]
        {
            assert!(!is_proved_model(other), "{other}");
        }
    }

    #[test]
    fn findings_fail_a_step() {
        assert!(passed_if_none(Vec::new()).is_ok());
        assert!(passed_if_none(vec!["a".to_owned(), "b".to_owned()]).is_err_and(|text| text == "a\nb"));
    }

    #[test]
    fn the_summary_shows_how_each_step_ended() {
        let row = |name, result| Row { name, took: Duration::from_millis(1500), result };
        let rows = [
            row("format", Ok(Outcome::Passed)),
            row("deny", Ok(Outcome::NothingToDo("not installed"))),
            row("test", Err("two failed".to_owned())),
        ];
        let expected = "format            1.5s  passed\ndeny                 -  not installed\n\
            test              1.5s  FAILED\nall               4.5s";
        assert_eq!(summary(&rows), expected);
    }
}
