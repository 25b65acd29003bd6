//! The surroundings of an echo: the flags, how many may be in, who has to go when it is full, and the log.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use oneloop::net::TcpStream;
use oneloop::time::{Elapsed, Instant, timeout};
use oneloop_demos::server::Client;
use oneloop_demos::{Guests, address, counted, log, print, seconds, whole};

/// An echo server on one thread, for `nc`. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone, Copy)]
pub(crate) struct Args {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:7000", value_parser = address)]
    pub(crate) addr: SocketAddr,
    /// Stop by itself after this time
    #[arg(long, value_name = "F", value_parser = seconds)]
    pub(crate) seconds: Option<Duration>,
    /// How long a stop waits for those who are still connected, in seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = seconds)]
    pub(crate) grace: Duration,
    /// The seconds without a byte in either direction after which a client is disconnected
    #[arg(long, value_name = "F", default_value = "300", value_parser = seconds)]
    pub(crate) idle: Duration,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole(1..=100_000_u32))]
    connections: u32,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "86400", value_parser = seconds)]
    pub(crate) lifetime: Duration,
}

/// The server's knowledge of its clients.
pub(crate) struct House {
    pub(crate) args: Args,
    guests: Rc<Guests>,
    finished: Cell<u64>,
    bytes: Cell<usize>,
}

impl House {
    pub(crate) fn open(args: Args, addr: SocketAddr) -> Self {
        print(format_args!("listening on {addr}; try: nc {} {}", addr.ip(), addr.port()));
        let (guests, finished, bytes) = (Guests::at_most(args.connections), Cell::new(0), Cell::new(0));
        Self { args, guests, finished, bytes }
    }

    /// Takes a client in. Nobody keeps a newcomer out by saying nothing: where the house is full, somebody goes.
    pub(crate) fn welcome(&self, stream: TcpStream, peer: SocketAddr) -> Guest<'_> {
        let (client, start) = (self.guests.welcome(stream), Instant::now());
        Guest { house: self, client, peer, start, echoed: Cell::new(0) }
    }

    pub(crate) fn is_stopping(&self) {
        let open = self.guests.came() - self.finished.get();
        if open > 0 {
            log(&format!("stopping; {open} connected, with {} s to finish", self.args.grace.as_secs_f64()));
        }
    }

    /// Says how it all went.
    pub(crate) fn account(&self) {
        let (served, bytes) = (self.guests.came(), self.bytes.get());
        let cut = served - self.finished.get();
        let (served, bytes) = (counted(served, "connection"), counted(bytes as u64, "byte"));
        log(&format!("stopped: {served}, {bytes} echoed, {cut} cut off"));
    }
}

/// Somebody who is connected.
pub(crate) struct Guest<'house> {
    pub(crate) house: &'house House,
    pub(crate) client: Client,
    peer: SocketAddr,
    start: Instant,
    echoed: Cell<usize>,
}

impl Guest<'_> {
    pub(crate) fn has_spoken(&self, bytes: usize) {
        self.echoed.set(self.echoed.get() + bytes);
        self.house.bytes.set(self.house.bytes.get() + bytes);
        self.client.was_heard();
    }

    /// The line in the log, when the conversation has come to its end.
    pub(crate) fn goodbye(self, end: Result<io::Result<()>, Elapsed>) {
        let end = match end {
            _ if self.client.was_told_to_go() => "made room for another".to_owned(),
            Ok(Ok(())) => "closed by the client".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its time was up".to_owned(),
        };
        self.house.finished.set(self.house.finished.get() + 1);
        let (peer, bytes) = (self.peer, counted(self.echoed.get() as u64, "byte"));
        log(&format!("{peer}: {bytes} echoed in {:.1} s; {end}", self.start.elapsed().as_secs_f64()));
    }
}

/// An operation that may take so long, and the error it ends in if it takes longer.
pub(crate) async fn within<T>(limit: Duration, operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let too_late = |_| Err(io::Error::new(ErrorKind::TimedOut, "idle for too long"));
    timeout(limit, operation).await.unwrap_or_else(too_late)
}
