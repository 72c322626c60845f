//! Room supervisor.
