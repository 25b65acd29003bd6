//! The standard input, line by line.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::io::stdin::{Desk, Seat, poll_take};

/// The lines of the standard input. Made by [`Stdin::lines`](crate::io::Stdin::lines).
///
/// It holds nothing itself: a line that has not ended yet, or that nobody took, is there for the one who
/// reads next. It is a [`Stream`] too.
pub struct Lines(Seat);

impl Lines {
    #[track_caller]
    pub(super) fn new() -> Self {
        Self(Seat::new())
    }

    /// The next line, without its `\n` or `\r\n`; `None` at the end of the input. A line may have any
    /// length, and is kept in memory until its end comes.
    ///
    /// # Errors
    ///
    /// As [`Stdin::read`](crate::io::Stdin::read); and `InvalidData` for a line that is not UTF-8, which
    /// is passed over.
    ///
    /// # Panics
    ///
    /// When polled where no runtime is running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn next_line(&mut self) -> impl Future<Output = io::Result<Option<String>>> {
        let mut seat = Seat::new();
        poll_fn(move |cx| poll_next_line(cx, &mut seat))
    }
}

fn poll_next_line(cx: &mut Context<'_>, seat: &mut Seat) -> Poll<io::Result<Option<String>>> {
    let line = poll_take(cx, seat, Desk::take_line)?;
    line.map(|line| line.map(String::from_utf8).transpose().map_err(|error| not_utf8(&error)))
}

fn not_utf8(error: &std::string::FromUtf8Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a line of the standard input is not UTF-8: {error}"))
}

impl Stream for Lines {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_next_line(cx, &mut self.0).map(Result::transpose)
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}
