//! How requests get hold of a worker: at once when one serves, else by waiting for a start.
//!
//! Runs on the proxy's data threads. The fast path takes no lock, allocates nothing and writes to no cache line
//! that another data thread uses. Everything slow is in [`AppHandle::lease`]'s waiting half.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{mpsc::UnboundedSender, watch};

use crate::face::{Face, ServingWorker, WorkerId};
use crate::gate::Lease;
use crate::messages::{StartReport, Suspicion, ToSupervisor};

/// A data thread's way to one app. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    face: ArcSwap<Face>,
    /// Goes up after each change of the face.
    version: watch::Receiver<u64>,
    waiting: AtomicUsize,
    /// Workers that requests may still ask for, beside those that serve: each takes one.
    more: AtomicUsize,
    /// Requests that may wait.
    queue: AtomicUsize,
    /// How long each may, in milliseconds.
    patience: AtomicU64,
    supervisor: UnboundedSender<ToSupervisor>,
}

/// The side that publishes faces.
#[derive(Debug)]
pub(crate) struct Publisher {
    handle: AppHandle,
    version: watch::Sender<u64>,
}

/// Why a request gets no worker.
#[derive(Debug, Clone)]
pub enum NoLease {
    /// The start that it waited for failed, or nothing is started for a while because starts failed: 502.5.
    Failed {
        /// What happened.
        report: Arc<StartReport>,
        /// How long nothing is started; none when the next request starts the app.
        retry_after: Option<Duration>,
    },
    /// Too many wait already: 503.
    QueueFull,
    /// It waited for longer than both attempts of a start may take (twice `startupTimeLimit`): 503.
    Deadline,
    /// The app is offline: 503 with the bytes of its `app_offline.htm`.
    Offline(Arc<[u8]>),
    /// The server stops: 503.
    Stopped,
}

/// What one look at the face means for a request that waits.
#[derive(Debug)]
enum Look {
    Done(Result<Lease, NoLease>),
    /// Nothing is under way: the supervisor must know that somebody waits.
    WakeAfter(u64),
    Wait,
}

impl AppHandle {
    pub(crate) fn new(
        queue: usize,
        patience: Duration,
        supervisor: UnboundedSender<ToSupervisor>,
    ) -> (Self, Publisher) {
        let (sender, version) = watch::channel(0);
        let face = ArcSwap::from_pointee(Face::Asleep { start: 0, failed: None });
        let (waiting, more) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (limit, limited) = (AtomicUsize::new(0), AtomicU64::new(0));
        let shared = Shared { face, version, waiting, more, queue: limit, patience: limited, supervisor };
        let publisher = Publisher { handle: Self(Arc::new(shared)), version: sender };
        publisher.let_wait(queue, patience);
        (publisher.handle.clone(), publisher)
    }

    /// An app that is always up with these workers and has no supervisor: for tests of the proxy. Suspicions
    /// are ignored.
    #[must_use]
    pub fn fixed(workers: Vec<Arc<ServingWorker>>) -> Self {
        let (supervisor, _) = tokio::sync::mpsc::unbounded_channel();
        let (handle, publisher) = Self::new(usize::MAX, Duration::MAX, supervisor);
        publisher.publish(Face::Up(workers));
        handle
    }

    /// What requests see of the app now.
    #[must_use]
    pub fn face(&self) -> Guard<Arc<Face>> {
        self.0.face.load()
    }

    /// Requests that wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// A lease if a worker serves right now. `thread` is the data thread's index.
    #[must_use]
    pub fn try_lease(&self, thread: usize) -> Option<Lease> {
        let lease = enter(&self.face(), thread)?;
        // With as many workers as may be, this is a read.
        if self.0.more.load(Ordering::Relaxed) > 0 {
            self.ask_for_more();
        }
        Some(lease)
    }

