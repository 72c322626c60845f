//! The report for people: the plan in tables, then what is wrong with it, then one line that sums up.

use std::time::Duration;

use config::{Diagnostic, DotnetSearch, Effective, Group, Origin, Severity};

use super::environment::{Source, Variable};
use super::style::{Style, WIDTH, wrap};
use super::trial::{Pairing, Trial};
use super::{Found, print};

/// What stands for a secret.
const MASK: &str = "********";

/// One row of a table: name, value, origin.
type Row = (String, String, String);

/// Everything, ready for the terminal: nothing that came from a file reaches it unescaped.
pub(super) fn report(found: &Found, style: Style) -> String {
    let mut out = format!("{}\n", style.heading(&format!("falconer check {}", print::escape(&found.target))));
    for (title, group) in [("App", Group::App), ("Settings", Group::Settings), ("Limits", Group::Limits)] {
        let rows: Vec<Row> =
            found.loaded.effective.iter().filter(|one| one.group == group).map(effective).collect();
        section(&mut out, title, &rows, style);
    }
    if let Some(search) = &found.loaded.dotnet {
        section(&mut out, ".NET", &dotnet(search), style);
    }
    environment(&mut out, &found.environment, style);
    if let Some(trial) = &found.trial {
        section(&mut out, "Start", &start(trial), style);
        output_of(&mut out, trial, style);
    }
    for diagnostic in &found.loaded.diagnostics {
        out.push('\n');
        complain(&mut out, diagnostic, style);
    }
    out.push_str(&verdict(found, style));
    out
}

fn section(out: &mut String, title: &str, rows: &[Row], style: Style) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", style.heading(title)));
    let widest = |pick: fn(&Row) -> &String| rows.iter().map(|row| length(pick(row))).max().unwrap_or(0);
    let (names, origins) = (widest(|row| &row.0), widest(|row| &row.2));
    let indent = 2 + names + 2;
    // What is wider goes on in the next line, and its origin follows where it ends.
    let most = WIDTH.saturating_sub(indent + 2 + origins);
    let values = rows.iter().map(|(_, value, _)| length(value)).filter(|one| *one <= most).max().unwrap_or(0);
    for (name, value, origin) in rows {
        let value = wrap(&print::escape(value), indent, indent);
        out.push_str(&format!("  {name:names$}  {value}"));
        if !origin.is_empty() {
            let used =
                value.rsplit_once('\n').map_or_else(|| length(&value), |(_, last)| length(last) - indent);
            let gap = if used > values { 2 } else { values - used + 2 };
            if indent + used + gap + length(origin) > WIDTH {
                out.push_str(&format!("\n{}", " ".repeat(indent + values + 2)));
            } else {
                out.push_str(&" ".repeat(gap));
            }
            out.push_str(&style.dim(&print::escape(origin)));
        }
        out.push('\n');
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn effective(one: &Effective) -> Row {
    let name = if one.iis.is_empty() || one.iis == one.name {
        one.name.clone()
    } else {
        format!("{} ({})", one.name, one.iis)
    };
    let value = match one.unit {
        _ if one.is_time_span => {
            one.value.parse().map_or_else(|_| one.value.clone(), config::write_time_span)
        }
        "" if one.value.is_empty() => "-".to_owned(),
        // A number without a unit may be a port.
        "" => one.value.clone(),
        unit => format!("{} {unit}", grouped(&one.value)),
    };
    (name, value, origin(&one.origin))
}

/// 30000000 as 30,000,000; everything else as it is.
fn grouped(value: &str) -> String {
    if value.len() < 5 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.to_owned();
    }
    let digits = value.chars().enumerate();
    let comma = |at: usize| at > 0 && (value.len() - at).is_multiple_of(3);
    digits.flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit])).collect()
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::Inferred => "inferred".to_owned(),
        Origin::At(place) => place.to_string(),
    }
}

fn dotnet(search: &DotnetSearch) -> Vec<Row> {
    let row = |name: &str, value: String| (name.to_owned(), value, String::new());
    let used = search.used.as_ref().map_or("none was found".to_owned(), |path| path.display().to_string());
    let mut rows = vec![row("used", used)];
    if !search.wanted.is_empty() {
        rows.push(row("wanted", search.wanted.join(", ")));
    }
    rows.extend(search.lacking.iter().map(|lacking| row("lacking", lacking.clone())));
    for (root, frameworks) in &search.installed {
        let list = frameworks.iter().map(|one| format!("{} {}", one.name, one.versions.join(" ")));
        rows.push(row("installed", format!("{}: {}", root.display(), list.collect::<Vec<_>>().join(", "))));
    }
    if search.used.is_none() {
        let looked: Vec<String> = search.looked.iter().map(|path| path.display().to_string()).collect();
        rows.push(row("looked for", looked.join(", ")));
    }
    rows
}

