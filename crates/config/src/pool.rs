//! What IIS keeps outside of web.config, in the application pool and beside the application. Plain data.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// `recycling/periodicRestart`: when a worker is replaced although nothing is wrong with it. Nothing by default, unlike
/// in IIS, which recycles every 29 hours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recycling {
    /// `time`: after so long.
    pub time: Option<Duration>,
    /// `requests`: after so many.
    pub requests: Option<u64>,
    /// `privateMemory`, in bytes (IIS counts KiB): when its processes together hold more.
    pub private_memory: Option<u64>,
    /// `schedule`: at these times of each day, counted from midnight of the local clock.
    pub schedule: Vec<Duration>,
}

/// One `<add initializationPage=\"\" hostName=\"\" />` of `applicationInitialization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmUpPage {
    /// The path with its query, starting with `/`, as it stands in a request line.
    pub path: String,
    /// What is sent as `Host`; `localhost` when it is not given.
    pub host: Option<String>,
}

/// The handlerSettings `debugFile` and `debugLevel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugLog {
    /// The file, absolute; appended to.
    pub file: std::path::PathBuf,
    /// The least level that is written.
    pub level: DebugLevel,
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DebugLevel {
    /// Errors.
    Error,
    /// And warnings.
    Warning,
    /// And everything else.
    Information,
}

/// `security/access sslFlags`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SslFlags {
    /// `Ssl`, `Ssl128`: requests come over TLS, others get 403.4.
    pub ssl: bool,
    /// `SslNegotiateCert`: clients are asked for a certificate, and may have none.
    pub negotiate_cert: bool,
    /// `SslRequireCert`: who shows no certificate gets 403.7. Never without `negotiate_cert`.
    pub require_cert: bool,
}

/// A range of addresses: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address, IPv4-mapped ones as IPv4.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Network {
    /// The first address of the range that its address lies in.
    pub(crate) fn first(self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask(self.prefix))),
        }
    }

    /// Whether an address is in it; an IPv4-mapped one counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                same(u128::from(net.to_bits()) << 96, u128::from(address.to_bits()) << 96, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => same(net.to_bits(), address.to_bits(), self.prefix),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn same(left: u128, right: u128, bits: u8) -> bool {
    (left ^ right) & mask(bits) == 0
}

/// So many leading ones.
fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network_and_in_no_other() {
        let network = |address: &str, prefix| Network { address: address.parse().unwrap(), prefix };
        let within = |network: Network, address: &str| network.contains(address.parse().unwrap());
        assert!(within(network("10.0.0.0", 8), "10.255.0.1"));
        assert!(!within(network("10.0.0.0", 8), "11.0.0.1"));
        assert!(within(network("10.0.0.0", 8), "::ffff:10.1.2.3"));
        assert!(within(network("0.0.0.0", 0), "203.0.113.7") && !within(network("0.0.0.0", 0), "::1"));
        assert!(
            within(network("192.0.2.1", 32), "192.0.2.1") && !within(network("192.0.2.1", 32), "192.0.2.0")
        );
        assert!(
            within(network("2001:db8::", 32), "2001:db8:1::1") && !within(network("2001:db8::", 32), "::1")
        );
        assert!(within(network("::1", 128), "::1") && within(network("::", 0), "2001:db8::1"));
    }
}
