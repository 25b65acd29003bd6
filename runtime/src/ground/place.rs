//! A place in a source, of this program or of one in another language that runs on it.

use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// A place in a source file: where something was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Place {
    pub file: &'static str,
    pub line: u32,
    pub column: u32,
}

impl Place {
    /// A line of a program in whatever language. A file's name is kept once, and for ever.
    pub fn new(file: &str, line: u32) -> Self {
        Self { file: interned(file), line, column: 1 }
    }
}

/// A text that lives for ever. Each is kept once, and programs have few files.
pub(crate) fn interned(text: &str) -> &'static str {
    static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match known.binary_search(&text) {
        Ok(place) => known[place],
        Err(place) => {
            let kept: &'static str = Box::leak(Box::from(text));
            known.insert(place, kept);
            kept
        }
    }
}

impl From<&'static Location<'static>> for Place {
    fn from(at: &'static Location<'static>) -> Self {
        Self { file: at.file(), line: at.line(), column: at.column() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
