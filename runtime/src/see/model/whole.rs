//! The whole: the header of a text that has an end says how long it is, so that what is missing is missed.
//!
//! A stream to somebody who watches has no end, and its header says nothing of one. Nor did older recordings.

use std::fmt::{self, Display, Formatter};

use crate::see::model::json::{Members, Object};

/// How long a recording is, and why it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    /// The lines behind the header.
    pub(crate) lines: u64,
    pub(crate) occasion: Option<Occasion>,
}

/// The occasion on which a recording was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Occasion {
    /// The program called [`Ring::write_to`](crate::see::Ring::write_to), or the page saved what it had. The loop may
    /// have gone on.
    Asked,
    /// The runtime was dropped.
    RuntimeEnd,
    /// The process ended with the runtime still there: main returned, or called exit.
    Exit,
    /// This signal came, which ends a process. If it did not, the loop went on.
    Signal(i32),
}

impl Occasion {
    fn of(word: &str) -> Option<Self> {
        let plain = [Self::Asked, Self::RuntimeEnd, Self::Exit].into_iter().find(|occasion| occasion.word() == word);
        plain.or_else(|| word.strip_prefix("signal ")?.parse().ok().map(Self::Signal))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::RuntimeEnd => "end",
            Self::Exit => "exit",
            Self::Signal(_) => "signal",
        }
    }
}

impl Display for Occasion {
    /// A sentence's end: "it was written …".
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("when the program asked for it"),
            Self::RuntimeEnd => f.write_str("when its runtime ended"),
            Self::Exit => f.write_str("when its process exited"),
            Self::Signal(number) => write!(f, "when signal {number} came to end its process"),
        }
    }
}

impl Whole {
    /// Reads it from a header, if that has it. An occasion of a later writer is none that is known.
    pub(crate) fn of(header: &Object<'_>) -> Result<Option<Self>, String> {
        let Some(lines) = header.maybe("lines")? else { return Ok(None) };
        let occasion = header.maybe::<&str>("written")?.and_then(Occasion::of);
        Ok(Some(Self { lines, occasion }))
    }

    /// As the last keys of a header.
    pub(crate) fn put_in(self, header: &mut Members<'_>) {
        header.number("lines", self.lines);
        match self.occasion {
            Some(Occasion::Signal(number)) => header.text("written", format_args!("signal {number}")),
            Some(occasion) => header.text("written", occasion.word()),
            None => header,
        };
    }
}
