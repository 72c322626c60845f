//! `falconer check DIR|FILE`: what `serve` would do, where each value comes from, and every mistake, without
//! serving. Decides what is looked at; how it is shown is in `check/text.rs` and `check/json.rs`.

mod environment;
mod json;
mod style;
mod text;
mod trial;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::{Code, Diagnostic, Input, Loaded, Place, Severity};
use proxy::Tls;
use supervisor::process;

use crate::cli::options::{Options, own_environment};
use crate::cli::{BAD_CONFIGURATION, CANNOT_RUN, OK, print};
use crate::files::DiskFiles;
use environment::Variable;
use style::Style;
use trial::{Pairing, Trial};

/// The command line could not be understood, as clap says it too.
const USAGE: u8 = 2;

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The publish folder, or one web.config to be checked for itself
    #[arg(value_name = "DIR|FILE")]
    pub(crate) target: PathBuf,
    /// Write one JSON document
    #[arg(long)]
    json: bool,
    /// Start the app, say whether it answers to this server alone, and stop it
    #[arg(long)]
    start: bool,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Everything that was found out.
struct Found {
    /// As the operator named it.
    target: String,
    /// With the worst diagnostics first, otherwise in the order of their places.
    loaded: Loaded,
    environment: Vec<Variable>,
    trial: Option<Trial>,
}

impl Found {
    fn count(&self, warnings: bool) -> usize {
        let is_warning = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Warning;
        self.loaded.diagnostics.iter().filter(|one| is_warning(one) == warnings).count()
    }
}

/// Looks at everything once and tells it. 1 when the app could not be started here, 0 with warnings alone.
pub(crate) fn check(arguments: Arguments) -> ExitCode {
    let is_file = arguments.target.is_file();
    let start = arguments.start.then_some("--start");
    if let Some(flag) = start.or_else(|| arguments.options.of_a_folder()).filter(|_| is_file) {
        let message = format!("{flag} needs a folder: a file is checked for itself");
        print::failure(
            &message,
            Some("name the folder that the file is in, to have all checked that serve looks at"),
        );
        return ExitCode::from(USAGE);
    }
    let descriptors = match process::harden() {
        Ok(descriptors) => descriptors,
        Err(error) => return cannot_run(&format!("this process could not be hardened: {error}")),
    };
    let (json, start) = (arguments.json, arguments.start);
    let target = arguments.target.display().to_string();
    let found = match arguments.options.input(arguments.target, descriptors) {
        Ok(input) if is_file => {
            let loaded = config::load_file(Path::new(&target), &input, &DiskFiles);
            Ok(Found { target, loaded, environment: Vec::new(), trial: None })
        }
        Ok(input) => look(target, &input, start),
        Err(message) => Err(message),
    };
    let mut found = match found {
        Ok(found) => found,
        Err(message) => return cannot_run(&message),
    };
    // Where two stand at the same place, the order of discovery stays.
    found.loaded.diagnostics.sort_by_key(|one| (one.severity == Severity::Warning, one.place.clone()));
    let shown =
        if json { json::document(&found) } else { text::report(&found, Style::of_stdout(is_colourful())) };
    // Where nobody reads, the exit code still tells.
    let _ = print::raw(shown.as_bytes());
    ExitCode::from(if found.count(false) == 0 { OK } else { BAD_CONFIGURATION })
}

fn look(target: String, input: &Input, start: bool) -> Result<Found, String> {
    let mut loaded = config::load(input, &DiskFiles);
    let mut environment = Vec::new();
    let mut trial = None;
    if let Some(plan) = &loaded.plan {
        environment = environment::of_app(plan, &input.environment)?;
        if let Some(Err(diagnostic)) = plan.tls.as_ref().map(Tls::prepare) {
            loaded.diagnostics.push(diagnostic);
        } else if start {
            let most = plan.app.startup_time_limit.as_secs() * 2;
            print::progress(&format!("starting the app; it has up to {most} s ..."));
            trial = Some(trial::run(plan, &input.environment).map_err(|error| error.to_string())?);
        }
    }
    loaded.diagnostics.extend(trial.as_ref().and_then(complaint));
    Ok(Found { target, loaded, environment, trial })
}

/// What a trial start has to say against the app.
fn complaint(trial: &Trial) -> Option<Diagnostic> {
    let place = Some(Place { file: "--start".to_owned(), line: 0, column: 0 });
    match trial {
        Trial::Failed { why, hint, .. } => {
            let mut why = why.clone();
            // A sentence of its own elsewhere, half of one here.
            if let Some(first) = why.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            let (code, message) = (Code::StartFailed, format!("the app did not start: {why}"));
            Some(Diagnostic { severity: Severity::Missing, code, message, place, hint: hint.clone() })
        }
        Trial::Started { pairing: Pairing::Paired, .. } => None,
        Trial::Started { pairing: Pairing::Unpaired(answer), .. } => {
            let message = format!(
                "the app is unpaired: it answered a request without the token ({answer}), so that any process of this \
                 machine can talk to it, and it knows no path base"
            );
            let hint = "slim and AOT apps: call builder.WebHost.UseIISIntegration(); other programs: compare \
                        MS-ASPNETCORE-TOKEN with ASPNETCORE_TOKEN";
            let hint = Some(hint.to_owned());
            Some(Diagnostic { severity: Severity::Warning, code: Code::Unpaired, message, place, hint })
        }
        Trial::Started { pairing: Pairing::Unknown(why), .. } => {
            let message = format!("whether the app is paired is not known: {why}");
            let hint = Some("it listens, but does not answer as HTTP/1.1 servers do".to_owned());
            Some(Diagnostic { severity: Severity::Warning, code: Code::Unpaired, message, place, hint })
        }
    }
}

fn is_colourful() -> bool {
    !refuses_colours(&own_environment()) && std::io::stdout().is_terminal()
}

/// <https://no-color.org>: set and not empty means none, wherever the output goes. A dumb terminal would show the codes.
fn refuses_colours(environment: &[(OsString, OsString)]) -> bool {
    environment
        .iter()
        .any(|(name, value)| (name == "NO_COLOR" && !value.is_empty()) || (name == "TERM" && value == "dumb"))
}

fn cannot_run(message: &str) -> ExitCode {
    print::failure(message, None);
    ExitCode::from(CANNOT_RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_refused_by_who_cannot_show_them() {
        let refuses = |name: &str, value: &str| refuses_colours(&[(name.into(), value.into())]);
        assert!(refuses("NO_COLOR", "1") && refuses("TERM", "dumb"));
        assert!(!refuses("NO_COLOR", "") && !refuses("TERM", "xterm") && !refuses("COLOR", "1"));
    }
}
