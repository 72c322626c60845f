//! A load of GETs that must all be answered, each with one of the named statuses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use e2e::{Client, Context as _, Outcome, ensure, pause};

/// Clients that ask one request after the other, over connections that must stay whole.
pub(super) struct Load {
    done: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Outcome>>,
}

impl Load {
    pub(super) fn start(address: SocketAddr, clients: u32, statuses: &'static [u16]) -> Self {
        let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = (0..clients)
            .map(|_| {
                let (done, answered) = (Arc::clone(&done), Arc::clone(&answered));
                std::thread::spawn(move || ask(address, statuses, &done, &answered))
            })
            .collect();
        Self { done, answered, clients }
    }

    /// How many were answered, once every client is done.
    pub(super) fn end(self) -> Outcome<u64> {
        self.done.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().ok().context("a client panicked")??;
        }
        Ok(self.answered.load(Ordering::Relaxed))
    }
}

fn ask(address: SocketAddr, statuses: &[u16], done: &AtomicBool, answered: &AtomicU64) -> Outcome {
    let mut client = Client::connect(address)?.patience(e2e::clock::seconds(60));
    while !done.load(Ordering::Relaxed) {
        let response = client.get("/HelloWorld").context("under load")?;
        ensure!(statuses.contains(&response.status), "under load: {}", response.describe());
        answered.fetch_add(1, Ordering::Relaxed);
        if response.closes() {
            client = Client::connect(address)?.patience(e2e::clock::seconds(60));
        }
        pause(5);
    }
    Ok(())
}
