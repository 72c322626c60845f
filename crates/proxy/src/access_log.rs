//! The lines of sealed Records: made on the thread that served the exchange, handed over in blocks, never waited
//! for. Who writes them, and where, is not known here.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http1::RequestHead;

use crate::client::{Client, Source};
use crate::clock;
use crate::connection::Connection;
use crate::json::write_bounded;
use crate::record::End;

/// A thread hands its lines over when it has so many bytes of them, or at the next tick.
const BLOCK: usize = 32 * 1024;
/// Blocks that may wait for the writer; more than that is dropped and counted.
const BLOCKS_MOST: usize = 128;
/// What a line keeps of names that clients choose.
const METHOD_MOST: usize = 64;
const HOST_MOST: usize = 256;
const PATH_MOST: usize = 2048;
const SENTENCE_MOST: usize = 512;

/// What goes to the writer.
#[derive(Debug)]
pub enum Handover {
    /// Whole lines.
    Lines {
        /// Their bytes, each line with its end.
        bytes: Vec<u8>,
        /// How many.
        count: u64,
    },
    /// Nothing follows.
    End,
}

/// The data threads' way to the writer of the access log.
#[derive(Debug, Clone)]
pub struct AccessLog(SyncSender<Handover>);

impl AccessLog {
    /// A way and its other end.
    #[must_use]
    pub fn new() -> (Self, Receiver<Handover>) {
        let (sender, receiver) = sync_channel(BLOCKS_MOST);
        (Self(sender), receiver)
    }

    /// Tells the writer that nothing follows; false while it is too far behind to hear that.
    #[must_use]
    pub fn end(&self) -> bool {
        !matches!(self.0.try_send(Handover::End), Err(TrySendError::Full(_)))
    }
}

/// One thread's lines that wait to be handed over.
#[derive(Debug)]
pub(crate) struct ThreadLog {
    sender: SyncSender<Handover>,
    lines: RefCell<Lines>,
    /// One moment on both clocks, new at each tick: the precise clock tells the time of day from there.
    anchor: Cell<(Instant, SystemTime)>,
    second: RefCell<Second>,
}

#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
    /// Lines that were dropped and of which no line has told yet.
    untold: u64,
    /// Lines that were dropped since the start.
    dropped: u64,
}

/// The text of the second that was written last.
#[derive(Debug, Default)]
struct Second {
    number: u64,
    /// Without fraction and zone.
    text: String,
}

/// The second half of a line.
#[derive(Debug)]
pub(crate) struct Sealed<'a> {
    pub(crate) status: u16,
    pub(crate) substatus: u8,
    /// In and out.
    pub(crate) bytes: (u64, u64),
    pub(crate) total: Duration,
    /// Until a connection to the worker was in hand.
    pub(crate) wait: Option<Duration>,
    /// From then to the first byte of its answer.
    pub(crate) upstream: Option<Duration>,
    /// Its process; 0 for none.
    pub(crate) worker: u32,
    pub(crate) end: End,
    /// Of our own answer, or why the app's broke off; empty for none.
    pub(crate) sentence: &'a str,
}

/// The first half of a line, up to what only the end can tell.
pub(crate) fn start(
    log: &ThreadLog,
    (connection, client): (&Connection, Client),
    (began, id): (Instant, u64),
    head: Option<&RequestHead>,
) -> Vec<u8> {
    let mut out = connection.thread.buffers.output();
    out.extend_from_slice(b"{\"time\":\"");
    log.write_time(&mut out, began);
    out.extend_from_slice(b"\",\"id\":\"");
    write_id(&mut out, id);
    out.extend_from_slice(b"\",\"client\":\"");
    write_socket(&mut out, client.address, b",\"client_port\":");
    if client.source != Source::Peer {
        out.extend_from_slice(b",\"peer\":\"");
        write_socket(&mut out, connection.peer, b",\"peer_port\":");
    }
    out.extend_from_slice(b",\"scheme\":\"");
    out.extend_from_slice(client.scheme.as_str().as_bytes());
    out.push(b'"');
    if let Some(head) = head {
        let input = connection.input.borrow();
        write_request(&mut out, head, input.data());
    }
    out
}

/// The rest of a text, and the port if it is known.
fn write_socket(out: &mut Vec<u8>, socket: SocketAddr, port: &[u8]) {
    write_address(out, socket.ip().to_canonical());
    out.push(b'"');
    if socket.port() != 0 {
        out.extend_from_slice(port);
        write_number(out, socket.port().into());
    }
}

fn write_request(out: &mut Vec<u8>, head: &RequestHead, data: &[u8]) {
    out.extend_from_slice(b",\"method\":");
    write_bounded(out, head.method_name.of(data), METHOD_MOST);
    if let Some(host) = head.host {
        out.extend_from_slice(b",\"host\":");
        write_bounded(out, host.of(data), HOST_MOST);
    }
    out.extend_from_slice(b",\"path\":");
    let target = head.path_and_query.of(data);
    let path = memchr::memchr(b'?', target).map_or(target, |query| &target[..query]);
    write_bounded(out, path, PATH_MOST);
}

