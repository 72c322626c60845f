//! The event lines of an app in a file of its own (`debugFile`): the thread that writes it. It may hang or fail as long
//! as it likes: nobody waits for it, and what is lost is counted and told.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::time::Duration;

use config::{DebugLevel, DebugLog};
use rustix::fs::OFlags;
use supervisor::{AppEvent, Level};
use tokio::sync::mpsc::UnboundedSender;

use crate::cli::print;
use crate::events::EVENT_LOG_FAILS;

/// In front of every line (IIS: the module writes its own name there).
const MARK: &str = "[falconer] ";
/// What an app did is for its operator.
const MODE: u32 = 0o600;
/// Lines that may wait to be written.
const QUEUE: usize = 1000;
/// What is queued at the end may take so long to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The running writer.
#[derive(Debug)]
pub(crate) struct EventLog {
    of: DebugLog,
    /// None when there is no thread to take them.
    lines: Option<SyncSender<String>>,
    /// Events that no line has told of yet.
    dropped: Arc<AtomicU64>,
    done: Receiver<()>,
}

impl EventLog {
    /// Starts the thread, which makes the file with its folders, or goes on in one that it made before. When that
    /// fails or the file cannot be written, `events` is told so, once.
    pub(crate) fn start(log: &DebugLog, events: UnboundedSender<AppEvent>) -> Self {
        let (lines, queue) = sync_channel(QUEUE);
        let (ended, done) = channel();
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer { dropped: Arc::clone(&dropped), torn: false };
        let (path, on_failure) = (log.file.clone(), (log.file.clone(), events.clone()));
        let started = std::thread::Builder::new().name("event-log".to_owned()).spawn(move || {
            let fails = |error: &io::Error| tell(&events, &path, error);
            match open(&path) {
                Ok(mut file) => writer.run(&mut file, &queue, fails),
                Err(error) => fails(&error),
            }
            // Nobody may wait any more.
            let _ = ended.send(());
        });
        if let Err(error) = &started {
            tell(&on_failure.1, &on_failure.0, error);
        }
        Self { of: log.clone(), lines: started.is_ok().then_some(lines), dropped, done }
    }

    /// What it was started for.
    pub(crate) fn of(&self) -> &DebugLog {
        &self.of
    }

