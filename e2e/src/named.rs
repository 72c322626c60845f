//! Trials by the names under which tables and documents point to them: `suite::trial`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::outcome::{Context, Outcome};
use crate::{find, process};

/// Names that no suite has, each behind who points to it.
///
/// # Errors
/// When a name is none, or a suite cannot be asked.
pub fn unknown<'a, By: Display>(named: impl IntoIterator<Item = (By, &'a str)>) -> Outcome<Vec<String>> {
    let mut suites: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (by, name) in named {
        let (suite, trial) = name.split_once("::").context(format!("{name} names no suite"))?;
        if !suites.contains_key(suite) {
            suites.insert(suite, trials(suite)?);
        }
        if !suites.get(suite).is_some_and(|trials| trials.contains(trial)) {
            unknown.push(format!("{by}: {name}"));
        }
    }
    Ok(unknown)
}

/// What a suite says that it has.
fn trials(suite: &str) -> Outcome<BTreeSet<String>> {
    let own = std::env::current_exe()?;
    let own_name = own.file_name().and_then(|file| file.to_str()).and_then(|file| file.rsplit_once('-'));
    // The suite that asks need not be looked for, and is surely what its source says.
    let binary = if own_name.is_some_and(|(name, _)| name == suite) { own } else { find::suite(suite)? };
    let output = process::command(&binary).arg("--list").output().context(suite)?;
    crate::ensure!(output.status.success(), "{} --list ended with {}", binary.display(), output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().filter_map(|line| Some(line.trim().strip_suffix(": test")?.to_owned())).collect())
}
