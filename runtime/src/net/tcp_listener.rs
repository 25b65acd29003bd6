//! A listening TCP socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::time::Duration;

use crate::context::{Core, expect_current};
use crate::event::Resource;
use crate::net::addr::{ToSocketAddrs, cannot, no_address, resolve};
use crate::net::socket::{Socket, TRY_FIRST};
use crate::net::tcp_stream::TcpStream;
use crate::reactor::Direction;
use crate::time::Sleep;

/// Listens for TCP connections.
///
/// ```
/// use oneloop::net::{TcpListener, TcpStream};
///
/// oneloop::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///     client.write_all(b"hello").await?;
///     let mut buffer = [0; 16];
///     assert_eq!(server.read(&mut buffer).await?, 5);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener {
    socket: Socket<mio::net::TcpListener>,
}

impl TcpListener {
    /// Binds a listener, with `SO_REUSEADDR` and a backlog of the system's choice. Port 0 lets the
    /// system choose; [`local_addr`](Self::local_addr) tells.
    ///
    /// # Errors
    ///
    /// If no address can be bound; the error names the last one tried.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(addr: impl ToSocketAddrs) -> impl Future<Output = io::Result<Self>> {
        let at = Location::caller();
        async move {
            let mut failed = no_address();
            for addr in resolve(&addr).await? {
                match mio::net::TcpListener::bind(addr) {
                    Ok(io) => return Self::register(io, at),
                    Err(error) => failed = cannot("bind", addr, &error),
                }
            }
            Err(failed)
        }
    }

    /// Takes over a listener of the standard library, which is made non-blocking.
    ///
    /// # Errors
    ///
    /// If the system refuses to make it non-blocking, or to register it.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::register(mio::net::TcpListener::from_std(listener), Location::caller())
    }

    fn register(io: mio::net::TcpListener, at: &'static Location<'static>) -> io::Result<Self> {
        let resource = Resource::TcpListener(io.local_addr()?);
        Ok(Self { socket: Socket::new(io, TRY_FIRST, resource, at)? })
    }

    /// Waits for the next connection, and gives it with its peer's address.
    ///
    /// A connection that fails before it is accepted is passed over. When the process or the system has
    /// no descriptor or buffer left for another, the listener pauses for up to half a second and tries
    /// again, for as long as it takes: meanwhile the connections that exist are served, and new ones
    /// wait in the backlog. Both are counted in [`Metrics`](crate::Metrics).
    ///
    /// # Errors
    ///
    /// What is left: the listener itself is unusable.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + '_ {
        let at = Location::caller();
        async move {
            for failures in 0.. {
                let accepted = self.socket.until(Direction::Read, at, mio::net::TcpListener::accept).await;
                let error = match accepted.and_then(|(io, peer)| Ok((TcpStream::accepted(io, peer, at)?, peer))) {
                    Ok(connection) => return Ok(connection),
                    Err(error) => error,
                };
                let core = expect_current("a TcpListener");
                let Some(pause) = pause_after(&error, failures) else { return Err(error) };
                core.counters.accept_retries.add(1);
                rest(&core, pause, at).await;
            }
            unreachable!("the loop ends by returning")
        }
    }

    /// The address the listener is bound to.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    /// The time-to-live of packets sent on accepted connections.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().ttl()
    }

    /// Sets the time-to-live of packets sent on accepted connections.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().set_ttl(ttl)
    }

    /// The last error of the socket, which is cleared by asking.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.io().take_error()
    }
}

/// A connection's failure may follow another's at once, but not for ever.
const FAILURES_WITHOUT_PAUSE: u32 = 16;
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long to pause before the next `accept`, after `failures` before this one; `None` if there is no
/// use. Source: accept(2), "Error handling".
pub(crate) fn pause_after(error: &io::Error, failures: u32) -> Option<Duration> {
    let growing =
        |from: u32| SHORTEST_PAUSE.saturating_mul(1 << failures.saturating_sub(from).min(7)).min(LONGEST_PAUSE);
    match error.raw_os_error()? {
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::ENOSPC => Some(growing(0)),
        libc::ECONNABORTED
        | libc::ECONNRESET
        | libc::EPROTO
        | libc::EPERM
        | libc::ETIMEDOUT
        | libc::ENETDOWN
        | libc::ENETUNREACH
        | libc::EHOSTDOWN
        | libc::EHOSTUNREACH
        | libc::ENOPROTOOPT => {
            Some(if failures < FAILURES_WITHOUT_PAUSE { Duration::ZERO } else { growing(FAILURES_WITHOUT_PAUSE) })
        }
        _ => None,
    }
}

/// Sleeps, unless there is nothing to sleep for.
fn rest(core: &Core, pause: Duration, at: &'static Location<'static>) -> impl Future<Output = ()> {
    let sleep = (pause > Duration::ZERO).then(|| Sleep::new(core, core.timers.deadline(pause), at));
    async move {
        if let Some(sleep) = sleep {
            sleep.await;
        }
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.io().fmt(f)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.io().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.io().as_raw_fd()
    }
}