    /// Takes an event if its level is asked for. Never waits: what does not fit is counted.
    pub(crate) fn write(&self, event: &AppEvent) {
        let level = match event.level {
            Level::Error => DebugLevel::Error,
            Level::Warning => DebugLevel::Warning,
            Level::Information => DebugLevel::Information,
        };
        if level > self.of.level {
            return;
        }
        let marked = print::text_line(event).lines().map(|line| format!("{MARK}{line}\n")).collect();
        if self.lines.as_ref().is_none_or(|lines| lines.try_send(marked).is_err()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment for what is queued.
    pub(crate) fn finish(self) {
        self.finish_within(LAST_LINES);
    }

    fn finish_within(self, limit: Duration) {
        drop(self.lines);
        // What is not written by then is lost with the disk that hangs.
        let _ = self.done.recv_timeout(limit);
    }
}

fn tell(events: &UnboundedSender<AppEvent>, path: &Path, error: &io::Error) {
    let message = format!("the event log {} cannot be written: {error}", path.display());
    // Nobody listens only when the server has ended.
    let _ = events.send(AppEvent { id: EVENT_LOG_FAILS, level: Level::Warning, message });
}

/// Opens the file to append to. Whoever writes web.config chose its name, and others may write into its folder: only a
/// regular file with no other name is taken, no link is followed, and one that is not empty must already be such a log.
///
/// # Errors
/// The system's, or what stands there is something else.
fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    // Opening a FIFO or a device does something; looking at it does not.
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return refuse("what stands there is no regular file");
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(MODE).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 {
        return refuse("what stands there is no regular file of its own");
    }
    let mut start = [0; MARK.len()];
    if found.size() > 0 && !matches!(file.read_exact_at(&mut start, 0), Ok(()) if start == MARK.as_bytes()) {
        return refuse("what stands there is no event log; remove it or name another file");
    }
    Ok(file)
}

struct Writer {
    dropped: Arc<AtomicU64>,
    /// What was written last is the beginning of a line.
    torn: bool,
}

impl Writer {
    /// Until the end of the queue, also when the disk is full: it may have room again. The first failure is told.
    fn run(mut self, file: &mut impl io::Write, queue: &Receiver<String>, fails: impl Fn(&io::Error)) {
        let mut told = false;
        while let Ok(line) = queue.recv() {
            if let Err(error) = self.write(file, &line) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut told, true) {
                    fails(&error);
                }
            }
        }
    }

    fn write(&mut self, file: &mut impl io::Write, line: &str) -> io::Result<()> {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let gap =
            if dropped > 0 { format!("{MARK}{dropped} events are missing here\n") } else { String::new() };
        let text = format!("{}{gap}{line}", if self.torn { "\n" } else { "" });
        let mut left = text.as_bytes();
        while !left.is_empty() {
            match file.write(left) {
                Ok(0) => return self.failed(dropped, io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.torn = left[written - 1] != b'\n';
                    left = &left[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.failed(dropped, error),
            }
        }
        Ok(())
    }

    fn failed(&self, dropped: u64, error: io::Error) -> io::Result<()> {
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("falconer-event-log-{name}-{}", std::process::id()));
            std::fs::create_dir(&path).expect("a folder of its own");
            Self(path)
        }

        fn log(&self, name: &str, level: DebugLevel) -> DebugLog {
            DebugLog { file: self.0.join(name), level }
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            // A folder that stays in /tmp is no reason to fail.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn event(id: u16, level: Level, message: &str) -> AppEvent {
        AppEvent { id, level, message: message.to_owned() }
    }

    /// Writes these, and says what was told meanwhile.
    fn write(log: &DebugLog, all: &[AppEvent]) -> UnboundedReceiver<AppEvent> {
        let (events, told) = unbounded_channel();
        let log = EventLog::start(log, events);
        all.iter().for_each(|event| log.write(event));
        // More than a disk that is only busy needs.
        log.finish_within(20 * LAST_LINES);
        told
    }

    #[test]
    fn events_are_appended_as_they_are_printed_down_to_the_level() {
        let temporary = Temporary::new("lines");
        let log = temporary.log("deep/er/debug.log", DebugLevel::Warning);
        let all = [
            event(1001, Level::Information, "started"),
            event(1004, Level::Warning, "two\nlines \u{1b}[2J 彡⾔"),
            event(1000, Level::Error, "failed"),
        ];
        for _ in 0..2 {
            write(&log, &all).try_recv().expect_err("nothing fails");
        }
        let text = std::fs::read_to_string(&log.file).expect("UTF-8");
        let lines: Vec<_> = text.lines().map(|line| line.strip_prefix(MARK).expect("marked")).collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert!(lines[0].ends_with("Z warn  [1004] two"), "{text}");
        assert_eq!(lines[1], "    lines \\u{1b}[2J 彡⾔");
        assert!(lines[2].ends_with("Z error [1000] failed"), "{text}");
        let mode = std::fs::metadata(&log.file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_event_log_is_left_alone_and_told_once() {
        let temporary = Temporary::new("traps");
        let at = |name: &str| temporary.0.join(name);
        std::fs::write(at("precious"), "do not touch").expect("a file");
        std::fs::write(at("short"), "[fal").expect("a file");
        symlink("precious", at("link")).expect("a link");
        symlink("nothing", at("dangling")).expect("a link");
        std::fs::create_dir(at("folder")).expect("a folder");
        std::fs::write(at("one"), "").expect("a file");
        std::fs::hard_link(at("one"), at("other")).expect("a second name");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), kind, mode, 0).expect("a FIFO");
        for name in ["precious", "short", "link", "dangling", "folder", "other", "fifo", "precious/x"] {
            let log = temporary.log(name, DebugLevel::Information);
            let mut told = write(&log, &[event(1, Level::Error, "x"), event(2, Level::Error, "x")]);
            let warning = told.try_recv().expect("it is told");
            assert_eq!((warning.id, warning.level), (EVENT_LOG_FAILS, Level::Warning), "{name}");
            assert!(warning.message.contains(name), "{}", warning.message);
            told.try_recv().expect_err("once");
        }
        assert_eq!(std::fs::read_to_string(at("precious")).expect("it is there"), "do not touch");
        assert_eq!(std::fs::read_to_string(at("one")).expect("it is there"), "");
        assert!(!at("nothing").exists());
    }

    #[test]
    fn a_disk_that_was_full_costs_lines_and_says_how_many() {
        struct Disk(usize, Vec<u8>);
        impl io::Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // Full, until the third time that it is.
                let room = self.0.min(bytes.len());
                if room == 0 {
                    self.0 = if self.1.ends_with(b"!") { usize::MAX } else { 0 };
                    self.1.push(b'!');
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.0 -= room;
                self.1.extend_from_slice(&bytes[..room]);
                Ok(room)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (lines, queue) = sync_channel(10);
        for line in 1..=4 {
            lines.send(format!("{MARK}{line}\n")).expect("there is room");
        }
        drop(lines);
        let told = std::cell::Cell::new(0);
        let mut disk = Disk(MARK.len() + 2 + 3, Vec::new());
        let writer = Writer { dropped: Arc::new(AtomicU64::new(0)), torn: false };
        writer.run(&mut disk, &queue, |_| told.set(told.get() + 1));
        let text = String::from_utf8(disk.1).expect("ASCII");
        assert_eq!(text, "[falconer] 1\n[fa!!\n[falconer] 2 events are missing here\n[falconer] 4\n");
        assert_eq!(told.get(), 1);
    }
}
