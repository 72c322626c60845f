//! A backend that misbehaves on order; everything is in `e2e::puppet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    e2e::puppet::run()
}
