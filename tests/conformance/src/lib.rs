//! A conformance suite for any single-threaded runtime.
//!
//! A runtime must have little: run a future, and spawn one. Beside that it may have sleeping
//! and sockets. [`Runtime`] is the adapter to write, `README.md` shows how, and [`main`] does the rest:
//! it runs every check in a process of its own, so that one that hangs or aborts spoils no other.

mod adapter;
mod checks;
mod suite;

#[cfg(feature = "compare")]
pub mod runtimes;

pub use adapter::{Boxed, Duplex, Listener, Part, Runtime, Stream};
pub use suite::{Outcome, Suite, main, run_one};
