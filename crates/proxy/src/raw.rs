//! Every unsafe line of this room: what the kernel alone knows of a socket. Called by `io`.
#![allow(unsafe_code)] // No safe crate offers SIOCOUTQ.

use std::ffi::c_int;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, ioctl};

/// `SIOCOUTQ` of linux/sockios.h, the same number as `TIOCOUTQ` on the machines that we run on.
const OUT_QUEUE: rustix::ioctl::Opcode = 0x5411;

/// Bytes that were written to a TCP socket and that its peer's system has not taken yet; none where the kernel does not say.
pub(crate) fn out_queue(socket: impl AsFd) -> Option<u64> {
    // SAFETY: the kernel writes one int for this request, whatever the descriptor is.
    let count = unsafe { ioctl(socket, Getter::<OUT_QUEUE, c_int>::new()) };
    u64::try_from(count.ok()?).ok()
}
