//! How a client's address travels to the app.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Appends `ip:port` (IPv6 as `[ip]:port`), or the address alone where the port is 0, since nobody told it: the one entry that the app's forwarded-headers middleware
/// reads from `X-Forwarded-For` (IIS: the module always writes the port).
///
/// An IPv4 address that arrived on a dual-stack socket is written as IPv4, since the app would otherwise
/// see `::ffff:…` for the same client.
pub fn write_forwarded_for(out: &mut Vec<u8>, client: SocketAddr) {
    let address = match client.ip() {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    };
    if client.port() == 0 {
        return write!(out, "{address}").expect("a Vec takes every write");
    }
    // A scope id (`%eth0`) means nothing to the app, so the address is written without one.
    write!(out, "{}", SocketAddr::new(address, client.port())).expect("a Vec takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(address: &str) -> String {
        let mut out = Vec::new();
        write_forwarded_for(&mut out, address.parse().expect("a socket address"));
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn every_family_has_its_form() {
        assert_eq!(written("203.0.113.7:4711"), "203.0.113.7:4711");
        assert_eq!(written("[2001:db8::1]:80"), "[2001:db8::1]:80");
        assert_eq!(written("[::ffff:203.0.113.7]:4711"), "203.0.113.7:4711");
        assert_eq!(written("[fe80::1%3]:80"), "[fe80::1]:80");
        assert_eq!(written("203.0.113.7:0"), "203.0.113.7");
        assert_eq!(written("[2001:db8::1]:0"), "2001:db8::1");
    }
}
