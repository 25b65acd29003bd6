//! Libraries of others, unmodified, on oneloop: each file is one library, or one family of them.
//!
//! They talk over loopback or in memory, and every test is watched: one that hangs ends the process.

mod support;

mod http1;
mod http2;
mod timers;
mod io;
mod axum;
mod websocket;
mod tls;
mod concurrency;
mod channels;
mod tokio_sync;
mod futures_util;
mod tree;
