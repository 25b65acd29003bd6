//! The parts of a server that is more than a page: listening, the stop, and clients that can be hung up on.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::future::or;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::time::{sleep, timeout};

use crate::{Guest, Guests, seconds};

/// The bytes taken from a client that still sends when all has been said, and for how long: a connection that is
/// closed over unread bytes is reset, and the answer lost with it. Source: RFC 9112, section 9.6.
const LINGER_BYTES: usize = 1024 * 1024;
const LINGER: Duration = Duration::from_secs(1);

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
        ErrorKind::AddrNotAvailable => format!("this machine does not have that address: try {flag} 127.0.0.1:0"),
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

/// Text without control characters, which would steer the terminal of its reader, nor spaces at its ends.
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

/// Says that there is no more to come, and takes what is still on its way here: for a while, and to a bound.
pub async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let drain = async {
        if stream.close().await.is_err() {
            return;
        }
        // An array would be a part of the future, and of each that holds it: kept by all connections, used at their end.
        let mut buffer = vec![0; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(LINGER, drain).await;
}

/// A client, and its connection, which is shut down when the place is needed for another.
pub struct Client {
    place: Guest,
    /// The connection.
    pub stream: Arc<TcpStream>,
}

impl Guests {
    /// Takes a client in.
    pub fn welcome(self: &Rc<Self>, stream: TcpStream) -> Client {
        let (place, stream) = (self.enter(), Arc::new(stream));
        place.hang_up_on(&stream);
        Client { place, stream }
    }
}

impl Client {
    /// Counts from 1, over all clients.
    pub fn number(&self) -> u64 {
        self.place.number()
    }

    /// To be called when the client has said something that makes sense.
    pub fn was_heard(&self) {
        self.place.has_spoken();
    }

    /// Whether the place was needed for another.
    pub fn was_told_to_go(&self) -> bool {
        self.place.was_told_to_go()
    }

    /// The connection, for a library that wants one of its own.
    pub fn connection(&self) -> Connection {
        Connection(Arc::clone(&self.stream))
    }
}

/// A client's connection, shared with the list of guests.
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
