//! When a peer that does not take what we write has stalled, and when it is only slow.
//!
//! A blocked write goes on when a third of the socket's buffer is free, which is more than a megabyte where the buffer has
//! grown: at ten kilobytes a second that takes longer than any deadline, while the peer reads all the time. So a
//! deadline that is over asks the kernel first.

use std::time::Duration;

use crate::clock::{Slot, Wait};
use crate::io::Stream;

/// Bytes per second below which a client has stalled (IIS: minBytesPerSecond).
pub(crate) const CLIENT_RATE: u64 = 240;

/// One direction's writes.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    /// Bytes that were written, and those of them that the peer's system had not taken, when the deadline was set.
    written: u64,
    queued: Option<u64>,
}

impl Stall {
    /// Called when a write has to wait, with all that was `written` so far: whether the peer has taken nothing for `span`,
    /// or less than `rate` bytes a second of it. Arms the deadline in the slot; whoever writes on disarms it.
    pub(crate) fn is_over(&mut self, waiting: Waiting<'_>, written: u64, span: Duration, rate: u64) -> bool {
        let Waiting { slot, wait, stream } = waiting;
        if slot.is_armed(wait) && self.written == written {
            if !slot.expired(wait) {
                return false;
            }
            let queued = stream.out_queue();
            let least = rate.saturating_mul(span.as_secs()).max(1);
            let took = |(before, now): (u64, u64)| before.saturating_sub(now) >= least;
            if !self.queued.zip(queued).is_some_and(took) {
                return true;
            }
        }
        *self = Self { written, queued: stream.out_queue() };
        slot.arm(wait, span);
        false
    }
}

/// Who waits for room, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) wait: Wait,
    pub(crate) stream: &'a Stream,
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{IoSlice, Read as _};
    use std::net::TcpListener;
    use std::rc::Rc;
    use std::task::Poll;

    use super::*;
    use crate::clock::{Clock, TICK};

    const SPAN: Duration = TICK;

    /// A writer whose reader has not read yet, and the reader.
    async fn pair() -> (Stream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let writer = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Stream::tcp(writer), listener.accept().unwrap().0)
    }

    /// Writes until the kernel takes no more.
    async fn fill(stream: &Stream) -> u64 {
        let block = [0; 64 * 1024];
        let mut written = 0;
        poll_fn(|context| {
            while let Poll::Ready(count) = stream.poll_write(context, &[IoSlice::new(&block)]) {
                written += count.unwrap() as u64;
            }
            Poll::Ready(())
        })
        .await;
        written
    }

    /// Reads until the writer's system has noticed.
    fn read_some(stream: &Stream, reader: &mut std::net::TcpStream) {
        let before = stream.out_queue().unwrap();
        let mut block = [0; 16 * 1024];
        while stream.out_queue().unwrap() == before {
            assert!(reader.read(&mut block).unwrap() > 0);
        }
    }

    /// A write that the kernel has no room for any more.
    struct Blocked {
        stream: Stream,
        reader: std::net::TcpStream,
        written: u64,
        clock: Rc<Clock>,
        slot: Rc<Slot>,
    }

    impl Blocked {
        async fn new() -> Self {
            let (stream, reader) = pair().await;
            let (written, clock) = (fill(&stream).await, Rc::new(Clock::default()));
            let slot = clock.slot();
            Self { stream, reader, written, clock, slot }
        }

        fn waiting(&self) -> Waiting<'_> {
            Waiting { slot: &self.slot, wait: Wait::ClientWrite, stream: &self.stream }
        }
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn who_reads_slowly_has_not_stalled() {
        run(async {
            let mut blocked = Blocked::new().await;
            let mut stall = Stall::default();
            assert!(!stall.is_over(blocked.waiting(), blocked.written, SPAN, 0), "it has just begun");
            for _ in 0..3 {
                read_some(&blocked.stream, &mut blocked.reader);
                blocked.clock.tick();
                blocked.clock.tick();
                assert!(blocked.slot.expired(Wait::ClientWrite));
                assert!(!stall.is_over(blocked.waiting(), blocked.written, SPAN, 0), "something was read");
                assert!(!blocked.slot.expired(Wait::ClientWrite), "and the time begins again");
            }
            // What is still on its way within the kernel counts as read; it has an end.
            let mut over = false;
            for _ in 0..200 {
                blocked.clock.tick();
                assert!(!stall.is_over(blocked.waiting(), blocked.written, SPAN, 0), "never early");
                blocked.clock.tick();
                over = stall.is_over(blocked.waiting(), blocked.written, SPAN, 0);
                if over {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(over, "nothing was read");
        });
    }

    #[test]
    fn what_was_written_meanwhile_counts_and_too_little_does_not() {
        run(async {
            let mut blocked = Blocked::new().await;
            let span = Duration::from_secs(1);
            let mut stall = Stall::default();
            assert!(!stall.is_over(blocked.waiting(), blocked.written, span, 0));
            let second = || (0..5).for_each(|_| blocked.clock.tick());
            second();
            assert!(
                !stall.is_over(blocked.waiting(), blocked.written + 1, span, 0),
                "one more byte could be written"
            );
            assert!(!blocked.slot.expired(Wait::ClientWrite));
            read_some(&blocked.stream, &mut blocked.reader);
            second();
            assert!(stall.is_over(blocked.waiting(), blocked.written + 1, span, u64::MAX), "not so much");
        });
    }
}
