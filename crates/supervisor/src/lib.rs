//! Keeps the processes of an app: starts, proves, watches, drains and stops them.
//!
//! The proxy sees an app only through its published [`Face`], through [`Lease`]s, and through the messages
//! of [`ToSupervisor`] and [`ToProxy`]; nothing else crosses that wall, so that both sides may one day live
//! in two processes. No HTTP and no listeners of ours in here.

mod app;
mod event;
mod face;
mod failures;
mod gate;
mod lease;
mod messages;
pub mod process;
mod report;
mod runner;
mod worker;

pub use app::{
    ATTEMPTS_MOST, App, DRAIN_LIMIT, GATE_GRACE, KILL_LIMIT, LAUNCH_GRACE, LAUNCH_WINDOW, LAUNCHES_MOST,
    PAUSE_AFTER_FAILURE,
};
pub use event::{Effect, Event, Evidence, WorkerEvent};
pub use face::{Address, Face, ServingWorker, WorkerId};
pub use gate::{Gate, Lease};
pub use lease::{AppHandle, NoLease};
pub use messages::{AppEvent, Level, StartReport, Suspicion, ToProxy, ToSupervisor};
pub use process::keep;
pub use report::{EventId, OUTPUT_MOST, Settings};
pub use runner::{AppControl, AppSetup, start_app};
pub use worker::{Means, State, Worker};