impl ThreadLog {
    pub(crate) fn new(log: &AccessLog) -> Self {
        Self {
            sender: log.0.clone(),
            lines: RefCell::default(),
            anchor: Cell::new((clock::precise(), SystemTime::now())),
            second: RefCell::default(),
        }
    }

    /// One line more.
    pub(crate) fn append(&self, start: &[u8], sealed: &Sealed<'_>) {
        let mut lines = self.lines.borrow_mut();
        if lines.bytes.capacity() == 0 {
            lines.bytes.reserve(BLOCK + 4096);
        }
        lines.bytes.extend_from_slice(start);
        sealed.write(&mut lines.bytes);
        lines.count += 1;
        if lines.bytes.len() >= BLOCK {
            self.hand_over(&mut lines);
        }
    }

    /// Hands over what there is, and looks at the time of day.
    pub(crate) fn tick(&self) {
        self.anchor.set((clock::precise(), SystemTime::now()));
        let mut lines = self.lines.borrow_mut();
        if lines.count > 0 || lines.untold > 0 {
            self.hand_over(&mut lines);
        }
    }

    /// Lines that were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.lines.borrow().dropped
    }

    fn hand_over(&self, lines: &mut Lines) {
        let (told, whole) = (lines.untold, lines.bytes.len());
        if told > 0 {
            lines.bytes.extend_from_slice(b"{\"dropped\":");
            write_number(&mut lines.bytes, told);
            lines.bytes.extend_from_slice(b"}\n");
        }
        let bytes = std::mem::take(&mut lines.bytes);
        match self.sender.try_send(Handover::Lines { bytes, count: lines.count }) {
            Ok(()) => (lines.count, lines.untold) = (0, 0),
            Err(
                TrySendError::Full(Handover::Lines { mut bytes, .. })
                | TrySendError::Disconnected(Handover::Lines { mut bytes, .. }),
            ) => {
                bytes.truncate(whole);
                // The writer is behind. What fits into one block may wait here for the next tick.
                if whole >= BLOCK {
                    lines.untold += lines.count;
                    lines.dropped += lines.count;
                    lines.count = 0;
                    bytes.clear();
                }
                lines.bytes = bytes;
            }
            Err(TrySendError::Full(Handover::End) | TrySendError::Disconnected(Handover::End)) => {
                unreachable!("what comes back is what was sent")
            }
        }
    }

    /// UTC to the millisecond, RFC 3339.
    fn write_time(&self, out: &mut Vec<u8>, moment: Instant) {
        let (instant, time) = self.anchor.get();
        let time = time + moment.duration_since(instant);
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut second = self.second.borrow_mut();
        if second.number != since.as_secs() || second.text.is_empty() {
            second.number = since.as_secs();
            second.text = date_and_time(since.as_secs());
        }
        out.extend_from_slice(second.text.as_bytes());
        out.push(b'.');
        write_thousandths(out, u64::from(since.subsec_millis()));
        out.push(b'Z');
    }
}

impl Sealed<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        // No status says that nothing was answered.
        if self.status != 0 {
            out.extend_from_slice(b",\"status\":");
            write_number(out, self.status.into());
        }
        if self.substatus != 0 {
            out.extend_from_slice(b",\"substatus\":");
            write_number(out, self.substatus.into());
        }
        out.extend_from_slice(b",\"bytes_in\":");
        write_number(out, self.bytes.0);
        out.extend_from_slice(b",\"bytes_out\":");
        write_number(out, self.bytes.1);
        out.extend_from_slice(b",\"ms\":");
        write_milliseconds(out, self.total);
        if let Some(wait) = self.wait {
            out.extend_from_slice(b",\"wait_ms\":");
            write_milliseconds(out, wait);
        }
        if let Some(upstream) = self.upstream {
            out.extend_from_slice(b",\"upstream_ms\":");
            write_milliseconds(out, upstream);
        }
        if self.worker != 0 {
            out.extend_from_slice(b",\"worker\":");
            write_number(out, self.worker.into());
        }
        out.extend_from_slice(b",\"end\":\"");
        out.extend_from_slice(self.end.name().as_bytes());
        out.push(b'"');
        if !self.sentence.is_empty() {
            out.extend_from_slice(b",\"error\":");
            write_bounded(out, self.sentence.as_bytes(), SENTENCE_MOST);
        }
        out.extend_from_slice(b"}\n");
    }
}

/// As `{:016x}`; by hand, since it is on every line.
fn write_id(out: &mut Vec<u8>, id: u64) {
    let digit = |place: usize| b"0123456789abcdef"[(id >> (60 - 4 * place) & 0xf) as usize];
    out.extend_from_slice(&std::array::from_fn::<u8, 16, _>(digit));
}

