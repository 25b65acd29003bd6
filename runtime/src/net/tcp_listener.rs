//! A listening TCP socket.

use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::ground::event::Resource;
use crate::net::accept::{Accept, Listen};
use crate::net::addr::{ToSocketAddrs, try_each};
use crate::net::methods::{socket_methods, socket_traits};
use crate::net::socket::{Socket, TRY_FIRST};
use crate::net::tcp_stream::TcpStream;

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
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing but the listener, if there was one.
    #[track_caller]
    pub fn bind(addr: impl ToSocketAddrs) -> impl Future<Output = io::Result<Self>> {
        let at = Location::caller();
        async move { Self::register(try_each("bind", &addr, at, mio::net::TcpListener::bind).await?, at) }
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

    /// Gives the listener to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn into_std(self) -> std::net::TcpListener {
        self.socket.into_io().into()
    }

    /// Waits for the next connection, and gives it with its peer's address.
    ///
    /// A connection that fails before it is accepted is passed over. When the process or the system has no descriptor
    /// or buffer left for another, the listener pauses for up to half a second. It tries again for as long as it takes.
    /// Meanwhile the connections that exist are served, and new ones wait in the backlog. Both are counted in
    /// [`Metrics`](crate::Metrics).
    ///
    /// # Errors
    ///
    /// If the listener itself is unusable.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> {
        Accept::new(&self.socket, Location::caller())
    }

    /// The connections to come, as a [`Stream`] that does not end. It does as [`accept`](Self::accept)
    /// does, and is as cancel-safe.
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use oneloop::net::{TcpListener, TcpStream};
    ///
    /// oneloop::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let addr = listener.local_addr()?;
    ///     let clients = oneloop::spawn(async move {
    ///         for _ in 0..3 {
    ///             TcpStream::connect(addr).await?.write_all(b"hello").await?;
    ///         }
    ///         std::io::Result::Ok(())
    ///     });
    ///     let mut incoming = listener.incoming().take(3);
    ///     while let Some(stream) = incoming.try_next().await? {
    ///         assert_eq!(stream.read(&mut [0; 16]).await?, 5);
    ///     }
    ///     clients.await.unwrap()
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn incoming(&self) -> TcpIncoming<'_> {
        TcpIncoming(Accept::new(&self.socket, Location::caller()))
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

    socket_methods!();
}

socket_traits!(TcpListener);

impl Listen for mio::net::TcpListener {
    type Raw = (mio::net::TcpStream, SocketAddr);
    type Accepted = (TcpStream, SocketAddr);

    fn accept(&self) -> io::Result<Self::Raw> {
        mio::net::TcpListener::accept(self)
    }

    fn adopt((io, peer): Self::Raw, at: &'static Location<'static>) -> io::Result<Self::Accepted> {
        Ok((TcpStream::accepted(io, peer, at)?, peer))
    }
}

/// The connections to a [`TcpListener`]. Made by [`TcpListener::incoming`].
#[must_use = "a stream does nothing unless it is polled"]
pub struct TcpIncoming<'a>(Accept<'a, mio::net::TcpListener>);

impl Stream for TcpIncoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}
