//! A thief: takes the app's port the moment the app is dead, and keeps every byte that it is sent.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::outcome::{Context, Outcome};

/// One thief at one address.
#[derive(Debug)]
pub struct Thief {
    stop: Arc<AtomicBool>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    got_port: AtomicBool,
    connections: AtomicUsize,
    bytes: Mutex<Vec<u8>>,
}

impl Thief {
    /// Waits for the port from now on.
    #[must_use]
    pub fn at(ip: IpAddr, port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let state = Arc::new(State::default());
        let thread = {
            let (stop, state) = (Arc::clone(&stop), Arc::clone(&state));
            std::thread::spawn(move || steal(SocketAddr::new(ip, port), &stop, &state))
        };
        Self { stop, state, thread: Some(thread) }
    }

    /// Whether it has the port.
    #[must_use]
    pub fn has_port(&self) -> bool {
        self.state.got_port.load(Ordering::Acquire)
    }

    /// Lets the port go; how many connections came, and every byte of them.
    ///
    /// # Errors
    /// When the thief itself failed.
    pub fn end(mut self) -> Outcome<(usize, Vec<u8>)> {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok().context("the thief panicked")?;
        }
        let bytes = self.state.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((self.state.connections.load(Ordering::Acquire), bytes))
    }
}

impl Drop for Thief {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn steal(address: SocketAddr, stop: &AtomicBool, state: &State) {
    let listener = loop {
        if stop.load(Ordering::Acquire) {
            return;
        }
        if let Ok(listener) = TcpListener::bind(address) {
            break listener;
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    state.got_port.store(true, Ordering::Release);
    if listener.set_nonblocking(true).is_err() {
        return;
    }
    let mut open = Vec::new();
    while !stop.load(Ordering::Acquire) {
        if let Ok((stream, _)) = listener.accept() {
            state.connections.fetch_add(1, Ordering::AcqRel);
            if stream.set_nonblocking(true).is_ok() {
                open.push(stream);
            }
        }
        for stream in &mut open {
            let mut block = [0; 4096];
            if let Ok(count @ 1..) = stream.read(&mut block) {
                let mut bytes = state.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(block.get(..count).unwrap_or_default());
            }
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}
