//! The harness of the end-to-end tests: starts the built binary over a publish folder, speaks to it byte by byte,
//! and reads what the backend saw.
//!
//! Nothing here knows the product's crates but the words of `contract`: the tests stand where users stand, at the
//! door of the binary. Everything has a deadline, and everything that a test starts ends with it.

pub mod browser;
pub mod client;
pub mod clock;
pub mod find;
pub mod folder;
pub mod load;
pub mod named;
pub mod outcome;
pub mod parity;
pub mod port;
pub mod process;
pub mod puppet;
pub mod record;
pub mod response;
pub mod server;
pub mod suite;
pub mod temp;
pub mod thief;
pub mod trials;

pub use client::{Client, Ending};
pub use clock::{now, pause, wait_for};
pub use folder::{Folder, Puppet};
pub use load::Load;
pub use outcome::{Context, Failure, Outcome};
pub use record::{Body, Record, Request};
pub use response::{End, Response};
pub use server::{Options, Server, serve};
pub use suite::{Check, Need, Suite};
