//! Draws the port that an app is told to listen on.
//!
//! Below the range that the system gives to outgoing connections, so that no connection of anybody takes it
//! between the draw and the app's bind; free on both loopbacks, since the app may use either.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

const LOWEST: u16 = 10_000;
/// Linux's own default, for systems that do not say or that leave no room above [`LOWEST`].
const EPHEMERAL: u16 = 32_768;
/// Fewer ports than this are too easily guessed, and too easily all taken.
const ROOM: u16 = 100;
const DRAWS: u32 = 50;

/// Draws a port at random that is free on 127.0.0.1 and ::1, from 10000 to just below the system's range for
/// outgoing connections, without the ports that the system reserves.
///
/// # Errors
/// The system gave no random bytes or no socket, or 50 draws in a row found a port that is taken.
pub fn draw() -> io::Result<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let reserved = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    let (end, reserved) = (end(&range), reserved_ports(&reserved));
    for _ in 0..DRAWS {
        let port = between(LOWEST, end)?;
        let kept_free = reserved.iter().any(|&(first, last)| (first..=last).contains(&port));
        if !kept_free && is_free(port)? {
            return Ok(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("{DRAWS} ports drawn from {LOWEST} to {end} were all taken"),
    ))
}

/// The first port that is not drawn any more.
fn end(range: &str) -> u16 {
    let lower = range.split_ascii_whitespace().next().and_then(|lower| lower.parse().ok());
    lower.filter(|&lower| lower >= LOWEST + ROOM).unwrap_or(EPHEMERAL)
}

/// `8080,9148,10000-10010`, as the kernel writes it.
fn reserved_ports(list: &str) -> Vec<(u16, u16)> {
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    list.trim().split(',').filter_map(range).collect()
}

fn between(first: u16, end: u16) -> io::Result<u16> {
    let random = getrandom::u32()
        .map_err(|_| io::Error::other("the operating system gave no random bytes for a port"))?;
    let span = u32::from(end - first);
    Ok(first + u16::try_from(random % span).expect("a remainder of a 16-bit number has 16 bits"))
}

fn is_free(port: u16) -> io::Result<bool> {
    let loopbacks =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    for address in loopbacks {
        match bind(address) {
            // A machine without IPv6 has no port to be taken there.
            Ok(()) | Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {}
            Err(Errno::ADDRINUSE | Errno::ACCESS) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Without SO_REUSEADDR, unlike the standard library's listener: a port whose last connections still linger is
/// not free for an app that does not set the option either.
fn bind(address: SocketAddr) -> Result<(), Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &address)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn drawn_ports_are_below_the_range_free_and_not_always_the_same() {
        let ports: Vec<u16> = (0..20).map(|_| draw().unwrap()).collect();
        assert!(ports.iter().all(|port| (10_000..EPHEMERAL).contains(port)), "{ports:?}");
        assert!(ports.iter().any(|port| *port != ports[0]));
        // One may have become somebody else's by now.
        let taken = ports.iter().filter(|&&port| TcpListener::bind(("127.0.0.1", port)).is_err());
        assert!(taken.count() <= 1, "{ports:?}");
    }

    #[test]
    fn a_port_taken_on_either_loopback_is_not_free() {
        for any in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let taken = TcpListener::bind(any).unwrap();
            assert!(!is_free(taken.local_addr().unwrap().port()).unwrap(), "{any}");
        }
    }

    #[test]
    fn the_end_leaves_room() {
        assert_eq!(end("32768\t60999\n"), 32_768);
        assert_eq!(end("20000 60999"), 20_000);
        assert_eq!(end("1024 65535"), EPHEMERAL);
        assert_eq!(end("10050 65535"), EPHEMERAL);
        assert_eq!(end(""), EPHEMERAL);
    }

    #[test]
    fn reserved_ports_are_ranges() {
        assert_eq!(reserved_ports("8080,9148,10000-10010\n"), [(8080, 8080), (9148, 9148), (10_000, 10_010)]);
        assert_eq!(reserved_ports("\n"), []);
    }
}
