//! The line protocol, and reading by lines, which mail does too.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use futures_lite::future::or;
use oneloop::net::TcpStream;
use oneloop::time::timeout;
use oneloop_demos::server::{Client, linger};

use crate::house::House;

const HELP: &str = "say: set NAME WORD, get NAME, list, or quit";
/// How long a command is, in bytes.
const LINE_MAX: usize = 512;

pub(crate) async fn serve(guest: Client, house: Rc<House>) -> io::Result<()> {
    let mut lines = Lines::new(&guest.stream, &house);
    loop {
        let line = match lines.next(LINE_MAX).await? {
            Said::Line(line) => String::from_utf8_lossy(&line).trim().to_owned(),
            Said::Nothing => return Ok(()),
            Said::TooMuch => return lines.part_with(&format!("a line has {LINE_MAX} bytes at most\n")).await,
            Said::Stop => return lines.part_with("the server stops\n").await,
        };
        guest.was_heard();
        let words = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let reply = match (words.0, words.1.trim()) {
            ("set", rest) => {
                let (name, word) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                match house.board.leave("lines", name, word) {
                    Ok(()) => "left".to_owned(),
                    Err(why) => why,
                }
            }
            ("get", name) => house.board.find("lines", name).unwrap_or_else(|| "no such name".to_owned()),
            ("list", "") => {
                let words = house.board.words.borrow();
                words.iter().map(|(name, word)| format!("{name} {word}\n")).collect::<String>() + "."
            }
            ("quit", "") => return lines.part_with("bye\n").await,
            _ => HELP.to_owned(),
        };
        lines.say(&(reply + "\n")).await?;
    }
}

/// The outcome of waiting for a line.
pub(crate) enum Said {
    /// A line with its end.
    Line(Vec<u8>),
    /// More bytes than a line has, and no end of it.
    TooMuch,
    /// The client sends no more.
    Nothing,
    /// The server stops, and nothing has begun.
    Stop,
}

/// A connection, line by line. A client may be silent for long, but not within a line.
pub(crate) struct Lines<'a> {
    stream: &'a TcpStream,
    house: &'a House,
    /// The bytes that have come and are not yet a line.
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(stream: &'a TcpStream, house: &'a House) -> Self {
        Self { stream, house, buffer: Vec::new() }
    }

    /// The next line, of at most `most` bytes.
    pub(crate) async fn next(&mut self, most: usize) -> io::Result<Said> {
        if self.buffer.is_empty() {
            let begin = async { Some(read_more(self.stream, &mut self.buffer).await) };
            let stop = async {
                self.house.stopped().await;
                None
            };
            match timeout(self.house.args.idle, or(begin, stop)).await {
                Ok(Some(Ok(true))) => {}
                Ok(Some(Ok(false))) => return Ok(Said::Nothing),
                Ok(Some(Err(error))) => return Err(error),
                Ok(None) => return Ok(Said::Stop),
                Err(_) => return Err(ErrorKind::TimedOut.into()),
            }
        }
        let (stream, buffer) = (self.stream, &mut self.buffer);
        let rest = async {
            loop {
                if let Some(end) = buffer.iter().position(|byte| *byte == b'\n').filter(|end| *end < most) {
                    return Ok(Said::Line(buffer.drain(..=end).collect()));
                }
                if buffer.len() >= most {
                    return Ok(Said::TooMuch);
                }
                if !read_more(stream, buffer).await? {
                    return Ok(Said::Nothing);
                }
            }
        };
        self.house.patiently(rest).await
    }

    pub(crate) async fn say(&self, text: &str) -> io::Result<()> {
        self.house.patiently(self.stream.write_all(text.as_bytes())).await
    }

    /// The last words, which arrive also where the client still sends.
    pub(crate) async fn part_with(&self, text: &str) -> io::Result<()> {
        self.say(text).await?;
        linger(self.stream).await;
        Ok(())
    }
}

/// Reads what is there, a little at a time. Returns whether there was anything.
async fn read_more(stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 512];
    let length = stream.read(&mut piece).await?;
    buffer.extend_from_slice(&piece[..length]);
    Ok(length > 0)
}
