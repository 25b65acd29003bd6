//! A Unix socket for datagrams.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::task::{Context, Poll};

use crate::ground::event::Resource;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::backoff::insist;
use crate::net::datagram::datagram_methods;
use crate::net::methods::{raw_methods, readable_method, socket_methods, socket_traits, writable_method};
use crate::net::socket::{Socket, TRY_FIRST};
use crate::net::unix_addr::{address, cannot_at};

/// A Unix socket for datagrams, which arrive whole, once and in order.
///
/// It is used through `&self`, so that several tasks may share it in an `Rc`. A receiver that is slow
/// holds its senders up: the system keeps a few datagrams for it, and no more.
///
/// Binding makes the socket's file. Dropping the socket does not remove it, since it may be another's by
/// then.
///
/// ```
/// use oneloop::net::UnixDatagram;
///
/// # let path = std::env::temp_dir().join(format!("oneloop-datagram-{}", std::process::id()));
/// # let _ = std::fs::remove_file(&path);
/// oneloop::run(async {
///     let receiver = UnixDatagram::bind(&path)?;
///     let sender = UnixDatagram::unbound()?;
///     sender.send_to(b"hello", &path).await?;
///     let mut buffer = [0; 1500];
///     assert_eq!(receiver.recv(&mut buffer).await?, 5);
///     std::fs::remove_file(&path)
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixDatagram {
    socket: Socket<mio::net::UnixDatagram>,
}

impl UnixDatagram {
    /// Binds a socket to `path`.
    ///
    /// # Errors
    ///
    /// If `path` is too long, is there already, or cannot be made; the error names it.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&address(path.as_ref())?)
    }

    /// As with a path, for any address: one with an abstract name, for example, which is Linux's alternative to a
    /// path.
    ///
    /// # Errors
    ///
    /// If the address is in use or cannot be made; the error names it.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        let at = Location::caller();
        let io = mio::net::UnixDatagram::bind_addr(addr).map_err(|error| cannot_at("bind", addr, &error))?;
        Self::register(io, at)
    }

    /// A socket without an address: it can send, and nobody can answer.
    ///
    /// # Errors
    ///
    /// If the system refuses, as when no file descriptors are left.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::register(mio::net::UnixDatagram::unbound()?, Location::caller())
    }

    /// Two sockets without names, connected to each other.
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
        let (one, other) = mio::net::UnixDatagram::pair()?;
        Ok((Self::register(one, at)?, Self::register(other, at)?))
    }

    /// Takes over a socket of the standard library, which is made non-blocking.
    ///
    /// # Errors
    ///
    /// If the system refuses to make it non-blocking, or to register it.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::register(mio::net::UnixDatagram::from_std(socket), Location::caller())
    }

    fn register(io: mio::net::UnixDatagram, at: &'static Location<'static>) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(io, TRY_FIRST, Resource::UnixDatagram, at)? })
    }

    /// Gives the socket to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn into_std(self) -> std::os::unix::net::UnixDatagram {
        self.socket.into_io().into()
    }

    /// Connects the socket to the one at `path`: from now on it sends there and receives from there alone.
    ///
    /// # Errors
    ///
    /// If `path` is too long, or no socket for datagrams is bound to it; the error names it.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&address(path.as_ref())?)
    }

    /// As with a path, for any address: one with an abstract name, for example.
    ///
    /// # Errors
    ///
    /// If no socket for datagrams is bound to it; the error names it.
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        let connected = self.as_std().and_then(|socket| socket.connect_addr(addr));
        connected.map_err(|error| cannot_at("connect to", addr, &error))
    }

    /// Sends a datagram to the socket at `path`. While that has no room for it, it waits, and tries again after
    /// pauses of up to 40 ms. The system tells only a [connected](Self::connect) socket of room at the other end.
    ///
    /// # Errors
    ///
    /// If it is too long for a datagram (`EMSGSIZE`), or no socket for datagrams is bound to `path`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> impl Future<Output = io::Result<usize>> {
        let at = Location::caller();
        async move {
            let path = path.as_ref();
            insist(at, || self.try_send_to(bytes, path)).await
        }
    }

    /// As [`send_to`](Self::send_to), and never waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the receiver has no room. [`writable`](Self::writable) does not tell when it has:
    /// pause before the next attempt.
    /// Else as [`send_to`](Self::send_to).
    pub fn try_send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        // The path is looked at first, for an error that names it.
        address(path.as_ref()).and_then(|_| self.socket.io().send_to(bytes, path))
    }

    /// As [`send_to`](Self::send_to) for any address: an abstract one, or one that a datagram came from.
    /// It costs two more system calls.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send_to_addr(&self, bytes: &[u8], addr: &SocketAddr) -> impl Future<Output = io::Result<usize>> {
        let at = Location::caller();
        async move {
            let socket = self.as_std()?;
            insist(at, || socket.send_to_addr(bytes, addr)).await
        }
    }

    /// A second handle on the socket, for what mio leaves out.
    fn as_std(&self) -> io::Result<std::os::unix::net::UnixDatagram> {
        self.socket.io().as_fd().try_clone_to_owned().map(Into::into)
    }

    datagram_methods!(SocketAddr);

    /// Ends the reading side, the writing side or both.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the socket is not connected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.io().shutdown(how)
    }

    readable_method!();
    writable_method!();
    raw_methods!();
    socket_methods!();

    fn socket(&self) -> &Socket<mio::net::UnixDatagram> {
        &self.socket
    }
}

socket_traits!(UnixDatagram);
