//! Event streams (`text/event-stream`, HTML §9.2): where an event ends.
//!
//! An event stream has no end of its own, so its worker could never be replaced in peace. It is the one kind of
//! answer that we end early and as whole: between two events nothing is lost, and an EventSource connects again by
//! itself, with the id of the last event that it got. It is taken for one only if it was asked for as EventSource asks:
//! with GET, and `text/event-stream` accepted. What is compressed is not looked into.

/// How far a stream of events has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Events {
    /// Nothing of the current line has come.
    line_is_empty: bool,
    after_return: bool,
    between: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { line_is_empty: true, after_return: false, between: true }
    }
}

impl Events {
    /// Whether nothing of an event has come that is not whole.
    pub(crate) fn are_whole(self) -> bool {
        self.between
    }

    /// All of this goes on. Two line ends are at most four bytes, and what stands before them changes nothing.
    pub(crate) fn pass(&mut self, data: &[u8]) {
        data[data.len().saturating_sub(4)..].iter().for_each(|&byte| self.byte(byte));
    }

    /// How much of this is to go on until events are whole; all of it when they never are.
    pub(crate) fn rest(&mut self, data: &[u8]) -> usize {
        for (at, &byte) in data.iter().enumerate() {
            self.byte(byte);
            if self.between && !(self.after_return && data.get(at + 1) == Some(&b'\n')) {
                return at + 1;
            }
        }
        data.len()
    }

    /// A line ends with LF, CR or both; an empty one ends an event.
    fn byte(&mut self, byte: u8) {
        match byte {
            b'\n' if self.after_return => self.after_return = false,
            b'\r' | b'\n' => {
                self.between = self.line_is_empty;
                self.line_is_empty = true;
                self.after_return = byte == b'\r';
            }
            _ => *self = Self { line_is_empty: false, after_return: false, between: false },
        }
    }
}

/// Whether this is the media type of event streams.
pub(crate) fn is_event_stream(content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    content_type[..end].trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_end_with_an_empty_line() {
        for (text, whole) in [
            ("", true),
            ("data: 1\n\n", true),
            ("data: 1\r\n\r\n", true),
            ("data: 1\r\r", true),
            ("data: 1\n\r\n", true),
            ("data: 1\r\n\n", true),
            ("data: 1\n\r", true),
            ("\n", true),
            ("\r\n", true),
            ("data: 1\n", false),
            ("data: 1\r\n", false),
            ("data: 1\r", false),
            ("data: 1\n\ndata: 2", false),
            ("data: 1\n\nd", false),
            (": comment\n", false),
            (": comment\n\n", true),
            ("data: 1\n \n", false),
        ] {
            let mut events = Events::default();
            events.pass(text.as_bytes());
            assert_eq!(events.are_whole(), whole, "{text:?}");
        }
    }

    #[test]
    fn the_rest_of_an_event_goes_as_far_as_its_empty_line() {
        for (before, data, rest) in [
            ("data: 1", "\n\ndata: 2\n\n", "\n\n"),
            ("data: 1\n", "\ndata: 2\n\n", "\n"),
            ("data: 1\r", "\n\r\ndata: 2", "\n\r\n"),
            ("data: 1\r\n\r\nda", "ta: 2\r\n\r\ndata: 3", "ta: 2\r\n\r\n"),
            ("data: 1\r", "\rdata: 2", "\r"),
            ("data: 1", "2\nid: 7\n", "2\nid: 7\n"),
        ] {
            let mut events = Events::default();
            events.pass(before.as_bytes());
            assert_eq!(events.rest(data.as_bytes()), rest.len(), "{before:?} {data:?}");
        }
    }

    proptest! {
        /// Looking at the last four bytes of each piece comes to the same as looking at all.
        #[test]
        fn the_last_bytes_are_enough(pieces in proptest::collection::vec("[ax\r\n]{0,9}", 0..8)) {
            let (mut quick, mut slow) = (Events::default(), Events::default());
            for piece in pieces {
                quick.pass(piece.as_bytes());
                piece.bytes().for_each(|byte| slow.byte(byte));
                prop_assert_eq!(quick.are_whole(), slow.are_whole());
            }
        }
    }

    #[test]
    fn one_media_type_in_any_case() {
        for text in [
            "text/event-stream",
            "Text/Event-Stream",
            "text/event-stream; charset=utf-8",
            "text/event-stream ;x",
        ] {
            assert!(is_event_stream(text.as_bytes()), "{text}");
        }
        for text in ["", "text/event-streams", "text/plain", "x; text/event-stream"] {
            assert!(!is_event_stream(text.as_bytes()), "{text}");
        }
    }
}
