//! How the puppet starts: delays, exits, forks, and where it listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::clock::pause;
use crate::find::{number, variable};
use crate::process::command;

use super::{connection, log, print};

/// Does what the variables order; ends only when they say so.
#[must_use]
pub fn run() -> ExitCode {
    if let Some(order) = variable("PUPPET_FORK") {
        return fork(&order);
    }
    let port = number("ASPNETCORE_PORT").and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    log::note(0, "start", &port.to_string());
    if let Some(orders) = variable("PUPPET_PRINT") {
        print::perform(&orders);
    }
    pause(number("PUPPET_START_DELAY").unwrap_or_default());
    if variable("PUPPET_CRASH").is_some() {
        std::process::abort();
    }
    if let Some(code) = number("PUPPET_EXIT") {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    match listen(port) {
        Ok(listeners) => accept_forever(listeners),
        Err(error) => {
            log::note(0, "failed", &error.to_string().replace(' ', "_"));
            ExitCode::from(98)
        }
    }
}

/// Starts the listener as another process.
fn fork(order: &str) -> ExitCode {
    match order {
        // The double fork of a daemon: the middle one leads a new session and ends at once.
        "setsid" => again("middle").map_or(ExitCode::from(97), |_| ExitCode::SUCCESS),
        "middle" => {
            // Only a group's leader is refused, and a fresh child leads none.
            let session = rustix::process::setsid();
            match session.map(|_| again("")) {
                Ok(Some(_)) => ExitCode::SUCCESS,
                _ => ExitCode::from(96),
            }
        }
        _ => match again("").and_then(|mut child| child.wait().ok()) {
            Some(status) => {
                ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(95))
            }
            None => ExitCode::from(94),
        },
    }
}

/// Starts this program again, never waited for unless the caller does.
fn again(order: &str) -> Option<Child> {
    let own = std::env::current_exe().ok()?;
    command(Path::new(&own)).env("PUPPET_FORK", order).spawn().ok()
}

fn listen(port: u16) -> std::io::Result<Vec<TcpListener>> {
    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let addresses: Vec<(IpAddr, u16)> = match variable("PUPPET_LISTEN").as_deref() {
        None | Some("v4") => vec![(V4, port)],
        Some("v6") => vec![(V6, port)],
        Some("any") => vec![(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)],
        Some("any6") => vec![(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)],
        Some("both") => vec![(V4, port), (V6, port)],
        Some("wrong") => vec![(V4, 0)],
        Some(_) => Vec::new(),
    };
    let listeners: std::io::Result<Vec<TcpListener>> =
        addresses.into_iter().map(|(ip, port)| TcpListener::bind(SocketAddr::new(ip, port))).collect();
    for listener in listeners.iter().flatten() {
        log::note(0, "listening", &listener.local_addr()?.to_string());
    }
    listeners
}

fn accept_forever(listeners: Vec<TcpListener>) -> ExitCode {
    for listener in listeners {
        std::thread::spawn(move || accept(&listener));
    }
    loop {
        pause(60_000);
    }
}

/// No connection is taken any more.
static DEAF: AtomicBool = AtomicBool::new(false);

pub(super) fn deafen() {
    DEAF.store(true, Ordering::Relaxed);
}

/// The kernel goes on queueing connections; when its queue is full it lets newcomers wait.
fn ignore(listener: &TcpListener) -> ! {
    if let Err(error) = rustix::net::listen(listener, 0) {
        log::note(0, "failed", &error.to_string().replace(' ', "_"));
    }
    loop {
        pause(60_000);
    }
}

fn accept(listener: &TcpListener) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    for stream in listener.incoming().flatten() {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if DEAF.load(Ordering::Relaxed) {
            ignore(listener);
        }
        log::note(number, "accept", "");
        std::thread::spawn(move || connection::serve(stream, number));
    }
}
