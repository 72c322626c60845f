//! Reads what an app prints, on one OS thread per worker, for as long as anybody can print.
//!
//! The app is never blocked: reading goes on whatever happens to the log file. What is read is masked before
//! it is kept anywhere. Called by `watch`.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::PairingToken;
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use tokio::sync::oneshot;

use crate::process::logfile::Queue;
use crate::process::mask::Masker;

/// Characters kept for the report of a failure (IIS: the module keeps as many).
const KEPT_CHARACTERS: usize = 30_000;
/// Bytes that so many characters may take, the most that UTF-8 needs for each.
const KEPT_BYTES: usize = 4 * KEPT_CHARACTERS;
const READ: usize = 64 << 10;
/// Once the app is gone, this much is read from somebody who still prints into its pipe.
const AFTER_THE_END: usize = 4 << 20;
const STACK: usize = 128 << 10;

/// The reading side, shared with whoever wants the report. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Output(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    tail: Mutex<Vec<u8>>,
    /// Wakes the thread.
    wake: OwnedFd,
    /// Who wants to know when everything printed so far has been read; none when the thread has ended.
    waiting: Mutex<Option<Vec<oneshot::Sender<()>>>>,
    ended: AtomicBool,
    log: Option<Arc<Queue>>,
}

/// The app's ends of the pipes, for its standard output and error.
pub(super) type Ends = (OwnedFd, OwnedFd);

impl Output {
    /// Starts the thread. Without a queue what is read is kept for the report only.
    ///
    /// # Errors
    /// No descriptors or no thread.
    pub(super) fn start(token: PairingToken, log: Option<Arc<Queue>>) -> io::Result<(Self, Ends)> {
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            tail: Mutex::default(),
            wake,
            waiting: Mutex::new(Some(Vec::new())),
            ended: AtomicBool::new(false),
            log,
        });
        let reader = Reader {
            streams: [Stream::new(stdout, token.clone()), Stream::new(stderr, token)],
            shared: Arc::clone(&shared),
            buffer: vec![0; 2 * READ],
            shown: Vec::new(),
        };
        std::thread::Builder::new()
            .name("app-output".into())
            .stack_size(STACK)
            .spawn(move || reader.run())?;
        Ok((Self(Some(shared)), (stdout_end, stderr_end)))
    }

    /// An app that prints nowhere.
    ///
    /// # Errors
    /// /dev/null cannot be opened.
    pub(super) fn nowhere() -> io::Result<(Self, Ends)> {
        let null =
            || rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, rustix::fs::Mode::empty());
        Ok((Self(None), (null()?, null()?)))
    }

    /// The end of what was printed: at most 30,000 characters, the token masked, what is no UTF-8 replaced.
    pub(super) fn report(&self) -> String {
        let Some(shared) = &self.0 else { return String::new() };
        let text = String::from_utf8_lossy(&lock(&shared.tail)).into_owned();
        match text.char_indices().rev().nth(KEPT_CHARACTERS - 1) {
            Some((start, _)) => text[start..].to_owned(),
            None => text,
        }
    }

    /// Resolves once all that was printed before this call has been read; never while the app prints without a
    /// pause, so the caller sets a deadline.
    pub(super) async fn settle(&self) {
        let Some(shared) = &self.0 else { return };
        let (settled, wait) = oneshot::channel();
        match &mut *lock(&shared.waiting) {
            Some(waiting) => waiting.push(settled),
            None => return,
        }
        shared.wake();
        let _ = wait.await;
    }

    /// Resolves once the end is in the log; the caller sets a deadline.
    pub(super) async fn written(&self) {
        if let Some(log) = self.0.as_ref().and_then(|shared| shared.log.as_ref()) {
            log.written().await;
        }
    }

    /// The app is gone: the thread reads what is there and ends.
    pub(super) fn end(&self) {
        if let Some(shared) = &self.0 {
            shared.ended.store(true, Ordering::Release);
            shared.wake();
        }
    }
}

impl Shared {
    fn wake(&self) {
        // The counter of an eventfd that nobody has read yet already wakes.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn keep(&self, shown: &[u8]) {
        if let Some(log) = &self.log {
            log.push(shown);
        }
        let mut tail = lock(&self.tail);
        let shown = &shown[shown.len().saturating_sub(KEPT_BYTES)..];
        tail.extend_from_slice(shown);
        // Cut seldom, not on every read: moving the bytes costs more than keeping twice as many.
        if tail.len() > 2 * KEPT_BYTES {
            let surplus = tail.len() - KEPT_BYTES;
            tail.drain(..surplus);
        }
    }

    fn take_waiting(&self) -> Vec<oneshot::Sender<()>> {
        lock(&self.waiting).as_mut().map(std::mem::take).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // Only our end: the app's end must block, or its writes would fail when we are slow.
    rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK)?;
    Ok((read, write))
}

struct Stream {
    /// None at its end.
    pipe: Option<OwnedFd>,
    masker: Masker,
}

impl Stream {
    fn new(pipe: OwnedFd, token: PairingToken) -> Self {
        Self { pipe: Some(pipe), masker: Masker::new(token) }
    }

