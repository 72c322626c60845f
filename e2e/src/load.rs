//! A steady load of requests that all count: each GET is answered, each POST arrives exactly once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::client::Client;
use crate::clock::now;
use crate::outcome::{Failure, Outcome};
use crate::record::Record;

/// Clients that send requests at a steady rate until they are told to end.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<Tally>>,
}

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How often each status came.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer: why, at most a few of them.
    pub failures: Vec<String>,
    /// The targets of the POSTs that were answered with 200.
    pub posted: Vec<String>,
    /// The targets of the POSTs that were not.
    pub refused: Vec<String>,
}

impl Load {
    /// So many clients that send `rate` requests a second together, over connections that stay; every fourth is a POST.
    #[must_use]
    pub fn start(address: SocketAddr, clients: u64, rate: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let pace = Duration::from_micros(1_000_000 * clients / rate.max(1));
        let id = Arc::new(AtomicU64::new(0));
        let threads = (0..clients)
            .map(|_| {
                let (stop, id) = (Arc::clone(&stop), Arc::clone(&id));
                std::thread::spawn(move || work(address, pace, &stop, &id))
            })
            .collect();
        Self { stop, threads }
    }

    /// Ends it; what became of all requests.
    #[must_use]
    pub fn end(self) -> Tally {
        self.stop.store(true, Ordering::Release);
        let mut all = Tally::default();
        for thread in self.threads {
            match thread.join() {
                Ok(tally) => all.add(tally),
                Err(_) => all.failures.push("a client panicked".to_owned()),
            }
        }
        all
    }
}

impl Tally {
    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.statuses.values().sum::<u64>() + self.failures.len() as u64
    }

    /// Every request was answered, and with one of these.
    ///
    /// # Errors
    /// Says what came instead.
    pub fn all_are(&self, statuses: &[u16]) -> Outcome {
        crate::ensure!(self.failures.is_empty(), "{} failed: {:?}", self.failures.len(), self.failures);
        let strange = self.statuses.keys().find(|status| !statuses.contains(status));
        crate::ensure!(strange.is_none(), "{:?}", self.statuses);
        Ok(())
    }

    /// Every POST that was answered arrived exactly once, and no other one more than once.
    ///
    /// # Errors
    /// Names the first that did not.
    pub fn arrived_once(&self, record: &Record) -> Outcome {
        let mut seen: BTreeMap<String, u64> = BTreeMap::new();
        for request in record.requests() {
            *seen.entry(request.target()).or_default() += 1;
        }
        for target in &self.posted {
            let times = seen.get(target).copied().unwrap_or_default();
            crate::ensure!(times == 1, "POST {target} was answered and arrived {times} times");
        }
        for target in &self.refused {
            let times = seen.get(target).copied().unwrap_or_default();
            crate::ensure!(times <= 1, "POST {target} failed and arrived {times} times");
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.failures.extend(other.failures);
        self.posted.extend(other.posted);
        self.refused.extend(other.refused);
    }
}

fn work(address: SocketAddr, pace: Duration, stop: &AtomicBool, id: &AtomicU64) -> Tally {
    let mut tally = Tally::default();
    let mut client = None;
    let mut next = now();
    while !stop.load(Ordering::Acquire) {
        let number = id.fetch_add(1, Ordering::Relaxed);
        let target = format!("/{}/{number}", if number.is_multiple_of(4) { "post" } else { "get" });
        let posts = number.is_multiple_of(4);
        match ask(&mut client, address, &target, posts) {
            Ok(status) => {
                *tally.statuses.entry(status).or_default() += 1;
                if posts {
                    let list = if status == 200 { &mut tally.posted } else { &mut tally.refused };
                    list.push(target);
                }
            }
            Err(Failure(why)) => {
                client = None;
                tally.failures.push(format!("{target}: {why}"));
                if posts {
                    tally.refused.push(target);
                }
            }
        }
        next += pace;
        // Late ones are not made up for, so that a pause of the machine is no burst.
        next = next.max(now());
        std::thread::sleep(next.saturating_duration_since(now()));
    }
    tally
}

fn ask(client: &mut Option<Client>, address: SocketAddr, target: &str, posts: bool) -> Outcome<u16> {
    let open = match client.take() {
        Some(open) => open,
        None => Client::connect(address)?,
    };
    let mut open = open;
    let response = if posts {
        open.send(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"))?;
        open.response()?
    } else {
        open.get(target)?
    };
    if !response.closes() {
        *client = Some(open);
    }
    Ok(response.status)
}
