//! Promise: what Microsoft's own tests ask of the module holds here too, or is different on purpose.
//!
//! `e2e::parity` has the table; each trial is named after what it proves there.

use std::process::ExitCode;

use e2e::clock::seconds;
use e2e::parity::{Hosting, SOON, Site};
use e2e::{Client, Context as _, Failure, Folder, Need, Options, Outcome, Puppet, Response, Server, Suite};
use e2e::{ensure, now, pause, process, serve, wait_for};
use rustix::process::Signal;

#[path = "parity/changes.rs"]
mod changes;
#[path = "parity/config.rs"]
mod config;
#[path = "parity/ends.rs"]
mod ends;
#[path = "parity/load.rs"]
mod load;
#[path = "parity/logs.rs"]
mod logs;
#[path = "parity/offline.rs"]
mod offline;
#[path = "parity/pairing.rs"]
mod pairing;
#[path = "parity/pool.rs"]
mod pool;
#[path = "parity/ports.rs"]
mod ports;
#[path = "parity/secure.rs"]
mod secure;
#[path = "parity/serving.rs"]
mod serving;
#[path = "parity/sockets.rs"]
mod sockets;
#[path = "parity/starts.rs"]
mod starts;
#[path = "parity/table.rs"]
mod table;
#[path = "https/secure.rs"]
#[expect(dead_code, reason = "the suite https uses more of it")]
mod tls;
#[path = "parity/variables.rs"]
mod variables;

use load::Load;

/// A name, and what is tried.
type Trial = (&'static str, fn() -> Outcome);

const TRIALS: &[&[Trial]] = &[
    ports::TRIALS,
    offline::TRIALS,
    variables::TRIALS,
    secure::TRIALS,
    logs::TRIALS,
    starts::TRIALS,
    serving::TRIALS,
    sockets::TRIALS,
    config::TRIALS,
    pairing::TRIALS,
    ends::TRIALS,
    changes::TRIALS,
    pool::TRIALS,
];

fn main() -> ExitCode {
    let trials = TRIALS.iter().flat_map(|some| some.iter());
    let suite = trials.fold(Suite::new(), |suite, (name, run)| suite.needing(*name, &[Need::Sdk], run));
    table::TRIALS.iter().fold(suite, |suite, (name, run)| suite.test(*name, run)).run()
}
