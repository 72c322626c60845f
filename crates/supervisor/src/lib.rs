//! Keeps the processes of an app: starts, proves, watches, drains and stops them.
//!
//! The proxy sees an app only through its published [`Face`], through [`Lease`]s, and through the messages
//! of [`ToSupervisor`] and [`ToProxy`]; nothing else crosses that wall, so that both sides may one day live
//! in two processes. No HTTP and no listeners of ours in here.
//!
//! The model checker (`--cfg loom`) is given the gate alone: Tokio has no sockets there.

#[cfg(not(loom))]
mod app;
#[cfg(not(loom))]
mod event;
#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
mod failures;
mod gate;
#[cfg(not(loom))]
mod lease;
mod messages;
#[cfg(not(loom))]
pub mod process;
#[cfg(not(loom))]
mod report;
#[cfg(not(loom))]
mod runner;
#[cfg(not(loom))]
mod triggers;
#[cfg(not(loom))]
mod worker;

#[cfg(not(loom))]
pub use app::{
    ATTEMPTS_MOST, App, CROWDED_DRAIN, DOUBTED, GATE_GRACE, KILL_LIMIT, LATE_LINES, LAUNCH_GRACE, PAUSES,
    RAPID_FAILS_WINDOW, RETRY_RECYCLE, STEADY,
};
#[cfg(not(loom))]
pub use event::{Effect, Event, Evidence, RecycleCause, WorkerEvent};
#[cfg(not(loom))]
pub use face::{Address, Face, ServingWorker};
pub use gate::{Gate, Lease};
#[cfg(not(loom))]
pub use lease::{AppHandle, NoLease};
pub use messages::{AppEvent, Level, StartReport, Suspicion, ToProxy, ToSupervisor, WorkerId};
#[cfg(not(loom))]
pub use process::keep;
#[cfg(not(loom))]
pub use report::{EventId, OUTPUT_MOST, Settings};
#[cfg(not(loom))]
pub use runner::{AppControl, AppSetup, Change, start_app};
#[cfg(not(loom))]
pub use worker::{Means, State, Worker};
