//! The long experiments of `e2e`, one by name: what CI runs in short, run in full.

use crate::command::Call;

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    name: Option<String>,
    trials: Option<u32>,
}

impl Options {
    /// Reads `[NAME] [--trials N]`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { name: None, trials: None };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--trials" => {
                    let number = rest.next().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
                    options.trials = Some(number.ok_or("--trials needs a number of at least 1")?);
                }
                unknown if unknown.starts_with('-') => return Err(format!("soak has no `{unknown}`")),
                name if options.name.is_none() => options.name = Some(name.to_owned()),
                second => return Err(format!("one experiment at a time: what is `{second}`?")),
            }
        }
        Ok(options)
    }
}

/// Builds the product as it ships and runs the experiment against it.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let call = Call::cargo(&["test", "--package", "e2e", "--release", "--test", "soak", "--"]);
    let Some(name) = &options.name else { return call.and("--list").run() };
    Call::cargo(&["build", "--release", "--package", "falconer"]).run()?;
    let call = match options.trials {
        Some(trials) => call.with("FALCONER_SOAK_TRIALS", &trials.to_string()),
        None => call,
    };
    // What takes long is marked as ignored, so that nobody runs it by accident.
    call.and("--include-ignored").and(name).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line() {
        let full = Options { name: Some("orphans".to_owned()), trials: Some(50) };
        assert_eq!(parse("orphans --trials 50"), Ok(full));
        assert_eq!(parse(""), Ok(Options { name: None, trials: None }));
        for wrong in ["a b", "a --trials", "a --trials none", "a --trials 0", "--fast"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
