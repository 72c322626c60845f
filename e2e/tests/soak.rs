//! soak.
use std::process::ExitCode;
fn main() -> ExitCode {
    e2e::Suite::new().run()
}
