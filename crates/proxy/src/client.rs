//! Who sent a request: the peer of its connection, or whom a trusted proxy names in `X-Forwarded-For`.
//!
//! Entries are believed from the right, where the proxy that we trust wrote, for as long as they name proxies that
//! we trust as well; what stands left of the first other one, anybody can have written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use config::Scheme;
use contract::{FORWARDED_FOR, FORWARDED_PROTO};
use http1::{Known, RequestHead};

use crate::connection::Connection;
use crate::runtime::Site;

/// Who sent a request, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// Port 0 where a proxy did not tell it.
    pub(crate) address: SocketAddr,
    /// What the client spoke, to us or to the first proxy.
    pub(crate) scheme: Scheme,
    pub(crate) source: Source,
}

/// From where the address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is the peer's.
    Peer,
    /// Trusted proxies named it.
    Told,
    /// Trusted proxies named something that is no address: this is the last one before it.
    Doubtful,
}

impl Client {
    /// The peer itself.
    pub(crate) fn peer(connection: &Connection) -> Self {
        Self { address: connection.peer, scheme: connection.scheme, source: Source::Peer }
    }

    /// The peer, or whom it names if it is trusted.
    pub(crate) fn of(connection: &Connection, site: &Site, head: &RequestHead) -> Self {
        let peer = Self::peer(connection);
        if site.trusted_proxies.is_empty() || !is_trusted(site, connection.peer.ip()) {
            return peer;
        }
        let input = connection.input.borrow();
        peer.told(site, head, input.data())
    }

    /// What a trusted peer says about the client that it speaks for.
    fn told(self, site: &Site, head: &RequestHead, data: &[u8]) -> Self {
        let values = |name: &'static str| {
            let of_name = head.fields.iter().rev().filter(move |field| {
                field.known == Known::Other && field.name.of(data).eq_ignore_ascii_case(name.as_bytes())
            });
            of_name.flat_map(|field| field.value.of(data).rsplit(|&byte| byte == b','))
        };
        let (mut client, mut hops) = (self, 0);
        for entry in values(FORWARDED_FOR) {
            let Some(address) = address(entry) else {
                client.source = Source::Doubtful;
                break;
            };
            (client.address, client.source) = (address, Source::Told);
            hops += 1;
            if !is_trusted(site, address.ip()) {
                break;
            }
        }
        // Of the same proxy as the address; the farthest there is where not all of them wrote one (ASP.NET reads so too).
        let proto = values(FORWARDED_PROTO).take(hops.max(1)).last();
        client.scheme = proto.and_then(scheme).unwrap_or(self.scheme);
        client
    }
}

fn is_trusted(site: &Site, address: IpAddr) -> bool {
    site.trusted_proxies.iter().any(|network| network.contains(address))
}

/// `http` or `https`, also as `ws` or `wss`, which some proxies say of a WebSocket; anything else says nothing.
fn scheme(text: &[u8]) -> Option<Scheme> {
    const NAMES: [(&[u8], Scheme); 4] =
        [(b"http", Scheme::Http), (b"https", Scheme::Https), (b"ws", Scheme::Http), (b"wss", Scheme::Https)];
    let text = text.trim_ascii();
    NAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|&(_, scheme)| scheme)
}

/// One entry as proxies write them: an address of either family, with or without a port, IPv6 in brackets where
/// there is a port, all of it perhaps in quotes (RFC 7239 §6 wants them, ASP.NET reads them). None for `unknown`
/// and everything else.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let (ip, port) = if let Some(rest) = text.strip_prefix('[') {
        let (ip, port) = rest.split_once(']')?;
        let port = if port.is_empty() { 0 } else { number(port.strip_prefix(':')?)? };
        (IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?), port)
    } else if let Some((ip, port)) = text.split_once(':').filter(|(_, rest)| !rest.contains(':')) {
        (IpAddr::V4(ip.parse::<Ipv4Addr>().ok()?), number(port)?)
    } else {
        (text.parse().ok()?, 0)
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

fn number(digits: &str) -> Option<u16> {
    let good = (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;
