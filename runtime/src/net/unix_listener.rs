//! A listening Unix socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use mio::{Interest, Registry, Token};

use crate::ground::event::Resource;
use crate::net::accept::{Accept, Listen};
use crate::net::methods::{socket_methods, socket_traits};
use crate::net::socket::{Socket, TRY_FIRST};
use crate::net::unix_addr::{address, cannot_at};
use crate::net::unix_stream::UnixStream;

/// Listens for connections through a Unix socket.
///
/// Binding makes the socket's file. Dropping the listener does not remove it, since it may be another's by then; and
/// while it is there, nobody can bind to it. So a server removes the file when it ends. It may remove an old file
/// before it binds, if no other server runs.
///
/// ```
/// use oneloop::net::{UnixListener, UnixStream};
///
/// # let path = std::env::temp_dir().join(format!("oneloop-listener-{}", std::process::id()));
/// # let _ = std::fs::remove_file(&path);
/// oneloop::run(async {
///     let listener = UnixListener::bind(&path)?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     let mut buffer = [0; 16];
///     assert_eq!(server.read(&mut buffer).await?, 5);
///     std::fs::remove_file(&path)
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener {
    socket: Socket<Acceptor>,
}

impl UnixListener {
    /// Binds a listener to `path`, with a backlog of the system's choice.
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

    /// As with a path, for any address: one with an abstract name, for example. It is Linux's alternative to a path,
    /// and is gone with its socket.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    /// use oneloop::net::{UnixListener, UnixStream};
    ///
    /// let name = format!("oneloop-example-{}", std::process::id());
    /// let addr = SocketAddr::from_abstract_name(name)?;
    /// oneloop::run(async {
    ///     let listener = UnixListener::bind_addr(&addr)?;
    ///     let client = UnixStream::connect_addr(&addr).await?;
    ///     assert_eq!(client.peer_addr()?.as_abstract_name(), addr.as_abstract_name());
    ///     listener.accept().await
    /// })?;
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
        let io = mio::net::UnixListener::bind_addr(addr).map_err(|error| cannot_at("bind", addr, &error))?;
        Self::register(io.into(), at)
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
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::register(listener, Location::caller())
    }

    fn register(listener: std::os::unix::net::UnixListener, at: &'static Location<'static>) -> io::Result<Self> {
        let polled = mio::net::UnixStream::from_std(OwnedFd::from(listener.try_clone()?).into());
        let acceptor = Acceptor { listener, polled };
        Ok(Self { socket: Socket::new(acceptor, TRY_FIRST, Resource::UnixListener, at)? })
    }

    /// Gives the listener to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn into_std(self) -> std::os::unix::net::UnixListener {
        self.socket.into_io().listener
    }

    /// Waits for the next connection, and gives it with its peer's address, which most peers lack.
    ///
    /// It treats connections that fail and descriptors that run out as
    /// [`TcpListener::accept`](crate::net::TcpListener::accept) does.
    ///
    /// # Errors
    ///
    /// If the listener itself is unusable.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> {
        Accept::new(&self.socket, Location::caller())
    }

    /// The connections to come, as a [`Stream`] that does not end. It does as [`accept`](Self::accept)
    /// does, and is as cancel-safe.
    #[track_caller]
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming(Accept::new(&self.socket, Location::caller()))
    }

    /// The address the listener is bound to.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.io().listener.local_addr()
    }

    socket_methods!();
}

socket_traits!(UnixListener);

/// The connections to a [`UnixListener`]. Made by [`UnixListener::incoming`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct UnixIncoming<'a>(Accept<'a, Acceptor>);

impl Stream for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

/// One listener, as two objects: one is polled, and the other accepts. mio's own `accept` is not called. It panics if a
/// client's path fills its address to the last byte, so any client could stop the server. The polled object has mio's
/// type of a stream, because mio lets nobody else make an attempt on its listener. To the kernel both are descriptors.
#[derive(Debug)]
struct Acceptor {
    listener: std::os::unix::net::UnixListener,
    polled: mio::net::UnixStream,
}

impl Listen for Acceptor {
    type Raw = (std::os::unix::net::UnixStream, SocketAddr);
    type Accepted = (UnixStream, SocketAddr);

    fn accept(&self) -> io::Result<Self::Raw> {
        self.polled.try_io(|| self.listener.accept())
    }

    fn adopt((stream, peer): Self::Raw, at: &'static Location<'static>) -> io::Result<Self::Accepted> {
        stream.set_nonblocking(true)?;
        Ok((UnixStream::register(mio::net::UnixStream::from_std(stream), at)?, peer))
    }
}

impl mio::event::Source for Acceptor {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.polled.register(registry, token, interest)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.polled.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.polled.deregister(registry)
    }
}

impl Acceptor {
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.listener.take_error()
    }
}

impl AsFd for Acceptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl AsRawFd for Acceptor {
    fn as_raw_fd(&self) -> RawFd {
        self.listener.as_raw_fd()
    }
}
