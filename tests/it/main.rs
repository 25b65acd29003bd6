//! What the runtime promises, tested through its public API alone.
//!
//! One file per concern, and each test is named after the property it holds. Where time matters, the
//! virtual clock makes it exact.

mod support;
mod watch;

mod signals;