/// What is set, with values; of what is only passed on, the names, but for those that .NET looks at.
fn environment(out: &mut String, all: &[Variable], style: Style) {
    let concerns_dotnet = |one: &&Variable| {
        let upper = one.name.to_ascii_uppercase();
        one.source != Source::Inherited
            || upper == "HOME"
            || upper.starts_with("ASPNETCORE_")
            || upper.starts_with("DOTNET_")
    };
    let (shown, passed): (Vec<&Variable>, Vec<&Variable>) = all.iter().partition(concerns_dotnet);
    let rows: Vec<Row> = shown
        .iter()
        .map(|one| {
            let source = match &one.source {
                Source::Written(at) => origin(at),
                Source::Server => "server".to_owned(),
                Source::Inherited => "inherited".to_owned(),
            };
            (print::escape(&one.name), one.value.clone().unwrap_or_else(|| MASK.to_owned()), source)
        })
        .collect();
    section(out, "Environment", &rows, style);
    if !passed.is_empty() {
        let names: Vec<String> = passed.iter().map(|one| print::escape(&one.name)).collect();
        let line = wrap(&format!("passed on: {}", names.join(" ")), 2, 4);
        out.push_str(&format!("  {}\n", style.dim(&line)));
    }
}

fn start(trial: &Trial) -> Vec<Row> {
    let row = |name: &str, value: String| (name.to_owned(), value, String::new());
    let seconds = |span: &Duration| format!("{:.2} s", span.as_secs_f64());
    match trial {
        Trial::Started { took, address, pid, pairing, stopped, stop_took } => {
            let pairing = match pairing {
                Pairing::Paired => "yes: a request without the token was refused".to_owned(),
                Pairing::Unpaired(answer) => format!("no: a request without the token was answered {answer}"),
                Pairing::Unknown(why) => format!("not known: {why}"),
            };
            vec![
                row("started", format!("in {}, as process {pid}", seconds(took))),
                row("listens", address.to_string()),
                row("paired", pairing),
                row("stopped", format!("in {}: {stopped}", seconds(stop_took))),
            ]
        }
        Trial::Failed { took, why, report, .. } => {
            let mut rows = vec![row("failed", format!("after {}: {why}", seconds(took)))];
            if let Some(report) = report {
                rows.push(row("command", report.command.clone()));
                rows.push(row("stage", report.stage.to_owned()));
                rows.push(row("port", report.port.to_string()));
                rows.push(row("attempts", report.attempts.to_string()));
            }
            rows
        }
    }
}

/// The last lines that a failed app printed.
fn output_of(out: &mut String, trial: &Trial, style: Style) {
    const LINES: usize = 20;
    let Trial::Failed { report: Some(report), .. } = trial else { return };
    let lines: Vec<&str> = report.output.lines().collect();
    let title = if lines.is_empty() { "It printed nothing" } else { "The end of what it printed" };
    out.push_str(&format!("\n{}\n", style.heading(title)));
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        out.push_str(&format!("  | {}\n", print::escape(line)));
    }
}

fn complain(out: &mut String, diagnostic: &Diagnostic, style: Style) {
    let word = match diagnostic.severity {
        Severity::Warning => "warning",
        Severity::Missing | Severity::Error => "error",
    };
    let head = format!("{word}[{}]: ", diagnostic.code);
    let painted = if word == "warning" { style.doubtful(&head) } else { style.bad(&head) };
    out.push_str(&painted);
    out.push_str(&wrap(&print::escape(&diagnostic.message), head.len(), 2));
    if let Some(place) = &diagnostic.place {
        out.push_str(&format!("\n  at {}", style.heading(&print::escape(&place.to_string()))));
    }
    if let Some(hint) = &diagnostic.hint {
        let text = wrap(&print::escape(hint), 8, 8);
        out.push_str(&format!("\n  {} {text}", style.hint("hint:")));
    }
    out.push('\n');
}

fn verdict(found: &Found, style: Style) -> String {
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (found.count(false), found.count(true));
    let line = match (errors, warnings) {
        (0, 0) => style.good("No mistakes."),
        (0, _) => format!("{}, no errors: it can be served.", style.doubtful(&many(warnings, "warning"))),
        (_, 0) => format!("{}.", style.bad(&many(errors, "error"))),
        (_, _) => {
            format!("{}, {}.", style.bad(&many(errors, "error")), style.doubtful(&many(warnings, "warning")))
        }
    };
    format!("\n{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped("30000000"), "30,000,000");
        assert_eq!(grouped("8192"), "8192");
        assert_eq!(grouped("12345"), "12,345");
        assert_eq!(grouped("01:00:00"), "01:00:00");
    }

    #[test]
    fn columns_are_aligned() {
        let mut out = String::new();
        let row =
            |name: &str, value: &str, origin: &str| (name.to_owned(), value.to_owned(), origin.to_owned());
        let long = "word ".repeat(30);
        let rows =
            [row("a", "1", "default"), row("name", "value", "web.config:1:2"), row("b", &long, "--env")];
        section(&mut out, "T", &rows, Style::of_stdout(false));
        let lines: Vec<&str> = out.lines().skip(1).collect();
        assert_eq!(lines[..3], ["T", "  a     1      default", "  name  value  web.config:1:2"]);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{out}");
        assert!(lines.last().is_some_and(|line| line.ends_with("--env")), "{out}");
    }
}
