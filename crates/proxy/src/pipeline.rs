//! The order of a request's walk; nothing else knows it.

use std::rc::Rc;
use std::time::Duration;

use http1::{Method, RequestHead, Version};

use crate::answer::{Answer, Reader};
use crate::clock::Wait;
use crate::connection::Connection;
use crate::exchange;
use crate::forward;
use crate::forward::failure::Failure;
use crate::record::{End, Record};

/// What becomes of the client's connection after an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It may carry another request.
    KeepAlive,
    /// It ends; the client may still be sending.
    Linger,
    /// It ends, and the client is in the middle of a body that was answered early.
    Drain,
    /// It ends at once.
    Close,
}

/// One request from its head to its last byte.
pub(crate) async fn reply(connection: &Rc<Connection>, head: &RequestHead, record: Record<'_>) -> Next {
    let mut exchange = match exchange::receive(&record, head) {
        Ok(exchange) => exchange,
        Err(answer) => {
            let to = To { method: head.method, reader: Reader::of(&record, head), keep_alive: false };
            return say(&record, &answer, to).await;
        }
    };
    let total = record.site.limits.total_timeout;
    if total != Duration::MAX {
        connection.slot.arm(Wait::Total, total);
    }
    let result = forward::forward(connection, &mut exchange, &record).await;
    connection.slot.disarm_waits();
    connection.slot.disarm(Wait::Total);
    let next = match result {
        Ok(next) => next,
        Err(Failure::ClientGone) => {
            record.ended(End::ClientGone);
            Next::Close
        }
        Err(Failure::Abort(end, sentence)) => {
            record.ended(end);
            record.says(sentence);
            connection.stream.reset_on_close();
            Next::Close
        }
        // Half of a record that began another answer is on its way; ours would come in the middle of it.
        Err(Failure::Answer(_)) if connection.stream.owes() => {
            record.ended(End::ClientGone);
            connection.stream.reset_on_close();
            Next::Close
        }
        Err(Failure::Answer(answer)) => {
            // A body that nobody read stands between us and the next request; HTTP/1.0 expects no more.
            let keep_alive =
                exchange.keep_alive && !exchange.has_body() && exchange.version == Version::Http11;
            let to = To { method: exchange.method, reader: exchange.reader, keep_alive };
            say(&record, &answer, to).await
        }
    };
    connection.thread.buffers.give_back_output(std::mem::take(&mut exchange.wire));
    next
}

/// To what request an answer of our own is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct To {
    pub(crate) method: Method,
    pub(crate) reader: Reader,
    pub(crate) keep_alive: bool,
}

/// Sends an answer of our own.
pub(crate) async fn say(record: &Record<'_>, answer: &Answer, to: To) -> Next {
    let connection = record.connection;
    record.answers(answer);
    let close = answer.closes || !to.keep_alive || !connection.thread.is_running();
    let bytes = answer.write(record, to.method, to.reader, close);
    let sent = connection.send(&bytes, record.site.limits.client_stall).await;
    if sent.is_ok() {
        record.moved(0, bytes.len() as u64);
    }
    connection.thread.buffers.give_back_output(bytes);
    match (sent, close) {
        (Err(_), _) => {
            record.ended(End::ClientGone);
            Next::Close
        }
        (Ok(()), close) => {
            record.ended(answer.end);
            match close {
                false => Next::KeepAlive,
                // What the framing of cannot be trusted, or is too much, is not read to its end.
                true if answer.closes || !connection.thread.is_running() => Next::Linger,
                true => Next::Drain,
            }
        }
    }
}
