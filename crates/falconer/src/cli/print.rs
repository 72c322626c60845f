//! The only place that writes to the terminal. No byte that a client or an app sent gets there unescaped.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use config::{Diagnostic, Origin, Plan};
use proxy::write_json_text;
use supervisor::{AppEvent, Level};

use crate::events::PLAN;

/// Tells every diagnostic, on stderr.
pub(crate) fn diagnostics(all: &[Diagnostic]) {
    for diagnostic in all {
        to_stderr(&format!("{diagnostic}\n"));
    }
}

/// In one piece: `eprintln!` writes each part for itself, and where both outputs end in one place, a line of the other
/// could come between.
fn to_stderr(text: &str) {
    // Where nobody can read, nobody is told.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Tells why we end, on stderr.
pub(crate) fn failure(message: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
    to_stderr(&format!("error: {}\n{hint}", escape(message)));
}

/// What takes a while, on stderr, for whoever sits before a terminal.
pub(crate) fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        to_stderr(&format!("{text}\n"));
    }
}

/// A word to the operator before the server speaks, on stdout.
pub(crate) fn note(text: &str) {
    // Where nobody can read, nobody is told.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Whole lines of another thread to stdout, never within a line of ours.
///
/// # Errors
/// The system's.
pub(crate) fn raw(lines: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(lines)?;
    out.flush()
}

/// How event lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What was understood, as a short table: each value and where it comes from.
fn plan(plan: &Plan) -> String {
    let width = |pick: fn(&(String, String, Origin)) -> &String, most: usize| {
        plan.origins.iter().map(|row| pick(row).chars().count()).max().unwrap_or(0).min(most)
    };
    let (names, values) = (width(|row| &row.0, 24), width(|row| &row.1, 60));
    let mut out = String::new();
    for (name, value, origin) in &plan.origins {
        let origin = match origin {
            Origin::Default => "default".to_owned(),
            Origin::Inferred => "inferred".to_owned(),
            Origin::At(place) => place.to_string(),
        };
        // A String takes every write.
        let _ = writeln!(out, "  {name:names$}  {:values$}  {origin}", escape(value));
    }
    out
}

/// The thread that writes event lines, so that a terminal nobody reads never holds up the server.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Format,
    /// Lines begin with their priority, as the journal understands it.
    journal: bool,
    lines: Sender<String>,
    thread: JoinHandle<()>,
}

impl Printer {
    /// `journal`: stdout is the journal's ([`is_journal`]).
    pub(crate) fn start(format: Format, journal: bool) -> std::io::Result<Self> {
        let (lines, queue) = channel();
        let thread =
            std::thread::Builder::new().name("printer".to_owned()).spawn(move || write_lines(&queue))?;
        Ok(Self { format, journal, lines, thread })
    }

    /// What was understood.
    pub(crate) fn plan(&self, understood: &Plan) {
        match self.format {
            Format::Text => self.text(plan(understood)),
            Format::Json => {
                let table = plan(understood);
                let lines: Vec<&str> = table.lines().map(str::trim).collect();
                self.line(PLAN, Level::Information, lines.join("\n"));
            }
        }
    }

    /// Text as it is, already safe.
    fn text(&self, text: String) {
        // The printer ends only with us.
        let _ = self.lines.send(text);
    }

    /// One line for one event.
    pub(crate) fn event(&self, event: &AppEvent) {
        let text = match self.format {
            Format::Text => text_line(event),
            Format::Json => json_line(event),
        };
        self.text(if self.journal { with_priority(&text, event.level) } else { text });
    }

    /// One line of our own.
    pub(crate) fn line(&self, id: u16, level: Level, message: impl Into<String>) {
        self.event(&AppEvent { id, level, message: message.into() });
    }

    /// Writes what is queued and ends; gives up on a reader that takes nothing.
    pub(crate) fn finish(self) {
        drop(self.lines);
        for _ in 0..LAST_LINES.as_millis() / LOOK_AGAIN.as_millis() {
            if self.thread.is_finished() {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// What is queued at the end may take so long to be written, and how often to look.
const LAST_LINES: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// An event in lines for people, safe for a terminal.
pub(crate) fn text_line(event: &AppEvent) -> String {
    let mut lines = event.message.lines();
    let first = lines.next().unwrap_or_default();
    let mut text = format!("{} {:5} [{}] {}\n", now(), level(event.level), event.id, escape(first));
    for line in lines {
        let _ = writeln!(text, "    {}", escape(line));
    }
    text
}

fn json_line(event: &AppEvent) -> String {
    let mut out = format!(
        "{{\"time\":\"{}\",\"level\":\"{}\",\"id\":{},\"message\":",
        now(),
        level(event.level),
        event.id
    )
    .into_bytes();
    write_json_text(&mut out, event.message.as_bytes());
    out.extend_from_slice(b"}\n");
    String::from_utf8(out).expect("text as JSON is UTF-8")
}

/// Each line with its priority in front (sd-daemon(3)); the journal takes every line for a message of its own.
fn with_priority(text: &str, level: Level) -> String {
    let priority = match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Information => 6,
    };
    text.lines().map(|line| format!("<{priority}>{line}\n")).collect()
}

/// Whether stdout is the journal itself, as `JOURNAL_STREAM` says (systemd.exec(5)): it may be inherited by somebody
/// whose output goes elsewhere.
pub(crate) fn is_journal(stream: &OsStr) -> bool {
    let Ok(stdout) = rustix::fs::fstat(std::io::stdout()) else { return false };
    stream.to_str().is_some_and(|stream| stream == format!("{}:{}", stdout.st_dev, stdout.st_ino))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Information => "info",
        Level::Warning => "warn",
        Level::Error => "error",
    }
}

fn write_lines(queue: &Receiver<String>) {
    while let Ok(line) = queue.recv() {
        // Where nobody can read, nobody is told; the server goes on.
        let _ = raw(line.as_bytes());
    }
}

/// UTC to the millisecond, RFC 3339.
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Control characters as `\u{1b}`: a terminal must not obey what a client or an app sent.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_two_forms() {
        let message = "ended:\n\u{1b}[2J \"x\"".to_owned();
        let event = AppEvent { id: 1001, level: Level::Warning, message };
        let text = text_line(&event);
        assert!(text.ends_with("Z warn  [1001] ended:\n    \\u{1b}[2J \"x\"\n"), "{text}");
        let json = json_line(&event);
        let wanted = r#"Z","level":"warn","id":1001,"message":"ended:\n\u001b[2J \"x\""}"#;
        assert!(json.starts_with("{\"time\":\"2") && json.ends_with(&format!("{wanted}\n")), "{json}");
    }

    #[test]
    fn the_journal_is_told_how_grave_every_line_is() {
        assert_eq!(with_priority("a\n    b\n", Level::Warning), "<4>a\n<4>    b\n");
        assert_eq!(with_priority("a\n", Level::Error), "<3>a\n");
        assert_eq!(with_priority("a\n", Level::Information), "<6>a\n");
        let stdout = rustix::fs::fstat(std::io::stdout()).expect("there is one");
        let (device, inode) = (stdout.st_dev, stdout.st_ino);
        assert!(is_journal(OsStr::new(&format!("{device}:{inode}"))));
        for other in ["", "8", &format!("{device}:{}", inode + 1), &format!("{}:{inode}", device + 1)] {
            assert!(!is_journal(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn a_terminal_obeys_nobody_but_us() {
        assert_eq!(escape("a\u{1b}[2J\rb\tc é"), "a\\u{1b}[2J\\rb\tc é");
    }
}
