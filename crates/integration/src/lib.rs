//! Pairs an HTTP server written in Rust with Falconer, as `Microsoft.AspNetCore.Server.IISIntegration` pairs Kestrel.
//!
//! Lives here: what such a program must know of its server, as a [tower] layer over `http` types. Nothing of the
//! server itself: this room lives inside other people's programs, and brings as little as it can.
//!
//! ```no_run
//! use axum::{Extension, Router, routing::get};
//! use integration::{Facts, Hosted};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> std::io::Result<()> {
//!     let hosted = Hosted::from_env()?;
//!     let hello = |Extension(facts): Extension<Facts>| async move { format!("Hello, {:?}", facts.client) };
//!     let app = Router::new().route("/", get(hello)).layer(hosted.layer());
//!     let stop = hosted.told_to_stop()?;
//!     axum::serve(hosted.listen().await?, app).with_graceful_shutdown(stop).await
//! }
//! ```
//!
//! Started by Falconer, this program listens on the port that it was given, serves nobody but its server, sees each
//! client as the server saw it, and stops gracefully when it is told to. Started by hand, it listens on port 3000 and
//! serves whoever comes.
//!
//! [tower]: https://docs.rs/tower-service

mod facts;
mod hosted;
mod layer;

pub use facts::{Facts, Scheme};
pub use hosted::Hosted;
pub use layer::{Answering, Paired, PairingLayer};
