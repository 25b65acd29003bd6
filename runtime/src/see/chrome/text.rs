//! The small pieces of JSON that the Chrome trace is made of: times, texts, and what belongs to a slice.

use std::fmt::{self, Write as _};

/// The members of a JSON object, all of them strings.
pub(super) struct Args(String);

impl Args {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        let comma = if self.0.is_empty() { "" } else { "," };
        // A string takes all that is written to it.
        let _ = write!(self.0, "{comma}{}:{}", Text(name), Text(value));
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Nanoseconds, shown as microseconds, which is what the format counts in.
pub(super) struct Micros(pub(super) u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// A text as a JSON string.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                letter if letter < ' ' || letter == '\u{7f}' => write!(f, "\\u{:04x}", u32::from(letter))?,
                letter => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}
