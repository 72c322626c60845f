//! What leaves the server for those who watch it, beside its event lines.

pub(crate) mod access_log;
pub(crate) mod event_log;
