//! Asks the kernel for one listening socket by its address (netlink, `NETLINK_SOCK_DIAG`, see sock_diag(7)).
//!
//! One request and one answer, no dump and no privilege: what a data thread can afford on every new
//! connection. Called by `ownership` alone.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `TCP_LISTEN`.
const LISTEN: u8 = 10;
/// `INET_DIAG_NOCOOKIE`.
const NO_COOKIE: [u8; 8] = [0xFF; 8];

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// With `struct inet_diag_req_v2`.
const QUESTION: usize = HEADER + 56;
/// With `struct inet_diag_msg`.
const ANSWER: usize = HEADER + 72;
/// Where the cookie stands in an answer: after family, state, timer, retransmissions, ports, both addresses
/// and the interface.
const COOKIE: usize = HEADER + 4 + 4 + 32 + 4;
const INODE: usize = HEADER + 68;

/// What the kernel says of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listener {
    /// Never given twice while the system runs.
    pub(super) cookie: u64,
    /// As in `/proc/PID/fd`; given again once the socket is closed.
    pub(super) inode: u32,
}

/// An open line to the kernel.
#[derive(Debug)]
pub(super) struct Line {
    socket: OwnedFd,
    sequence: u32,
}

impl Line {
    /// Opens a line; none when this system has no sock_diag for TCP.
    pub(super) fn open() -> Option<Self> {
        let mut line = Self::connect().ok()?;
        line.works().then_some(line)
    }

    fn connect() -> Result<Self, Errno> {
        let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = rustix::net::socket_with(kind.0, kind.1, kind.2, Some(netlink::SOCK_DIAG))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// A kernel whose module is missing answers "no such listener" to every question, so it is asked once for
    /// one that exists.
    fn works(&mut self) -> bool {
        static WORKS: OnceLock<bool> = OnceLock::new();
        if let Some(&known) = WORKS.get() {
            return known;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let Ok((Ok(address), _open)) = listener.map(|listener| (listener.local_addr(), listener)) else {
            // Out of descriptors: no answer for now, asked again next time.
            return true;
        };
        let found = matches!(self.find(address), Ok(Some(_)));
        *WORKS.get_or_init(|| found)
    }

    /// The listener that a connection to `address` would reach, if any.
    ///
    /// # Errors
    /// The kernel refused the question, or answered none.
    pub(super) fn find(&mut self, address: SocketAddr) -> Result<Option<Listener>, Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = question(address, self.sequence);
        rustix::net::send(&self.socket, &question, SendFlags::empty())?;
        let mut buffer = [0_u8; 512];
        loop {
            // The kernel has queued its answer before `send` returned: there is nothing to wait for.
            match rustix::net::recv(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((_, length)) => {
                    let message = buffer.get(..length).ok_or(Errno::MSGSIZE)?;
                    // An answer to an earlier question that was given up is not ours.
                    if number(message, 8) == Some(self.sequence) {
                        return answer(message);
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn question(address: SocketAddr, sequence: u32) -> [u8; QUESTION] {
    let mut bytes = [0; QUESTION];
    let length = u32::try_from(QUESTION).expect("72 fits");
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    bytes[16] = u8::try_from(family).expect("address families are small numbers");
    bytes[17] = u8::try_from(libc::IPPROTO_TCP).expect("6 fits");
    bytes[20..24].fill(0xFF); // every state
    bytes[24..26].copy_from_slice(&address.port().to_be_bytes());
    // The other side stays unspecified, which no connection is: only a listener can match.
    match address {
        SocketAddr::V4(v4) => bytes[28..32].copy_from_slice(&v4.ip().octets()),
        SocketAddr::V6(v6) => bytes[28..44].copy_from_slice(&v6.ip().octets()),
    }
    bytes[64..72].copy_from_slice(&NO_COOKIE);
    bytes
}

fn answer(message: &[u8]) -> Result<Option<Listener>, Errno> {
    let kind = message.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match kind {
        Some(BY_FAMILY) if message.len() >= ANSWER => {
            let low = number(message, COOKIE).ok_or(Errno::MSGSIZE)?;
            let high = number(message, COOKIE + 4).ok_or(Errno::MSGSIZE)?;
            let inode = number(message, INODE).ok_or(Errno::MSGSIZE)?;
            let listener = Listener { cookie: u64::from(high) << 32 | u64::from(low), inode };
            Ok((message[HEADER + 1] == LISTEN).then_some(listener))
        }
        Some(ERROR) => {
            let code = number(message, HEADER).ok_or(Errno::MSGSIZE)?.cast_signed();
            match Errno::from_raw_os_error(-code) {
                Errno::NOENT => Ok(None),
                error => Err(error),
            }
        }
        _ => Err(Errno::MSGSIZE),
    }
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn inode_of(listener: &TcpListener) -> u64 {
        use std::os::fd::AsRawFd as _;
        std::fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap().ino()
    }

    #[test]
    fn a_listener_is_found_by_its_address_only() {
        let mut line = Line::open().expect("Linux has sock_diag, built in or as a module");
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let address = listener.local_addr().unwrap();
            let found = line.find(address).unwrap().expect("it listens");
            assert_eq!(u64::from(found.inode), inode_of(&listener));
            let connection = TcpStream::connect(address).unwrap();
            assert_eq!(line.find(address).unwrap(), Some(found), "a connection changes nothing");
            assert_eq!(
                line.find(connection.local_addr().unwrap()).unwrap(),
                None,
                "a connection is no listener"
            );
            drop((listener, connection));
            assert_eq!(line.find(address).unwrap(), None);
            let again = TcpListener::bind(address).unwrap();
            let other = line.find(address).unwrap().expect("it listens again");
            assert_ne!(other.cookie, found.cookie);
            drop(again);
        }
    }

    #[test]
    fn wildcards_are_found_too() {
        let mut line = Line::open().expect("Linux has sock_diag, built in or as a module");
        let dual = TcpListener::bind("[::]:0").unwrap();
        let port = dual.local_addr().unwrap().port();
        let v4 = line.find(SocketAddr::from(([127, 0, 0, 1], port))).unwrap().expect("dual stack");
        let v6 = line.find(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))).unwrap().expect("itself");
        assert_eq!(v4, v6);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert_eq!(answer(&[]), Err(Errno::MSGSIZE));
        assert_eq!(answer(&[0; ANSWER]), Err(Errno::MSGSIZE));
        let mut refused = [0; HEADER + 4];
        refused[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        refused[HEADER..].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(answer(&refused), Err(Errno::PERM));
        refused[HEADER..].copy_from_slice(&(-2_i32).to_ne_bytes());
        assert_eq!(answer(&refused), Ok(None));
    }
}