    /// IIS gives each request the next process in turn and starts the one that is not there. So the n-th request asks
    /// for the n-th worker, but none waits for it.
    #[cold]
    fn ask_for_more(&self) {
        let take = |more: usize| more.checked_sub(1);
        if self.0.more.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            // A supervisor that is gone needs no message.
            let _ = self.0.supervisor.send(ToSupervisor::More);
        }
    }

    /// A lease, at once when a worker serves; else wakes the app and waits.
    ///
    /// # Errors
    /// [`NoLease`]: the start failed, the queue is full, the wait was too long, the app is offline, or the server
    /// stops.
    pub async fn lease(&self, thread: usize) -> Result<Lease, NoLease> {
        match self.try_lease(thread) {
            Some(lease) => Ok(lease),
            // Boxed, so that the future of a request that need not wait stays small.
            None => {
                self.offline()?;
                Box::pin(self.wait(thread)).await
            }
        }
    }

    /// Needs no place in the queue: an app that is offline refuses at once, however many wait.
    fn offline(&self) -> Result<(), NoLease> {
        match &**self.face() {
            Face::Offline { page } => Err(NoLease::Offline(Arc::clone(page))),
            Face::Up(_)
            | Face::Starting { .. }
            | Face::Asleep { .. }
            | Face::Failed { .. }
            | Face::Stopped => Ok(()),
        }
    }

    /// The worker of this name if requests are sent to it now.
    #[must_use]
    pub fn worker(&self, id: WorkerId) -> Option<Arc<ServingWorker>> {
        match &**self.face() {
            Face::Up(workers) => workers.iter().find(|worker| worker.id == id).map(Arc::clone),
            Face::Starting { .. }
            | Face::Asleep { .. }
            | Face::Failed { .. }
            | Face::Offline { .. }
            | Face::Stopped => None,
        }
    }

    /// A connection to this worker's port did not reach its listener. The caller then leases anew.
    pub fn suspect(&self, id: WorkerId, why: Suspicion) {
        // A supervisor that is gone needs no message.
        let _ = self.0.supervisor.send(ToSupervisor::Suspect(id, why));
    }

    /// A worker was asked for its warm-up pages; with the reason when one of them could not be had.
    pub fn warmed(&self, id: WorkerId, result: Result<(), String>) {
        // A supervisor that is gone needs no message.
        let _ = self.0.supervisor.send(ToSupervisor::Warmed(id, result));
    }

    /// A request was given up after `requestTimeout`, which is `limit`.
    pub fn timed_out(&self, limit: Duration) {
        // A supervisor that is gone needs no message.
        let _ = self.0.supervisor.send(ToSupervisor::TimedOut { limit });
    }

    async fn wait(&self, thread: usize) -> Result<Lease, NoLease> {
        let _place = Place::take(&self.0)?;
        let mut version = self.0.version.clone();
        let patience = Duration::from_millis(self.0.patience.load(Ordering::Relaxed));
        let mut deadline = std::pin::pin!(tokio::time::sleep(patience));
        let mut known = None;
        let mut woken = None;
        loop {
            // Before looking: a change after this line ends the wait below at once.
            version.borrow_and_update();
            match look(&self.face(), thread, &mut known) {
                Look::Done(result) => {
                    // Whoever waited alone is the request that the first worker was started for.
                    if result.is_ok() && self.waiting() > 1 {
                        self.ask_for_more();
                    }
                    return result;
                }
                Look::WakeAfter(seen) if woken != Some(seen) => {
                    woken = Some(seen);
                    let _ = self.0.supervisor.send(ToSupervisor::Wake { seen });
                }
                Look::WakeAfter(_) | Look::Wait => {}
            }
            tokio::select! {
                changed = version.changed() => changed.map_err(|_| NoLease::Stopped)?,
                () = &mut deadline => return Err(NoLease::Deadline),
            }
        }
    }
}

fn enter(face: &Face, thread: usize) -> Option<Lease> {
    match face {
        Face::Up(workers) => match &workers[..] {
            [worker] => worker.enter(thread),
            workers => enter_least_busy(workers, thread),
        },
        Face::Starting { .. }
        | Face::Asleep { .. }
        | Face::Failed { .. }
        | Face::Offline { .. }
        | Face::Stopped => None,
    }
}

/// The worker with the fewest requests in it; among equals each in turn, so that all of them stay warm.
fn enter_least_busy(workers: &[Arc<ServingWorker>], thread: usize) -> Option<Lease> {
    let turn = workers.iter().fold(0_u32, |sum, worker| sum.wrapping_add(worker.entered_by(thread)));
    let first = turn as usize % workers.len();
    let in_turn = || workers[first..].iter().chain(&workers[..first]);
    let least = in_turn().min_by_key(|worker| worker.busy())?;
    // One that closed its gate meanwhile is as good as gone.
    least.enter(thread).or_else(|| in_turn().find_map(|worker| worker.enter(thread)))
}

/// `known` is the last start that was over when the request came: later failures answer it, earlier ones do
/// not.
fn look(face: &Face, thread: usize, known: &mut Option<u64>) -> Look {
    match face {
        Face::Up(_) => {
            // Gates that are closed belong to a face that is gone already: whatever fails from now on is news.
            known.get_or_insert(0);
            enter(face, thread).map_or(Look::Wait, |lease| Look::Done(Ok(lease)))
        }
        Face::Starting { start, failed } => {
            let known = *known.get_or_insert(start - 1);
            news(failed, known).unwrap_or(Look::Wait)
        }
        Face::Asleep { start, failed } => {
            let known = *known.get_or_insert(*start);
            news(failed, known).unwrap_or(Look::WakeAfter(*start))
        }
        Face::Failed { until, report, .. } => {
            let rest = until.saturating_duration_since(tokio::time::Instant::now().into_std());
            Look::Done(Err(NoLease::Failed { report: Arc::clone(report), retry_after: Some(rest) }))
        }
        Face::Offline { page } => Look::Done(Err(NoLease::Offline(Arc::clone(page)))),
        Face::Stopped => Look::Done(Err(NoLease::Stopped)),
    }
}

/// The answer to a request that came before this start failed.
fn news(failed: &Option<(u64, Arc<StartReport>)>, known: u64) -> Option<Look> {
    let (_, report) = failed.as_ref().filter(|(start, _)| *start > known)?;
    Some(Look::Done(Err(NoLease::Failed { report: Arc::clone(report), retry_after: None })))
}

impl Publisher {
    /// So many requests may wait, and so long; for those that come from here on.
    pub(crate) fn let_wait(&self, queue: usize, patience: Duration) {
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.handle.0.queue.store(queue, Ordering::Relaxed);
        self.handle.0.patience.store(patience, Ordering::Relaxed);
    }

    /// So many workers may be asked for beside those that serve or start.
    pub(crate) fn allow_more(&self, more: usize) {
        self.handle.0.more.store(more, Ordering::Relaxed);
    }

    /// Shows a new face to every data thread.
    pub(crate) fn publish(&self, face: Face) {
        self.handle.0.face.store(Arc::new(face));
        self.version.send_modify(|version| *version += 1);
    }

    pub(crate) fn face(&self) -> Guard<Arc<Face>> {
        self.handle.face()
    }
}

/// One request's place in the queue; free again when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared) -> Result<Self, NoLease> {
        let place = Self(&shared.waiting);
        if shared.waiting.fetch_add(1, Ordering::Relaxed) >= shared.queue.load(Ordering::Relaxed) {
            Err(NoLease::QueueFull)
        } else {
            Ok(place)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
