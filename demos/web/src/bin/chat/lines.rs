//! The door for plain TCP: a name first, then a line is a line. A line of the room itself begins with a star.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use futures_lite::future::race;
use futures_lite::io::{ReadHalf, split};
use futures_lite::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use oneloop::net::TcpStream;
use oneloop::time::timeout;
use oneloop_demos::Patient;
use oneloop_demos::server::linger;

use crate::names::name_or;
use crate::server::{Args, Guest, Place};
use crate::{Line, Room, Seat, Talk};

/// How long a line may be, in bytes.
const LINE_MAX: usize = 4 * 1024;

pub(crate) async fn serve(guest: Guest) {
    // An error is the client's: it has gone, or takes nothing.
    let _ = talk(guest).await;
}

async fn talk(guest: Guest) -> io::Result<()> {
    let Guest { stream, room, args, place, .. } = guest;
    let stream = stream.into_inner();
    let (reader, mut writer) = split(Patient::new(&stream, args.patience));
    let mut lines = Lines { reader, buffer: Vec::new() };
    match visit(&mut lines, &mut writer, (&room, &args, &place)).await {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            writer.write_all(format!("* {error}\n").as_bytes()).await?;
            linger(&stream).await;
            Ok(())
        }
        ended => ended,
    }
}

async fn visit(
    lines: &mut Lines<'_>,
    writer: &mut (impl AsyncWrite + Unpin),
    (room, args, place): (&Rc<Room>, &Args, &Place),
) -> io::Result<()> {
    writer.write_all(b"your name?\n").await?;
    let Ok(named) = timeout(args.patience * 3, lines.next()).await else { return Ok(()) };
    let Some(name) = named? else { return Ok(()) };
    let seat = room.enter();
    let name = name_or(&name, || seat.guest());
    seat.whisper(&format!("welcome, {name}; what you type is heard by all"));
    // Two halves of one client: neither waits for the other.
    race(speak(lines, (&seat, place), &name), listen(writer, &seat)).await
}

async fn speak(lines: &mut Lines<'_>, (seat, place): (&Seat, &Place), name: &str) -> io::Result<()> {
    let mut talk = Talk::new();
    while let Some(line) = lines.next().await? {
        place.has_spoken();
        if line.trim().is_empty() {
            continue;
        }
        if talk.may_say() {
            seat.room.say(name, &line).await;
        } else {
            seat.whisper("you talk too fast; that was not sent");
        }
    }
    Ok(())
}

async fn listen(writer: &mut (impl AsyncWrite + Unpin), seat: &Seat) -> io::Result<()> {
    while let Some(line) = seat.next().await {
        let Line { from, text, .. } = &*line;
        let line = if from.is_empty() { format!("* {text}\n") } else { format!("{from}: {text}\n") };
        writer.write_all(line.as_bytes()).await?;
    }
    writer.write_all(format!("* {}\n", seat.farewell()).as_bytes()).await?;
    writer.close().await
}

/// The client's words, line by line.
struct Lines<'a> {
    reader: ReadHalf<Patient<&'a TcpStream>>,
    /// The bytes that have come and are not yet a line.
    buffer: Vec<u8>,
}

impl Lines<'_> {
    /// The next line; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.drain(..=end).collect::<Vec<_>>();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.buffer.len() > LINE_MAX {
                return Err(io::Error::new(ErrorKind::InvalidData, format!("a line has {LINE_MAX} bytes at most")));
            }
            let mut piece = [0; 1024];
            match self.reader.read(&mut piece).await? {
                0 => return Ok(None),
                length => self.buffer.extend_from_slice(&piece[..length]),
            }
        }
    }
}