    /// How much came; none when nothing is there now. At the end of the stream its pipe goes.
    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match rustix::io::read(self.pipe.as_ref()?, buffer) {
            Ok(read @ 1..) => Some(read),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Ok(0) | Err(_) => {
                self.pipe = None;
                Some(0)
            }
        }
    }
}

struct Reader {
    streams: [Stream; 2],
    shared: Arc<Shared>,
    /// Of both streams, one after the other.
    buffer: Vec<u8>,
    shown: Vec<u8>,
}

impl Reader {
    fn run(mut self) {
        let (mut left, mut waiting) = (AFTER_THE_END, Vec::new());
        loop {
            // Both looked at before reading: what was printed before either is then read after it.
            waiting.append(&mut self.shared.take_waiting());
            let ended = self.shared.ended.load(Ordering::Acquire);
            let read = self.read_both();
            if ended {
                left = left.saturating_sub(read);
            }
            if read == 0 || left == 0 {
                for waiting in waiting.drain(..) {
                    let _: Result<(), ()> = waiting.send(());
                }
                if ended {
                    break;
                }
                self.wait();
            }
        }
        self.streams.iter_mut().for_each(|stream| stream.pipe = None);
        self.finish();
        if let Some(log) = &self.shared.log {
            log.end();
        }
        // Dropping the senders resolves who still waits.
        *lock(&self.shared.waiting) = None;
    }

    /// One read of each stream; the bytes of both. Standard error is read first and kept last: whatever the app printed
    /// to its output before its last words is then before them, and cannot push them out of the report.
    fn read_both(&mut self) -> usize {
        let (output, error) = self.buffer.split_at_mut(READ);
        let error = self.streams[1].read(error);
        let output = self.streams[0].read(output);
        let mut total = 0;
        for (stream, start, read) in [(0, 0, output), (1, READ, error)] {
            let Some(read) = read else { continue };
            total += read;
            let stream = &mut self.streams[stream];
            stream.masker.feed(&self.buffer[start..start + read], &mut self.shown);
            if stream.pipe.is_none() {
                stream.masker.finish(&mut self.shown);
            }
            self.shared.keep(&self.shown);
            self.shown.clear();
        }
        total
    }

    fn finish(&mut self) {
        for stream in &mut self.streams {
            stream.masker.finish(&mut self.shown);
        }
        self.shared.keep(&self.shown);
    }

    fn wait(&self) {
        let pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        let mut descriptors: Vec<_> = pipes
            .chain([&self.shared.wake])
            .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
            .collect();
        let _ = rustix::event::poll(&mut descriptors, None);
        let mut counter = [0; 8];
        let _ = rustix::io::read(&self.shared.wake, &mut counter);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::kept_port::nobody_starts;

    fn started() -> (PairingToken, Output, Ends) {
        let token = PairingToken::generate().unwrap();
        let (output, ends) = Output::start(token.clone(), None).unwrap();
        (token, output, ends)
    }

    async fn settled(output: &Output) -> String {
        tokio::time::timeout(Duration::from_secs(10), output.settle()).await.unwrap();
        output.report()
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn what_was_printed_is_in_the_report_once_settled() {
        // A stream ends when nobody holds its other end any more.
        let _alone = nobody_starts();
        block_on(async {
            let (token, output, (stdout, stderr)) = started();
            rustix::io::write(&stdout, b"out\n").unwrap();
            assert_eq!(settled(&output).await, "out\n");
            rustix::io::write(&stderr, format!("err {}\n", token.as_str()).as_bytes()).unwrap();
            assert_eq!(settled(&output).await, "out\nerr ***\n");
            // Held back until the stream ends, whoever else still prints.
            rustix::io::write(&stdout, &token.as_str().as_bytes()[..5]).unwrap();
            assert_eq!(settled(&output).await, "out\nerr ***\n");
            drop(stdout);
            assert_eq!(settled(&output).await, format!("out\nerr ***\n{}", &token.as_str()[..5]));
            output.end();
            drop(stderr);
            settled(&output).await;
        });
    }

    #[test]
    fn the_end_comes_although_somebody_keeps_the_pipe() {
        block_on(async {
            let (_, output, (stdout, _stderr)) = started();
            rustix::io::write(&stdout, b"last words").unwrap();
            output.end();
            assert_eq!(settled(&output).await, "last words");
        });
    }

    #[test]
    fn the_last_thirty_thousand_characters_are_kept() {
        block_on(async {
            let (_, output, (stdout, _stderr)) = started();
            let line = "é".repeat(1000);
            for _ in 0..300 {
                rustix::io::write(&stdout, line.as_bytes()).unwrap();
            }
            rustix::io::write(&stdout, b"\xFFend!").unwrap();
            let report = settled(&output).await;
            assert_eq!(report.chars().count(), KEPT_CHARACTERS);
            assert!(report.ends_with("é\u{FFFD}end!"));
            assert!(report.starts_with('é'), "{:?}", report.chars().next());
            output.end();
        });
    }
}
