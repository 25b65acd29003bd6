//! Seeing: readers of the event stream.
//!
//! They know the stream and nothing else of the runtime, which is why they stand below it: the builder
//! attaches those that the environment asks for.

pub(crate) mod log;
