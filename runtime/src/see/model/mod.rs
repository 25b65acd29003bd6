//! The model: what is known of a loop at one moment, and how it is written down and read again.

pub(crate) mod dump;
mod json;
pub(crate) mod kept;
pub(crate) mod live;
pub(crate) mod ndjson;
pub(crate) mod numbered;
pub(crate) mod parse;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod things;
pub(crate) mod whole;
pub(crate) mod words;
