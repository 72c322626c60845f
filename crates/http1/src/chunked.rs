//! The chunked transfer coding (RFC 9112 §7.1), read strictly and dropped: data passes, framing never does.
//!
//! Kestrel once took a bare LF in a chunk extension for nothing (CVE-2025-55315) and others still do, so not
//! one byte of framing is let through or repaired. Trailer fields are checked and dropped, never merged.

use std::fmt;

use crate::bytes::is_token;

/// Bytes of extensions that a whole body may spend; nobody uses them.
const EXTENSION_BYTES: u16 = 256;
/// Lines and bytes of the trailer section.
const TRAILER_LINES: u8 = 32;
const TRAILER_BYTES: u16 = 8 * 1024;
/// Sixteen hexadecimal digits are 64 bits.
const SIZE_DIGITS: u8 = 16;

/// Why a chunked body cannot be read on. The message is broken: it must be aborted, never ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadChunk {
    /// A size that is not one to sixteen hexadecimal digits.
    Size,
    /// LF without CR, or CR without LF.
    LineEnd,
    /// A control byte in an extension.
    ExtensionByte,
    /// More than 256 bytes of extensions in one body.
    ExtensionsTooLong,
    /// Chunk data is not followed by CRLF.
    DataEnd,
    /// A trailer line that is no field line.
    Trailer,
    /// A trailer section of more than 32 lines or 8 KiB.
    TrailerTooLong,
}

impl BadChunk {
    /// One English sentence without its full stop.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Size => "a chunk's size is not a plain hexadecimal number",
            Self::LineEnd => "a line of chunk framing does not end with CRLF",
            Self::ExtensionByte => "a chunk extension has a control character in it",
            Self::ExtensionsTooLong => "the chunk extensions are too long",
            Self::DataEnd => "a chunk's data is longer or shorter than its size",
            Self::Trailer => "a trailer line is not a header line",
            Self::TrailerTooLong => "the trailer section is too long",
        }
    }
}

impl fmt::Display for BadChunk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.reason())
    }
}

impl std::error::Error for BadChunk {}

/// What stands at the front of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkStep {
    /// So many bytes, all of the input, were framing: drop them, and come back with more.
    More {
        /// Bytes to drop.
        consumed: usize,
    },
    /// Body data, after some framing. The caller drops both and calls again.
    Data {
        /// Bytes of framing to drop first.
        skip: usize,
        /// Bytes of data behind them; more than zero.
        len: usize,
    },
    /// The body is complete.
    End {
        /// Bytes of framing to drop; what is behind them is not of this message.
        consumed: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Before the first digit of a size.
    #[default]
    SizeStart,
    Size {
        size: u64,
        digits: u8,
    },
    Extension(u64),
    /// Behind the CR of a size line.
    SizeEnd(u64),
    Data(u64),
    /// Behind the data.
    DataEnd,
    /// Behind the CR that follows the data.
    DataLineEnd,
    TrailerStart,
    TrailerName,
    TrailerValue,
    /// Behind the CR of a trailer line.
    TrailerEnd,
    /// Behind the CR of the empty line.
    LastLineEnd,
    End,
    Bad(BadChunk),
}

/// Reads a chunked body in whatever pieces it arrives.
#[derive(Debug, Clone, Default)]
pub struct ChunkedDecoder {
    state: State,
    extension_bytes: u16,
    trailer_bytes: u16,
    trailer_lines: u8,
}

impl ChunkedDecoder {
    /// Reads framing up to the next data, the end of the body, or the end of the input.
    ///
    /// # Errors
    /// At the first byte of framing that is wrong, and at every later call.
    pub fn step(&mut self, input: &[u8]) -> Result<ChunkStep, BadChunk> {
        let mut at = 0;
        loop {
            match self.state {
                State::Data(left) if at < input.len() => {
                    let here = input.len() - at;
                    let len = usize::try_from(left).map_or(here, |left| left.min(here));
                    let left = left - len as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(ChunkStep::Data { skip: at, len });
                }
                State::End => return Ok(ChunkStep::End { consumed: at }),
                State::Bad(bad) => return Err(bad),
                state => {
                    let Some(&byte) = input.get(at) else {
                        return Ok(ChunkStep::More { consumed: at });
                    };
                    let next = self.next(state, byte);
                    self.state = next.unwrap_or_else(State::Bad);
                    at += 1;
                }
            }
        }
    }

