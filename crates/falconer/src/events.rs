//! The ids of the server's own event lines: 2100 and up, beside those of the apps in [`supervisor::EventId`].
//! `docs/errors.md` is written from this table; whoever tells the operator something takes the id from here.

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $level:ident, $remedy:literal;)+) => {
        $($(#[doc = $doc])+ pub(crate) const $name: u16 = $number;)+

        /// Number, usual level, meaning and what to do, for the docs.
        #[cfg_attr(not(test), expect(dead_code, reason = "the docs are not written from it yet"))]
        pub(crate) const TABLE: &[(u16, supervisor::Level, &str, &str)] =
            &[$(($number, supervisor::Level::$level, concat!($($doc, " "),+), $remedy),)+];
    };
}

events! {
    /// The server listens.
    LISTENING = 2100, Information, "Nothing.";
    /// The server was told to stop.
    STOPPING = 2101, Information, "Nothing; a second signal stops at once.";
    /// The server has stopped; a warning when requests were cut.
    STOPPED = 2102, Information, "Where requests were cut: raise `--drain-timeout`.";
    /// SIGHUP came, and there is no reload yet.
    NO_RELOAD = 2103, Warning, "Restart the server.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ours_and_unique() {
        let ids: Vec<u16> = TABLE.iter().map(|(id, ..)| *id).collect();
        assert!(ids.is_sorted_by(|left, right| left < right), "{ids:?}");
        assert!(ids.iter().all(|id| *id >= 2100), "{ids:?}");
        for theirs in supervisor::EventId::TABLE {
            assert!(!ids.contains(&theirs.0.number()), "{:?}", theirs.0);
        }
    }
}
