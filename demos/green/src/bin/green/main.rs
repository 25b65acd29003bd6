//! Green threads beside async tasks, on one loop. A green thread has a stack of its own; its calls look as if
//! they block, and its source has no `async`. This answers gevent.
//!
//! ```text
//! cargo run --release -p oneloop-green-demo -- --crowd 10000      in one terminal,
//! nc 127.0.0.1 7010                       in another: a green thread answers,
//! nc 127.0.0.1 7011                       in a third: an async task answers
//! ```
//!
//! Watch: both count the same words, one by one. `slow` is answered after a second, and holds up nobody.
//! `panic` ends the green thread that reads it, `kill 1` another one; a line in the log is written by its
//! destructor. The crowd are 10,000 more green threads, which sleep; the log says what one costs.
//!
//! Read [`green_talk`] and [`async_talk`] side by side, then `thread.rs`: the switch of stacks is a library's
//! (corosensei), and all unsafe code is there. The stacks do not grow: see `--stack`. It prints a line for each
//! client that ends, and what one of the crowd costs.

mod room;
mod thread;

use std::io::{self, BufRead, BufReader, LineWriter, Read, Write};
use std::process::ExitCode;

use futures_lite::io::{AsyncBufReadExt, AsyncReadExt, BufReader as AsyncBufReader};
use oneloop::time::{sleep, timeout};
use oneloop_demos::server::linger;
use oneloop_demos::{end_of, flags};

use room::{Reply, Room, Visit};
use thread::{Green, Stream};

/// Talks to a client from a green thread: `BufRead` and `writeln!` of the standard library.
fn green_talk(green: &Green<'_>, visit: &Visit, room: &Room) -> io::Result<()> {
    let client = &Stream { green, stream: &visit.guest.stream, patience: room.args.patience };
    let (mut reader, mut writer) = (BufReader::new(client), LineWriter::new(client));
    loop {
        let mut line = Vec::new();
        reader.by_ref().take(room::LINE_MAX).read_until(b'\n', &mut line)?;
        let Some(reply) = room.reply(visit, &line) else { return Ok(()) };
        if let Reply::Slow(time) = reply {
            green.sleep(time);
        }
        writeln!(writer, "{}", reply.text())?; // sent whole, at the end of the line
        if let Reply::Last(why) = reply {
            client.linger()?; // or what it still sends would reset the connection, and the last line be lost
            return Err(io::Error::other(why));
        }
    }
}

/// Talks to a client from an async task: the same, with its waits marked.
async fn async_talk(visit: &Visit, room: &Room) -> io::Result<()> {
    let client = &*visit.guest.stream;
    let mut reader = AsyncBufReader::new(client);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(room::LINE_MAX);
        timeout(room.args.patience, limited.read_until(b'\n', &mut line)).await??;
        let Some(reply) = room.reply(visit, &line) else { return Ok(()) };
        if let Reply::Slow(time) = reply {
            sleep(time).await;
        }
        let text = format!("{}\n", reply.text());
        timeout(room.args.patience, client.write_all(text.as_bytes())).await??;
        if let Reply::Last(why) = reply {
            linger(client).await;
            return Err(io::Error::other(why));
        }
    }
}

/// One of the crowd: sleeps and wakes, for ever.
fn stand_around(green: &Green<'_>, room: &Room) {
    loop {
        green.sleep(room::NAP);
        room.naps.set(room.naps.get() + 1);
    }
}

fn main() -> ExitCode {
    end_of(room::serve(flags()))
}
