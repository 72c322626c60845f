//! One connection: heads and bodies as they come, recorded before they are answered.

use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::Duration;

use crate::find::number;

use super::hex::{self, Hash};
use super::{answer, log, script};

/// How much of a body's raw bytes goes into the record.
const KEPT: usize = 4096;

/// One connection with what came but is not consumed.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    pub(super) number: u32,
    buffer: Vec<u8>,
}

/// One request head, read only as far as the puppet needs it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    lines: Vec<(String, String)>,
}

impl Head {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        Self {
            method: first.next().unwrap_or_default(),
            target: first.next().unwrap_or_default(),
            lines: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
        }
    }

    /// The first value of a lower-case name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// What happened to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    Close,
}

pub(super) fn serve(stream: TcpStream, number: u32) {
    let idle = crate::find::number("PUPPET_IDLE").map(Duration::from_millis);
    // A socket that takes no options is reported by its first read.
    let _ = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(idle));
    let mut wire = Wire { stream, number, buffer: Vec::new() };
    loop {
        match wire.exchange() {
            Ok(Then::GoOn) => {}
            Ok(Then::Close) => break,
            Err(error) => {
                log::note(number, "lost", &format!("{:?}", error.kind()));
                break;
            }
        }
    }
    log::note(number, "end", "");
}

/// `PUPPET_FIXED`: the whole answer to everything, without a record, for measuring fronts.
fn fixed() -> Option<&'static [u8]> {
    static FIXED: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    FIXED.get_or_init(|| crate::find::variable("PUPPET_FIXED").map(|digits| hex::decode(&digits))).as_deref()
}

impl Wire {
    /// Waits as Kestrel and Node do, in a poll: a thread that is killed while it waits in `read` may still take
    /// the bytes with it, and nobody could tell that they were never acted on.
    fn await_bytes(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = self.stream.read_timeout()?.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], limit.as_ref())? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    fn exchange(&mut self) -> io::Result<Then> {
        let Some(end) = self.until(b"\r\n\r\n")? else { return Ok(Then::Close) };
        let bytes: Vec<u8> = self.buffer.drain(..end).collect();
        if let Some(answer) = fixed() {
            self.stream.write_all(answer)?;
            return Ok(Then::GoOn);
        }
        log::note(self.number, "head", &hex::encode(&bytes));
        let head = Head::read(&bytes);
        match head.value("x-puppet") {
            Some(orders) => script::perform(self, &head, orders),
            None => answer::answer(self, &head),
        }
    }

    /// Reads until the buffer holds the mark; the place after it, or none when the peer closed before a byte.
    fn until(&mut self, mark: &[u8]) -> io::Result<Option<usize>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(Some(at + mark.len()));
            }
            if !self.more()? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// One read; false at the end.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        let mut block = [0; 64 * 1024];
        self.await_bytes()?;
        let count = self.stream.read(&mut block)?;
        self.buffer.extend_from_slice(block.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// Takes up to that many bytes, at least one; empty at the end.
    pub(super) fn take(&mut self, most: u64) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() && !self.more()? {
            return Ok(Vec::new());
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(self.buffer.drain(..count).collect())
    }

    /// Reads the whole body, hands on its data, and records how it ended.
    pub(super) fn body(&mut self, head: &Head, mut sink: impl FnMut(&[u8])) -> io::Result<(u64, u64)> {
        let mut seen = Seen::default();
        let outcome = if head.value("transfer-encoding").is_some() {
            self.chunks(&mut seen, &mut sink)
        } else {
            let length = head.value("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            self.counted(length, &mut seen, &mut sink)
        };
        let state = if outcome.is_ok() { "complete" } else { "cut" };
        let data = format!("{} {} {state} {}", seen.length, seen.hash.value(), hex::encode(&seen.wire));
        log::note(self.number, "body", &data);
        outcome.map(|()| (seen.length, seen.hash.value()))
    }

    fn counted(&mut self, length: u64, seen: &mut Seen, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            let data = self.take(left)?;
            if data.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= data.len() as u64;
            seen.keep(&data);
            seen.data(&data);
            sink(&data);
        }
        Ok(())
    }

    fn chunks(&mut self, seen: &mut Seen, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let line = self.line(seen)?;
            let size = line.split(';').next().and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
            let Some(mut left) = size else { return Err(io::ErrorKind::InvalidData.into()) };
            if left == 0 {
                while !self.line(seen)?.is_empty() {}
                return Ok(());
            }
            while left > 0 {
                let data = self.take(left)?;
                if data.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                left -= data.len() as u64;
                seen.keep(&data);
                seen.data(&data);
                sink(&data);
            }
            self.line(seen)?;
        }
    }

    fn line(&mut self, seen: &mut Seen) -> io::Result<String> {
        let Some(end) = self.until(b"\r\n")? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let line: Vec<u8> = self.buffer.drain(..end).collect();
        seen.keep(&line);
        Ok(String::from_utf8_lossy(&line).trim_end_matches("\r\n").to_owned())
    }

    /// Waits until the peer is gone, and records when.
    pub(super) fn hang(&mut self) {
        let limit = number("PUPPET_HANG").unwrap_or(60_000);
        // The socket answers each read on its own terms from here on; the limit only ends a forgotten test.
        let _ = self.stream.set_read_timeout(Some(Duration::from_millis(limit)));
        log::note(self.number, "hanging", "");
        while let Ok(true) = self.more() {}
        log::note(self.number, "left", "");
    }
}

/// What came of a body.
#[derive(Debug, Default)]
struct Seen {
    length: u64,
    hash: Hash,
    wire: Vec<u8>,
}

impl Seen {
    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.wire.len()).min(bytes.len());
        self.wire.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    fn data(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hash.update(bytes);
    }
}

impl Wire {
    /// What came after the head, for whoever takes the socket over.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }
}
