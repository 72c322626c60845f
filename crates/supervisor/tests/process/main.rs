//! The process room against the real system: keepers, apps, thieves.
//!
//! This binary is all of them. A keeper is started from the running binary, so it must answer `__keep`; the
//! other words that it answers to are in `roles`.

mod environment;
mod failures;
mod harness;
mod life;
mod liveness;
mod network;
mod orphans;
mod output;
mod ports;
mod roles;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    if let Some(code) = words.next().and_then(|role| roles::play(&role, &words.collect::<Vec<_>>())) {
        return code;
    }
    // As a server does: everything below must work for a process that nobody may look into.
    let descriptors = supervisor::process::harden().expect("the system lets a process protect itself");
    let groups = [
        life::trials(),
        liveness::trials(),
        network::trials(),
        failures::trials(),
        environment::trials(descriptors),
        orphans::trials(),
        ports::trials(),
        output::trials(),
    ];
    let trials: Vec<Trial> = groups.into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
