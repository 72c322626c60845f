//! The puppet: a raw HTTP/1.1 backend that does what variables (at its start) and request heads (later) order.
//!
//! It must stay free of any HTTP library, because its whole point is to receive and send bytes that no library
//! would let through. Falconer starts it as it starts any app. Variables:
//!
//! * `PUPPET_RECORD` the file that it appends what it sees to;
//! * `PUPPET_START_DELAY` milliseconds before it listens;
//! * `PUPPET_LISTEN` `v4` (default), `v6`, `any`, `any6`, `both`, `wrong` (another port), `none`;
//! * `PUPPET_EXIT` ends with that code instead of listening; `PUPPET_CRASH` aborts;
//! * `PUPPET_FORK` `setsid`: the listener is a grandchild in a session of its own, whose parents are gone;
//!   `child`: a child listens while this process waits for it;
//! * `PUPPET_PRINT` what it prints at its start, see [`mod@print`];
//! * `PUPPET_FIXED` the one answer to everything (in hex), unrecorded;
//! * `PUPPET_IDLE` milliseconds after which it closes an idle connection.

mod answer;
mod connection;
pub mod hex;
mod log;
pub mod print;
mod script;
mod start;

pub use start::run;
