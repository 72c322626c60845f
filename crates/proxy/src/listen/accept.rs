//! Listeners: bound once, shared by all data threads through SO_REUSEPORT, open as long as the process.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::Binding;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::sync::Semaphore;

use crate::connection::Connection;
use crate::listen::h1;
use crate::thread::Thread;

/// The kernel caps this at net.core.somaxconn.
const BACKLOG: i32 = 4096;
/// How long accepting pauses when the system has no descriptor or memory for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

/// An address could not be listened on.
#[derive(Debug)]
pub struct BindError {
    /// Which.
    pub address: SocketAddr,
    /// Why.
    pub error: io::Error,
}

/// All listeners, bound and listening, not yet served.
#[derive(Debug)]
pub struct Bound {
    /// For each data thread, one listener per address.
    pub(crate) listeners: Vec<Vec<TcpListener>>,
    addresses: Vec<SocketAddr>,
}

impl Bound {
    /// Where clients connect, with the ports that were drawn for 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// Binds every address of every binding, for so many data threads.
///
/// The first socket of an address is bound without SO_REUSEPORT, so that a second server is refused instead of
/// silently sharing the port; then it turns the option on and the other threads' sockets join it.
///
/// # Errors
/// The first address that cannot be had. An IPv6 address that stands beside an IPv4 one (`localhost`, `*`) is
/// left out on a machine without IPv6.
pub fn bind(bindings: &[Binding], threads: usize) -> Result<Bound, BindError> {
    let mut bound = Bound { listeners: (0..threads).map(|_| Vec::new()).collect(), addresses: Vec::new() };
    for binding in bindings {
        let mut port = None;
        for &wanted in &binding.addresses {
            let mut address = wanted;
            if let (0, Some(drawn)) = (address.port(), port) {
                address.set_port(drawn);
            }
            match bind_address(address, threads) {
                Ok(listeners) => {
                    let real = listeners[0].local_addr().map_err(|error| BindError { address, error })?;
                    port = Some(real.port());
                    bound.addresses.push(real);
                    for (thread, listener) in bound.listeners.iter_mut().zip(listeners) {
                        thread.push(listener);
                    }
                }
                Err(error) if port.is_some() && is_missing_family(&error) => {}
                Err(error) => return Err(BindError { address, error }),
            }
        }
    }
    Ok(bound)
}

fn is_missing_family(error: &io::Error) -> bool {
    matches!(
        rustix::io::Errno::from_io_error(error),
        Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL)
    )
}

fn bind_address(address: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    let first = bind_one(address, true)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..threads {
        listeners.push(bind_one(address, false)?);
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr, first: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if !first {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    if first {
        // Only after the bind: it would have let us join another server's port.
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Accepts until the server drains, then takes what is still queued and closes the listener.
pub(crate) async fn accept(
    thread: Rc<Thread>,
    listener: TcpListener,
    permits: Arc<Semaphore>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let exchanges = Rc::new(h1::FreeList::of(h1::exchange));
    let slot = thread.clock.slot();
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await.map_err(io::Error::other)?;
        let accepted = std::future::poll_fn(|context| {
            slot.register(context);
            match listener.poll_accept(context) {
                std::task::Poll::Pending if !thread.is_running() => std::task::Poll::Ready(None),
                other => other.map(Some),
            }
        })
        .await;
        match accepted {
            None => return Ok(()),
            Some(Ok((stream, peer))) => {
                if let Ok(connection) = Connection::new(Rc::clone(&thread), stream, peer, permit) {
                    let serve = h1::serve(Rc::new(connection), Rc::clone(&exchanges), h1::exchange);
                    tokio::task::spawn_local(serve);
                }
            }
            // Out of descriptors, or a client that reset before we came: neither ends the server.
            Some(Err(error)) if is_exhausted(&error) => tokio::time::sleep(PAUSE).await,
            Some(Err(_)) => {}
        }
    }
}

fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(addresses: &[&str]) -> Binding {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        Binding { text: String::new(), addresses }
    }

    #[test]
    fn a_second_server_is_refused_and_all_threads_share_the_port() {
        let bound = bind(&[binding(&["127.0.0.1:0"])], 3).expect("a free port");
        assert_eq!(bound.listeners.len(), 3);
        let taken = bound.addresses()[0];
        let error = bind(&[binding(&[&taken.to_string()])], 1).expect_err("the port is held");
        assert_eq!((error.address, error.error.kind()), (taken, io::ErrorKind::AddrInUse));
    }

    #[test]
    fn both_families_of_one_binding_share_a_drawn_port() {
        let bound = bind(&[binding(&["127.0.0.1:0", "[::1]:0"])], 1).expect("a free port");
        let ports: Vec<_> = bound.addresses().iter().map(SocketAddr::port).collect();
        assert!(ports.iter().all(|&port| port == ports[0] && port != 0), "{ports:?}");
    }
}
