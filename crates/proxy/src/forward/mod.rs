//! Sending one exchange to a worker and its answer to the client, both at once.

pub(crate) mod body;
mod events;
pub(crate) mod failure;
pub(crate) mod pool;
mod request;
mod response;
mod upgrade;
pub(crate) mod warm;

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use supervisor::{Lease, NoLease, WorkerId};

use crate::answer::Answer;
use crate::clock::{self, Wait};
use crate::connection::Connection;
use crate::counters::add;
use crate::exchange::Exchange;
use crate::forward::failure::{Broken, Failure};
use crate::forward::pool::{NoConnection, Pool, Upstream};
use crate::forward::request::{BULK, Progress, RequestSide};
use crate::forward::response::{Outcome, ResponseSide, Sides};
use crate::pipeline::Next;
use crate::record::{End, Record};
use crate::thread::Phase;

/// Workers that may turn out to be gone between lease and connection before the client is told.
const LEASES_MOST: u32 = 8;

/// How long the supervisor may take to withdraw a suspected worker, and how often to look; both only on that
/// rare path.
const WITHDRAWAL: Duration = Duration::from_secs(5);
/// How long a killed process takes to end. What it had for longer was being worked on before the kill, and is not
/// asked again.
const SWALLOWED: Duration = Duration::from_millis(5);
/// How long a request lies unread in a connection that its app, busy as it may be, is about to end. A later reset comes
/// from an app that had read it (`HttpContext.Abort` resets too).
const CROSSED: Duration = Duration::from_secs(1);
const DYING: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Ticks for which an exchange keeps its place among the connections to its worker, although it waits for its client
/// and others wait for a place: a few hundred slow uploads cost a client nothing.
const PLACE: u32 = 4;

/// Forwards until the last byte of the answer has left.
///
/// # Errors
/// [`Failure`]: what is left to do for the caller.
pub(crate) async fn forward(
    connection: &Rc<Connection>,
    exchange: &mut Exchange,
    record: &Record<'_>,
) -> Result<Next, Failure> {
    let mut repeated = false;
    for _ in 0..LEASES_MOST {
        let lease = lease(record).await?;
        let Some(pool) = connection.thread.pools.of(lease.worker(), &connection.thread) else {
            continue;
        };
        let upstream = match pool.checkout(record, repeated).await {
            Ok(upstream) => upstream,
            Err(why @ (NoConnection::WorkerGone | NoConnection::NotAccepting)) => {
                drop(lease);
                until_withdrawn(connection, pool.worker.id, WITHDRAWAL).await?;
                let stays = connection.thread.app.worker(pool.worker.id).is_some();
                if stays && matches!(why, NoConnection::NotAccepting) {
                    let late = Answer::bad_gateway("the app takes no connection");
                    return Err(answer(late.ending(End::Timeout)));
                }
                continue;
            }
            Err(NoConnection::Interrupted(why)) => return Err(why.into()),
            Err(NoConnection::QueueFull) => {
                let full = "too many requests wait for a connection to the app (queueLength)";
                return Err(answer(Answer::unavailable(full)));
            }
            Err(NoConnection::Late) => {
                let late =
                    "every connection to the app was busy for too long (requestTimeout, upstreamConnections)";
                return Err(answer(Answer::unavailable(late).ending(End::Timeout)));
            }
            Err(NoConnection::NoSocket) => {
                return Err(answer(Answer::unavailable("the server has no connection left for the app")));
            }
        };
        let counters = &connection.thread.counters;
        add(if upstream.reused { &counters.upstream_reused } else { &counters.upstream_opened }, 1);
        record.leased(pool.worker.pid);
        let attempt = Attempt { connection, exchange, pool: &pool, lease, record };
        match attempt.run(upstream).await {
            Some(result) => return result,
            None => {
                add(&counters.retries, 1);
                repeated = true;
            }
        }
    }
    Err(answer(Answer::bad_gateway("the app went away again and again before it took the request")))
}

fn answer(answer: Answer) -> Failure {
    Failure::Answer(answer)
}

