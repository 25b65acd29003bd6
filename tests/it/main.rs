//! The runtime's promises, tested through its public API alone.
//!
//! One file per concern, and each test is named after the property it holds. If time matters, the
//! virtual clock makes it exact.

#![allow(clippy::async_yields_async, reason = "a handle often leaves block_on, to be joined or dropped elsewhere")]

mod kit;

mod heart;
mod time;
mod net;
mod task;
mod see;
mod process;
