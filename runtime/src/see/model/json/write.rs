//! The writer: an object is a function that puts its members in. Commas, quotes and escapes are written here alone.
//!
//! ```text
//!     object(out, |line| { line.text("e", "wake").number("task", 7).truth("queued", true); })
//!     {"e":"wake","task":7,"queued":true}
//! ```

use std::fmt::{self, Display, Write};

/// Writes an object, on one line and without its end.
pub(crate) fn object(out: &mut dyn Write, put: impl FnOnce(&mut Members<'_>)) -> fmt::Result {
    let mut members = Members::begin(out);
    put(&mut members);
    members.end()
}

/// An object as a line, with its end.
pub(crate) fn line(put: impl FnOnce(&mut Members<'_>)) -> String {
    let mut text = String::new();
    // A string takes all that is written to it.
    let _ = object(&mut text, put);
    text + "\n"
}

/// The members of an object, in the order of the calls. After an error nothing more is written.
pub(crate) struct Members<'a> {
    out: &'a mut dyn Write,
    /// Stands before the next key.
    comma: &'static str,
    wrote: fmt::Result,
}

/// The objects of a list, each on a line of its own.
pub(crate) struct Lines<'a> {
    out: &'a mut dyn Write,
    /// Stands before the next line.
    comma: &'static str,
    wrote: fmt::Result,
}

impl<'a> Members<'a> {
    #[inline(never)]
    fn begin(out: &'a mut dyn Write) -> Self {
        let wrote = out.write_char('{');
        Self { out, comma: "", wrote }
    }

    #[inline(never)]
    fn end(self) -> fmt::Result {
        self.wrote?;
        self.out.write_char('}')
    }

    /// A string of whatever the value displays as.
    pub(crate) fn text(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.put(key, &value, quoted)
    }

    /// A number, as the value displays it.
    pub(crate) fn number(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.put(key, &value, bare)
    }

    pub(crate) fn truth(&mut self, key: &str, value: bool) -> &mut Self {
        self.number(key, value)
    }

    pub(crate) fn null(&mut self, key: &str) -> &mut Self {
        self.number(key, "null")
    }

    pub(crate) fn object(&mut self, key: &str, put: impl FnOnce(&mut Members<'_>)) {
        self.wrote = self.key(key).and_then(|()| object(self.out, put));
    }

    pub(crate) fn list(&mut self, key: &str, put: impl FnOnce(&mut Lines<'_>)) {
        self.wrote = self.key(key).and_then(|()| list(self.out, put));
    }

    /// Not inlined: a hundred places call it.
    #[inline(never)]
    fn put(&mut self, key: &str, value: &dyn Display, write: Form) -> &mut Self {
        self.wrote = self.key(key).and_then(|()| write(self.out, value));
        self
    }

    #[inline(never)]
    fn key(&mut self, key: &str) -> fmt::Result {
        self.wrote?;
        self.out.write_str(std::mem::replace(&mut self.comma, ","))?;
        quoted(self.out, &key)?;
        self.out.write_char(':')
    }
}

impl Lines<'_> {
    pub(crate) fn object(&mut self, put: impl FnOnce(&mut Members<'_>)) {
        let comma = std::mem::replace(&mut self.comma, ",\n");
        self.wrote = self.wrote.and_then(|()| self.out.write_str(comma)).and_then(|()| object(self.out, put));
    }
}

fn list(out: &mut dyn Write, put: impl FnOnce(&mut Lines<'_>)) -> fmt::Result {
    out.write_char('[')?;
    let mut lines = Lines { out, comma: "\n", wrote: Ok(()) };
    put(&mut lines);
    lines.wrote?;
    out.write_str("\n]")
}

type Form = fn(&mut dyn Write, &dyn Display) -> fmt::Result;

fn bare(out: &mut dyn Write, value: &dyn Display) -> fmt::Result {
    write!(out, "{value}")
}

fn quoted(out: &mut dyn Write, value: &dyn Display) -> fmt::Result {
    out.write_char('"')?;
    write!(Escaped(out), "{value}")?;
    out.write_char('"')
}

struct Escaped<'a>(&'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_control() || c == '"' || c == '\\') {
            self.0.write_str(&rest[..at])?;
            let special = rest[at..].chars().next().unwrap_or_default();
            match special {
                '"' | '\\' => write!(self.0, "\\{special}"),
                _ => write!(self.0, "\\u{:04x}", u32::from(special)),
            }?;
            rest = &rest[at + special.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}
