//! The ground: what the heart stands on. Open a file when its name makes you curious.
//!
//! ```text
//!     event.rs      the events that an observer sees
//!     observers.rs  who is told of them, and whether anybody is
//!     packed.rs     a packed event, and the pen that writes it
//!     reading.rs    the reading of the clock that an event has as its time
//!     metrics.rs    what a runtime holds and has done, in numbers
//!     failure.rs    why a task has no output
//!     foreign.rs    what other people's code may do, and a panic of it that is nobody's
//!     sync.rs       the concurrent primitives, which the loom models swap for their own
//!     queue.rs      a queue between threads, from which one takes
//!     registry.rs   which runtimes live, by their numbers
//!     place.rs      a line of a source, in whatever language
//!     annex.rs      what layers above the heart keep with a loop
//!     shown.rs      a stranger's name, as a terminal may be sent it
//!     span.rs       a duration, as a person reads it
//!     platform.rs   a sentence for each system that cannot run the loop
//!     wishes.rs     what the environment asks of a program's own loops
//!     pool.rs       threads for work that blocks
//!     signals.rs    the handler of POSIX signals, and what else a process calls back at
//! ```

// First, so that its sentence is the first error.
mod platform;

pub(crate) mod annex;
pub(crate) mod foreign;
pub(crate) mod place;
pub(crate) mod shown;
pub(crate) mod signals;
pub(crate) mod span;
pub(crate) mod sync;
pub(crate) mod wishes;

pub mod event;
pub(crate) mod failure;
pub(crate) mod metrics;
pub(crate) mod pool;
pub(crate) mod queue;
pub(crate) mod registry;

pub(crate) mod packed;
pub(crate) mod reading;

pub(crate) mod observers;
