//! Listeners: bound once, shared by all data threads through SO_REUSEPORT, open as long as the process.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::{Binding, Scheme};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::sync::Semaphore;

use crate::connection::Connection;
use crate::listen::{h1, tls};
use crate::thread::Thread;
use crate::tls::Tls;

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
    pub(crate) listeners: Vec<Vec<Listener>>,
    endpoints: Vec<Endpoint>,
}

/// One socket that accepts, and what is spoken on it.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    /// None for HTTP in the clear.
    tls: Option<Tls>,
}

/// Where clients connect. Prints as the start of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// What they speak there.
    pub scheme: Scheme,
    /// With the port that was drawn for 0.
    pub address: SocketAddr,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.address)
    }
}

impl Bound {
    /// Where clients connect.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The port that an app may send people to from http; none when there is none for https, or several, since
    /// then nobody can say which. (The ASP.NET Core Module looks at the bindings of its site in the same way.)
    #[must_use]
    pub fn https_port(&self) -> Option<u16> {
        let https = self.endpoints.iter().filter(|endpoint| endpoint.scheme == Scheme::Https);
        let mut ports = https.map(|endpoint| endpoint.address.port());
        let first = ports.next()?;
        ports.all(|port| port == first).then_some(first)
    }
}

/// Binds every address of every binding, for so many data threads. What https bindings show is the same for all.
///
/// The first socket of an address is bound without SO_REUSEPORT, so that a second server is refused instead of
/// silently sharing the port; then it turns the option on and the other threads' sockets join it.
///
/// # Errors
/// The first address that cannot be had. An IPv6 address that stands beside an IPv4 one (`localhost`, `*`) is
/// left out on a machine without IPv6.
pub fn bind(bindings: &[Binding], tls: Option<&Tls>, threads: usize) -> Result<Bound, BindError> {
    let mut bound = Bound { listeners: (0..threads).map(|_| Vec::new()).collect(), endpoints: Vec::new() };
    for binding in bindings {
        let scheme = binding.scheme;
        let tls = (scheme == Scheme::Https)
            .then(|| tls.expect("a Plan with an https binding has a certificate").clone());
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
                    bound.endpoints.push(Endpoint { scheme, address: real });
                    for (thread, socket) in bound.listeners.iter_mut().zip(listeners) {
                        thread.push(Listener { socket, tls: tls.clone() });
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
    Listener { socket, tls }: Listener,
    permits: Arc<Semaphore>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let scheme = if tls.is_some() { Scheme::Https } else { Scheme::Http };
    let exchanges = Rc::new(h1::FreeList::of(h1::exchange));
    let slot = thread.clock.slot();
    loop {
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
                // Only now: a listener that nobody calls must not keep a permit from one that somebody does.
                let permit = Arc::clone(&permits).acquire_owned().await.map_err(io::Error::other)?;
                let connection = Connection::new(Rc::clone(&thread), (stream, scheme), peer, permit);
                if let Ok(connection) = connection {
                    let (connection, exchanges) = (Rc::new(connection), Rc::clone(&exchanges));
                    match &tls {
                        None => tokio::task::spawn_local(h1::serve(connection, exchanges, h1::exchange)),
                        Some(tls) => tokio::task::spawn_local(tls::serve(
                            connection,
                            tls.clone(),
                            exchanges,
                            h1::exchange,
                        )),
                    };
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
        Binding { text: String::new(), scheme: Scheme::Http, addresses }
    }

    #[test]
    fn a_second_server_is_refused_and_all_threads_share_the_port() {
        let bound = bind(&[binding(&["127.0.0.1:0"])], None, 3).expect("a free port");
        assert_eq!(bound.listeners.len(), 3);
        let taken = bound.endpoints()[0].address;
        let error = bind(&[binding(&[&taken.to_string()])], None, 1).expect_err("the port is held");
        assert_eq!((error.address, error.error.kind()), (taken, io::ErrorKind::AddrInUse));
    }

    #[test]
    fn both_families_of_one_binding_share_a_drawn_port() {
        // One that is free on the first may be somebody's on the second.
        let draw = || bind(&[binding(&["127.0.0.1:0", "[::1]:0"])], None, 1).ok();
        let bound = std::iter::repeat_with(draw).take(10).flatten().next().expect("a free port");
        let ports: Vec<_> = bound.endpoints().iter().map(|one| one.address.port()).collect();
        assert!(ports.iter().all(|&port| port == ports[0] && port != 0), "{ports:?}");
    }

    #[test]
    fn one_https_port_is_told_and_several_are_not() {
        let port = |endpoints: &[(Scheme, u16)]| {
            let endpoint = |&(scheme, port)| Endpoint { scheme, address: ([127, 0, 0, 1], port).into() };
            Bound { listeners: Vec::new(), endpoints: endpoints.iter().map(endpoint).collect() }.https_port()
        };
        assert_eq!(port(&[(Scheme::Http, 80)]), None);
        assert_eq!(port(&[(Scheme::Http, 80), (Scheme::Https, 443), (Scheme::Https, 443)]), Some(443));
        assert_eq!(port(&[(Scheme::Https, 443), (Scheme::Https, 8443)]), None);
    }
}
