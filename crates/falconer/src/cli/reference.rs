//! The generated pages of `docs/`, written from the tables that the code itself uses. A hidden verb, since only
//! this room sees every table; `cargo xtask docs` calls it, and nothing else should.

use std::fmt::Write as _;
use std::process::ExitCode;

use config::{
    Code, HANDLER_SETTINGS, Honoured, IIS_SETTINGS, OPTIONS, OPTIONS_EXAMPLE, PartInfo, SECTIONS,
    SectionInfo, Severity,
};
use supervisor::{EventId, Level};

use crate::cli::{OK, print};
use crate::events;

/// Which page.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    page: Page,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Page {
    WebConfig,
    Configuration,
    Errors,
}

/// Writes one page to stdout.
pub(crate) fn reference(arguments: &Arguments) -> ExitCode {
    let text = match arguments.page {
        Page::WebConfig => web_config(),
        Page::Configuration => configuration(),
        Page::Errors => errors(),
    };
    // The caller sees that a page is not whole.
    let _ = print::raw(text.as_bytes());
    ExitCode::from(OK)
}

const GENERATED: &str = "<!-- Written by `cargo xtask docs` from the code; changes here are lost. -->\n\n";

fn web_config() -> String {
    let mut out = format!("{GENERATED}# web.config\n\n");
    out.push_str(
        "What of a `web.config` is honoured, translated to what fits this machine, or not honoured. What is not \
         honoured is named by `falconer check` and at every start of `falconer serve`, with file, line and column. In \
         sections that are honoured, an attribute or element that is not listed here is an error, as in IIS; the \
         message names the nearest one. Names are case-sensitive, as in IIS.\n\nThe file is UTF-8, or UTF-16 with a \
         byte order mark, at most 256 KiB, without a document type definition. Leftovers of .NET Framework \
         (`system.web`, `appSettings`, `connectionStrings`, `configSections`, ...) and of transforms (`xdt:`) are \
         ignored with a warning.\n\n## Sections\n\n| section | honoured | |\n|---|---|---|\n",
    );
    for section in SECTIONS {
        line(
            &mut out,
            &format!("| `{}` | {} | {} |", section.path, word(section.honoured), sentence(section.note)),
        );
    }
    for section in SECTIONS.iter().filter(|section| !section.parts.is_empty()) {
        parts(&mut out, section);
    }
    out.push_str(
        "\n## handlerSettings\n\nOf `aspNetCore`. Names ignore case; the last one of a name wins.\n\n",
    );
    table(&mut out, "setting", HANDLER_SETTINGS);
    out
}

fn parts(out: &mut String, section: &SectionInfo) {
    line(out, &format!("\n## {}\n\n{}\n", section.path, sentence(section.note)));
    table(out, "attribute or element", section.parts);
}

fn table(out: &mut String, first: &str, parts: &[PartInfo]) {
    line(out, &format!("| {first} | values, default | honoured | |\n|---|---|---|---|"));
    for part in parts {
        line(
            out,
            &format!(
                "| `{}` | {} | {} | {} |",
                part.path,
                part.values,
                word(part.honoured),
                sentence(part.note)
            ),
        );
    }
}

fn word(honoured: Honoured) -> &'static str {
    match honoured {
        Honoured::Yes => "yes",
        Honoured::Translated => "translated",
        Honoured::InPart => "in part",
        Honoured::NoEffect => "no effect",
        Honoured::No => "**no**",
    }
}

fn configuration() -> String {
    let mut out = format!("{GENERATED}# falconer.toml\n\n");
    out.push_str(CONFIGURATION);
    for option in OPTIONS {
        let flag = if option.flag.is_empty() { String::new() } else { format!("`{}`", option.flag) };
        let meaning = sentence(option.meaning);
        line(&mut out, &format!("| `{}` | {flag} | {} | {meaning} |", option.key, option.values));
    }
    out.push_str(&format!("\n## Example\n\n```toml\n{OPTIONS_EXAMPLE}```\n\n{OF_IIS}"));
    for one in IIS_SETTINGS {
        let instead = if one.instead.is_empty() { "nothing" } else { one.instead };
        let note = if one.note.is_empty() { String::new() } else { sentence(one.note) };
        line(&mut out, &format!("| `{}` | {} | {} |", one.key, elements(instead), elements(&note)));
    }
    out
}

/// `<aspNetCore>` as it is to be read.
fn elements(text: &str) -> String {
    text.replace('<', "`<").replace('>', ">`")
}

const OF_IIS: &str = "## In place of other settings of IIS\n\nWhat `applicationHost.config` has besides is refused, with a hint at what \
     is in its place.\n\n| in IIS | here | |\n|---|---|---|\n";

