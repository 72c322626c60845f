//! Where clients come in: one file per protocol, each turns bytes into exchanges.

pub(crate) mod accept;
pub(crate) mod h1;
pub(crate) mod tls;