    /// Whether the last byte of the body was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.state == State::End
    }

    /// The state behind one byte of framing.
    fn next(&mut self, state: State, byte: u8) -> Result<State, BadChunk> {
        match state {
            State::SizeStart => Ok(State::Size { size: hex_digit(byte).ok_or(BadChunk::Size)?, digits: 1 }),
            State::Size { size, digits } => self.in_size(size, digits, byte),
            State::Extension(size) => self.in_extension(size, byte),
            State::SizeEnd(0) => after_line(byte, State::TrailerStart),
            State::SizeEnd(size) => after_line(byte, State::Data(size)),
            State::DataEnd if byte == b'\r' => Ok(State::DataLineEnd),
            State::DataLineEnd if byte == b'\n' => Ok(State::SizeStart),
            State::DataEnd | State::DataLineEnd => Err(BadChunk::DataEnd),
            State::TrailerStart if byte == b'\r' => Ok(State::LastLineEnd),
            State::TrailerStart => self.trailer_start(byte),
            State::TrailerName | State::TrailerValue => self.in_trailer(state, byte),
            State::TrailerEnd => after_line(byte, State::TrailerStart),
            State::LastLineEnd => after_line(byte, State::End),
            // `step` takes no byte in these.
            State::Data(_) | State::End | State::Bad(_) => Ok(state),
        }
    }

    fn in_size(&mut self, size: u64, digits: u8, byte: u8) -> Result<State, BadChunk> {
        match byte {
            b'\r' => Ok(State::SizeEnd(size)),
            b'\n' => Err(BadChunk::LineEnd),
            b';' => self.in_extension(size, byte),
            _ if digits == SIZE_DIGITS => Err(BadChunk::Size),
            _ => Ok(State::Size {
                size: size << 4 | hex_digit(byte).ok_or(BadChunk::Size)?,
                digits: digits + 1,
            }),
        }
    }

    fn in_extension(&mut self, size: u64, byte: u8) -> Result<State, BadChunk> {
        match byte {
            b'\r' => return Ok(State::SizeEnd(size)),
            b'\n' => return Err(BadChunk::LineEnd),
            0..0x20 | 0x7F => return Err(BadChunk::ExtensionByte),
            _ => {}
        }
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES {
            Err(BadChunk::ExtensionsTooLong)
        } else {
            Ok(State::Extension(size))
        }
    }

    fn trailer_start(&mut self, byte: u8) -> Result<State, BadChunk> {
        if !is_token(byte) {
            return Err(if byte == b'\n' { BadChunk::LineEnd } else { BadChunk::Trailer });
        }
        self.trailer_lines += 1;
        if self.trailer_lines > TRAILER_LINES {
            return Err(BadChunk::TrailerTooLong);
        }
        self.in_trailer(State::TrailerName, byte)
    }

    fn in_trailer(&mut self, state: State, byte: u8) -> Result<State, BadChunk> {
        // The LF that must follow a CR counts with it.
        self.trailer_bytes += if byte == b'\r' { 2 } else { 1 };
        if self.trailer_bytes > TRAILER_BYTES {
            return Err(BadChunk::TrailerTooLong);
        }
        match (state, byte) {
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerName, _) if is_token(byte) => Ok(State::TrailerName),
            (State::TrailerName, _) => Err(BadChunk::Trailer),
            (_, b'\r') => Ok(State::TrailerEnd),
            (_, b'\n') => Err(BadChunk::LineEnd),
            (_, 0x7F) => Err(BadChunk::Trailer),
            (_, b'\t' | 0x20..) => Ok(State::TrailerValue),
            (_, _) => Err(BadChunk::Trailer),
        }
    }
}

fn after_line(byte: u8, next: State) -> Result<State, BadChunk> {
    if byte == b'\n' { Ok(next) } else { Err(BadChunk::LineEnd) }
}