/// Waits until the supervisor has heard that this worker is not itself any more; until then, leasing would only
/// lead back to it.
async fn until_withdrawn(
    connection: &Connection,
    worker: WorkerId,
    at_most: Duration,
) -> Result<(), Failure> {
    let app = &connection.thread.app;
    let withdrawn = async {
        while app.worker(worker).is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // Whether it was in time, the caller sees for itself.
    let _ = connection.unless_gone(tokio::time::timeout(at_most, withdrawn)).await?;
    Ok(())
}

async fn lease(record: &Record<'_>) -> Result<Lease, Failure> {
    let connection = record.connection;
    let thread = &connection.thread;
    if let Some(lease) = thread.app.try_lease(thread.index) {
        return Ok(lease);
    }
    let mut leased = std::pin::pin!(thread.app.lease(thread.index));
    // A start may take longer than the server waits for its requests; whoever waits for one is told in time.
    let leased = poll_fn(|context| match leased.as_mut().poll(context) {
        Poll::Pending if thread.phase.get() == Phase::Ending => Poll::Ready(Err(NoLease::Stopped)),
        looked => looked,
    });
    match connection.unless_gone(leased).await? {
        Ok(lease) => Ok(lease),
        Err(refused) => Err(answer(match refused {
            NoLease::Failed { report, retry_after } => Answer::failed_start(report, retry_after, record.site),
            NoLease::QueueFull => {
                Answer::unavailable("too many requests wait for the app to start (queueLength)")
            }
            NoLease::Deadline => Answer::unavailable("the app did not start in time").ending(End::Timeout),
            NoLease::Offline(page) => Answer::offline(page),
            NoLease::Stopped => Answer::stopping(),
        })),
    }
}

/// One try of one exchange over one connection.
struct Attempt<'a> {
    connection: &'a Rc<Connection>,
    exchange: &'a Exchange,
    pool: &'a Rc<Pool>,
    lease: Lease,
    record: &'a Record<'a>,
}

impl Attempt<'_> {
    /// None when the exchange may be tried again.
    async fn run(self, mut upstream: Upstream) -> Option<Result<Next, Failure>> {
        let thread = &self.connection.thread;
        let body_limit = self.record.site.limits.body_bytes;
        let mut head = thread.buffers.output();
        head.extend_from_slice(&self.exchange.wire);
        head.extend_from_slice(self.pool.head_end());
        let mut pump = Pump {
            record: self.record,
            exchange: self.exchange,
            pool: self.pool,
            lease: &self.lease,
            request: RequestSide::new(self.exchange, head, body_limit),
            response: ResponseSide::new(thread.buffers.output()),
        };
        let sent_at = clock::precise();
        self.connection.slot.arm_ticks(Wait::Place, PLACE);
        let result = poll_fn(|context| pump.poll(context, &mut upstream)).await;
        self.connection.slot.disarm_waits();
        let result = match result {
            Ok(Outcome::Done) => Ok(self.done(&pump, upstream)),
            Ok(Outcome::Stopped) => {
                self.record.ended(End::Cut);
                Ok(if pump.response.keep_alive { Next::KeepAlive } else { Next::Linger })
            }
            Ok(Outcome::Upgraded) => {
                Ok(upgrade::tunnel(self.connection, self.pool, upstream, self.record).await)
            }
            Err(Broken::ClosedBeforeResponse { unread })
                if self.exchange.is_repeatable()
                    && !upstream.answered
                    && self.may_repeat(unread, upstream.reused, sent_at).await =>
            {
                return None;
            }
            Err(broken) => {
                if matches!(broken, Broken::UpstreamTimeout) {
                    thread.app.timed_out(self.record.site.limits.request_timeout);
                }
                Err(broken.into_failure(pump.response.started(), body_limit))
            }
        };
        thread.buffers.give_back_output(pump.request.into_own());
        thread.buffers.give_back_output(pump.response.into_own());
        drop(self.lease);
        Some(result)
    }

    /// Whether nothing of the request can have been acted on. Either no process has read it: it crossed the end of
    /// a reused connection, or reached a worker that was dying. Or SIGKILL took the worker while the request was
    /// on its way: a thread that waits in read(2) still takes the bytes with it into its end.
    async fn may_repeat(&self, unread: bool, reused: bool, sent_at: Instant) -> bool {
        let since = clock::precise().duration_since(sent_at);
        if unread && reused && since <= CROSSED {
            return true;
        }
        (unread || since <= SWALLOWED)
            && self.is_dying().await
            && (unread || self.pool.worker.killed.load(Ordering::Acquire))
    }

    /// Whether the worker is withdrawn within moments: its sockets end before the supervisor can hear of it.
    async fn is_dying(&self) -> bool {
        let id = self.pool.worker.id;
        let withdrawn = until_withdrawn(self.connection, id, DYING).await;
        withdrawn.is_ok() && self.connection.thread.app.worker(id).is_none()
    }

    fn done(&self, pump: &Pump<'_>, upstream: Upstream) -> Next {
        self.record.ended(End::Done);
        // Bytes behind the answer would be taken for the next one (response-queue poisoning), and so would what an app that
        // answered early has not read.
        let read =
            || pump.request.sent() <= BULK as u64 || matches!(upstream.stream.out_queue(), None | Some(0));
        let whole = pump.request.progress == Progress::Sent && upstream.buffer.is_empty();
        if pump.response.reusable && whole && read() {
            self.pool.give_back(upstream, &self.connection.thread);
        }
        if pump.response.keep_alive && pump.request.progress == Progress::Sent {
            Next::KeepAlive
        } else if pump.request.progress != Progress::Sent && self.connection.thread.is_running() {
            Next::Drain
        } else {
            Next::Linger
        }
    }
}

