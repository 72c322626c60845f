//! What of the ASP.NET Core Module's own functional tests holds here, entry by entry, and which trial proves it.
//!
//! The table is data: the suite `parity` sees that every entry has its trials and that they exist, and
//! `docs/ancm-parity.md` is written from it. `site` hosts the app that most of the trials ask.

mod front;
mod integration;
mod managed;
mod module;
mod page;
mod running;
pub mod site;
mod starting;

pub use page::page;
pub use site::{Hosting, SOON, Site};

/// How an entry stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As on IIS.
    Same,
    /// Not as on IIS, and why somebody who runs IIS would accept that.
    Different(&'static str),
    /// Nothing of it can be here, and why.
    NotApplicable(&'static str),
}

/// One test of Microsoft's, or several that ask for one thing.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its number, in the order of Microsoft's repositories.
    pub number: u16,
    /// The file of the test.
    pub source: &'static str,
    /// The name of the test.
    pub test: &'static str,
    /// What it asks for, in one sentence.
    pub behaviour: &'static str,
    /// How that stands here.
    pub verdict: Verdict,
    /// The trials that prove it, as `binary::trial`. Only what is not applicable may have none.
    pub proven_by: &'static [&'static str],
}

/// The tables, by where the tests come from.
const TABLES: &[&[Entry]] = &[
    starting::ENTRIES,
    running::ENTRIES,
    front::ENTRIES,
    integration::ENTRIES,
    module::ENTRIES,
    managed::ENTRIES,
];

/// Every entry, by number.
#[must_use]
pub fn entries() -> Vec<&'static Entry> {
    let mut all: Vec<&Entry> = TABLES.iter().flat_map(|table| table.iter()).collect();
    all.sort_by_key(|entry| entry.number);
    all
}
