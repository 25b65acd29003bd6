//! A guest: what a stranger says, heard with so much patience and no more, and what it is told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::caller::is_a_talker;
use super::house::{Stay, TO_LEAVE};
use super::request::Refusal;

/// How long a guest may take to begin: somebody may sit at a terminal and think.
const TO_BEGIN: Duration = Duration::from_secs(60);
/// For how long somebody at a terminal says nothing, and is greeted.
const TO_GREET: Duration = Duration::from_millis(200);
/// How long it may then take to say what it wants.
const TO_SAY: Duration = Duration::from_secs(2);
/// How many bytes it may use for that.
const ROOM: usize = 8192;

/// Somebody who came in.
pub(super) struct Guest {
    pub(super) stay: Stay,
    stream: Arc<TcpStream>,
    /// Its words that nobody has listened to yet.
    said: Vec<u8>,
}

/// The end of a guest's words, if they are all there: a line, or a paragraph.
pub(super) type Whole = fn(&[u8]) -> Option<usize>;

/// A line, with its end.
pub(super) fn a_line(said: &[u8]) -> Option<usize> {
    said.iter().position(|byte| *byte == b'\n').map(|end| end + 1)
}

/// All lines up to the first that is empty.
pub(super) fn a_head(said: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        let line = a_line(&said[end..])?;
        if matches!(&said[end..end + line], b"\n" | b"\r\n") {
            return Some(end + line);
        }
        end += line;
    }
}

/// Why a guest was not understood.
pub(super) enum Trouble {
    /// It is gone.
    Gone(io::Error),
    Refused(Refusal),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl Guest {
    pub(super) fn new(stay: Stay, stream: Arc<TcpStream>) -> Self {
        Self { stay, stream, said: Vec::new() }
    }

    /// Waits until something whole has been said, and leaves it there. Once a guest has begun, it is to
    /// come to the end soon.
    pub(super) fn hear(&mut self, whole: Whole, to_begin: Option<Duration>) -> Result<&str, Trouble> {
        let mut until = to_begin.map(|limit| Instant::now() + limit);
        let mut has_begun = false;
        let end = loop {
            if let Some(end) = whole(&self.said).filter(|end| *end <= ROOM) {
                break end;
            }
            if self.said.len() >= ROOM {
                return Err(Trouble::Refused(Refusal(431, "that is more than anybody has to say here")));
            }
            if !self.said.is_empty() && !std::mem::replace(&mut has_begun, true) {
                until = Some(Instant::now() + TO_SAY);
            }
            match self.read(until) {
                // The last line of what somebody pipes into `nc` may have no end.
                Err(Trouble::Gone(_)) if !self.said.is_empty() && !self.said.ends_with(b"\n") => self.said.push(b'\n'),
                read => read?,
            }
        };
        let said = std::str::from_utf8(&self.said[..end]);
        said.map_err(|_| Trouble::Refused(Refusal(400, "this is no text")))
    }

    /// As [`hear`](Self::hear), for a guest who has just come in.
    pub(super) fn hear_first(&mut self, whole: Whole) -> Result<&str, Trouble> {
        self.hear(whole, Some(TO_BEGIN))
    }

    /// Whether this is `nc` or its like, with a person who has not said anything for a moment.
    pub(super) fn is_silent_at_a_terminal(&self) -> bool {
        let is_silent = self.stream.set_read_timeout(Some(TO_GREET)).is_ok()
            && self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        let ends = || Some((self.stream.peer_addr().ok()?, self.stream.local_addr().ok()?));
        is_silent && ends().is_some_and(|(guest, us)| is_a_talker(guest, us.port()))
    }

    /// Takes away what was heard.
    pub(super) fn heard(&mut self, whole: Whole) {
        let end = whole(&self.said).unwrap_or(self.said.len());
        self.said.drain(..end);
    }

    fn read(&mut self, until: Option<Instant>) -> Result<(), Trouble> {
        const LATE: Refusal = Refusal(408, "that took too long");
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(Trouble::Refused(LATE));
        }
        self.stream.set_read_timeout(left)?;
        let mut bytes = [0; 1024];
        match (&*self.stream).read(&mut bytes) {
            Ok(0) => Err(Trouble::Gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => {
                self.said.extend_from_slice(&bytes[..read]);
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(()),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Err(Trouble::Refused(LATE)),
                _ => Err(Trouble::Gone(error)),
            },
        }
    }

    /// Whether the words so far are how a request of HTTP begins. A guest without a word may be a browser
    /// that came in ahead of its request.
    pub(super) fn seems_to_speak_http(&self) -> bool {
        let method = self.said.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        self.said.is_empty() || (method > 0 && self.said.get(method) == Some(&b' '))
    }

    /// Sends something.
    pub(super) fn say(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        (&*self.stream).write_all(bytes.as_ref())
    }

    /// Sends the last thing, and reads for a moment what the guest still sends. If a socket is closed with something
    /// unread, the kernel resets the connection, and the guest may lose what was sent.
    pub(super) fn say_last(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.say(bytes)?;
        self.stream.shutdown(Shutdown::Write)?;
        let until = Instant::now() + TO_LEAVE;
        let mut dropped = 0;
        while dropped < 8 * ROOM && self.read(Some(until)).is_ok() {
            dropped += std::mem::take(&mut self.said).len();
        }
        Ok(())
    }
}