const CONFIGURATION: &str = "What IIS keeps outside of `web.config`, in the application pool and beside the application. None of it has to be \
     written; nearly each setting has a flag too, which beats the \
     file; a flag without a value, such as `--preload`, takes `=false`, as in `--preload=false`, where the file says otherwise.\n\nThe file is the one that `--config FILE` names, else \
     `falconer.toml` in the working directory, if it is there. It is [TOML](https://toml.io), in UTF-8, at most \
     256 KiB. It is never read from inside the publish folder or the site root, since whoever deploys an app may write \
     there. A server that runs as root reads it only when nobody but root can change it: the file, every folder above it \
     and every symlink on the way must belong to root, and no group and no other user may write them (sticky folders \
     such as `/tmp` excepted).\n\nNames are those of `applicationHost.config`, and nest as there: what stands below as \
     `applicationPool.processModel.idleTimeout` is `idleTimeout` below `[applicationPool.processModel]`. Time spans are \
     written as in IIS, `\"hh:mm:ss\"` or `\"d.hh:mm:ss\"`; paths are relative to the file. A name that is not listed is an \
     error, which names the nearest one. `falconer check` shows every value that holds and where it comes from.\n\n## \
     Settings\n\n| setting | flag | values, default | |\n|---|---|---|---|\n";

fn errors() -> String {
    let mut out = format!("{GENERATED}# Diagnostics and events\n\n");
    out.push_str(
        "Every message of Falconer has a name that can be searched for: a code where it is about the configuration, a \
         number where it is about something that happened.\n\n## Diagnostics\n\nPrinted by `falconer check` and \
         `falconer serve` as `error[CODE]` or `warning[CODE]`, with a place and a hint. *Errors* keep `serve` from \
         starting. What is *missing* is an error to `check` too; `serve` starts all the same, since a deployment may \
         still be copying, and answers 502.5 until it is there.\n\n| code | kind | what and why | what to do \
         |\n|---|---|---|---|\n",
    );
    for info in Code::TABLE {
        let kind = match info.severity {
            Severity::Warning => "warning",
            Severity::Missing => "missing",
            Severity::Error => "error",
        };
        line(&mut out, &format!("| `{}` | {kind} | {} | {} |", info.code, flat(info.meaning), info.remedy));
    }
    out.push_str(
        "\n## Events\n\nLines of `falconer serve`, as `TIME LEVEL [ID] MESSAGE`. Ids below 2000 are those of the \
         ASP.NET Core Module in the Windows event log.\n\n| id | level | what | what to do |\n|---|---|---|---|\n",
    );
    for (id, level, meaning) in EventId::TABLE {
        event(&mut out, (id.number(), *level), meaning, remedy(*id));
    }
    for (id, level, meaning, remedy) in events::TABLE {
        event(&mut out, (*id, *level), meaning, remedy);
    }
    out
}

fn event(out: &mut String, (id, level): (u16, Level), meaning: &str, remedy: &str) {
    let level = match level {
        Level::Information => "information",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    line(out, &format!("| {id} | {level} | {} | {remedy} |", flat(meaning)));
}

fn remedy(id: EventId) -> &'static str {
    match id {
        EventId::StartAttemptFailed => {
            "The message says why; another attempt follows while `retryCounter` is above 0."
        }
        EventId::Started
        | EventId::SentTerminate
        | EventId::Online
        | EventId::RecycledConfig
        | EventId::Recycled
        | EventId::Idle => "Nothing.",
        EventId::RapidFails => {
            "See in events 1030 how the processes end. Starts go on when the minute is over, or when `web.config` changes."
        }
        EventId::Pausing => {
            "Mend what event 1020 says; a changed `web.config` or an `app_offline.htm` ends the pause at once."
        }
        EventId::RecycleFailed => {
            "Mend what event 1020 says; the next change of `web.config` tries again, and what is due by age, use or size \
             after a minute."
        }
        EventId::NotWarmed => "See why the app does not answer that page well.",
        EventId::LogFileFailed => "Check that the app's user may write the folder of `stdoutLogFile`.",
        EventId::NotStoppedGracefully => {
            "Raise `shutdownTimeLimit`, or see why the app does not stop on SIGTERM."
        }
        EventId::RecycledOffline | EventId::Offline => {
            "Remove the file when the app may run; the next request starts it."
        }
        EventId::StartFailed | EventId::Unanswered => {
            "Run `falconer check --start DIR`; the event carries the end of what the app printed."
        }
        EventId::ShutDown => {
            "Where nobody told it to: look at the app's own log; the next request starts it again."
        }
        EventId::LauncherExited => "Nothing; name the program itself in `processPath` to see its end sooner.",
        EventId::Suspected => "Look who listens on the port that the message names.",
        EventId::DrainCut => "Raise `--drain-timeout` where requests take longer.",
        EventId::TimedOut => {
            "See in the access log which requests; raise `requestTimeout` where they are meant to take so long."
        }
        EventId::NotGone => {
            "The process hangs in the kernel, mostly on a disk: look at its state in `/proc`."
        }
    }
}

/// Notes in tables begin in lower case; a cell is a sentence.
fn sentence(note: &str) -> String {
    let mut chars = note.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// The lines of a doc comment as one.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line(out: &mut String, text: &str) {
    // A String takes every write.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_as_many_cells_as_columns() {
        for page in [web_config(), configuration(), errors()] {
            for row in page.lines().filter(|line| line.starts_with('|')) {
                let cells = row.matches('|').count() - 1;
                assert!(cells == 3 || cells == 4, "{row}");
            }
        }
    }
}
