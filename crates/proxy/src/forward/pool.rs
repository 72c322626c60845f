//! Connections to workers: one pool per thread and worker, dead with the worker, capped per worker over all
//! threads. The only file that knows what kind of address a worker has.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use supervisor::process::ownership::Ownership;
use supervisor::{Address, Face, ServingWorker, Suspicion, WorkerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::buffer::{Buffer, Buffers};
use crate::clock::Wait;
use crate::connection::{Connection, NoBytes};
use crate::io::Stream;
use crate::record::Record;
use crate::thread::Thread;

/// Unused connections kept per thread and worker. As many as answers may come back in one turn of the loop: with
/// fewer, a burst closes connections that the next one opens again, which costs more than all else (measured:
/// 32 at 64 clients on one thread doubles the CPU time per request).
const IDLE_MOST: usize = 256;

/// The caps of all workers, shared by the data threads; locked once per thread and worker, never per request.
#[derive(Debug, Clone)]
pub(crate) struct Caps(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    /// What a worker gets that nobody has asked for yet: the threads must not differ about it.
    most: usize,
    of: HashMap<WorkerId, Arc<Cap>>,
}

/// How many connections one worker may have, over all threads: one permit each, first come first served.
#[derive(Debug)]
struct Cap {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One thread's pools.
#[derive(Debug)]
pub(crate) struct Pools {
    caps: Caps,
    pools: RefCell<Vec<Rc<Pool>>>,
}

/// One thread's connections to one worker.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) worker: Arc<ServingWorker>,
    /// `MS-ASPNETCORE-TOKEN` with its value, and the empty line.
    head_end: Vec<u8>,
    cap: Arc<Cap>,
    idle: RefCell<Vec<Idle>>,
    /// Requests of this thread that wait for a connection of this thread, or for a permit.
    waiters: RefCell<std::collections::VecDeque<oneshot::Sender<Upstream>>>,
    /// Tunnels must end.
    pub(crate) ending: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    upstream: Upstream,
    /// Tick since when.
    since: u32,
}

/// One connection to a worker, with what it has sent and nobody used yet.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) stream: Stream,
    pub(crate) buffer: Buffer,
    /// It carried an exchange before.
    pub(crate) reused: bool,
    /// A head came for the current exchange.
    pub(crate) answered: bool,
    permit: Option<OwnedSemaphorePermit>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// The worker is gone, not itself any more, or replaced: lease another one.
    WorkerGone,
    /// The client is gone, or the exchange's time is over.
    Interrupted(NoBytes),
    /// All connections are busy, and as many requests as may wait for one do.
    QueueFull,
    /// The wait was too long.
    Late,
    /// Connecting took too long: the worker is suspected.
    NotAccepting,
    /// The system gave no socket.
    NoSocket,
}

impl Upstream {
    /// Room to read into; a large block when much is to come.
    pub(crate) fn make_room(&mut self, buffers: &Buffers, bulky: bool) {
        let too_small = bulky && !self.buffer.is_large();
        if self.buffer.is_empty() && (too_small || self.buffer.is_full()) {
            let new = if bulky { buffers.large() } else { buffers.small() };
            buffers.give_back(std::mem::replace(&mut self.buffer, new));
        } else if self.buffer.is_full() {
            buffers.grow(&mut self.buffer);
        }
    }

    pub(crate) fn release_if_empty(&mut self, buffers: &Buffers) {
        if self.buffer.is_empty() {
            buffers.give_back(std::mem::take(&mut self.buffer));
        }
    }

    /// Tunnels and event streams have no end of their own, and what waits for its client lasts as long as that likes. They
    /// are bounded by the client connections, and no longer count as connections for requests, which would wait behind them.
    pub(crate) fn stops_counting(&mut self) {
        self.permit = None;
    }

    /// Whether it counts as one for requests.
    pub(crate) fn counts(&self) -> bool {
        self.permit.is_some()
    }
}

impl Pools {
    pub(crate) fn new(caps: Caps) -> Self {
        Self { caps, pools: RefCell::default() }
    }

    /// This thread's pool for a worker that was just leased; none when the worker is gone meanwhile.
    pub(crate) fn of(&self, id: WorkerId, thread: &Thread) -> Option<Rc<Pool>> {
        if let Some(pool) = self.pools.borrow().iter().find(|pool| pool.worker.id == id) {
            return Some(Rc::clone(pool));
        }
        let worker = thread.app.worker(id)?;
        let cap = self.caps.of(id);
        let mut head_end = Vec::new();
        http1::write_field(
            &mut head_end,
            contract::PAIRING_TOKEN.as_bytes(),
            worker.token.as_str().as_bytes(),
        );
        http1::end_head(&mut head_end);
        let pool = Rc::new(Pool {
            worker,
            head_end,
            cap,
            idle: RefCell::default(),
            waiters: RefCell::default(),
            ending: Cell::new(false),
        });
        self.pools.borrow_mut().push(Rc::clone(&pool));
        Some(pool)
    }

    /// Tunnels of this worker must end.
    pub(crate) fn end_tunnels(&self, id: WorkerId) {
        for pool in self.pools.borrow().iter().filter(|pool| pool.worker.id == id) {
            pool.ending.set(true);
        }
    }

