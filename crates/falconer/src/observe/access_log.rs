//! The thread that writes the access log. It may hang or fail as long as it likes: the data threads never wait
//! for it, and what is lost is counted and told.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use proxy::{AccessLog, Handover};
use rustix::fs::OFlags;
use rustix::io::Errno;
use supervisor::{AppEvent, Level};
use tokio::sync::mpsc::UnboundedSender;

use crate::cli::print;
use crate::events::{ACCESS_LOG_FAILS, ACCESS_LOG_RECOVERS};

/// Whom the log names is not for everybody on the machine.
const MODE: u32 = 0o640;
/// What is queued at the end may take so long to be written.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How often the end is offered to a writer that is behind.
const OFFER_AGAIN: Duration = Duration::from_millis(10);
/// A log that fails again and again is told of so often.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Target {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Shared with the event lines, whole blocks at a time.
    Stdout,
    File(File),
    /// A FIFO that nobody reads yet: opening it waits for a reader, which is for the writer's thread.
    Unread(PathBuf),
}

impl Target {
    /// `-` is stdout; a file is appended to, and made (0640) where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            return Ok(Self { name: "on stdout".to_owned(), kind: Kind::Stdout });
        }
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = options().custom_flags(flags.bits().cast_signed()).open(path);
        let kind = match opened {
            Ok(file) => {
                // A reader that is slow holds up the writer's thread, so that what it takes, it takes whole.
                let flags = rustix::fs::fcntl_getfl(&file)?;
                rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
                Kind::File(file)
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => Kind::Unread(path.to_owned()),
            Err(error) => return Err(error),
        };
        Ok(Self { name, kind })
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(MODE);
    options
}

/// The running writer.
#[derive(Debug)]
pub(crate) struct Writer {
    log: AccessLog,
    lost: Arc<AtomicU64>,
    done: Receiver<()>,
}

impl Writer {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(target: Target, events: UnboundedSender<AppEvent>) -> io::Result<Self> {
        let (log, queue) = AccessLog::new();
        let lost = Arc::new(AtomicU64::new(0));
        let (ended, done) = channel();
        let lines =
            Lines { name: target.name, events, lost: Arc::clone(&lost), untold: 0, torn: false, told: None };
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            lines.run(target.kind, &queue);
            // Nobody may wait any more.
            let _ = ended.send(());
        })?;
        Ok(Self { log, lost, done })
    }

    /// The data threads' way to it.
    pub(crate) fn log(&self) -> AccessLog {
        self.log.clone()
    }

    /// Lines that reached the writer and could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits a moment for what is queued; false when not all of it was written by then.
    pub(crate) fn finish(self) -> bool {
        self.finish_within(LAST_LINES)
    }

    fn finish_within(self, limit: Duration) -> bool {
        let until = now() + limit;
        while !self.log.end() {
            if now() >= until {
                return false;
            }
            std::thread::sleep(OFFER_AGAIN);
        }
        self.done.recv_timeout(until.saturating_duration_since(now())).is_ok()
    }
}

/// The writer's own state.
struct Lines {
    name: String,
    events: UnboundedSender<AppEvent>,
    /// Lines that could not be written since the start.
    lost: Arc<AtomicU64>,
    /// Those of which no line has told yet.
    untold: u64,
    /// What was written last is the beginning of a line.
    torn: bool,
    /// When a failure was told last.
    told: Option<Instant>,
}

impl Lines {
    fn run(mut self, kind: Kind, queue: &Receiver<Handover>) {
        let mut file = match kind {
            Kind::Stdout => None,
            Kind::File(file) => Some(file),
            Kind::Unread(path) => match options().open(path) {
                Ok(file) => Some(file),
                Err(error) => return self.tell_failure(&error),
            },
        };
        while let Ok(Handover::Lines { bytes, count }) = queue.recv() {
            self.write(bytes, count, |bytes| match &mut file {
                Some(file) => file.write(bytes),
                None => print::raw(bytes).map(|()| bytes.len()),
            });
        }
    }

