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
        };
        self.closed |= self.closing && self.place == Place::Boundary;
        &bytes[taken..]
    }
}

fn behind_length(length: u64, masked: bool) -> Place {
    if masked { Place::Key { bytes: 4, length } } else { behind_header(length) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, mask: bool, length: usize) -> Vec<u8> {
        let mask_bit = if mask { MASKED } else { 0 };
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(mask_bit | length as u8),
            126..0x1_0000 => {
                frame.push(mask_bit | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask_bit | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if mask {
            frame.extend_from_slice(&[0x88, 0x88, 0x88, 0x88]);
        }
        frame.resize(frame.len() + length, 0x88);
        frame
    }

    #[test]
    fn boundaries_are_found_whatever_the_length_and_the_split() {
        for mask in [false, true] {
            for length in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
                let one = frame(0x82, mask, length);
                let two = [&one[..], &frame(0x01, mask, 3)].concat();
                for split in (0..16).chain([one.len() - 1]).filter(|&split| 0 < split && split < one.len()) {
                    let mut tracker = FrameTracker::default();
                    tracker.advance(&two[..split]);
                    assert!(!tracker.at_boundary(), "{length} split at {split}");
                    assert_eq!(tracker.next_boundary_in(&two[split..]), Some(one.len() - split));
                    assert_eq!(tracker.next_boundary_in(&two[split..one.len() - 1]), None);
                    tracker.advance(&two[split..one.len()]);
                    assert!(tracker.at_boundary() && !tracker.saw_close());
                    assert_eq!(tracker.next_boundary_in(&two[one.len()..]), Some(0));
                    tracker.advance(&two[one.len()..]);
                    assert!(tracker.at_boundary());
                }
            }
        }
    }

    #[test]
    fn close_counts_when_it_is_whole() {
        let mut tracker = FrameTracker::default();
        let close = frame(0x88, true, 2);
        tracker.advance(&frame(0x82, true, 200));
        tracker.advance(&close[..close.len() - 1]);
        assert!(!tracker.saw_close() && !tracker.at_boundary());
        tracker.advance(&close[close.len() - 1..]);
        assert!(tracker.saw_close() && tracker.at_boundary());
        let mut empty = FrameTracker::default();
        empty.advance(&[0x88, 0]);
        assert!(empty.saw_close());
    }

    #[test]
    fn a_length_beyond_all_frames_is_never_behind_us() {
        let mut tracker = FrameTracker::default();
        tracker.advance(&[0x82, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x88, 0]);
        assert!(!tracker.at_boundary() && !tracker.saw_close());
        assert_eq!(tracker.next_boundary_in(&[0; 64]), None);
    }

    #[test]
    fn our_own_close_is_a_close() {
        for mask in [None, Some([0; 4]), Some([1, 2, 3, 4])] {
            let mut out = Vec::new();
            write_close(&mut out, 1001, mask);
            let mut tracker = FrameTracker::default();
            tracker.advance(&out);
            assert!(tracker.at_boundary() && tracker.saw_close());
            let key = mask.unwrap_or_default();
            let payload = &out[out.len() - 2..];
            assert_eq!(u16::from_be_bytes([payload[0] ^ key[0], payload[1] ^ key[1]]), 1001);
            assert_eq!(out[1] & MASKED != 0, mask.is_some());
        }
    }
}
