//! The small pieces of JSON that the Chrome trace is made of: times, texts, and what belongs to a slice.

use std::fmt::{self, Write as _};

use crate::see::model::ndjson::Quoted;

/// The members of a JSON object, all of them strings.
pub(super) struct Args(String);

impl Args {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        let comma = if self.0.is_empty() { "" } else { "," };
        // A string takes all that is written to it.
        let _ = write!(self.0, "{comma}{}:{}", Quoted(name), Quoted(value));
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Nanoseconds and tenths of one, shown as microseconds, which is what the format counts in.
pub(super) struct Micros(pub(super) u64, pub(super) u8);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}{}", self.0 / 1000, self.0 % 1000, self.1)
    }
}