/// IPv4 by hand, since it is on nearly every line.
fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                write_number(out, octet.into());
            }
        }
        IpAddr::V6(v6) => write!(out, "{v6}").expect("a Vec takes every write"),
    }
}

fn write_milliseconds(out: &mut Vec<u8>, span: Duration) {
    write_number(out, u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    out.push(b'.');
    write_thousandths(out, u64::from(span.subsec_micros() % 1000));
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Three digits.
fn write_thousandths(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&[100, 10, 1].map(|place| b'0' + (number / place % 10) as u8));
}

/// `2026-01-31T23:59:59` of the seconds since 1970, from the days' number in the 400-year cycle of the calendar.
fn date_and_time(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is the last of one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> Sealed<'static> {
        Sealed {
            status: 0,
            substatus: 0,
            bytes: (0, 0),
            total: Duration::from_micros(1_234_056),
            wait: None,
            upstream: None,
            worker: 0,
            end: End::ClientGone,
            sentence: "",
        }
    }

    fn text(sealed: &Sealed<'_>) -> String {
        let mut out = Vec::new();
        sealed.write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn what_did_not_happen_is_not_told() {
        assert_eq!(
            text(&sealed()),
            ",\"bytes_in\":0,\"bytes_out\":0,\"ms\":1234.056,\"end\":\"client_gone\"}\n"
        );
        let whole = Sealed {
            status: 502,
            substatus: 3,
            bytes: (1, u64::MAX),
            wait: Some(Duration::from_nanos(1999)),
            upstream: Some(Duration::from_secs(2)),
            worker: 4711,
            end: End::UpstreamError,
            sentence: "a \"b\"",
            ..sealed()
        };
        let wanted = ",\"status\":502,\"substatus\":3,\"bytes_in\":1,\"bytes_out\":18446744073709551615,\
                      \"ms\":1234.056,\"wait_ms\":0.001,\"upstream_ms\":2000.000,\"worker\":4711,\
                      \"end\":\"upstream_error\",\"error\":\"a \\\"b\\\"\"}\n";
        assert_eq!(text(&whole), wanted);
    }

    #[test]
    fn what_is_written_by_hand_reads_as_ever() {
        let mut out = Vec::new();
        for id in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            out.clear();
            write_id(&mut out, id);
            assert_eq!(out, format!("{id:016x}").into_bytes());
        }
        for address in ["0.0.0.0", "203.0.113.7", "255.255.255.255", "::1", "2001:db8::1"] {
            out.clear();
            write_address(&mut out, address.parse().expect("an address"));
            assert_eq!(out, address.as_bytes());
        }
    }

    #[test]
    fn the_calendar_is_kept() {
        for (seconds, wanted) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_767_225_599, "2025-12-31T23:59:59"),
            (4_107_542_399, "2100-02-28T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(date_and_time(seconds), wanted);
        }
    }

    fn lines(handover: Handover) -> (String, u64) {
        match handover {
            Handover::Lines { bytes, count } => (String::from_utf8(bytes).expect("UTF-8"), count),
            Handover::End => panic!("nobody ended it"),
        }
    }

    #[test]
    fn a_line_waits_for_the_tick_and_a_block_does_not() {
        let (way, writer) = AccessLog::new();
        let log = ThreadLog::new(&way);
        log.append(b"{\"n\":1", &sealed());
        assert!(writer.try_recv().is_err(), "not before the tick");
        log.tick();
        let (text, count) = lines(writer.try_recv().expect("handed over"));
        assert!(text.starts_with("{\"n\":1,") && text.ends_with("}\n") && count == 1, "{text}");
        log.tick();
        assert!(writer.try_recv().is_err(), "nothing to hand over");
        let long = vec![b'x'; BLOCK];
        log.append(&long, &sealed());
        assert_eq!(lines(writer.try_recv().expect("handed over")).1, 1);
    }

    #[test]
    fn a_writer_that_is_behind_loses_lines_and_hears_how_many() {
        let (way, writer) = AccessLog::new();
        let log = ThreadLog::new(&way);
        let long = vec![b'x'; BLOCK];
        for _ in 0..BLOCKS_MOST + 3 {
            log.append(&long, &sealed());
        }
        assert_eq!(log.dropped(), 3);
        assert!(!way.end(), "no room for the end either");
        log.append(b"{\"short\":1", &sealed());
        log.tick();
        assert_eq!(log.dropped(), 3, "what fits into a block waits");
        for _ in 0..BLOCKS_MOST {
            assert_eq!(lines(writer.try_recv().expect("a block")).1, 1);
        }
        log.tick();
        let (text, count) = lines(writer.try_recv().expect("what waited"));
        assert_eq!(count, 1);
        let told: Vec<&str> = text.lines().collect();
        assert!(told[0].starts_with("{\"short\":1,"), "{text}");
        assert_eq!(told[1..], ["{\"dropped\":3}"]);
        log.tick();
        assert!(writer.try_recv().is_err(), "told once");
        assert!(way.end());
    }
}