    /// Forgets the pools of workers that are not published any more, and connections that nobody used for long.
    pub(crate) fn sweep(&self, thread: &Thread) {
        let ticks = thread.site().limits.upstream_idle.as_millis() / crate::clock::TICK.as_millis();
        let oldest = thread.clock.now().saturating_sub(u32::try_from(ticks).unwrap_or(u32::MAX));
        let mut gone = Vec::new();
        self.pools.borrow_mut().retain(|pool| {
            pool.idle.borrow_mut().retain(|idle| idle.since >= oldest && idle.upstream.stream.is_quiet());
            let published = is_published(&thread.app.face(), pool.worker.id);
            // An unused connection holds a permit, and another thread may wait for it.
            if !published || pool.is_crowded() {
                pool.idle.borrow_mut().clear();
            }
            // Where nobody gives a connection back, as an app that closes each, nobody passes over them.
            pool.waiters.borrow_mut().retain(|waiter| !waiter.is_closed());
            // Nothing of them has been sent, and the one that took over is idle.
            if !published && matches!(&**thread.app.face(), Face::Up(_)) {
                pool.waiters.borrow_mut().clear();
            }
            // A tunnel or an answer under way holds the pool; it goes with the last of them.
            let keep = published || Rc::strong_count(pool) > 1;
            if !keep {
                gone.push(pool.worker.id);
            }
            keep
        });
        for id in gone {
            self.caps.forget(id);
        }
    }
}

fn is_published(face: &Face, id: WorkerId) -> bool {
    matches!(face, Face::Up(workers) if workers.iter().any(|worker| worker.id == id))
}

impl Caps {
    /// So many connections to each worker.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Shared { most, of: HashMap::new() })))
    }

    /// So many for each worker that serves from here on; the others keep theirs until they are replaced.
    pub(crate) fn allow(&self, most: usize) {
        self.lock().most = most;
    }

    fn of(&self, id: WorkerId) -> Arc<Cap> {
        let mut shared = self.lock();
        let permits = shared.most;
        let new =
            || Arc::new(Cap { permits: Arc::new(Semaphore::new(permits)), waiting: AtomicUsize::new(0) });
        Arc::clone(shared.of.entry(id).or_insert_with(new))
    }

    fn forget(&self, id: WorkerId) {
        self.lock().of.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic elsewhere cannot leave it half-written: each change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    pub(crate) fn head_end(&self) -> &[u8] {
        &self.head_end
    }

    /// Whether a request waits for a connection, on any thread.
    pub(crate) fn is_crowded(&self) -> bool {
        self.cap.waiting.load(Ordering::Relaxed) > 0
    }

    /// A connection that is free and still good, or a new one whose listener was proved to be the worker's.
    /// `fresh` passes over the free ones: one of them has just turned out to be dead.
    ///
    /// # Errors
    /// [`NoConnection`].
    pub(crate) async fn checkout(&self, record: &Record<'_>, fresh: bool) -> Result<Upstream, NoConnection> {
        while let Some(idle) = self.idle.borrow_mut().pop() {
            if !fresh && idle.upstream.stream.is_quiet() {
                return Ok(idle.upstream);
            }
        }
        match Arc::clone(&self.cap.permits).try_acquire_owned() {
            Ok(permit) => self.connect(record, permit).await,
            Err(_) => self.wait(record).await,
        }
    }

    async fn wait(&self, record: &Record<'_>) -> Result<Upstream, NoConnection> {
        let limits = &record.site.limits;
        let waiting = Waiting::new(&self.cap.waiting);
        if waiting.before >= limits.start_queue {
            return Err(NoConnection::QueueFull);
        }
        let (hand_over, handed) = oneshot::channel();
        self.waiters.borrow_mut().push_back(hand_over);
        record.connection.slot.arm(Wait::Upstream, limits.request_timeout);
        let way = async {
            tokio::select! {
                biased;
                handed = handed => handed.map_or(Way::Elsewhere, Way::Handed),
                permit = Arc::clone(&self.cap.permits).acquire_owned() => {
                    Way::Permitted(permit.expect("nobody closes the semaphore"))
                }
            }
        };
        let way = until(record.connection, way).await;
        drop(waiting);
        match way? {
            Way::Handed(upstream) => Ok(upstream),
            Way::Permitted(permit) => self.connect(record, permit).await,
            Way::Elsewhere => Err(NoConnection::WorkerGone),
        }
    }

    async fn connect(
        &self,
        record: &Record<'_>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Upstream, NoConnection> {
        let connection = record.connection;
        let Address::Tcp(address) = self.worker.address;
        connection.slot.arm(Wait::Upstream, record.site.limits.upstream_connect);
        let connecting = until(connection, self.worker.listeners.connect(address)).await;
        let stream = match connecting {
            Ok(Ok(stream)) => stream,
            // The kernel completes connections for a process that is merely slow; it stops when nobody has taken
            // them for long.
            Err(NoConnection::Late) => {
                connection.thread.app.suspect(self.worker.id, Suspicion::NotAccepting);
                return Err(NoConnection::NotAccepting);
            }
            Err(other) => return Err(other),
            Ok(Err(error)) if means_no_listener(&error) => {
                connection.thread.app.suspect(self.worker.id, Suspicion::NoListener);
                return Err(NoConnection::WorkerGone);
            }
            Ok(Err(_)) => return Err(NoConnection::NoSocket),
        };
        if let Err(why) = verify(&connection.thread, &self.worker) {
            connection.thread.app.suspect(self.worker.id, why);
            return Err(NoConnection::WorkerGone);
        }
        // Only latency is lost where this fails.
        let _ = stream.set_nodelay(true);
        Ok(Upstream {
            stream: Stream::tcp(stream),
            buffer: Buffer::default(),
            reused: false,
            answered: false,
            permit: Some(permit),
        })
    }

    /// Takes back a connection over which request and response went whole and nothing else.
    pub(crate) fn give_back(&self, mut upstream: Upstream, thread: &Thread) {
        if !upstream.counts() {
            return;
        }
        upstream.release_if_empty(&thread.buffers);
        upstream.reused = true;
        upstream.answered = false;
        let mut waiters = self.waiters.borrow_mut();
        while let Some(waiter) = waiters.pop_front() {
            match waiter.send(upstream) {
                Ok(()) => return,
                // That request has gone meanwhile.
                Err(back) => upstream = back,
            }
        }
        // Another thread waits for a permit: closing this connection gives it one.
        if !self.is_crowded() && self.idle.borrow().len() < IDLE_MOST {
            self.idle.borrow_mut().push(Idle { upstream, since: thread.clock.now() });
        }
    }
}

