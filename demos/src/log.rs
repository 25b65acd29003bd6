//! The demos' way to stdout while a loop turns. A reader who stalls stops nobody but a thread that writes.
//!
//! A pipe that nobody reads is full after a few hundred lines, and who writes to it then waits. On the
//! loop's thread that would be the end of all clients, and of every signal. So text waits in a queue with
//! an upper bound, and what finds no room there is left out and counted.
//!
//! A server's [`log()`] always takes that way. [`print()`] first looks whether stdout has room, and writes
//! by itself where it has: so a demo with a reader stays one thread.

use std::collections::VecDeque;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::tcgetwinsize;

use crate::end_without_output;

/// How many lines of a log may wait.
const ROOM: usize = 1000;
/// How many lines may wait of what a program is run for: more than a demo prints, and a bound all the same.
const ROOM_FOR_OUTPUT: usize = 1_000_000;
/// How long the end of a program waits for the reader of its log.
const AT_THE_END: Duration = Duration::from_secs(1);
/// So much fits at once into a pipe that says that it has room: POSIX calls it PIPE_BUF.
const PIECE: usize = 512;

#[derive(Default)]
struct Queue {
    texts: VecDeque<Text>,
    left_out: usize,
    is_writing: bool,
    has_a_thread: bool,
}

/// The bytes to be written, and whether the program is run for it. Then it ends where nobody takes it.
struct Text {
    bytes: Vec<u8>,
    is_output: bool,
}

static QUEUE: Mutex<Queue> =
    Mutex::new(Queue { texts: VecDeque::new(), left_out: 0, is_writing: false, has_a_thread: false });
static PUT: Condvar = Condvar::new();
static WRITTEN: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line of a log to stdout, soon. It never waits for a reader.
pub fn log(line: &str) {
    queue().put(Text { bytes: fit(line, columns()).into(), is_output: false });
}

/// Prints a line of what a demo is run for. It never waits for a reader. A reader that has seen enough, such as
/// `head`, ends the demo in silence, and a full disk ends it with an error.
///
/// At the end of the program belongs a [`finish_print`] or a [`finish_log`].
pub fn print(line: impl Display) {
    queue().write_or_put(fit(&line.to_string(), columns()).into());
}

/// Prints a picture that the next one will replace, if there is room for it. Returns whether there was.
pub fn show(picture: String) -> bool {
    let mut queue = queue();
    let has_room = queue.is_idle() && stdout_has_room();
    if has_room {
        queue.write_or_put(picture.into());
    }
    has_room
}

/// How many columns the terminal has, if stdout is one.
pub(crate) fn columns() -> Option<usize> {
    let size = tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(size.ws_col.into()).filter(|columns| *columns > 0)
}

/// A text with its line feed, broken between words where a terminal would break it within them. JSON stays whole.
pub(crate) fn fit(text: &str, columns: Option<usize>) -> String {
    let columns = columns.filter(|_| !text.starts_with('{')).unwrap_or(usize::MAX);
    let mut fitting = String::with_capacity(text.len() + 1);
    for line in text.split('\n') {
        let (mut rest, indent) = (line, line.len() - line.trim_start().len() + 2);
        // The line is not broken before its first word.
        let (mut before, mut room) = (indent - 2, columns);
        while let Some((end, _)) = rest.char_indices().nth(room) {
            // One word that is too long is the terminal's to break.
            let space = if rest[end..].starts_with(' ') { Some(end) } else { rest[..end].rfind(' ') };
            let Some(space) = space.filter(|space| *space > before) else { break };
            fitting.push_str(&rest[..space]);
            fitting.extend(["\n", &" ".repeat(indent)]);
            rest = rest[space..].trim_start();
            (before, room) = (0, columns.saturating_sub(indent).max(1));
        }
        fitting.extend([rest, "\n"]);
    }
    fitting
}

/// Waits until all lines are written, but for a second at most. To be called when a program ends that hears signals.
pub fn finish_log() {
    drop(WRITTEN.wait_timeout_while(queue(), AT_THE_END, |queue| !queue.is_idle()));
}

