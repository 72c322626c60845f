//! How forwarding can fail, and what the client is told.

use std::borrow::Cow;

use crate::answer::Answer;
use crate::connection::NoBytes;
use crate::record::End;

/// What ends an exchange before its answer is whole.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is there to be told.
    ClientGone,
    /// The answer has begun: the connection is reset, so that it cannot be taken for whole. With the reason.
    Abort(End, Cow<'static, str>),
    /// Nothing of an answer was sent: ours is.
    Answer(Answer),
}

/// Why the two sides could not be brought together; becomes a [`Failure`] once it is known whether the answer
/// has begun.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The client closed or reset its connection.
    ClientGone,
    /// The client took or sent nothing for too long.
    ClientStalled,
    /// The client's chunked framing is broken.
    BadChunk(&'static str),
    /// The request body grew beyond its limit.
    BodyTooLarge,
    /// The worker closed or reset the connection before anything of a response came. `unread` when its system
    /// says so: it answers bytes that no process has read, or that come after the end, with a reset.
    ClosedBeforeResponse { unread: bool },
    /// The worker closed or reset it within the response.
    ClosedWithinResponse,
    /// The worker said and took nothing for requestTimeout.
    UpstreamTimeout,
    /// What the worker sent is not a response.
    BadResponse(&'static str),
    /// The exchange took longer than it may as a whole.
    Overdue,
    /// The server ends.
    Ending,
}

impl From<NoBytes> for Failure {
    /// Of a wait before anything was sent to the client.
    fn from(why: NoBytes) -> Self {
        match why {
            NoBytes::Gone => Self::ClientGone,
            NoBytes::Deadline => Self::Answer(Answer::overdue()),
        }
    }
}

impl Broken {
    pub(crate) fn into_failure(self, started: bool, body_limit: u64) -> Failure {
        if matches!(self, Self::ClientGone) {
            return Failure::ClientGone;
        }
        let late = self.late(started);
        let answer = self.answer(body_limit);
        if started {
            Failure::Abort(answer.end, late.map_or(answer.sentence, Cow::Borrowed))
        } else {
            Failure::Answer(answer)
        }
    }

    /// What is to be said where the answer has begun, if that is something else.
    fn late(&self, started: bool) -> Option<&'static str> {
        match self {
            _ if !started => None,
            Self::ClientStalled => Some("the client took and sent nothing for too long (connectionTimeout)"),
            Self::ClosedBeforeResponse { .. } | Self::ClosedWithinResponse => {
                Some("the app closed the connection within its answer")
            }
            Self::UpstreamTimeout => Some("the app sent nothing more for too long (requestTimeout)"),
            Self::ClientGone
            | Self::BadChunk(_)
            | Self::BodyTooLarge
            | Self::BadResponse(_)
            | Self::Overdue
            | Self::Ending => None,
        }
    }

    fn answer(self, body_limit: u64) -> Answer {
        match self {
            Self::ClientStalled => {
                Answer::new(408, "the request body did not arrive in time").ending(End::Timeout)
            }
            Self::BadChunk(reason) => Answer::new(400, reason),
            Self::BodyTooLarge => Answer::body_too_large(body_limit),
            Self::ClosedBeforeResponse { .. } | Self::ClosedWithinResponse => {
                Answer::bad_gateway("the app closed the connection without an answer")
            }
            Self::UpstreamTimeout => {
                Answer::bad_gateway("the app did not answer in time (requestTimeout)").ending(End::Timeout)
            }
            Self::BadResponse(reason) => Answer::bad_gateway(reason),
            Self::Overdue => Answer::overdue(),
            // Who is gone is told nothing.
            Self::Ending | Self::ClientGone => Answer::stopping(),
        }
    }
}
