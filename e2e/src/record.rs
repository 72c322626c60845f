//! What the puppet saw: it appends one line per thing to a file, before it answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::wait_for;
use crate::outcome::Outcome;
use crate::puppet::hex;

/// How the body of a request arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// Decoded bytes.
    pub length: u64,
    /// FNV-1a of them.
    pub hash: u64,
    /// Whether its framing came to an end.
    pub complete: bool,
    /// The first bytes as they came, chunk framing and trailers included.
    pub wire: Vec<u8>,
}

/// One request as the puppet received it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The puppet's process.
    pub pid: u32,
    /// The number of the connection within that process.
    pub connection: u32,
    /// Exactly as received, with the blank line.
    pub head: Vec<u8>,
    /// None until it was read.
    pub body: Option<Body>,
}

impl Request {
    /// The request line.
    #[must_use]
    pub fn line(&self) -> String {
        self.lines().into_iter().next().unwrap_or_default()
    }

    /// Every line of the head, bytes that are no UTF-8 replaced.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.head).into_owned();
        text.trim_end_matches("\r\n").split("\r\n").map(str::to_owned).collect()
    }

    /// The target of the request line.
    #[must_use]
    pub fn target(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// Values of that name; case does not matter, `_` is not `-`.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        self.lines()
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    }
}

/// One start of the puppet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Its process.
    pub pid: u32,
    /// The port that it was told.
    pub port: u16,
}

/// The file.
#[derive(Debug, Clone)]
pub struct Record(PathBuf);

impl Record {
    /// The record in that file, which need not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Every line, split into words: pid, connection, kind, data.
    fn entries(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        // A line without its end is still being written.
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        whole.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
    }

    /// Every start of the puppet, in order.
    #[must_use]
    pub fn starts(&self) -> Vec<Start> {
        self.entries()
            .iter()
            .filter_map(|words| match words.as_slice() {
                [pid, _, kind, port, ..] if kind == "start" => {
                    Some(Start { pid: pid.parse().ok()?, port: port.parse().ok()? })
                }
                _ => None,
            })
            .collect()
    }

    /// How many lines of that kind there are.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.entries().iter().filter(|words| words.get(2).is_some_and(|have| have == kind)).count()
    }

    /// Every request, in the order in which heads arrived.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let mut all: Vec<Request> = Vec::new();
        for words in self.entries() {
            let [pid, connection, kind, data @ ..] = words.as_slice() else { continue };
            let (Ok(pid), Ok(connection)) = (pid.parse(), connection.parse()) else { continue };
            match (kind.as_str(), data) {
                ("head", [head]) => {
                    all.push(Request { pid, connection, head: hex::decode(head), body: None })
                }
                ("body", [length, hash, complete, wire @ ..]) => {
                    let body = Body {
                        length: length.parse().unwrap_or_default(),
                        hash: hash.parse().unwrap_or_default(),
                        complete: complete == "complete",
                        wire: wire.first().map(|wire| hex::decode(wire)).unwrap_or_default(),
                    };
                    let of = all.iter_mut().rev().find(|one| one.pid == pid && one.connection == connection);
                    if let Some(request) = of {
                        request.body = Some(body);
                    }
                }
                _ => {}
            }
        }
        all
    }

    /// Waits until a request with that text in its target is there.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait_request(&self, target: &str, limit: Duration) -> Outcome<Request> {
        wait_for(&format!("a request for {target} at the backend"), limit, || {
            self.requests().into_iter().find(|request| request.target().contains(target))
        })
    }

    /// Waits until there are that many lines of a kind.
    ///
    /// # Errors
    /// When they do not come.
    pub fn wait_count(&self, kind: &str, count: usize, limit: Duration) -> Outcome {
        wait_for(&format!("{count} × {kind} in the backend's record"), limit, || {
            (self.count(kind) >= count).then_some(())
        })
    }

    /// The requests as text, for a failure.
    #[must_use]
    pub fn describe(&self) -> String {
        let all: Vec<String> = self
            .requests()
            .iter()
            .map(|request| String::from_utf8_lossy(&request.head).into_owned())
            .collect();
        format!("the backend saw {} requests: {all:?}", all.len())
    }
}
