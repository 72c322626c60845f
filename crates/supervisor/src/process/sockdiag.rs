//! Asks the kernel for one listening socket by its address (netlink, `NETLINK_SOCK_DIAG`, see sock_diag(7)).
//!
//! One request and one answer, no dump and no privilege: what a data thread can afford on every new
//! connection. Called by `ownership` alone.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
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
/// `NLM_F_DUMP`.
const DUMP: u16 = 0x300;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// `TCP_LISTEN`.
const LISTEN: u8 = 10;
/// `1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT`: what an app has accepted and not closed.
const OPEN: u32 = 1 << 1 | 1 << 8;
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
/// Of a listener: the connections that wait to be accepted.
const WAITING: usize = HEADER + 56;
const INODE: usize = HEADER + 68;

/// The largest part that the kernel makes of a dump.
const DUMP_PART: usize = 32 << 10;

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
        Ok(self.find_queue(address)?.map(|(listener, _)| listener))
    }

    /// The same, and how many connections wait there to be accepted.
    ///
    /// # Errors
    /// The kernel refused the question, or answered none.
    pub(super) fn find_queue(&mut self, address: SocketAddr) -> Result<Option<(Listener, u32)>, Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        let question = question(address, self.sequence);
        rustix::net::send(&self.socket, &question, SendFlags::empty())?;
        let mut buffer = [0_u8; 512];
        loop {
            let message = self.receive(&mut buffer)?;
            // An answer to an earlier question that was given up is not ours.
            if number(message, 8) == Some(self.sequence) {
                return answer(message);
            }
        }
    }

    /// The cookies of all connections of this port that some process has accepted. The kernel walks through all its
    /// connections for this, which may take milliseconds.
    ///
    /// # Errors
    /// The kernel refused the question, or its answer was cut short.
    pub(super) fn accepted(&mut self, port: u16) -> Result<Vec<u64>, Errno> {
        let mut cookies = Vec::new();
        for any in
            [SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]
        {
            self.sequence = self.sequence.wrapping_add(1);
            let mut question = question(any, self.sequence);
            question[6..8].copy_from_slice(&(REQUEST | DUMP).to_ne_bytes());
            question[20..24].copy_from_slice(&OPEN.to_ne_bytes());
            rustix::net::send(&self.socket, &question, SendFlags::empty())?;
            let mut buffer = vec![0; DUMP_PART];
            while !take_accepted(self.receive(&mut buffer)?, self.sequence, &mut cookies)? {}
        }
        Ok(cookies)
    }

    /// The kernel has queued its answer, or the next part of it, before the last call returned: there is nothing to
    /// wait for.
    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
        loop {
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, length)) => return buffer.get(..length).ok_or(Errno::MSGSIZE),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Takes the messages of one part of a dump; true when it was the last one.
fn take_accepted(mut part: &[u8], sequence: u32, cookies: &mut Vec<u64>) -> Result<bool, Errno> {
    while !part.is_empty() {
        let length = number(part, 0).and_then(|length| usize::try_from(length).ok()).ok_or(Errno::MSGSIZE)?;
        let message = part.get(..length).filter(|_| length >= HEADER).ok_or(Errno::MSGSIZE)?;
        part = part.get(length.next_multiple_of(4)..).unwrap_or_default();
        if number(message, 8) != Some(sequence) {
            continue;
        }
        match kind(message) {
            Some(DONE) => return Ok(true),
            // One that waits still has no socket of a process, and so no inode.
            Some(BY_FAMILY) if message.len() >= ANSWER => {
                cookies.extend(cookie(message).filter(|_| number(message, INODE) != Some(0)));
            }
            _ => return Err(refusal(message)),
        }
    }
    Ok(false)
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

fn answer(message: &[u8]) -> Result<Option<(Listener, u32)>, Errno> {
    match kind(message) {
        Some(BY_FAMILY) if message.len() >= ANSWER => {
            let cookie = cookie(message).ok_or(Errno::MSGSIZE)?;
            let inode = number(message, INODE).ok_or(Errno::MSGSIZE)?;
            let waiting = number(message, WAITING).ok_or(Errno::MSGSIZE)?;
            Ok((message[HEADER + 1] == LISTEN).then_some((Listener { cookie, inode }, waiting)))
        }
        _ => match refusal(message) {
            Errno::NOENT => Ok(None),
            error => Err(error),
        },
    }
}

fn kind(message: &[u8]) -> Option<u16> {
    message.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]))
}

