//! What the demo remembers beyond the life of one app process: a file in its folder, one line per event.
//!
//! The server's side writes the first line, each app process its own; the page shows all of them. A line is
//! `EVENT PID PORT MILLISECONDS`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Journal(PathBuf);

/// One process of the app, as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) port: u16,
    /// Milliseconds since 1970.
    pub(super) started: u64,
    /// What it was told; none for one that runs, or that somebody else ended.
    pub(super) told: Option<String>,
}

/// All that the file says.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// The server's process, and when it began.
    pub(super) server: Option<(u32, u64)>,
    /// Oldest first.
    pub(super) lives: Vec<Life>,
}

impl Journal {
    /// In the publish folder, which is also the app's working folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self(folder.join("journal"))
    }

    pub(super) fn server_starts(&self) -> io::Result<()> {
        self.append("server", 0)
    }

    pub(super) fn app_starts(&self, port: u16) -> io::Result<()> {
        self.append("app", port)
    }

    /// This process was told to end, in this way: one word.
    pub(super) fn told(&self, how: &str) -> io::Result<()> {
        self.append(how, 0)
    }

    fn append(&self, event: &str, port: u16) -> io::Result<()> {
        let line = format!("{event} {} {port} {}\n", std::process::id(), milliseconds());
        OpenOptions::new().create(true).append(true).open(&self.0)?.write_all(line.as_bytes())
    }

    /// An unreadable file tells nothing; the page then shows less.
    pub(super) fn read(&self) -> Story {
        let mut story = Story::default();
        for line in fs::read_to_string(&self.0).unwrap_or_default().lines() {
            // Lines that another process is writing just now come next time.
            let _ = story.add(line);
        }
        story
    }
}

impl Story {
    fn add(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let event = words.next()?;
        let (pid, port, at) =
            (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        match event {
            "server" => self.server = Some((pid, at)),
            "app" => self.lives.push(Life { pid, port, started: at, told: None }),
            how => self.lives.iter_mut().rev().find(|life| life.pid == pid)?.told = Some(how.to_owned()),
        }
        Some(())
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_what_its_lines_say() {
        let mut story = Story::default();
        for line in
            ["server 7 0 100", "app 8 5000 200", "crash 8 0 300", "app 9 5001 400", "stop 8", "", "app x 1 1"]
        {
            let _ = story.add(line);
        }
        assert_eq!(story.server, Some((7, 100)));
        let first = Life { pid: 8, port: 5000, started: 200, told: Some("crash".to_owned()) };
        assert_eq!(story.lives, [first, Life { pid: 9, port: 5001, started: 400, told: None }]);
    }
}
