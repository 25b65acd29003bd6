//! The sockets: a server that echoes, and clients that check every byte that comes back.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::{Builder, JoinHandle};
use oneloop::time::{Instant, sleep_until, timeout};

use crate::tally::Tally;

/// The longest message. Longer than the server's buffer, so that some come back in pieces.
const LONGEST: usize = 600;
const SERVER_BUFFER: usize = 512;
/// How many clients are being connected at one time: few enough for any listener's backlog.
const LANES: u64 = 64;
/// How long a server may take until it sends back the first byte.
const FIRST_ECHO: Duration = Duration::from_secs(10);

/// Accepts for ever, a task for each connection.
pub(crate) async fn serve(listener: TcpListener, tally: Rc<Tally>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let tally = Rc::clone(&tally);
                let task = Builder::new().name(format!("echo to {peer}")).spawn(async move {
                    let _open = tally.served();
                    match echo(stream).await {
                        Ok(()) => {}
                        // As some clients do on purpose.
                        Err(error) if is_reset(&error) => tally.was_reset(),
                        Err(error) => tally.lost(format!("the server's end of {peer}: {error}")),
                    }
                });
                drop(task); // detached
            }
            Err(error) => return tally.lost(format!("the server cannot accept: {error}")),
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// Sends back what comes in, until no more comes in.
async fn echo(stream: TcpStream) -> io::Result<()> {
    // Some echoes go out in two pieces. Without this the kernel keeps the second back until the
    // client has acknowledged the first, which it puts off for 40 ms: a classic.
    stream.set_nodelay(true)?;
    let mut buffer = [0; SERVER_BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.shutdown(Shutdown::Write),
            length => stream.write_all(&buffer[..length]).await?,
        }
    }
}

/// Connects all clients, some at a time; each one `asks` whether it is in, if it should.
pub(crate) async fn connect(to: SocketAddr, clients: u64, asks: bool, tally: &Rc<Tally>) -> io::Result<Vec<TcpStream>> {
    let lane = |first: u64, tally: Rc<Tally>| async move {
        let mut streams = Vec::new();
        for _ in (first..clients).step_by(LANES as usize) {
            let stream = TcpStream::connect(to).await?;
            // A server in another process may be slow to accept, while the kernel connects more and more, and
            // drops who does not fit. One echo says that this one is in.
            if asks && timeout(FIRST_ECHO, is_in(&stream)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            streams.push(stream);
            tally.connected();
        }
        Ok::<_, io::Error>(streams)
    };
    let start = |first| Builder::new().name(format!("connects {first}")).spawn(lane(first, Rc::clone(tally)));
    let lanes: Vec<_> = (0..LANES).map(start).collect();
    let mut streams = Vec::new();
    for lane in lanes {
        streams.extend(lane.await.map_err(io::Error::other)??);
    }
    Ok(streams)
}

/// Asks a server for one echo.
async fn is_in(stream: &TcpStream) -> io::Result<usize> {
    stream.write_all(b"?").await?;
    stream.read(&mut [0]).await
}

/// Starts a client on each connection. They talk until `end` and then hang up. So many of a hundred are `unruly`: they
/// reset the connection at times, or say goodbye before the answer, and come back by a new one.
pub(crate) fn start_clients(
    streams: Vec<TcpStream>,
    end: Instant,
    seed: u64,
    unruly: usize,
    tally: &Rc<Tally>,
) -> Vec<JoinHandle<()>> {
    let start = |(number, stream): (usize, TcpStream)| {
        let tally = Rc::clone(tally);
        let rng = Rng::with_seed(seed.wrapping_add(number as u64));
        Builder::new().name(format!("client {number}")).spawn(async move {
            let is_unruly = number % 100 < unruly;
            let client = Client { number, stream, rng, is_unruly, tally: &tally };
            if let Err(error) = client.talk(end).await {
                tally.lost(format!("client {number}: {error}"));
            }
        })
    };
    (0..).zip(streams).map(start).collect()
}

struct Client<'a> {
    number: usize,
    stream: TcpStream,
    rng: Rng,
    is_unruly: bool,
    tally: &'a Tally,
}

impl Client<'_> {
    /// Pauses, sends, compares what comes back; again and again, in a rhythm of its own.
    async fn talk(mut self, end: Instant) -> io::Result<()> {
        let longest_pause = self.rng.u64(200..=2_000);
        let (mut message, mut reply) = ([0; LONGEST], [0; LONGEST]);
        for round in 0_u64.. {
            let next = Instant::now() + Duration::from_millis(self.rng.u64(1..=longest_pause));
            sleep_until(next.min(end)).await;
            if next >= end {
                break;
            }
            // Random bytes after a head that no other client and no other round has: a message
            // that went to the wrong client, or twice, cannot pass for the right one.
            let length = self.rng.usize(16..=LONGEST);
            self.rng.fill(&mut message[16..length]);
            message[..8].copy_from_slice(&(self.number as u64).to_le_bytes());
            message[8..16].copy_from_slice(&round.to_le_bytes());

            let start = Instant::now();
            self.stream.write_all(&message[..length]).await?;
            if self.is_unruly && self.rng.u8(..4) == 0 {
                self.come_back(&message[..length], &mut reply[..length]).await?;
                continue;
            }
            self.read_exactly(&mut reply[..length]).await?;
            self.tally.echoed(self.number, start.elapsed());
            if reply[..length] != message[..length] {
                self.tally.wrong(format!("client {}, round {round}: the echo differs", self.number));
            }
        }
        self.hang_up().await
    }

    /// Leaves in the middle of an answer, and comes back.
    async fn come_back(&mut self, message: &[u8], reply: &mut [u8]) -> io::Result<()> {
        let to = self.stream.peer_addr()?;
        if self.rng.bool() {
            // A byte that has come and is not read makes the kernel reset the connection at its close.
            self.read_exactly(&mut reply[..1]).await?;
            self.tally.resets();
        } else {
            // After a goodbye the whole answer comes, and then the server's goodbye.
            self.stream.shutdown(Shutdown::Write)?;
            self.read_exactly(reply).await?;
            if reply != message {
                self.tally.wrong(format!("client {}: the echo after a goodbye differs", self.number));
            }
            if self.stream.read(&mut [0]).await? != 0 {
                return Err(io::Error::other("the server sent more than it was sent"));
            }
            self.tally.half_closes();
        }
        self.stream = TcpStream::connect(to).await?;
        Ok(())
    }

    async fn read_exactly(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.stream.read(buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => buffer = &mut buffer[length..],
            }
        }
        Ok(())
    }

    /// Says goodbye and waits for the server's, so that a byte too many would be seen.
    async fn hang_up(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        match self.stream.read(&mut [0]).await? {
            0 => Ok(()),
            _ => Err(io::Error::other("the server sent more than it was sent")),
        }
    }
}
