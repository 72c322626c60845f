//! A network of its own for one worker: a loopback that no other process of this machine can reach.
//!
//! For programs that check no token: whoever can connect to their port speaks to them. The spawning thread makes the
//! network and starts the keeper in it; the server's sockets that must be there are made by a thread that enters it
//! for that moment. A socket stays where it was made, so that nothing else needs to know.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::thread::LinkNameSpaceType;
use tokio::net::{TcpSocket, TcpStream};

use crate::process::ownership;
use crate::process::raw;
use crate::process::sockdiag::Line;

/// The calling thread's network.
const OWN: &str = "/proc/thread-self/ns/net";
/// `RTM_NEWLINK`.
const NEW_LINK: u16 = 16;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const REQUEST_AND_ANSWER: u16 = 1 | 4;
/// `NLMSG_ERROR`, which also says that all is well.
const ERROR: u16 = 2;
/// `IFF_UP`.
const UP: u32 = 1;
/// The loopback is the first interface of every network.
const LOOPBACK: i32 = 1;
/// `struct nlmsghdr` and `struct ifinfomsg`.
const ORDER: usize = 16 + 16;

/// One network. It ends with this and with the last process in it.
#[derive(Debug)]
pub(super) struct Network {
    own: OwnedFd,
    /// The server's.
    home: OwnedFd,
    line: Mutex<Option<Line>>,
}

impl Network {
    /// Makes one with its loopback, and calls `start` in it. The calling thread is in its own network again when this
    /// returns; a thread that could not go back ends the process.
    ///
    /// # Errors
    /// `EPERM` for one who is not root (`CAP_SYS_ADMIN`), and whatever else the system says.
    pub(super) fn make<T>(start: impl FnOnce() -> T) -> Result<(Self, T), Errno> {
        let home = open_own()?;
        let (own, started) = {
            raw::unshare_network()?;
            let _back = Back(&home);
            raise_loopback()?;
            (open_own()?, start())
        };
        Ok((Self { own, home, line: Mutex::default() }, started))
    }

    /// Calls `act` in it. Costs two system calls; must not block for long, the thread does nothing else meanwhile.
    ///
    /// # Errors
    /// The system does not let us in.
    pub(super) fn enter<T>(&self, act: impl FnOnce() -> T) -> Result<T, Errno> {
        move_to(&self.own)?;
        let _back = Back(&self.home);
        Ok(act())
    }

    /// Connects to an address in it.
    ///
    /// # Errors
    /// As for any connection.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let make = if address.is_ipv4() { TcpSocket::new_v4 } else { TcpSocket::new_v6 };
        self.enter(make)??.connect(address).await
    }

    /// Asks the kernel about its listeners; see [`ownership::ask`].
    pub(super) fn ask<T>(&self, question: impl Fn(&mut Line) -> Result<T, Errno>) -> Option<T> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        ownership::ask(&mut line, || self.enter(Line::open).ok().flatten(), question)
    }
}

/// Goes back where it came from, also when somebody panics.
struct Back<'a>(&'a OwnedFd);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if move_to(self.0).is_err() {
            // Whatever this thread did next, it would do in the wrong network.
            std::process::abort();
        }
    }
}

fn open_own() -> Result<OwnedFd, Errno> {
    rustix::fs::open(OWN, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn move_to(network: &OwnedFd) -> Result<(), Errno> {
    rustix::thread::move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
}

/// A new network has a loopback that is down (rtnetlink(7)); its addresses come with it.
fn raise_loopback() -> Result<(), Errno> {
    let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
    let socket = rustix::net::socket_with(kind.0, kind.1, kind.2, None)?;
    let mut order = [0; ORDER];
    order[..4].copy_from_slice(&u32::try_from(ORDER).expect("32 fits").to_ne_bytes());
    order[4..6].copy_from_slice(&NEW_LINK.to_ne_bytes());
    order[6..8].copy_from_slice(&REQUEST_AND_ANSWER.to_ne_bytes());
    order[20..24].copy_from_slice(&LOOPBACK.to_ne_bytes());
    order[24..28].copy_from_slice(&UP.to_ne_bytes());
    order[28..32].copy_from_slice(&UP.to_ne_bytes());
    rustix::net::send(&socket, &order, SendFlags::empty())?;
    let mut answer = [0; 256];
    // The kernel has queued its answer before `send` returned.
    let (_, length) = rustix::net::recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    let answer = answer.get(..length).ok_or(Errno::MSGSIZE)?;
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    let code = answer.get(16..).and_then(|rest| rest.first_chunk()).map(|code| i32::from_ne_bytes(*code));
    match (kind, code) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(code)) => Err(Errno::from_raw_os_error(-code)),
        _ => Err(Errno::MSGSIZE),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::process::kept_port::KeptPort;

    /// None where this system lets nobody make one; whoever may is known by what the kernel does.
    fn made() -> Option<Network> {
        match Network::make(|| ()) {
            Ok((network, ())) => Some(network),
            Err(error) => {
                assert_eq!(error, Errno::PERM);
                assert!(!may_make());
                None
            }
        }
    }

    /// `CAP_SYS_ADMIN`, number 21, among the effective capabilities.
    fn may_make() -> bool {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
        u64::from_str_radix(effective.trim(), 16).unwrap() >> 21 & 1 == 1
    }

    fn place() -> std::path::PathBuf {
        std::fs::read_link(OWN).unwrap()
    }

    #[test]
    fn what_listens_inside_is_reached_from_inside_alone() {
        let home = place();
        let Some(network) = made() else { return };
        assert_eq!(place(), home, "back again");
        let inside = network.enter(place).unwrap();
        assert_ne!(inside, home);
        assert_eq!(place(), home, "back again");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for host in ["127.0.0.1", "::1"] {
            // Taken outside, where nobody listens to it.
            let outside = KeptPort::of(host);
            let address = outside.address;
            let _listener = network.enter(|| TcpListener::bind(address)).unwrap().unwrap();
            runtime.block_on(network.connect(address)).expect("it listens there");
            let refused = runtime.block_on(TcpStream::connect(address));
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
            assert!(network.ask(|line| line.find(address)).flatten().is_some());
            assert_eq!(Line::open().unwrap().find(address), Ok(None));
        }
    }

    #[test]
    fn a_thread_comes_back_from_a_panic() {
        let Some(network) = made() else { return };
        let home = place();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = network.enter(|| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(place(), home);
    }
}
