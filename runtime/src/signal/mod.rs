//! POSIX signals, as something a task can wait for.
//!
//! A signal handler may do next to nothing. So ours counts the signal and rings: it writes one byte into the pipe of
//! every runtime that listens (see `ground/signals.rs`). All the rest happens in tasks. The pipe's other end is a
//! source of the reactor like any socket, and those who wait look at the count.
//!
//! ```text
//!     any thread, at any moment            the loop of each runtime that listens
//!     -------------------------            --------------------------------------
//!     1  the count of this signal += 1     a  the pipe is readable: wake the listeners
//!     2  a byte into each pipe             b  empty the pipe, then compare the count
//! ```
//!
//! The count is raised before the byte is written, and compared after the pipe was emptied. So either the listener
//! sees the new count, or the byte is still to come and wakes it again. A pipe that is full needs no further byte,
//! since nobody waits for it before having emptied it.
//!
//! Sources: signal-safety(7), sigaction(2).

mod kind;
mod pipe;
mod listen;
mod stop;

pub use kind::SignalKind;
pub use listen::{Signal, ctrl_c, signal};
pub use stop::stop_requested;
