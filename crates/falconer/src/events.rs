//! The ids of the server's own event lines: 2100 and up, beside those of the apps in [`supervisor::EventId`].
//! `docs/errors.md` is written from this table; whoever tells the operator something takes the id from here.

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $level:ident, $remedy:literal;)+) => {
        $($(#[doc = $doc])+ pub(crate) const $name: u16 = $number;)+

        /// Number, usual level, meaning and what to do, for the docs.
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
    /// The configuration was read again, since it changed or SIGHUP asked for it, and holds from here on.
    RELOADED = 2103, Information, "Nothing, but where it says so: a warning that is new, or what needs a restart.";
    /// What was understood of configuration and flags; with `--log-format json` only, as text it is a table.
    PLAN = 2104, Information, "Nothing.";
    /// What was counted since the start: on SIGUSR1, and at the end.
    COUNTED = 2105, Information, "Nothing.";
    /// The access log cannot be written, or its reader is too slow; requests go on, lines are dropped and counted.
    ACCESS_LOG_FAILS = 2106, Warning, "Make room on the disk, or read the pipe.";
    /// The access log is written again.
    ACCESS_LOG_RECOVERS = 2107, Information, "Nothing; a line in the log says how many are missing.";
    /// The configuration was read again and is not accepted; what held before goes on to hold, and the app serves.
    NOT_RELOADED = 2108, Error, "Mend what the message names, or run `falconer check`; the next change is read again.";
    /// The file for an app's event lines (`debugFile`) cannot be written; the app runs on.
    EVENT_LOG_FAILS = 2110, Warning, "See the reason in the line: the path, its permissions, or what stands there.";
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