/// Refused: nobody listens. Reset: whoever did ended while the connection was made.
pub(crate) fn means_no_listener(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// Before the first byte on a new connection: the port may have another owner by now, and the token is in the
/// first head.
pub(crate) fn verify(thread: &Thread, worker: &ServingWorker) -> Result<(), Suspicion> {
    let Address::Tcp(address) = worker.address;
    match thread.probe.borrow_mut().verify(address, &worker.listeners) {
        Ownership::Ours => Ok(()),
        Ownership::Stranger => Err(Suspicion::Stranger),
        Ownership::NoListener => Err(Suspicion::NoListener),
    }
}

/// What a request that waits for a connection comes to.
enum Way {
    /// A connection of this thread that somebody gave back.
    Handed(Upstream),
    /// A new one.
    Permitted(OwnedSemaphorePermit),
    /// Another worker has taken over.
    Elsewhere,
}

/// Counts one request that waits for a connection.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        let before = count.fetch_add(1, Ordering::Relaxed);
        Self { count, before }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Until it is done, the client goes away, or the armed upstream deadline is over (`Late`).
async fn until<T>(connection: &Connection, work: impl Future<Output = T>) -> Result<T, NoConnection> {
    let mut work = std::pin::pin!(work);
    let timed = std::future::poll_fn(|context| match work.as_mut().poll(context) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending if connection.slot.expired(Wait::Upstream) => std::task::Poll::Ready(None),
        std::task::Poll::Pending => std::task::Poll::Pending,
    });
    let done = connection.unless_gone(timed).await;
    connection.slot.disarm(Wait::Upstream);
    match done {
        Err(interrupted) => Err(NoConnection::Interrupted(interrupted)),
        Ok(None) => Err(NoConnection::Late),
        Ok(Some(done)) => Ok(done),
    }
}

#[cfg(test)]
mod tests {
    use contract::PairingToken;
    use supervisor::AppHandle;

    use super::*;
    use crate::runtime::Site;

    #[test]
    fn who_got_a_connection_another_way_is_forgotten() {
        let worker = ServingWorker::fixed(
            WorkerId(1),
            ([127, 0, 0, 1], 1).into(),
            PairingToken::from_bits([7; 32]),
            1,
        );
        let app = AppHandle::fixed(vec![worker]);
        let thread = Thread::new(0, Site::default(), app, Pools::new(Caps::new(1)));
        let pool = thread.pools.of(WorkerId(1), &thread).unwrap();
        let (waits, _handed) = oneshot::channel();
        let (waits_no_more, _) = oneshot::channel();
        pool.waiters.borrow_mut().extend([waits_no_more, waits]);
        thread.pools.sweep(&thread);
        assert_eq!(pool.waiters.borrow().len(), 1);
        assert!(!pool.waiters.borrow()[0].is_closed());
    }

    #[test]
    fn a_worker_keeps_its_cap_and_the_next_one_gets_the_new_one() {
        let caps = Caps::new(256);
        let other_thread = caps.clone();
        assert_eq!(caps.of(WorkerId(1)).permits.available_permits(), 256);
        caps.allow(300);
        assert_eq!(other_thread.of(WorkerId(1)).permits.available_permits(), 256);
        assert_eq!(other_thread.of(WorkerId(2)).permits.available_permits(), 300);
        assert!(Arc::ptr_eq(&caps.of(WorkerId(2)), &other_thread.of(WorkerId(2))));
    }
}
