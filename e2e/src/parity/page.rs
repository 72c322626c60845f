//! The table as `docs/ancm-parity.md`.

use std::fmt::Write as _;

use super::{Entry, Verdict, entries};

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from the tests; changes here are lost. -->

# Parity with the ASP.NET Core Module

";

const ABOUT: &str = "\
Microsoft proves its module with functional tests of its own, in three repositories: dotnet/aspnetcore, aspnet/IISIntegration \
(where a file below is followed by 2.2) and aspnet/AspNetCoreModule (followed by V1). Each test whose behaviour can be seen from \
outside is an entry here, says how Falconer stands to it, and names the trials of `e2e/tests` that prove it, as `binary::trial`. \
*Different* is on purpose, and says why somebody who runs IIS can live with it. What happens only inside the worker process of IIS \
is *not applicable*.

";

/// The page, written anew.
#[must_use]
pub fn page() -> String {
    let all = entries();
    let count = |want: fn(&Verdict) -> bool| all.iter().filter(|entry| want(&entry.verdict)).count();
    let mut out = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "Of {} entries, {} are the same, {} are deliberately different, {} are not applicable.\n",
        all.len(),
        count(|verdict| *verdict == Verdict::Same),
        count(|verdict| matches!(verdict, Verdict::Different(_))),
        count(|verdict| matches!(verdict, Verdict::NotApplicable(_))),
    );
    out.push_str(ABOUT);
    out.push_str("| | Microsoft's test | what it asks for | here | proven by |\n|---|---|---|---|---|\n");
    for entry in all {
        row(&mut out, entry);
    }
    out
}

fn row(out: &mut String, entry: &Entry) {
    let verdict = match entry.verdict {
        Verdict::Same => "same".to_owned(),
        Verdict::Different(why) => format!("**different**: {why}"),
        Verdict::NotApplicable(why) => format!("not applicable: {why}"),
    };
    let trials: Vec<String> = entry.proven_by.iter().map(|name| format!("`{name}`")).collect();
    let cells =
        [entry.number.to_string(), of(entry), entry.behaviour.to_owned(), verdict, trials.join("<br>")];
    let _ = writeln!(out, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
}

fn of(entry: &Entry) -> String {
    if entry.test.is_empty() { entry.source.to_owned() } else { format!("{}: {}", entry.source, entry.test) }
}
