//! Falconer: hosts ASP.NET Core publish folders the way IIS and the ASP.NET Core Module do.
//!
//! This room sees every other one. It reads the command line and the environment, once; nobody else does.

mod cli;
mod events;
mod files;
mod observe;
mod reload;
mod run;
mod schedule;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Before anything else: a keeper must stay small, and nothing of a user's command line is meant for it.
    if std::env::args_os().nth(1).is_some_and(|first| first == "__keep") {
        return supervisor::keep();
    }
    // The demo's app takes its orders from its environment, as every app does.
    if std::env::args_os().nth(1).is_some_and(|first| first == cli::demo::APP) {
        return cli::demo::app::run();
    }
    match cli::Cli::parse().command {
        cli::Command::Serve(arguments) => cli::serve::serve(arguments),
        cli::Command::Check(arguments) => cli::check::check(arguments),
        cli::Command::Reference(arguments) => cli::reference::reference(&arguments),
        cli::Command::Demo(arguments) => cli::demo::demo(arguments),
    }
}
