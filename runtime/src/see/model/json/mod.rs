//! JSON (RFC 8259), as little of it as a recording needs: the one writer, and the one reader.

mod read;
mod write;

pub(crate) use read::Object;
pub(crate) use write::{Lines, Members, line, object};
