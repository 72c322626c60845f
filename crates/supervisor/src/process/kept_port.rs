//! For tests beside which others run, in this process and on this machine: a port that nobody else is given once its
//! listener is gone, and a time in which nobody here starts a process.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// For tests that start a process or ask who holds a descriptor, which may run beside each other in one process: until it has
/// executed its program, a new process holds whatever is open here.
pub(crate) fn nobody_starts() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds a port by a socket that never listens.
pub(crate) struct KeptPort {
    _holder: OwnedFd,
    pub(crate) address: SocketAddr,
    _alone: MutexGuard<'static, ()>,
}

impl KeptPort {
    /// Any port of this host.
    pub(crate) fn of(host: &str) -> Self {
        let alone = nobody_starts();
        let holder = bound(SocketAddr::new(host.parse().unwrap(), 0));
        let address = rustix::net::getsockname(&holder).unwrap().try_into().unwrap();
        Self { _holder: holder, address, _alone: alone }
    }

    /// Listens there; more than one may.
    pub(crate) fn listen(&self) -> TcpListener {
        let socket = bound(self.address);
        rustix::net::listen(&socket, 16).unwrap();
        socket.into()
    }
}

fn bound(address: SocketAddr) -> OwnedFd {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::sockopt::set_socket_reuseport(&socket, true).unwrap();
    rustix::net::bind(&socket, &address).unwrap();
    socket
}
