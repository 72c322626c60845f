//! The table itself: complete, true, and as `docs/ancm-parity.md` has it.

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
    let named =
        entries().into_iter().flat_map(|entry| entry.proven_by.iter().map(|name| (entry.number, *name)));
    let missing = e2e::named::unknown(named)?;
    ensure!(missing.is_empty(), "no such trials:\n{}", missing.join("\n"));
    Ok(())
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
