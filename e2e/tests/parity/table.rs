//! The table itself: complete, true, and as `docs/ancm-parity.md` has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use e2e::parity::{Entry, Verdict, entries, page};

use super::*;

pub(super) const TRIALS: &[Trial] = &[
    ("every entry is there once, and says why it is not the same", whole),
    ("every trial that an entry names is one of a suite", named),
    ("docs/ancm-parity.md is as the table has it", written),
];

fn whole() -> Outcome {
    let numbers: Vec<u16> = entries().iter().map(|entry| entry.number).collect();
    ensure!(numbers == (1..=135).collect::<Vec<u16>>(), "the numbers are {numbers:?}");
    let bare: Vec<u16> = entries().iter().filter(|entry| !told(entry)).map(|entry| entry.number).collect();
    ensure!(bare.is_empty(), "without a trial or a reason: {bare:?}");
    Ok(())
}

/// Whether it has what its verdict asks for.
fn told(entry: &Entry) -> bool {
    match entry.verdict {
        Verdict::Same => !entry.proven_by.is_empty(),
        Verdict::Different(why) => !entry.proven_by.is_empty() && !why.is_empty(),
        Verdict::NotApplicable(why) => !why.is_empty(),
    }
}

fn named() -> Outcome {
    let mut suites: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut missing = Vec::new();
    for entry in entries() {
        for name in entry.proven_by {
            let (suite, trial) = name.split_once("::").context(format!("{name} names no suite"))?;
            if !suites.contains_key(suite) {
                suites.insert(suite, trials(suite)?);
            }
            if !suites.get(suite).is_some_and(|trials| trials.contains(trial)) {
                missing.push(format!("{}: {name}", entry.number));
            }
        }
    }
    ensure!(missing.is_empty(), "no such trials:\n{}", missing.join("\n"));
    Ok(())
}

/// What a suite says that it has.
fn trials(suite: &str) -> Outcome<BTreeSet<String>> {
    let binary = match suite {
        "parity" => std::env::current_exe()?,
        other => e2e::find::suite(other)?,
    };
    let output = process::command(&binary).arg("--list").output().context(suite)?;
    ensure!(output.status.success(), "{} --list ended with {}", binary.display(), output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().filter_map(|line| Some(line.trim().strip_suffix(": test")?.to_owned())).collect())
}

fn written() -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ancm-parity.md");
    let have = std::fs::read_to_string(&path).context(path.display())?;
    let differs = have.lines().zip(page().lines()).take_while(|(have, want)| have == want).count() + 1;
    ensure!(
        have == page(),
        "docs/ancm-parity.md:{differs}: is not what the table says; run `cargo xtask docs`"
    );
    Ok(())
}
