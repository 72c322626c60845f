//! The system's tables of TCP listeners: /proc/net/tcp and /proc/net/tcp6.
//!
//! Slow (the whole table is read) and without cookies, so it serves what happens seldom: naming who holds a
//! port, listing where an app listens instead, and proving ownership where sock_diag is missing.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) address: SocketAddr,
    pub(super) inode: u32,
}

/// Every TCP listener of the network that this thread is in, IPv4 first.
pub(super) fn listeners() -> Vec<Row> {
    let tables = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];
    tables.iter().filter_map(|table| fs::read_to_string(table).ok()).flat_map(|table| parse(&table)).collect()
}

fn parse(table: &str) -> Vec<Row> {
    table.lines().skip(1).filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Row { address: SocketAddr::new(ip(address)?, port), inode })
}

/// The kernel prints each 32-bit word of an address as a number of this machine's byte order.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let mut octets = [0; 16];
    for (at, four) in octets.chunks_exact_mut(4).enumerate() {
        four.copy_from_slice(&word(at)?);
    }
    Some(Ipv6Addr::from(octets).into())
}

/// Which of the listeners a connection to `address` would reach: the most specific one, as the kernel chooses.
/// Whether an IPv6 wildcard also takes IPv4 is not in the table; it is believed to.
pub(super) fn reached(rows: &[Row], address: SocketAddr) -> Option<Row> {
    let on_port = || rows.iter().filter(|row| row.address.port() == address.port());
    let unspecified = |row: &&Row| row.address.ip().is_unspecified();
    let same_family = |row: &&Row| row.address.is_ipv4() == address.is_ipv4();
    on_port()
        .find(|row| row.address.ip().to_canonical() == address.ip().to_canonical())
        .or_else(|| on_port().filter(unspecified).find(same_family))
        .or_else(|| on_port().filter(unspecified).find(|row| address.is_ipv4() && row.address.is_ipv6()))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn a_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1235 1 0 20 4 30 10 -1\n\
            \x20  2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 77 1 0 100 0 0 10 0\n\
            \x20  3: nonsense\n";
        let expected = [
            Row { address: "127.0.0.1:8080".parse().unwrap(), inode: 1234 },
            Row { address: "[::1]:80".parse().unwrap(), inode: 77 },
        ];
        assert_eq!(parse(table), expected);
    }

    #[test]
    fn the_most_specific_listener_is_reached() {
        let row = |address: &str, inode| Row { address: address.parse().unwrap(), inode };
        let rows = [
            row("[::]:80", 1),
            row("0.0.0.0:80", 2),
            row("127.0.0.1:80", 3),
            row("[::]:81", 4),
            row("0.0.0.0:82", 5),
        ];
        let inode = |address: &str| reached(&rows, address.parse().unwrap()).map(|row| row.inode);
        assert_eq!(inode("127.0.0.1:80"), Some(3));
        assert_eq!(inode("127.0.0.2:80"), Some(2));
        assert_eq!(inode("[::1]:80"), Some(1));
        assert_eq!(inode("127.0.0.1:81"), Some(4));
        assert_eq!(inode("[::1]:82"), None);
        assert_eq!(inode("127.0.0.1:83"), None);
    }
}
