//! The words that a server and its backends agree on: names of variables and headers, the pairing token,
//! and how a client's address is written.
//!
//! Nothing here reads the environment, a socket or the clock. Every other room may depend on this one; it
//! depends on none.

mod client;
mod env;
mod headers;
mod token;

pub use client::write_forwarded_for;
pub use env::*;
pub use headers::{
    CLIENT_CERTIFICATE, EVENT, FORWARDED_FOR, FORWARDED_PROTO, PAIRING_TOKEN, REQUEST_ID, is_hop_by_hop,
    is_reserved,
};
pub use token::{NoRandomness, PairingToken};
