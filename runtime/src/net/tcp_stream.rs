//! A TCP connection.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::ground::event::Resource;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::addr::{ToSocketAddrs, cannot, no_address, resolve};
use crate::net::halves::split_methods;
use crate::net::methods::{raw_methods, read_methods, socket_methods, socket_traits, write_methods};
use crate::net::socket::{Socket, TRY_FIRST, WAIT_FIRST};
use crate::net::stream::sealed::HasSocket;
use crate::net::stream::{async_read, async_write};

/// A TCP connection.
///
/// It can be read and written through `&self`, so one task may read while another writes: share it in
/// an `Rc`, or [split](Self::into_split) it. It implements [`AsyncRead`](futures_io::AsyncRead) and
/// [`AsyncWrite`](futures_io::AsyncWrite), for `TcpStream` and for `&TcpStream`, which is what the
/// ecosystem's helpers ask for.
///
/// Dropping it closes the connection. If bytes have arrived that nobody read, TCP resets the connection. The bytes that
/// were sent last may then not reach the peer: [`shutdown`](Self::shutdown) the sending side and read to the end first.
///
/// Closing does not wait, unless somebody sets `SO_LINGER` to a time through the descriptor. Then close(2)
/// waits until the peer has all bytes or the time is over, and holds up the whole loop meanwhile.
///
/// ```
/// use oneloop::net::{TcpListener, TcpStream};
///
/// oneloop::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///     server.write_all(b"hello").await?;
///     server.shutdown(std::net::Shutdown::Write)?;
///     let mut buffer = [0; 16];
///     assert_eq!(client.read(&mut buffer).await?, 5);
///     assert_eq!(client.read(&mut buffer).await?, 0); // the end
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream {
    socket: Socket<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first address that answers, trying one after the other.
    /// [`happy_eyeballs`](crate::net::happy_eyeballs()) does not wait for each to fail.
    ///
    /// # Errors
    ///
    /// If none answers; the error names the last one tried.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that was being made.
    #[track_caller]
    pub fn connect(addr: impl ToSocketAddrs) -> impl Future<Output = io::Result<Self>> {
        let at = Location::caller();
        async move {
            let mut failed = no_address();
            for addr in resolve(&addr, at).await? {
                match Self::connect_to(addr, at).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        }
    }

    pub(crate) async fn connect_to(addr: SocketAddr, at: &'static Location<'static>) -> io::Result<Self> {
        let attempt = async {
            let io = mio::net::TcpStream::connect(addr)?;
            let socket = Socket::new(io, WAIT_FIRST, Resource::TcpStream(addr), at)?;
            socket.attempts(Direction::Write, at, is_over).await?;
            Ok(Self { socket })
        };
        attempt.await.map_err(|error| cannot("connect to", addr, &error))
    }

    pub(crate) fn accepted(
        io: mio::net::TcpStream,
        peer: SocketAddr,
        at: &'static Location<'static>,
    ) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(io, TRY_FIRST, Resource::TcpStream(peer), at)? })
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
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (peer, at) = (stream.peer_addr(), Location::caller());
        let io = mio::net::TcpStream::from_std(stream);
        match peer {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                // A connection that was reset has no peer any more, but perhaps bytes that came before.
                let stream = Self::accepted(io, SocketAddr::from(([0; 4], 0)), at)?;
                is_over(&stream.socket).map_err(|_| error)?;
                Ok(stream)
            }
            peer => Self::accepted(io, peer?, at),
        }
    }

    /// Gives the connection to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn into_std(self) -> std::net::TcpStream {
        self.socket.into_io().into()
    }

    read_methods!();
    write_methods!();
    raw_methods!();
    split_methods!();

    /// Reads without taking: the next read gives the same bytes again.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no byte.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let needs_nothing = buffer.is_empty();
        let attempt = move |socket: &Socket<mio::net::TcpStream>| {
            if buffer.is_empty() {
                return Ok(0);
            }
            match socket.io().peek(buffer)? {
                0 => socket.read_the_end(),
                count => Ok(count),
            }
        };
        self.socket.attempts(Direction::Read, Location::caller(), attempt).ready_if(needs_nothing)
    }

    /// Ends the reading side, the writing side or both. The peer of an ended writing side reads to the
    /// end and then gets zero.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.io().shutdown(how)
    }

    /// The other end's address.
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

    /// Whether small writes are sent at once, without waiting for more (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.io().nodelay()
    }

    /// Sets whether small writes are sent at once, without waiting for more (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.io().set_nodelay(nodelay)
    }

    /// The time-to-live of packets.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.io().ttl()
    }

    /// Sets the time-to-live of packets.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.io().set_ttl(ttl)
    }

    socket_methods!();
}

/// How an attempt to connect went, or `WouldBlock` if it goes on. A writable socket need not be connected: its peer
/// says whether it is. Without a peer the attempt goes on, or it has failed, or the connection was made and has been
/// reset since. A look at what came tells these apart, and takes nothing but the error.
fn is_over(socket: &Socket<mio::net::TcpStream>) -> io::Result<()> {
    if socket.io().peer_addr().is_ok() {
        return Ok(());
    }
    match socket.io().peek(&mut [0]) {
        Ok(_) => Ok(()),
        // Only a connection can be reset: an attempt is refused, or takes too long.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            socket.keep_error(&error);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

impl HasSocket for TcpStream {
    type Io = mio::net::TcpStream;

    fn socket(&self) -> &Socket<mio::net::TcpStream> {
        &self.socket
    }
}

async_read!([] TcpStream, WaiterId::OWNER);
async_write!([] TcpStream, WaiterId::OWNER);
async_read!([] & TcpStream, WaiterId::SHARER);
async_write!([] & TcpStream, WaiterId::SHARER);
socket_traits!(TcpStream);
