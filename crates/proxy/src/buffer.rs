//! Byte buffers, pooled per thread: a connection holds one only while bytes are in it.

use std::cell::RefCell;
use std::ops::Range;

/// Fits every ordinary head with its first body bytes.
const SMALL: usize = 16 * 1024;
/// Fits the largest response head (64 KiB), and a 64 KiB body with its head in one read.
const LARGE: usize = 72 * 1024;
/// Spare buffers kept per thread and size.
const SPARE_SMALL: usize = 256;
const SPARE_LARGE: usize = 32;

/// Bytes that were received and not yet used: a window into a fixed block.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    block: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn data(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    pub(crate) fn part(&self, range: Range<usize>) -> &[u8] {
        &self.data()[range]
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn is_large(&self) -> bool {
        self.block.len() >= LARGE
    }

    /// No byte more fits, even after moving the data to the front.
    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.block.len()
    }

    /// Where the next bytes go. Moves the data to the front when the end is reached.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.block.len() {
            self.block.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.block[self.end..]
    }

    /// So many bytes were put into [`Buffer::space`].
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
    }

    /// So many bytes from the front were used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "only received bytes can be used");
    }
}

/// One thread's spare buffers and output vectors.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    small: RefCell<Vec<Box<[u8]>>>,
    large: RefCell<Vec<Box<[u8]>>>,
    outputs: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    pub(crate) fn small(&self) -> Buffer {
        Self::take(&self.small, SMALL)
    }

    pub(crate) fn large(&self) -> Buffer {
        Self::take(&self.large, LARGE)
    }

    fn take(spare: &RefCell<Vec<Box<[u8]>>>, size: usize) -> Buffer {
        let block = spare.borrow_mut().pop().unwrap_or_else(|| vec![0; size].into_boxed_slice());
        Buffer { block, start: 0, end: 0 }
    }

    /// Exchanges a small buffer for a large one with the same data.
    pub(crate) fn grow(&self, buffer: &mut Buffer) {
        let mut large = self.large();
        let count = buffer.len();
        large.space()[..count].copy_from_slice(buffer.data());
        large.filled(count);
        self.give_back(std::mem::replace(buffer, large));
    }

    /// Takes a buffer back, whatever is in it.
    pub(crate) fn give_back(&self, buffer: Buffer) {
        let (spare, most) = match buffer.block.len() {
            SMALL => (&self.small, SPARE_SMALL),
            LARGE => (&self.large, SPARE_LARGE),
            _ => return,
        };
        let mut spare = spare.borrow_mut();
        if spare.len() < most {
            spare.push(buffer.block);
        }
    }

    /// An empty vector to write a head into.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.outputs.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(1024))
    }

    pub(crate) fn give_back_output(&self, mut output: Vec<u8>) {
        let mut spare = self.outputs.borrow_mut();
        if spare.len() < SPARE_SMALL && output.capacity() <= SMALL {
            output.clear();
            spare.push(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_moves_its_data_to_the_front_only_when_the_end_is_reached() {
        let buffers = Buffers::default();
        let mut buffer = buffers.small();
        buffer.space()[..10].copy_from_slice(b"0123456789");
        buffer.filled(10);
        buffer.consume(4);
        assert_eq!(buffer.data(), b"456789");
        let room = buffer.space().len();
        assert_eq!(room, SMALL - 10, "nothing moved");
        buffer.filled(room);
        assert!(!buffer.is_full());
        assert_eq!(buffer.space().len(), 4, "moved");
        buffer.filled(4);
        assert!(buffer.is_full());
        assert_eq!(buffer.part(0..6), b"456789");
        buffers.grow(&mut buffer);
        assert!(buffer.is_large());
        assert_eq!(buffer.part(0..6), b"456789");
    }
}
