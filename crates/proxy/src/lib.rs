//! The data plane: sockets of clients on one side, connections to workers on the other, and every request's
//! walk between them.
//!
//! One thread per core, each with its own accept, its own pool and its own buffers: no lock and no
//! cross-thread wake on the request path. Knows no processes, no configuration text and no command line; sees
//! apps through [`supervisor::AppHandle`] alone.

mod access_log;
mod answer;
mod buffer;
mod client;
mod clock;
mod connection;
mod counters;
mod exchange;
mod forward;
mod io;
mod json;
mod listen;
mod pages;
mod pipeline;
mod raw;
mod record;
mod route;
mod runtime;
mod session;
mod stall;
mod thread;
mod tls;

pub use access_log::{AccessLog, Handover};
pub use counters::Totals;
pub use json::write_json_text;
pub use listen::accept::{BindError, Bound, Endpoint, bind};
pub use runtime::{Proxy, Site, Wires, start};
pub use tls::Tls;
