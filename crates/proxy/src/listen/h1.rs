//! HTTP/1.1 (and 1.0) from clients: finds heads in bytes, one exchange after the other.
//!
//! The future of an idle connection is small: everything that a request needs lives in the exchange's own
//! future, which exists only while there is one, in memory taken from a per-thread list.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use config::Limits;
use http1::{HeadLimits, Method, Parsed, RequestHead};

use crate::answer::{Answer, Reader};
use crate::clock::Wait;
use crate::connection::{Connection, NoBytes};
use crate::pipeline::{self, Next, To};
use crate::record::{End, Record};

/// How much a head may grow between two looks at it although no line ended: keeps the work for a head that
/// trickles in linear.
const LOOK_AGAIN: usize = 1024;

/// Memory of finished exchanges, reused by the next ones of this thread.
#[derive(Debug)]
pub(crate) struct FreeList<F>(RefCell<Vec<Pin<Box<Option<F>>>>>);

impl<F: Future> FreeList<F> {
    /// For the futures that this function makes.
    pub(crate) fn of(_make: fn(Rc<Connection>) -> F) -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Puts the future in its place at once, so that whoever waits for it holds only a pointer.
    fn start(&self, future: F) -> Running<'_, F> {
        let mut place = self.0.borrow_mut().pop().unwrap_or_else(|| Box::pin(None));
        place.set(Some(future));
        Running { list: self, place: Some(place) }
    }
}

/// An exchange under way; its memory goes back to the list when it ends.
struct Running<'a, F> {
    list: &'a FreeList<F>,
    place: Option<Pin<Box<Option<F>>>>,
}

impl<F: Future> Future for Running<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let place = self.place.as_mut().expect("polled only until it is ready");
        let future = place.as_mut().as_pin_mut().expect("set at the start");
        let output = std::task::ready!(future.poll(context));
        if let Some(mut place) = self.place.take() {
            place.set(None);
            self.list.0.borrow_mut().push(place);
        }
        Poll::Ready(output)
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve<F: Future<Output = Next>>(
    connection: Rc<Connection>,
    exchanges: Rc<FreeList<F>>,
    exchange: fn(Rc<Connection>) -> F,
) {
    while connection.has_input() || connection.wait_for_request().await {
        if exchanges.start(exchange(Rc::clone(&connection))).await != Next::KeepAlive {
            break;
        }
    }
}

/// One exchange: from the first byte of its head to the last byte of its answer.
pub(crate) async fn exchange(connection: Rc<Connection>) -> Next {
    // One snapshot for the whole exchange, also when the site changes meanwhile.
    let site = connection.thread.site();
    let mut head = connection.thread.head();
    let began = Record::begin(&connection);
    let next = match read_head(&connection, &site.limits, &mut head).await {
        Ok(()) => {
            let record = Record::new(&connection, &site, began, Some(&head));
            pipeline::reply(&connection, &head, record).await
        }
        Err(NoHead::Gone) => Next::Close,
        Err(NoHead::Answer(answer)) => {
            let record = Record::new(&connection, &site, began, None);
            let to = To { method: Method::Get, reader: Reader::default(), keep_alive: false };
            pipeline::say(&record, &answer, to).await
        }
    };
    connection.thread.give_back_head(head);
    if matches!(next, Next::Linger | Next::Drain) {
        connection.linger(&site.limits, next == Next::Drain).await;
    }
    next
}

enum NoHead {
    Gone,
    Answer(Answer),
}

async fn read_head(connection: &Connection, limits: &Limits, head: &mut RequestHead) -> Result<(), NoHead> {
    if connection.is_clear_by_mistake() {
        let sentence =
            "this port speaks HTTPS, and the request came without TLS; write https:// in the address";
        return Err(NoHead::Answer(Answer::new(400, sentence)));
    }
    let bounds = HeadLimits {
        head_bytes: limits.head_bytes,
        lines: limits.head_lines,
        line_bytes: limits.request_line_bytes,
    };
    let mut looked = 0;
    loop {
        let parsed = http1::parse_request(connection.input.borrow().data(), &bounds, head);
        match parsed {
            Ok(Parsed::Complete) => break,
            Ok(Parsed::Partial) => {}
            Err(refusal) => return Err(NoHead::Answer(Answer::refused(&refusal))),
        }
        connection.slot.arm_once(Wait::ClientRead, limits.header_deadline);
        looked = connection.input.borrow().len().max(looked);
        more_of_head(connection, looked).await?;
    }
    connection.slot.disarm(Wait::ClientRead);
    Ok(())
}

/// Waits until the head is worth another look: a line has ended, or much has come without.
async fn more_of_head(connection: &Connection, looked: usize) -> Result<(), NoHead> {
    loop {
        match connection.fill().await {
            Ok(count) => {
                let input = connection.input.borrow();
                let new = input.part(input.len() - count..input.len());
                if memchr::memchr(b'\n', new).is_some() || input.len() >= looked + LOOK_AGAIN {
                    return Ok(());
                }
            }
            Err(NoBytes::Gone) => return Err(NoHead::Gone),
            Err(NoBytes::Deadline) => {
                let late = Answer::new(408, "the request's head did not arrive in time");
                return Err(NoHead::Answer(late.ending(End::Timeout)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned<A, B, C, R>(_: impl FnOnce(A, B, C) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn an_idle_connection_is_small() {
        fn idle<F: Future<Output = Next>>(_: fn(Rc<Connection>) -> F) -> usize {
            returned(serve::<F>) + size_of::<Connection>()
        }
        let size = idle(exchange);
        assert!(size <= 600, "{size} bytes");
    }
}