    fn write(&mut self, mut bytes: Vec<u8>, count: u64, mut to: impl FnMut(&[u8]) -> io::Result<usize>) {
        let own = self.say_what_was_lost();
        if !own.is_empty() {
            bytes.splice(0..0, own.iter().copied());
        }
        let mut written = 0;
        let failure = loop {
            match to(&bytes[written..]) {
                Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                Ok(some) => written += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
            if written == bytes.len() {
                break None;
            }
        };
        let failed_before = self.untold > 0;
        if written >= own.len() {
            self.untold = 0;
        }
        if written > 0 {
            self.torn = bytes[written - 1] != b'\n';
        }
        match failure {
            Some(error) => {
                let ends = |part: &[u8]| part.iter().filter(|&&byte| byte == b'\n').count() as u64;
                // Of the lines that were to follow our own.
                let whole = ends(&bytes[own.len().min(written)..written]);
                let lost = count.saturating_sub(whole);
                self.untold += lost;
                self.lost.fetch_add(lost, Ordering::Relaxed);
                self.tell_failure(&error);
            }
            None if failed_before => self.tell(
                ACCESS_LOG_RECOVERS,
                Level::Information,
                format!("the access log {} is written again", self.name),
            ),
            None => {}
        }
    }

    /// What must stand in front of the next line: the end of a torn one, and how many were lost.
    fn say_what_was_lost(&self) -> Vec<u8> {
        let end = if self.torn { "\n" } else { "" };
        match self.untold {
            0 => end.into(),
            lost => format!("{end}{{\"dropped\":{lost}}}\n").into(),
        }
    }

    fn tell_failure(&mut self, error: &io::Error) {
        if self.told.is_none_or(|told| now().duration_since(told) >= TELL_AGAIN) {
            self.told = Some(now());
            let name = &self.name;
            let message = format!(
                "the access log {name} cannot be written: {error}; its lines are dropped and counted"
            );
            self.tell(ACCESS_LOG_FAILS, Level::Warning, message);
        }
    }

    fn tell(&self, id: u16, level: Level, message: String) {
        // Nobody listens only when the server has ended.
        let _ = self.events.send(AppEvent { id, level, message });
    }
}

#[expect(clippy::disallowed_methods, reason = "the writer's thread reads the clock here")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> (Lines, tokio::sync::mpsc::UnboundedReceiver<AppEvent>) {
        let (events, happened) = tokio::sync::mpsc::unbounded_channel();
        let name = "/log".to_owned();
        (Lines { name, events, lost: Arc::default(), untold: 0, torn: false, told: None }, happened)
    }

    #[test]
    fn a_disk_that_was_full_costs_lines_and_says_how_many() {
        let (mut lines, mut happened) = lines();
        let mut out = Vec::new();
        let mut room = 9;
        let mut disk = |bytes: &[u8]| match bytes.len().min(room) {
            0 => Err(io::Error::from(io::ErrorKind::StorageFull)),
            count => {
                room -= count;
                out.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        };
        lines.write(b"{\"n\":1}\n{\"n\":2}\n".to_vec(), 2, &mut disk);
        lines.write(b"{\"n\":3}\n".to_vec(), 1, &mut disk);
        assert_eq!(lines.lost.load(Ordering::Relaxed), 2);
        lines.write(b"{\"n\":4}\n".to_vec(), 1, |bytes| {
            out.extend_from_slice(bytes);
            Ok(bytes.len())
        });
        lines.write(b"{\"n\":5}\n".to_vec(), 1, |bytes| {
            out.extend_from_slice(bytes);
            Ok(bytes.len())
        });
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text, "{\"n\":1}\n{\n{\"dropped\":2}\n{\"n\":4}\n{\"n\":5}\n");
        let told = [happened.try_recv(), happened.try_recv()].map(|event| event.expect("told").id);
        assert_eq!(told, [ACCESS_LOG_FAILS, ACCESS_LOG_RECOVERS], "once each");
        assert!(happened.try_recv().is_err());
    }

    #[test]
    fn a_file_is_appended_to_and_a_folder_is_refused() {
        let path = std::env::temp_dir().join(format!("falconer-access-log-{}", std::process::id()));
        for round in 1..=2 {
            let (events, _happened) = tokio::sync::mpsc::unbounded_channel();
            let writer = Writer::start(Target::open(&path).expect("a new file"), events).expect("a thread");
            // More than a disk that is only busy needs.
            assert!(writer.finish_within(20 * LAST_LINES));
            std::fs::write(&path, "x".repeat(round)).expect("a file");
        }
        std::fs::remove_file(&path).expect("it was made");
        let error = Target::open(Path::new("/")).expect_err("a folder");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }
}
