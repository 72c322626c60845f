//! How forwarding can fail, and what the client is told.

use crate::answer::Answer;
use crate::record::End;

/// What ends an exchange before its answer is whole.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is there to be told.
    ClientGone,
    /// The answer has begun: the connection is reset, so that it cannot be taken for whole.
    Abort(End),
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
    /// The server ends.
    Ending,
}

impl Broken {
    pub(crate) fn into_failure(self, started: bool, body_limit: u64) -> Failure {
        let answer = match self {
            Self::ClientGone => return Failure::ClientGone,
            broken if started => return Failure::Abort(broken.end()),
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
            Self::Ending => Answer::stopping(),
        };
        Failure::Answer(answer)
    }

    fn end(&self) -> End {
        match self {
            Self::ClientGone => End::ClientGone,
            Self::ClientStalled | Self::UpstreamTimeout => End::Timeout,
            Self::BadChunk(_) | Self::BodyTooLarge => End::Refused,
            Self::ClosedBeforeResponse { .. } | Self::ClosedWithinResponse | Self::BadResponse(_) => {
                End::UpstreamError
            }
            Self::Ending => End::Cut,
        }
    }
}