struct Pump<'a> {
    record: &'a Record<'a>,
    exchange: &'a Exchange,
    pool: &'a Pool,
    lease: &'a Lease,
    request: RequestSide,
    response: ResponseSide,
}

impl Pump<'_> {
    fn poll(&mut self, context: &mut Context<'_>, upstream: &mut Upstream) -> Poll<Result<Outcome, Broken>> {
        let result = self.step(context, upstream);
        // Each time, so that the record is right also when nobody polls again.
        self.record.received(self.request.received());
        self.record.sent(self.response.sent());
        result
    }

    fn step(&mut self, context: &mut Context<'_>, upstream: &mut Upstream) -> Poll<Result<Outcome, Broken>> {
        let connection = self.record.connection;
        connection.slot.register(context);
        let ending = connection.thread.phase.get() == Phase::Ending;
        if ending && !self.response.may_stop() {
            return Poll::Ready(Err(Broken::Ending));
        }
        if connection.slot.expired(Wait::Total) {
            return Poll::Ready(Err(Broken::Overdue));
        }
        if connection.slot.expired(Wait::Place) {
            self.give_place_up(upstream);
        }
        self.request.awaits_go &= !self.response.spoke();
        if self.request.progress == Progress::Sending
            && let Poll::Ready(Err(broken)) = self.request.poll(context, self.record, &upstream.stream)
        {
            return Poll::Ready(Err(broken));
        }
        if self.request.progress != Progress::Sending && connection.poll_gone(context).is_ready() {
            return Poll::Ready(Err(Broken::ClientGone));
        }
        let sides = Sides {
            connection,
            exchange: self.exchange,
            request: self.request.progress,
            sent: self.request.sent(),
            record: self.record,
            lease: self.lease,
            stopping: ending || self.pool.ending.get(),
        };
        self.response.poll(context, sides, upstream)
    }

    /// To whoever waits for one by now, where it is the client that all depends on: what the app is at work on counts.
    fn give_place_up(&self, upstream: &mut Upstream) {
        let slot = &self.record.connection.slot;
        let slow_client = slot.is_armed(Wait::ClientRead) || slot.is_armed(Wait::ClientWrite);
        if slow_client && self.pool.is_crowded() {
            upstream.stops_counting();
        }
        // Who does not count needs no second look.
        if upstream.counts() {
            slot.arm_ticks(Wait::Place, PLACE);
        } else {
            slot.disarm(Wait::Place);
        }
    }
}
