//! Keeps the processes of an app: starts, proves, watches, drains and stops them.
//!
//! The proxy sees an app only through its published [`Face`], through [`Lease`]s, and through the messages
//! of [`ToSupervisor`] and [`ToProxy`]; nothing else crosses that wall, so that both sides may one day live
//! in two processes. No HTTP and no listeners of ours in here.

mod face;
mod gate;
mod messages;
pub mod process;

pub use face::{Address, Face, ServingWorker, WorkerId};
pub use gate::{Gate, Lease};
pub use messages::{AppEvent, Level, StartReport, Suspicion, ToProxy, ToSupervisor};
