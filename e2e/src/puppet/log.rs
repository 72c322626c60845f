//! The record: whole lines, appended at once, so that lines of several processes never mix.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

use crate::find::variable;

/// Appends one line; tests read it through `record.rs`.
pub(super) fn note(connection: u32, kind: &str, data: &str) {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = variable("PUPPET_RECORD")?;
        OpenOptions::new().append(true).create(true).open(path).ok()
    });
    if let Some(mut file) = file.as_ref() {
        let line = format!("{} {connection} {kind} {data}\n", std::process::id());
        // A test that needs the record fails when it is not there.
        let _ = file.write_all(line.as_bytes());
    }
}
