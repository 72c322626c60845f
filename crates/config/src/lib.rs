//! Text to Plan: what the operator asked for, typed, checked and immutable, with every mistake reported.
//!
//! No async, no sockets, no processes. The disk is seen only through [`Files`], the environment only as a
//! list of values, so that every case is a small file. [`load`] is the door: `serve`, `check` and a later
//! reload use this one function.

mod diagnostic;
mod plan;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use plan::{
    AppPlan, Binding, EnvironmentEntry, Handler, LimitInfo, Limits, Origin, Plan, PortChoice, Program, StdoutLog,
};
