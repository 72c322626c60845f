//! What happened to one exchange; sealed exactly once, when the last byte is gone.
//!
//! While nobody reads an access log, a Record is a few stores: no clock is read, nothing is formatted or
//! allocated for it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::time::Instant;

use http1::RequestHead;

use crate::access_log::{self, Sealed};
use crate::answer::Answer;
use crate::client::Client;
use crate::clock;
use crate::connection::Connection;
use crate::runtime::Site;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was said on both sides.
    Done,
    /// We turned the request away: malformed, too large, outside the path base, no room.
    Refused,
    /// The client went away.
    ClientGone,
    /// A deadline was over: the client's, the start's, or the app's.
    Timeout,
    /// The app failed: no start, no answer, or half of one.
    UpstreamError,
    /// The server's own end cut it.
    Cut,
}

impl End {
    pub(crate) const COUNT: usize = 6;

    /// Its name in the access log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::ClientGone => "client_gone",
            Self::Timeout => "timeout",
            Self::UpstreamError => "upstream_error",
            Self::Cut => "cut",
        }
    }
}

/// The record of one exchange. Dropping it seals it, so that an exchange whose future is dropped is counted too.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) connection: &'a Connection,
    /// What holds for it, from its start to its end.
    pub(crate) site: &'a Site,
    pub(crate) client: Client,
    /// Names the exchange in our answers and in the log.
    pub(crate) id: u64,
    end: Cell<End>,
    status: Cell<u16>,
    substatus: Cell<u8>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    worker: Cell<u32>,
    /// Only while there is an access log.
    line: Option<Line>,
}

/// What only the access log wants to know.
#[derive(Debug)]
struct Line {
    began: Instant,
    /// When a connection to the worker was in hand.
    leased: Cell<Option<Instant>>,
    /// When the first byte of the worker's answer had come.
    answered: Cell<Option<Instant>>,
    /// The sentence of our own answer, or why the app's broke off.
    sentence: RefCell<Cow<'static, str>>,
    /// The first half of the line: all that must be read off the head before its bytes are gone.
    start: RefCell<Vec<u8>>,
}

impl<'a> Record<'a> {
    /// For a request that began then ([`Record::begin`]); `head` is none where it was not understood.
    pub(crate) fn new(
        connection: &'a Connection,
        site: &'a Site,
        began: Option<Instant>,
        head: Option<&RequestHead>,
    ) -> Self {
        let id = connection.thread.request_id();
        let client = match head {
            Some(head) => Client::of(connection, site, head),
            None => Client::peer(connection),
        };
        let line = connection.thread.log.as_ref().zip(began).map(|(log, began)| Line {
            began,
            leased: Cell::default(),
            answered: Cell::default(),
            sentence: RefCell::default(),
            start: RefCell::new(access_log::start(log, (connection, client), (began, id), head)),
        });
        Self {
            connection,
            site,
            client,
            id,
            end: Cell::new(End::Cut),
            status: Cell::new(0),
            substatus: Cell::new(0),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            worker: Cell::new(0),
            line,
        }
    }

    /// The moment at which a request begins; none while nobody wants to know.
    pub(crate) fn begin(connection: &Connection) -> Option<Instant> {
        connection.thread.log.as_ref().map(|_| clock::precise())
    }

    pub(crate) fn ended(&self, end: End) {
        self.end.set(end);
    }

    /// A connection to this worker is in hand.
    pub(crate) fn leased(&self, worker: u32) {
        self.worker.set(worker);
        if let Some(line) = &self.line {
            line.leased.set(Some(clock::precise()));
        }
    }

    /// The worker's answer begins.
    pub(crate) fn answered(&self, status: u16) {
        self.status.set(status);
        if let Some(line) = &self.line {
            line.answered.set(Some(clock::precise()));
        }
    }

    /// The answer is our own.
    pub(crate) fn answers(&self, answer: &Answer) {
        self.status.set(answer.status);
        self.substatus.set(answer.substatus);
        self.says(answer.sentence.clone());
    }

    /// Why there is no answer of the app, or only half of one.
    pub(crate) fn says(&self, sentence: Cow<'static, str>) {
        if let Some(line) = &self.line {
            line.sentence.replace(sentence);
        }
    }

    /// So much of the request's body has come by now.
    pub(crate) fn received(&self, bytes: u64) {
        self.bytes_in.set(bytes);
    }

    /// So much was written to the client by now.
    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes_out.set(bytes);
    }

    /// More was received and sent, by a tunnel or an answer of our own.
    pub(crate) fn moved(&self, received: u64, sent: u64) {
        self.bytes_in.set(self.bytes_in.get() + received);
        self.bytes_out.set(self.bytes_out.get() + sent);
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let thread = &self.connection.thread;
        let bytes = (self.bytes_in.get(), self.bytes_out.get());
        thread.counters.sealed(self.status.get(), self.end.get(), bytes);
        let (Some(log), Some(line)) = (&thread.log, &self.line) else { return };
        let since = |moment: Option<Instant>, from: Instant| moment.map(|at| at.duration_since(from));
        let leased = line.leased.get();
        let start = line.start.take();
        log.append(
            &start,
            &Sealed {
                status: self.status.get(),
                substatus: self.substatus.get(),
                bytes,
                total: clock::precise().duration_since(line.began),
                wait: since(leased, line.began),
                upstream: leased.and_then(|leased| since(line.answered.get(), leased)),
                worker: self.worker.get(),
                end: self.end.get(),
                sentence: &line.sentence.borrow(),
            },
        );
        thread.buffers.give_back_output(start);
    }
}
