//! The only code that reads or writes HTTP/1.1 bytes, towards clients and towards apps: bytes to heads and
//! bodies, and back.
//!
//! Pure: no sockets, no async, no configuration, no knowledge of apps. Reading is strict (what is ambiguous is
//! refused, never repaired), writing is canonical, and no received byte of a head or of chunk framing is meant
//! to be passed on. Nothing here allocates once the caller's buffers have grown. The proxy is the only caller.

#![forbid(unsafe_code)]

mod bytes;
mod chunked;
mod connection;
mod fault;
mod fields;
mod framing;
mod known;
mod limits;
mod path;
mod request;
mod response;
mod target;
mod websocket;
mod write;

pub use chunked::{BadChunk, ChunkStep, ChunkedDecoder};
pub use fault::{BadResponse, HeadFault, HostFault, Refusal};
pub use fields::{Field, Span};
pub use framing::{Body, Version};
pub use known::Known;
pub use limits::{HeadLimits, Parsed};
pub use path::{PathScratch, Resolved, base_match, resolve};
pub use request::{Method, RequestHead, parse_request};
pub use response::{ResponseHead, SentRequest, parse_response};
pub use target::TargetForm;
pub use websocket::{FrameTracker, write_close};
pub use write::{
    CHUNK_END, LAST_CHUNK, end_head, reason_phrase, write_chunk_head, write_field, write_number_field,
    write_request_line, write_request_start, write_status_line,
};
