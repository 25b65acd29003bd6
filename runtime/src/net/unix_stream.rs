//! A connection between two processes of one machine.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::ground::event::Resource;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::backoff::insist;
use crate::net::halves::split_methods;
use crate::net::methods::{raw_methods, read_methods, socket_methods, socket_traits, write_methods};
use crate::net::socket::{Socket, TRY_FIRST};
use crate::net::stream::sealed::HasSocket;
use crate::net::stream::{async_read, async_write};
use crate::net::unix_addr::{address, cannot_at};

/// A connection through a Unix socket.
///
/// It is used as a [`TcpStream`](crate::net::TcpStream) is: through `&self`, in halves, or by
/// [`AsyncRead`](futures_io::AsyncRead) and [`AsyncWrite`](futures_io::AsyncWrite). Dropping it closes
/// the connection; what was sent reaches the peer.
///
/// A program may take back Rust's ignoring of `SIGPIPE`. Built with an old standard library, such as 1.85's, it then
/// gets that signal when it writes to a closed peer. Newer ones prevent it.
///
/// The peer's process and user are not offered: the standard library has no stable way to ask.
///
/// ```
/// use oneloop::net::UnixStream;
///
/// oneloop::run(async {
///     let (near, far) = UnixStream::pair()?;
///     near.write_all(b"hello").await?;
///     drop(near);
///     let mut buffer = [0; 16];
///     assert_eq!(far.read(&mut buffer).await?, 5);
///     assert_eq!(far.read(&mut buffer).await?, 0); // the end
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    socket: Socket<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the socket at `path`. While more connect than the listener has room for, it waits, and
    /// asks again after pauses of up to 40 ms.
    ///
    /// # Errors
    ///
    /// If `path` is too long, or nothing listens there; the error names it.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that was being made.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Self>> {
        let at = Location::caller();
        async move { Self::connect_to(&address(path.as_ref())?, at).await }
    }

    /// As with a path, for any address: one with an abstract name, for example, which is Linux's alternative to a
    /// path.
    ///
    /// # Errors
    ///
    /// If nothing listens there; the error names the address.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that was being made.
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> impl Future<Output = io::Result<Self>> {
        Self::connect_to(addr, Location::caller())
    }

    async fn connect_to(addr: &SocketAddr, at: &'static Location<'static>) -> io::Result<Self> {
        let attempt = async {
            // A listener without room is not awaited in the kernel: each attempt is a new one.
            // And one that has succeeded is over, whatever becomes of the connection then.
            let io = insist(at, || mio::net::UnixStream::connect_addr(addr)).await?;
            Self::register(io, at)
        };
        attempt.await.map_err(|error| cannot_at("connect to", addr, &error))
    }

    /// Two streams without names, connected to each other.
    ///
    /// # Errors
    ///
    /// If the system refuses, as when no file descriptors are left.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let at = Location::caller();
        let (one, other) = mio::net::UnixStream::pair()?;
        Ok((Self::register(one, at)?, Self::register(other, at)?))
    }

    /// Takes over a connection of the standard library, which is made non-blocking.
    ///
    /// # Errors
    ///
    /// If the system refuses to make it non-blocking, or to register it.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::register(mio::net::UnixStream::from_std(stream), Location::caller())
    }

    pub(crate) fn register(io: mio::net::UnixStream, at: &'static Location<'static>) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(io, TRY_FIRST, Resource::UnixStream, at)? })
    }

    /// Gives the connection to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn into_std(self) -> std::os::unix::net::UnixStream {
        self.socket.into_io().into()
    }

    read_methods!();
    write_methods!();
    raw_methods!();
    split_methods!();

    /// Ends the reading side, the writing side or both. The peer of an ended writing side reads to the
    /// end and then gets zero.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.io().shutdown(how)
    }

    /// The other end's address. It has one only if it listens, or was bound before it connected.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().peer_addr()
    }

    /// This end's address.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().local_addr()
    }

    socket_methods!();
}

impl HasSocket for UnixStream {
    type Io = mio::net::UnixStream;

    fn socket(&self) -> &Socket<mio::net::UnixStream> {
        &self.socket
    }
}

async_read!([] UnixStream, WaiterId::OWNER);
async_write!([] UnixStream, WaiterId::OWNER);
async_read!([] & UnixStream, WaiterId::SHARER);
async_write!([] & UnixStream, WaiterId::SHARER);
socket_traits!(UnixStream);