fn hex_digit(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some(u64::from(byte - b'0')),
        b'a'..=b'f' => Some(u64::from(byte - b'a') + 10),
        b'A'..=b'F' => Some(u64::from(byte - b'A') + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data, and how many bytes of the input the body took if it ended.
    fn decode(input: &[u8]) -> Result<(Vec<u8>, Option<usize>), BadChunk> {
        let mut decoder = ChunkedDecoder::default();
        let (mut data, mut at) = (Vec::new(), 0);
        loop {
            match decoder.step(&input[at..])? {
                ChunkStep::More { consumed } => {
                    assert_eq!(at + consumed, input.len());
                    assert!(!decoder.is_at_end());
                    return Ok((data, None));
                }
                ChunkStep::Data { skip, len } => {
                    assert!(len > 0);
                    data.extend_from_slice(&input[at + skip..at + skip + len]);
                    at += skip + len;
                }
                ChunkStep::End { consumed } => {
                    assert!(decoder.is_at_end());
                    assert_eq!(decoder.step(b"x"), Ok(ChunkStep::End { consumed: 0 }));
                    return Ok((data, Some(at + consumed)));
                }
            }
        }
    }

    #[test]
    fn whole_bodies() {
        for (input, data) in [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5\r\nhello\r\n1\r\n!\r\n0000000000000000\r\n\r\n", "hello!"),
            ("00000000000000A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("a\r\n01234\r\n789\r\n0\r\n\r\n", "01234\r\n789"),
            ("1;a=b;c=\"d e\"\r\nx\r\n0;e\r\n\r\n", "x"),
            ("0\r\nX: a\r\nY:\tb\r\nZ:\r\n\r\n", ""),
            ("0\r\nContent-Length: 5\r\nHost: evil\r\nMS-ASPNETCORE-TOKEN: x\r\n\r\n", ""),
        ] {
            assert_eq!(decode(input.as_bytes()), Ok((data.into(), Some(input.len()))), "{input:?}");
            let followed = [input, "GET / HTTP/1.1\r\n"].concat();
            assert_eq!(decode(followed.as_bytes()), Ok((data.into(), Some(input.len()))), "{input:?}");
            for end in 0..input.len() {
                assert_eq!(decode(&input.as_bytes()[..end]).unwrap().1, None, "{input:?} cut at {end}");
            }
        }
    }

    /// Framing that smuggles, and trailers that are none.
    const BROKEN: &[(BadChunk, &[&str])] = &[
        (
            BadChunk::Size,
            &[
                "\r\n",
                ";a\r\n",
                " 5\r\nhello",
                "5 \r\nhello",
                "5\t\r\nhello",
                "5 ;x\r\nhello",
                "5_0\r\n",
                "0x5\r\nhello",
                "+5\r\nhello",
                "-1\r\n",
                "g\r\n",
                "FFFFFFFFFFFFFFFF0\r\n",
                "00000000000000005\r\nhello",
                "5,\r\nhello",
                "5\0\r\n",
                "\n5\r\n",
                "５\r\n",
            ],
        ),
        (BadChunk::LineEnd, &["5\nhello", "5\rXhello", "5\r\rhello", "0\n\r\n", "0\r\n\n", "0\r\n\rX"]),
        (
            BadChunk::LineEnd,
            &[
                "5;\nhello\r\n0\r\n\r\n",
                "2;\nxx\r\n4c\r\n0\r\n\r\nGET /admin",
                "5;a\rb\r\nhello",
                "0\r\nX: a\n\r\n",
                "0\r\nX: a\rY\r\n\r\n",
            ],
        ),
        (
            BadChunk::ExtensionByte,
            &["5;a\0\r\nhello", "5;\x7F\r\nhello", "5;\tb\r\nhello", "5;\x0B\r\nhello"],
        ),
        (
            BadChunk::DataEnd,
            &[
                "5\r\nhelloXX0\r\n\r\n",
                "5\r\nhello\n0\r\n\r\n",
                "5\r\nhello\rX",
                "5\r\nhello0\r\n\r\n",
                "3\r\nhello\r\n",
            ],
        ),
        (
            BadChunk::Trailer,
            &[
                "0\r\nX\r\n\r\n",
                "0\r\n: a\r\n\r\n",
                "0\r\n X: a\r\n\r\n",
                "0\r\nX : a\r\n\r\n",
                "0\r\nX: a\r\n b\r\n\r\n",
                "0\r\nX: \0\r\n\r\n",
                "0\r\nX: \x7F\r\n\r\n",
                "0\r\n5\r\nhello\r\n0\r\n\r\n",
                "0\r\nGET / HTTP/1.1\r\n\r\n",
            ],
        ),
    ];

    #[test]
    fn broken_bodies() {
        for &(bad, inputs) in BROKEN {
            for input in inputs {
                assert_eq!(decode(input.as_bytes()), Err(bad), "{input:?}");
            }
        }
    }

    #[test]
    fn extensions_and_trailers_have_limits_over_the_whole_body() {
        let extended = |bytes: usize| {
            format!("1;{}\r\nx\r\n1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(100), "a".repeat(bytes - 102))
        };
        assert!(decode(extended(256).as_bytes()).is_ok());
        assert_eq!(decode(extended(257).as_bytes()), Err(BadChunk::ExtensionsTooLong));
        assert_eq!(decode(format!("5;{}", "a".repeat(65536)).as_bytes()), Err(BadChunk::ExtensionsTooLong));
        let lines = |count: usize| format!("0\r\n{}\r\n", "X: a\r\n".repeat(count));
        assert!(decode(lines(32).as_bytes()).is_ok());
        assert_eq!(decode(lines(33).as_bytes()), Err(BadChunk::TrailerTooLong));
        let long = |bytes: usize| format!("0\r\nX:{}\r\n\r\n", "a".repeat(bytes - 4));
        assert!(decode(long(8192).as_bytes()).is_ok());
        assert_eq!(decode(long(8193).as_bytes()), Err(BadChunk::TrailerTooLong));
    }

    #[test]
    fn an_error_stays() {
        let mut decoder = ChunkedDecoder::default();
        assert_eq!(decoder.step(b"x"), Err(BadChunk::Size));
        assert_eq!(decoder.step(b"0\r\n\r\n"), Err(BadChunk::Size));
        assert!(!decoder.is_at_end());
    }

    #[test]
    fn the_largest_chunk_does_not_overflow() {
        let mut decoder = ChunkedDecoder::default();
        assert_eq!(decoder.step(b"FFFFFFFFFFFFFFFF\r\nabc"), Ok(ChunkStep::Data { skip: 18, len: 3 }));
        assert_eq!(decoder.step(b"defg"), Ok(ChunkStep::Data { skip: 0, len: 4 }));
    }
}
