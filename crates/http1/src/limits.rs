//! How much head a peer may send, and the window of the input that these limits leave to look at.

use crate::fault::{Halt, HeadFault};

/// Bounds of one message head. A head is refused as soon as it must break one, also while it is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the first one to the CRLF that ends the head, both included.
    pub head_bytes: usize,
    /// Number of field lines.
    pub lines: usize,
    /// Bytes of the request line or status line with its CRLF.
    pub line_bytes: usize,
}

/// What reading the front of a buffer came to, when nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The head is there; its `length` says how many bytes it takes.
    Complete,
    /// Every byte so far is good; call again from the start when more have arrived.
    Partial,
}

/// The part of the input that a head may occupy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) bytes: &'a [u8],
    /// What running into the end of the bytes means.
    pub(crate) beyond: Halt<HeadFault>,
}

impl<'a> Window<'a> {
    /// Positions in heads are 32 bits wide, so no limit goes beyond that.
    pub(crate) fn new(buffer: &'a [u8], head_bytes: usize) -> Self {
        let most = head_bytes.min(u32::MAX as usize);
        if buffer.len() >= most {
            Self { bytes: &buffer[..most], beyond: Halt::Bad(HeadFault::HeadTooLong) }
        } else {
            Self { bytes: buffer, beyond: Halt::Partial }
        }
    }
}
