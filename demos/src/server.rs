//! What servers share that are more than a page: listening, the stop, and a bound on who is in.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::future::or;
use futures_lite::{AsyncRead, AsyncWrite};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::time::{Instant, sleep};

use crate::{files_allowed, seconds};

/// Reads a flag that is a number of seconds above 0.
///
/// # Errors
///
/// A sentence for the command line, if `text` is anything else.
pub fn some_seconds(text: &str) -> Result<Duration, String> {
    seconds(text).and_then(|time| if time.is_zero() { Err("it must be more than zero".to_owned()) } else { Ok(time) })
}

/// Listens on the address that `flag` gave. Returns the address with the port that was taken.
///
/// # Errors
///
/// A sentence that names the address and the way out.
pub async fn listen(addr: SocketAddr, flag: &str) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(addr).await.map_err(|error| cannot_listen(&error, flag))?;
    let addr = listener.local_addr().unwrap_or(addr);
    Ok((listener, addr))
}

/// Why an address cannot be listened on, and the way out.
pub fn cannot_listen(error: &io::Error, flag: &str) -> String {
    let way_out = match error.kind() {
        ErrorKind::AddrInUse => format!("another program has this port: stop it, or choose another port with {flag}"),
        ErrorKind::PermissionDenied => format!("ports below 1024 need privileges: try {flag} 127.0.0.1:0"),
        _ => format!("try another address with {flag}, such as 127.0.0.1:0"),
    };
    format!("{error}; {way_out}")
}

/// Resolves when a signal or the clock asks for the stop. Signals are heard from the call on.
pub fn stop_asked_for(time: Option<Duration>) -> impl Future<Output = io::Result<()>> {
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

/// Whether a request is meant for this server, and not sent by the page of another: it names one host, which is
/// `addr`, one of loopback, or in `names`, and its origin, if it has one, is that host.
///
/// # Errors
///
/// A sentence that says what is wrong, with a line feed.
pub fn is_at_home(
    hosts: &[&str],
    origin: Option<&str>,
    addr: SocketAddr,
    names: &[String],
) -> Result<(), &'static str> {
    let &[host] = hosts else { return Err("a request names one host\n") };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    };
    let own = names.iter().any(|own| own.eq_ignore_ascii_case(name));
    if !own && !["localhost", "127.0.0.1", "[::1]"].contains(&name) && addr.ip().to_string() != name {
        return Err("this server does not go by that name; start it with --host NAME\n");
    }
    match origin {
        None => Ok(()),
        Some(origin) if origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host)) => Ok(()),
        Some(_) => Err("a page of another server may not come in here\n"),
    }
}

/// Text without control characters, which would steer the terminal of whoever reads it, nor spaces at its ends.
pub fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned()
}

/// How much memory this process uses, in bytes, where Linux tells.
pub fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// A client's connection, and when it was last heard.
type Known = (Arc<TcpStream>, Rc<Cell<Instant>>);

/// Who is connected, up to a bound. Nobody keeps a newcomer out by saying nothing: where it is full, whoever
/// has been silent the longest is hung up on.
pub struct Guests {
    most: usize,
    known: RefCell<BTreeMap<u64, Known>>,
    came: Cell<u64>,
    made_room: Cell<u64>,
}

impl Guests {
    /// Room for `most` clients, or for as many as this process may open files for.
    pub fn new(most: u32) -> Rc<Self> {
        /// The standard three, the event queue, listeners, a log, and some room.
        const SPARE: u64 = 24;
        let allowed = files_allowed().saturating_sub(SPARE).max(1);
        let most = usize::try_from(allowed.min(most.into())).unwrap_or(usize::MAX);
        Rc::new(Self { most, known: RefCell::default(), came: Cell::new(0), made_room: Cell::new(0) })
    }

    /// Takes a client in.
    pub fn welcome(self: &Rc<Self>, stream: TcpStream) -> Guest {
        let mut known = self.known.borrow_mut();
        if known.len() >= self.most {
            let silent = known.iter().min_by_key(|(_, (_, heard))| heard.get()).map(|(number, _)| *number);
            if let Some((stream, _)) = silent.and_then(|silent| known.remove(&silent)) {
                // Its task reads the end of the connection, and comes to its own.
                let _ = stream.shutdown(Shutdown::Both);
                self.made_room.set(self.made_room.get() + 1);
            }
        }
        let number = self.came.get() + 1;
        self.came.set(number);
        let (stream, heard) = (Arc::new(stream), Rc::new(Cell::new(Instant::now())));
        known.insert(number, (Arc::clone(&stream), Rc::clone(&heard)));
        Guest { guests: Rc::clone(self), number, stream, heard }
    }

    /// How many are connected.
    pub fn connected(&self) -> usize {
        self.known.borrow().len()
    }

    /// How many came in all.
    pub fn came(&self) -> u64 {
        self.came.get()
    }

    /// How many were hung up on to make room.
    pub fn made_room(&self) -> u64 {
        self.made_room.get()
    }
}

/// Somebody who is connected, until this is dropped.
pub struct Guest {
    guests: Rc<Guests>,
    /// Counts from 1, over all clients.
    pub number: u64,
    /// The connection.
    pub stream: Arc<TcpStream>,
    heard: Rc<Cell<Instant>>,
}

impl Guest {
    /// To be called when the client has said something that makes sense.
    pub fn was_heard(&self) {
        self.heard.set(Instant::now());
    }

    /// The connection, for a library that wants one of its own.
    pub fn connection(&self) -> Connection {
        Connection(Arc::clone(&self.stream))
    }
}

/// A guest's connection, shared with the list of guests.
pub struct Connection(Arc<TcpStream>);

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_close(cx)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.known.borrow_mut().remove(&self.number);
    }
}
