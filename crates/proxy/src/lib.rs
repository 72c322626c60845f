//! The data plane: sockets of clients on one side, connections to workers on the other, and every request's
//! walk between them.
//!
//! One thread per core, each with its own accept, its own pool and its own buffers: no lock and no
//! cross-thread wake on the request path. Knows no processes, no configuration text and no command line; sees
//! apps through [`supervisor::AppHandle`] alone.

mod answer;
mod buffer;
mod clock;
mod connection;
mod exchange;
mod forward;
mod io;
mod listen;
mod pages;
mod pipeline;
mod record;
mod route;
mod runtime;
mod thread;

pub use listen::accept::{BindError, Bound, bind};
pub use record::Totals;
pub use runtime::{Proxy, Site, Wires, start};
