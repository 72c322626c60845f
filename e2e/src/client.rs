//! A client that sends exactly the bytes it is told to, and says exactly what came back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::clock::{now, seconds};
use crate::outcome::{Context, Failure, Outcome};
use crate::response::{End, Response};

/// How long a client waits for anything unless told otherwise.
pub const PATIENCE: Duration = seconds(20);

/// How a connection stands once nothing more comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The server closed it in order.
    Fin,
    /// The server reset it.
    Reset,
    /// It is still open at the deadline.
    Open,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Came, but not consumed yet.
    buffer: Vec<u8>,
    patience: Duration,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream =
            TcpStream::connect_timeout(&address, PATIENCE).context(format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new(), patience: PATIENCE })
    }

    /// Waits this long for each response from now on.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The socket itself.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The socket, and what came but was not consumed yet.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// Our own address, as the server sees it.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn own_address(&self) -> Outcome<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Outcome {
        self.stream.write_all(bytes.as_ref()).context("send")
    }

    /// Sends these bytes as far as the server takes them: it may have refused and closed already.
    pub fn offer(&mut self, bytes: impl AsRef<[u8]>) {
        // What came back is what the test looks at.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a GET and reads its response.
    ///
    /// # Errors
    /// When no response comes.
    pub fn get(&mut self, path: &str) -> Outcome<Response> {
        self.get_with(path, "")
    }

    /// Sends a GET with further lines (each with its CRLF) and reads its response.
    ///
    /// # Errors
    /// When no response comes.
    pub fn get_with(&mut self, path: &str, lines: &str) -> Outcome<Response> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n{lines}\r\n"))?;
        self.response().context(format!("GET {path}"))
    }

    /// Closes our sending side.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish_sending(&self) -> Outcome {
        self.stream.shutdown(Shutdown::Write).context("shutdown")
    }

    /// Reads a final response, with the informational ones before it.
    ///
    /// # Errors
    /// When none comes in time, or what comes is none.
    pub fn response(&mut self) -> Outcome<Response> {
        self.response_to("GET")
    }

    /// The same for a method whose response may have no body.
    ///
    /// # Errors
    /// When none comes in time, or what comes is none.
    pub fn response_to(&mut self, method: &str) -> Outcome<Response> {
        let mut response = self.final_head()?;
        let end = now() + self.patience;
        response.end = self.body_of(&mut response, method, end)?;
        Ok(response)
    }

    /// Reads heads up to the first final one (or 101).
    ///
    /// # Errors
    /// When none comes in time, or what comes is none.
    pub fn final_head(&mut self) -> Outcome<Response> {
        let mut informational = Vec::new();
        let end = now() + self.patience;
        loop {
            let head = self.head(end)?;
            let shown = String::from_utf8_lossy(&head).into_owned();
            let mut response = Response::of_head(head).context(format!("not a response head: {shown:?}"))?;
            if (100..200).contains(&response.status) && response.status != 101 {
                informational.push(response.head);
                continue;
            }
            response.informational = informational;
            return Ok(response);
        }
    }

    /// Reads one head, informational or not.
    ///
    /// # Errors
    /// When none comes until `end`.
    pub fn head(&mut self, end: Instant) -> Outcome<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(self.buffer.drain(..at + 4).collect());
            }
            match self.more(end) {
                More::Bytes => {}
                other => {
                    return Err(Failure(format!(
                        "{} while a response head was awaited, after {:?}",
                        other.say(),
                        String::from_utf8_lossy(&self.buffer)
                    )));
                }
            }
        }
    }

    fn body_of(&mut self, response: &mut Response, method: &str, end: Instant) -> Outcome<End> {
        if method == "HEAD" || matches!(response.status, 101 | 204 | 304) {
            return Ok(End::Complete);
        }
        if response.lists("Transfer-Encoding", "chunked") {
            loop {
                match self.chunk(end) {
                    Ok(data) if data.is_empty() => return Ok(End::Complete),
                    Ok(data) => response.body.extend_from_slice(&data),
                    Err(Failure(why)) if why.starts_with("cut") => return Ok(End::Cut),
                    Err(other) => return Err(other),
                }
            }
        }
        let length = response.field("Content-Length").map(str::parse::<usize>).transpose()?;
        while length.is_none_or(|length| self.buffer.len() < length) {
            match self.more(end) {
                More::Bytes => {}
                More::Fin if length.is_none() => {
                    response.body = std::mem::take(&mut self.buffer);
                    return Ok(End::AtClose);
                }
                More::Fin | More::Reset => {
                    response.body = std::mem::take(&mut self.buffer);
                    return Ok(End::Cut);
                }
                More::Late => {
                    return Err(Failure(format!("the body did not end in time: {}", response.describe())));
                }
            }
        }
        response.body = self.buffer.drain(..length.unwrap_or_default()).collect();
        Ok(End::Complete)
    }

    /// Reads one chunk; empty when it is the last one (whose trailers are then read too).
    ///
    /// # Errors
    /// Starting with `cut` when the connection ends before; else when it does not come until `end`.
    pub fn chunk(&mut self, end: Instant) -> Outcome<Vec<u8>> {
        let line = self.line(end)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).context(format!("chunk size {line:?}"))?;
        if size == 0 {
            while !self.line(end)?.is_empty() {}
            return Ok(Vec::new());
        }
        while self.buffer.len() < size + 2 {
            self.want(end)?;
        }
        let data = self.buffer.drain(..size).collect();
        let after: Vec<u8> = self.buffer.drain(..2).collect();
        crate::ensure!(after == b"\r\n", "a chunk ends with {after:?}");
        Ok(data)
    }

    /// Reads up to CRLF.
    fn line(&mut self, end: Instant) -> Outcome<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches("\r\n").to_owned());
            }
            self.want(end)?;
        }
    }

    fn want(&mut self, end: Instant) -> Outcome {
        match self.more(end) {
            More::Bytes => Ok(()),
            other => Err(Failure(format!("cut: {}", other.say()))),
        }
    }

    /// Reads exactly that many raw bytes.
    ///
    /// # Errors
    /// When they do not come in time.
    pub fn exactly(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let end = now() + self.patience;
        while self.buffer.len() < count {
            self.want(end)?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Reads whatever still comes within `limit`, and says how the connection ended.
    pub fn ending(&mut self, limit: Duration) -> (Vec<u8>, Ending) {
        let end = now() + limit;
        loop {
            let ending = match self.more(end) {
                More::Bytes => continue,
                More::Fin => Ending::Fin,
                More::Reset => Ending::Reset,
                More::Late => Ending::Open,
            };
            return (std::mem::take(&mut self.buffer), ending);
        }
    }

    fn more(&mut self, end: Instant) -> More {
        let mut block = [0; 64 * 1024];
        loop {
            let left = end.saturating_duration_since(now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return More::Late;
            }
            match self.stream.read(&mut block) {
                Ok(0) => return More::Fin,
                Ok(count) => {
                    self.buffer.extend_from_slice(block.get(..count).unwrap_or_default());
                    return More::Bytes;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return More::Late;
                }
                Err(_) => return More::Reset,
            }
        }
    }
}

/// What one read brought.
#[derive(Debug, Clone, Copy)]
enum More {
    Bytes,
    Fin,
    Reset,
    Late,
}

impl More {
    fn say(self) -> &'static str {
        match self {
            Self::Bytes => "more bytes",
            Self::Fin => "the connection was closed",
            Self::Reset => "the connection was reset",
            Self::Late => "nothing came in time",
        }
    }
}

/// One GET over a connection of its own.
///
/// # Errors
/// When no response comes.
pub fn get(address: SocketAddr, path: &str) -> Outcome<Response> {
    Client::connect(address)?.get_with(path, "Connection: close\r\n")
}