fn cookie(message: &[u8]) -> Option<u64> {
    let (low, high) = (number(message, COOKIE)?, number(message, COOKIE + 4)?);
    Some(u64::from(high) << 32 | u64::from(low))
}

/// Why there is no answer in a message.
fn refusal(message: &[u8]) -> Errno {
    match number(message, HEADER) {
        Some(code) if kind(message) == Some(ERROR) => Errno::from_raw_os_error(-code.cast_signed()),
        _ => Errno::MSGSIZE,
    }
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::fs::MetadataExt as _;
    use std::time::Duration;

    use super::*;
    use crate::process::kept_port::KeptPort;

    fn inode_of(listener: &TcpListener) -> u64 {
        use std::os::fd::AsRawFd as _;
        std::fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap().ino()
    }

    #[test]
    fn a_listener_is_found_by_its_address_only() {
        let mut line = Line::open().expect("Linux has sock_diag, built in or as a module");
        for host in ["127.0.0.1", "::1"] {
            let port = KeptPort::of(host);
            let (address, listener) = (port.address, port.listen());
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
            assert_eq!(line.find(address).unwrap(), None, "it is gone");
            let again = port.listen();
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
    fn those_who_wait_are_told_from_those_who_were_accepted() {
        let mut line = Line::open().expect("Linux has sock_diag, built in or as a module");
        for any in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let port = listener.local_addr().unwrap().port();
            let host = if any.starts_with('1') { "127.0.0.1" } else { "::1" };
            let address = SocketAddr::new(host.parse().unwrap(), port);
            let mut connections: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
            if any == "[::]:0" {
                connections.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
            }
            let mut waiting = u32::try_from(connections.len()).unwrap();
            let queue = |line: &mut Line| line.find_queue(address).unwrap().expect("it listens").1;
            // Whoever connects may know of it before the listener does.
            for _ in 0..2000 {
                if queue(&mut line) == waiting {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(queue(&mut line), waiting, "{any}");
            assert!(line.accepted(port).unwrap().is_empty(), "{any}");
            let mut accepted = Vec::new();
            while waiting > 0 {
                accepted.push(listener.accept().unwrap());
                waiting -= 1;
                assert_eq!(queue(&mut line), waiting, "{any}");
                let mut cookies = line.accepted(port).unwrap();
                cookies.sort_unstable();
                cookies.dedup();
                assert_eq!(cookies.len(), accepted.len(), "{any}");
            }
            // Still a line to one who asks for something else.
            assert!(line.find(address).unwrap().is_some());
        }
    }

    #[test]
    fn a_dump_is_read_to_its_end_and_what_is_cut_is_an_error() {
        let mut cookies = Vec::new();
        let message = |kind: u16, length: usize| {
            let mut bytes = vec![0; length];
            bytes[..4].copy_from_slice(&u32::try_from(length).unwrap().to_ne_bytes());
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[8..12].copy_from_slice(&7_u32.to_ne_bytes());
            bytes
        };
        let mut one = message(BY_FAMILY, ANSWER);
        one[COOKIE] = 5;
        assert_eq!(take_accepted(&one, 7, &mut cookies), Ok(false));
        assert!(cookies.is_empty(), "it waits");
        one[INODE] = 1;
        let both = [one.clone(), message(DONE, HEADER + 4)].concat();
        assert_eq!(take_accepted(&both, 7, &mut cookies), Ok(true));
        assert_eq!(cookies, [u64::from_ne_bytes([5, 0, 0, 0, 0, 0, 0, 0])]);
        assert_eq!(take_accepted(&both, 8, &mut cookies), Ok(false), "an answer to somebody else");
        for end in 1..one.len() {
            assert!(take_accepted(&one[..end], 7, &mut cookies).is_err(), "cut at {end}");
        }
        assert_eq!(take_accepted(&[0; 16], 0, &mut cookies), Err(Errno::MSGSIZE), "no length, no end");
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
