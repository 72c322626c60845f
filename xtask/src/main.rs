//! The chores of this repository as one program: `cargo xtask ci` proves a change, `cargo xtask docs` writes the
//! generated pages, `cargo xtask soak` runs the long experiments.
//!
//! Lives here: the command line and nothing else. Each check has a file of its own. Called by people and by
//! `.ci/run` through the alias in `.cargo/config.toml`; no product crate may depend on it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal speaks to the terminal"
)]

mod arrows;
mod ci;
mod command;
mod dependencies;
mod limits;
mod metadata;
mod readme;
mod reference;
mod soak;
mod spdx;
mod tests_step;
mod words;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask ci [--keep-going] [STEP]...   prove a change: every step, or only the named ones
cargo xtask docs                          write the generated pages of docs/ anew
cargo xtask soak [NAME] [--trials N]      run one long experiment; without NAME: list them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((verb, rest)) if verb == "ci" => ci::Options::parse(rest).map(|options| ci::run(&options)),
        Some((verb, [])) if verb == "docs" => Ok(reference::write()),
        Some((verb, rest)) if verb == "soak" => soak::Options::parse(rest).map(|options| soak::run(&options)),
        Some((verb, _)) if ["help", "--help", "-h"].contains(&verb.as_str()) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some((verb, _)) => Err(format!("there is no `{verb}`")),
        None => Err("say what to do".to_owned()),
    };
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
        Err(misuse) => {
            eprintln!("{misuse}\n\n{USAGE}\n\nsteps of ci: {}", ci::step_names());
            ExitCode::from(2)
        }
    }
}
