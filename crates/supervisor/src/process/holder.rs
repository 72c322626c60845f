//! Names the process that stands in the way of a bind.

use std::net::SocketAddr;

use crate::process::{proctcp, subtree};

/// Who listens at `address`, or at an address that overlaps it: process id and command name. None where /proc
/// does not show it, as for processes of other users.
#[must_use]
pub fn holder_of(address: SocketAddr) -> Option<(u32, String)> {
    let rows = proctcp::listeners();
    let reached = proctcp::reached(&rows, address).into_iter();
    // A bind to all addresses also collides with a listener on a single one.
    let overlapping =
        rows.iter().filter(|row| row.address.port() == address.port() && address.ip().is_unspecified());
    reached.chain(overlapping.copied()).find_map(|row| {
        let pid = subtree::owner_anywhere(row.inode)?;
        Some((pid, subtree::name(pid)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::kept_port::KeptPort;

    #[test]
    fn a_listener_of_ours_is_named() {
        let port = KeptPort::of("127.0.0.1");
        let (address, listener) = (port.address, port.listen());
        let me = (std::process::id(), subtree::name(std::process::id()).unwrap());
        assert_eq!(holder_of(address), Some(me.clone()));
        assert_eq!(holder_of(SocketAddr::from(([0, 0, 0, 0], address.port()))), Some(me));
        drop(listener);
        assert_eq!(holder_of(address), None);
    }
}
