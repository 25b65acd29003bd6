//! Seeing: what reads the event stream, and what reads the stores.
//!
//! The readers of the stream know nothing else of the runtime, which is why they stand below it: the
//! builder attaches those that the environment asks for. [`dump`] asks the stores.

pub(crate) mod diagnosis;
mod dump;
pub(crate) mod log;

pub use dump::{Dump, TaskRow, TaskState, Wait, dump};
