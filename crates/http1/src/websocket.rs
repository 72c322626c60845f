//! WebSocket frames (RFC 6455 §5.2) as far as a tunnel needs them: where they end, and how to say goodbye.
//!
//! Only headers are looked at, nothing is copied, and nothing is refused: the two ends of the tunnel check each
//! other. Called by the proxy's tunnels.

const OPCODE: u8 = 0x0F;
const CLOSE: u8 = 0x08;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Between two frames.
    #[default]
    Boundary,
    /// Behind the first byte.
    Second,
    /// In the extended length.
    Length {
        bytes: u8,
        length: u64,
        masked: bool,
    },
    /// In the masking key.
    Key {
        bytes: u8,
        length: u64,
    },
    Payload(u64),
    /// A length that no frame has; no boundary is ever found again.
    Lost,
}

/// Follows one direction of a tunnel.
#[derive(Debug, Clone, Default)]
pub struct FrameTracker {
    place: Place,
    /// The frame that we are in is Close.
    closing: bool,
    closed: bool,
}

impl FrameTracker {
    /// Takes note of bytes that pass.
    pub fn advance(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.take(rest);
        }
    }

    /// Whether everything that passed was whole frames.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.place == Place::Boundary
    }

    /// Whether a whole Close frame has passed. Nothing may follow it (RFC 6455 §5.5.1).
    #[must_use]
    pub fn saw_close(&self) -> bool {
        self.closed
    }

    /// The offset of the first boundary in these bytes, which follow those that passed; zero between frames,
    /// `None` if it lies further on.
    #[must_use]
    pub fn next_boundary_in(&self, bytes: &[u8]) -> Option<usize> {
        let mut ahead = self.clone();
        let mut rest = bytes;
        while !ahead.at_boundary() {
            if rest.is_empty() {
                return None;
            }
            rest = ahead.take(rest);
        }
        Some(bytes.len() - rest.len())
    }

    /// Takes one byte of a header, or as much payload as there is; `bytes` is not empty. Stops at boundaries.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let byte = bytes[0];
        let mut taken = 1;
        self.place = match self.place {
            Place::Boundary => {
                self.closing = byte & OPCODE == CLOSE;
                Place::Second
            }
            Place::Second => {
                let masked = byte & MASKED != 0;
                match byte & !MASKED {
                    126 => Place::Length { bytes: 2, length: 0, masked },
                    127 => Place::Length { bytes: 8, length: 0, masked },
                    length => behind_length(u64::from(length), masked),
                }
            }
            Place::Length { bytes: left, length, masked } => {
                let length = length << 8 | u64::from(byte);
                match left {
                    1 => behind_length(length, masked),
                    _ => Place::Length { bytes: left - 1, length, masked },
                }
            }
            Place::Key { bytes: 1, length } => behind_header(length),
            Place::Key { bytes: left, length } => Place::Key { bytes: left - 1, length },
            Place::Payload(left) => {
                taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                behind_header(left - taken as u64)
            }
            Place::Lost => {
                taken = bytes.len();
                Place::Lost
            }
        };
        self.closed |= self.closing && self.place == Place::Boundary;
        &bytes[taken..]
    }
}

fn behind_length(length: u64, masked: bool) -> Place {
    match (length, masked) {
        // The most significant bit must be 0 (RFC 6455 §5.2).
        (0x8000_0000_0000_0000.., _) => Place::Lost,
        (_, true) => Place::Key { bytes: 4, length },
        (_, false) => behind_header(length),
    }
}

fn behind_header(left: u64) -> Place {
    if left == 0 { Place::Boundary } else { Place::Payload(left) }
}

/// Writes a Close frame with a status code (RFC 6455 §7.4); towards a server it must have a mask.
pub fn write_close(out: &mut Vec<u8>, code: u16, mask: Option<[u8; 4]>) {
    let mut payload = code.to_be_bytes();
    out.push(FINAL | CLOSE);
    match mask {
        None => out.push(2),
        Some(key) => {
            out.push(MASKED | 2);
            out.extend_from_slice(&key);
            payload = [payload[0] ^ key[0], payload[1] ^ key[1]];
        }
    }
    out.extend_from_slice(&payload);
}
