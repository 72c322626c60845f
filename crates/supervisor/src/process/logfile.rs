//! The app's log (`stdoutLogFile`): the way to it, and the thread that writes it.
//!
//! The reader of the app's output never waits for a disk: it puts bytes into a bounded queue, and what does
//! not fit is counted and dropped. Called by `output` alone.

mod files;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use config::StdoutLog;
use tokio::sync::watch;

use crate::process::logfile::files::Files;

/// How far the file may be behind, in bytes.
const LIMIT: usize = 1 << 20;
/// Once it was too far behind, it must catch up to here: one line about a gap, not one for each read.
const RESUME: usize = LIMIT / 2;
const STACK: usize = 128 << 10;

/// Bytes on their way to the file.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// A thread writes them.
    writing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Dropped since the last chunk that fitted.
    dropped: u64,
    ended: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    Bytes(Vec<u8>),
    /// So many bytes are missing here.
    Gap(u64),
}

impl Queue {
    /// Takes what fits, and counts what does not. Never waits.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let limit = if state.dropped > 0 { RESUME } else { LIMIT };
        if state.ended || bytes.is_empty() {
            return;
        }
        if state.bytes + bytes.len() > limit {
            state.dropped += bytes.len() as u64;
            return;
        }
        state.close_gap();
        state.bytes += bytes.len();
        state.chunks.push_back(Chunk::Bytes(bytes.to_vec()));
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more will come.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.close_gap();
        state.ended = true;
        drop(state);
        self.changed.notify_one();
    }

    /// Resolves once all that was taken until the end is in the file, or there is none; a disk that hangs may keep it for
    /// ever, so the caller sets a deadline.
    pub(super) async fn written(&self) {
        // The sender is ours.
        let _ = self.writing.subscribe().wait_for(|writing| !writing).await;
    }

    /// Forgets everything, also what comes: there is no file.
    fn give_up(&self) {
        *self.lock() = State { ended: true, ..State::default() };
    }

    /// Waits for the next chunk; none at the end. Its room is free again only when the next one is asked for,
    /// so that a write that hangs counts as being behind.
    fn next(&self, written: usize) -> Option<Chunk> {
        let mut state = self.lock();
        state.bytes -= written;
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                return Some(chunk);
            }
            if state.dropped > 0 {
                state.close_gap();
                continue;
            }
            if state.ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close_gap(&mut self) {
        if self.dropped > 0 {
            self.chunks.push_back(Chunk::Gap(std::mem::take(&mut self.dropped)));
        }
    }
}

/// Starts the thread that opens the file for the app with this process id and writes it until the queue's end.
/// `failed` is called at most once, with what could not be created or written; the queue then takes and
/// forgets everything.
pub(super) fn write_to_file(
    queue: Arc<Queue>,
    log: StdoutLog,
    pid: u32,
    failed: impl FnOnce(PathBuf, io::Error) + Clone + Send + 'static,
) {
    let thread = std::thread::Builder::new().name("app-log".into()).stack_size(STACK);
    let without_thread = (Arc::clone(&queue), log.folder.clone(), failed.clone());
    queue.writing.send_replace(true);
    let started = thread.spawn(move || {
        if let Err((path, error)) = write(&queue, &log, pid) {
            queue.give_up();
            failed(path, error);
        }
        queue.writing.send_replace(false);
    });
    if let Err(error) = started {
        let (queue, folder, failed) = without_thread;
        queue.give_up();
        queue.writing.send_replace(false);
        failed(folder, error);
    }
}

fn write(queue: &Queue, log: &StdoutLog, pid: u32) -> Result<(), (PathBuf, io::Error)> {
    let mut file = Files::create(log, pid).map_err(|error| (log.folder.clone(), error))?;
    copy(queue, &mut file).map_err(|error| (file.path().to_owned(), error))
}

fn copy(queue: &Queue, file: &mut impl io::Write) -> io::Result<()> {
    let (mut written, mut at_line_start) = (0, true);
    while let Some(chunk) = queue.next(written) {
        match chunk {
            Chunk::Bytes(bytes) => {
                file.write_all(&bytes)?;
                at_line_start = bytes.ends_with(b"\n");
                written = bytes.len();
            }
            Chunk::Gap(bytes) => {
                let start = if at_line_start { "" } else { "\n" };
                file.write_all(format!("{start}[falconer: {bytes} bytes of output dropped]\n").as_bytes())?;
                (at_line_start, written) = (true, 0);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
