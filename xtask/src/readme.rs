//! The README lists every limit: one that is not there is a surprise for the operator who meets it.

/// Limits of the Plan without a row in the README, and rows without a limit, as sentences.
pub(crate) fn check(plan: &str, readme: &str) -> Vec<String> {
    let (limits, rows) = (limits_in(plan), rows_in(readme));
    if limits.is_empty() {
        return vec!["no limits were found in the Plan: has `limits!` moved?".to_owned()];
    }
    let missing = limits.iter().filter(|limit| !rows.contains(limit));
    let stale = rows.iter().filter(|row| !limits.contains(row));
    missing
        .map(|limit| format!("{limit}: the README has no row for this limit"))
        .chain(stale.map(|row| format!("{row}: the README has a row, the Plan has no such limit")))
        .collect()
}

/// The names in the block `limits! { … }`: the words before the first colon of lines that are not comments.
fn limits_in(plan: &str) -> Vec<&str> {
    let block = plan.split_once("\nlimits! {\n").map_or("", |(_, rest)| rest);
    let lines = block.lines().take_while(|line| *line != "}").map(str::trim);
    lines.filter(|line| !line.starts_with("//")).filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

/// The names in the first column below the heading `Limits`.
fn rows_in(readme: &str) -> Vec<&str> {
    let section = readme.split_once("\n## Limits\n").map_or("", |(_, rest)| rest);
    let lines = section.lines().take_while(|line| !line.starts_with("## "));
    let first_columns =
        lines.filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    first_columns.flat_map(|column| column.split('`').skip(1).step_by(2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str =
        "x\nlimits! {\n    /// Why: because.\n    head: usize = 1, \"bytes\", \"\";\n    body: u64 = 2;\n}\n";

    #[test]
    fn both_ways() {
        let readme = "\n## Limits\n\n| limit | default |\n|---|---|\n| `head`, `body` | 1 `x` |\n\n## Next\n| `other` |\n";
        assert_eq!(check(PLAN, readme), Vec::<String>::new());
        assert_eq!(check(PLAN, &readme.replace("`head`, ", "")).len(), 1);
        assert!(check(PLAN, &readme.replace("`body`", "`body`, `gone`"))[0].starts_with("gone: "));
        assert_eq!(check("moved", readme).len(), 1);
    }
}
