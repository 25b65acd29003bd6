//! The surroundings of an echo: the flags, how many may be in, who has to go when it is full, and the log.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::time::{Elapsed, Instant, sleep, timeout};
use oneloop_demos::{address, files_allowed, log, seconds};

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
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "86400", value_parser = seconds)]
    pub(crate) lifetime: Duration,
}

/// A client that is in: its connection, and when it last sent something.
type Known = (Rc<TcpStream>, Rc<Cell<Instant>>);

/// The server's knowledge of its clients.
pub(crate) struct House {
    pub(crate) args: Args,
    /// Those who are in, by number.
    guests: RefCell<BTreeMap<u64, Known>>,
    /// How many may be connected at a time.
    most: usize,
    served: Cell<u64>,
    finished: Cell<u64>,
    bytes: Cell<usize>,
}

impl House {
    pub(crate) fn open(args: Args, listener: &TcpListener) -> Self {
        let addr = listener.local_addr().unwrap_or(args.addr);
        log(&format!("listening on {addr}; try: nc {} {}", addr.ip(), addr.port()));
        let most = room_for(args.connections);
        let (guests, served, finished, bytes) = Default::default();
        Self { args, guests, most, served, finished, bytes }
    }

    /// Takes a client in. Nobody keeps a newcomer out by saying nothing: where the house is full, somebody goes.
    pub(crate) fn welcome(&self, stream: TcpStream, peer: SocketAddr) -> Guest<'_> {
        let mut guests = self.guests.borrow_mut();
        if guests.len() >= self.most {
            log(&format!("{} are connected, so who was silent the longest has to go", self.most));
            let silent = guests.iter().min_by_key(|(_, (_, spoke))| spoke.get()).map(|(number, _)| *number);
            if let Some((stream, _)) = silent.and_then(|silent| guests.remove(&silent)) {
                // Its task reads the end of the connection, and comes to its own.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        let number = self.served.get() + 1;
        self.served.set(number);
        let (stream, start) = (Rc::new(stream), Instant::now());
        let spoke = Rc::new(Cell::new(start));
        guests.insert(number, (Rc::clone(&stream), Rc::clone(&spoke)));
        Guest { house: self, number, stream, peer, start, spoke, echoed: Cell::new(0) }
    }

    pub(crate) fn is_stopping(&self) {
        let open = self.served.get() - self.finished.get();
        if open > 0 {
            log(&format!("stopping; {open} connected, with {:?} to finish", self.args.grace));
        }
    }

    /// Says how it all went.
    pub(crate) fn account(&self) {
        let (served, bytes) = (self.served.get(), self.bytes.get());
        let cut = served - self.finished.get();
        log(&format!("stopped: {served} connections, {bytes} bytes echoed, {cut} cut off"));
    }
}

/// Somebody who is connected.
pub(crate) struct Guest<'house> {
    pub(crate) house: &'house House,
    pub(crate) stream: Rc<TcpStream>,
    number: u64,
    peer: SocketAddr,
    start: Instant,
    spoke: Rc<Cell<Instant>>,
    echoed: Cell<usize>,
}

impl Guest<'_> {
    pub(crate) fn has_spoken(&self, bytes: usize) {
        self.echoed.set(self.echoed.get() + bytes);
        self.house.bytes.set(self.house.bytes.get() + bytes);
        self.spoke.set(Instant::now());
    }

    /// The line in the log, when the conversation has come to its end.
    pub(crate) fn goodbye(self, end: Result<io::Result<()>, Elapsed>) {
        let was_let_stay = self.house.guests.borrow().contains_key(&self.number);
        let end = match end {
            _ if !was_let_stay => "made room for another".to_owned(),
            Ok(Ok(())) => "closed by the client".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its time was up".to_owned(),
        };
        self.house.finished.set(self.house.finished.get() + 1);
        let (peer, bytes, seconds) = (self.peer, self.echoed.get(), self.start.elapsed().as_secs_f64());
        log(&format!("{peer}: {bytes} bytes echoed in {seconds:.1} s; {end}"));
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.house.guests.borrow_mut().remove(&self.number);
    }
}

/// An operation that may take so long, and the error it ends in if it takes longer.
pub(crate) async fn within<T>(limit: Duration, operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let too_late = |_| Err(io::Error::new(ErrorKind::TimedOut, "idle for too long"));
    timeout(limit, operation).await.unwrap_or_else(too_late)
}

/// Resolves when a signal or the clock asks for the stop. Signals are heard from the call on.
pub(crate) fn stop_asked_for(time: Option<Duration>) -> impl Future<Output = io::Result<()>> {
    let interrupted = stop_requested();
    let after = async move {
        match time {
            Some(time) => sleep(time).await,
            None => pending().await,
        }
        Ok(())
    };
    or(async { interrupted.await.map(drop) }, after)
}

/// How many of `wanted` connections there are files for. At the limit, nobody new could even be accepted.
fn room_for(wanted: u32) -> usize {
    /// The standard three, the event queue, the listener, a log, and some room.
    const SPARE: u64 = 16;
    let allowed = files_allowed().saturating_sub(SPARE).max(1);
    usize::try_from(allowed.min(wanted.into())).unwrap_or(usize::MAX)
}

/// The fault of the address, and the way out.
pub(crate) fn cannot_listen(error: &io::Error) -> String {
    let way_out = match error.kind() {
        ErrorKind::AddrInUse => "another program has this port: stop it, or choose another port with --addr",
        ErrorKind::AddrNotAvailable => "this machine does not have that address: try --addr 127.0.0.1:7000",
        ErrorKind::PermissionDenied => "ports below 1024 need privileges: try --addr 127.0.0.1:7000",
        _ => "try another address with --addr",
    };
    format!("{error}; {way_out}")
}
