//! The only place that writes to the terminal. No byte that a client or an app sent gets there unescaped.
#![expect(clippy::print_stderr, reason = "this is the printer")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use config::{Diagnostic, Origin, Plan};
use supervisor::{AppEvent, Level};

/// Tells every diagnostic, on stderr.
pub(crate) fn diagnostics(all: &[Diagnostic]) {
    for diagnostic in all {
        eprintln!("{diagnostic}");
    }
}

/// Tells why we end, on stderr.
pub(crate) fn failure(message: &str, hint: Option<&str>) {
    eprintln!("error: {}", escape(message));
    if let Some(hint) = hint {
        eprintln!("  hint: {hint}");
    }
}

/// What was understood, as a short table: each value and where it comes from.
pub(crate) fn plan(plan: &Plan) -> String {
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
    lines: Sender<String>,
    thread: JoinHandle<()>,
}

impl Printer {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (lines, queue) = channel();
        let thread =
            std::thread::Builder::new().name("printer".to_owned()).spawn(move || write_lines(&queue))?;
        Ok(Self { lines, thread })
    }

    /// Text as it is, already safe.
    pub(crate) fn text(&self, text: String) {
        // The printer ends only with us.
        let _ = self.lines.send(text);
    }

    /// One line for one event.
    pub(crate) fn event(&self, event: &AppEvent) {
        let level = match event.level {
            Level::Information => "info ",
            Level::Warning => "warn ",
            Level::Error => "error",
        };
        let mut lines = event.message.lines();
        let first = lines.next().unwrap_or_default();
        let mut text = format!("{} {level} [{}] {}\n", now(), event.id, escape(first));
        for line in lines {
            let _ = writeln!(text, "    {}", escape(line));
        }
        self.text(text);
    }

    /// One line of our own.
    pub(crate) fn line(&self, id: u16, level: Level, message: impl Into<String>) {
        self.event(&AppEvent { id, level, message: message.into() });
    }

    /// Writes what is queued and ends.
    pub(crate) fn finish(self) {
        drop(self.lines);
        // A panic in there was printed by itself.
        let _ = self.thread.join();
    }
}

fn write_lines(queue: &Receiver<String>) {
    let mut out = std::io::stdout().lock();
    while let Ok(line) = queue.recv() {
        // Where nobody can read, nobody is told; the server goes on.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// UTC to the millisecond, RFC 3339.
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Control characters as `\u{1b}`: a terminal must not obey what a client or an app sent.
fn escape(text: &str) -> String {
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
    fn a_terminal_obeys_nobody_but_us() {
        assert_eq!(escape("a\u{1b}[2J\rb\tc é"), "a\\u{1b}[2J\\rb\tc é");
    }
}