/// Waits until all is written that was printed, however long its reader takes. No loop turns any more, and a
/// signal ends the process.
pub fn finish_print() {
    drop(WRITTEN.wait_while(queue(), |queue| !queue.is_idle()));
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.texts.is_empty() && !self.is_writing
    }

    fn put(&mut self, text: Text) {
        if !self.has_a_thread {
            self.has_a_thread = thread::Builder::new().name("stdout".to_owned()).spawn(write).is_ok();
        }
        if self.texts.len() >= if text.is_output { ROOM_FOR_OUTPUT } else { ROOM } {
            self.left_out += 1;
            return;
        }
        if self.left_out > 0 {
            let bytes = format!("{} lines were left out here, as nobody read them\n", self.left_out).into();
            self.texts.push_back(Text { bytes, ..text });
            self.left_out = 0;
        }
        self.texts.push_back(text);
        PUT.notify_one();
    }

    /// Writes what there is room for, and leaves the rest to the thread.
    fn write_or_put(&mut self, mut bytes: Vec<u8>) {
        if self.is_idle() {
            match write_what_fits(&bytes) {
                Ok(length) => drop(bytes.drain(..length)),
                Err(error) => end_without_output(&error),
            }
        }
        if !bytes.is_empty() {
            self.put(Text { bytes, is_output: true });
        }
    }
}

/// The thread that writes. The queue is free while it does.
fn write() {
    loop {
        let mut queue = PUT.wait_while(queue(), |queue| queue.texts.is_empty()).unwrap_or_else(PoisonError::into_inner);
        let Some(text) = queue.texts.pop_front() else { continue };
        queue.is_writing = true;
        drop(queue);
        let written = io::stdout().write_all(&text.bytes).and_then(|()| io::stdout().flush());
        match written {
            Err(error) if text.is_output => end_without_output(&error),
            // Nobody can be told of a log where stdout is closed.
            _ => self::queue().is_writing = false,
        }
        WRITTEN.notify_all();
    }
}

/// Writes for as long as stdout has room. Returns how many bytes that were.
fn write_what_fits(bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() && stdout_has_room() {
        let piece = &bytes[written..bytes.len().min(written + PIECE)];
        match rustix::io::write(stdout_nowait(), piece) {
            Ok(length) => written += length,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written)
}

/// Whether a write of a [`PIECE`] would not wait. An error is no reason to wait either.
fn stdout_has_room() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(stdout_nowait(), PollFlags::OUT)], Some(&now)) != Ok(0)
}

/// Stdout. A terminal with room for one byte says that it has room, and then waits with the second. So it is opened
/// once more, to be written to without waiting; the descriptor that other programs have too stays as it is.
fn stdout_nowait() -> BorrowedFd<'static> {
    static TERMINAL: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
        io::stdout().is_terminal().then(|| options.open("/dev/stdout").ok()).flatten()
    };
    TERMINAL.get_or_init(open).as_ref().map_or(rustix::stdio::stdout(), AsFd::as_fd)
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn a_line_is_broken_between_words_and_only_where_a_terminal_is_narrow() {
        let line = "stopped: 3 connections, 42 bytes echoed, 0 cut off";
        assert_eq!(fit(line, None), format!("{line}\n"));
        assert_eq!(fit(line, Some(50)), format!("{line}\n"));
        assert_eq!(fit(line, Some(49)), "stopped: 3 connections, 42 bytes echoed, 0 cut\n  off\n");
        assert_eq!(fit("  a bb cc\n\nd", Some(6)), "  a bb\n    cc\n\nd\n");
        assert_eq!(fit("http://127.0.0.1:8080/ is too long", Some(12)), "http://127.0.0.1:8080/ is too long\n");
        assert_eq!(fit("wörter mit ümlauten", Some(10)), "wörter mit\n  ümlauten\n");
        assert_eq!(fit("zwei füüüüüüüße", Some(7)), "zwei\n  füüüüüüüße\n");
        assert_eq!(fit("{\"a\":\"b c\"}", Some(4)), "{\"a\":\"b c\"}\n");
    }
}
