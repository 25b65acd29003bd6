//! A UDP socket. Its settings stand in `udp_settings.rs`.

use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::task::{Context, Poll};

use crate::ground::event::Resource;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::addr::{ToSocketAddrs, no_address, resolve, try_each};
use crate::net::datagram::datagram_methods;
use crate::net::methods::{raw_methods, readable_method, socket_methods, socket_traits, writable_method};
use crate::net::socket::{Socket, TRY_FIRST};

/// A UDP socket: sends and receives datagrams, each of which arrives whole, twice or never.
///
/// It is used through `&self`, so that several tasks may share it in an `Rc`. Once it is [connected](Self::connect) it
/// receives from that address alone. If the other machine answers that nobody listens on the port, the next operation
/// fails once with `ConnectionRefused`. An unconnected socket is not told of that.
///
/// ```
/// use oneloop::net::UdpSocket;
///
/// oneloop::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"hello").await?;
///     let mut buffer = [0; 1500];
///     let (length, from) = server.recv_from(&mut buffer).await?;
///     assert_eq!((&buffer[..length], from), (&b"hello"[..], client.local_addr()?));
///     server.send_to(b"", from).await?;
///     assert_eq!(client.recv(&mut buffer).await?, 0); // an empty datagram
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket {
    pub(crate) socket: Socket<mio::net::UdpSocket>,
}

impl UdpSocket {
    /// Binds a socket. Port 0 lets the system choose; [`local_addr`](Self::local_addr) tells.
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
    /// Dropping the future loses nothing but the socket, if there was one.
    #[track_caller]
    pub fn bind(addr: impl ToSocketAddrs) -> impl Future<Output = io::Result<Self>> {
        let at = Location::caller();
        async move { Self::register(try_each("bind", &addr, at, mio::net::UdpSocket::bind).await?, at) }
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
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::register(mio::net::UdpSocket::from_std(socket), Location::caller())
    }

    fn register(io: mio::net::UdpSocket, at: &'static Location<'static>) -> io::Result<Self> {
        let resource = Resource::UdpSocket(io.local_addr()?);
        Ok(Self { socket: Socket::new(io, TRY_FIRST, resource, at)? })
    }

    /// Gives the socket to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn into_std(self) -> std::net::UdpSocket {
        self.socket.into_io().into()
    }

    /// Connects the socket to the first address that it can: from now on it sends there and receives
    /// from there alone. Nothing is sent yet, so nobody need be there.
    ///
    /// # Errors
    ///
    /// If it cannot be connected to any; the error names the last one tried.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future while it looks up a host name leaves the socket as it was.
    #[track_caller]
    pub fn connect(&self, addr: impl ToSocketAddrs) -> impl Future<Output = io::Result<()>> {
        let at = Location::caller();
        async move { try_each("connect to", &addr, at, |addr| self.socket.io().connect(addr)).await }
    }

    /// Sends a datagram to `target`: of several addresses, to the first that the socket can send to. Waits
    /// if there is no room for it. An empty one is a datagram too.
    ///
    /// # Errors
    ///
    /// If it is too long for a datagram (`EMSGSIZE`), or if `target` is not of the socket's own address
    /// family. Else those of sendto(2), save for `WouldBlock` and `Interrupted`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has sent nothing.
    #[track_caller]
    pub fn send_to(&self, bytes: &[u8], target: impl ToSocketAddrs) -> impl Future<Output = io::Result<usize>> {
        let at = Location::caller();
        async move {
            let mut failed = no_address();
            for target in resolve(&target, at).await? {
                match self.socket.until(Direction::Write, at, |io| io.send_to(bytes, target)).await {
                    Ok(sent) => return Ok(sent),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        }
    }

    /// As [`send_to`](Self::send_to), and never waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; else as [`send_to`](Self::send_to).
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn try_send_to(&self, bytes: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.socket.try_io(Direction::Write, |io| io.send_to(bytes, target))
    }

    /// As [`send_to`](Self::send_to), for use in a `poll` function. Every task that polls is woken.
    pub fn poll_send_to(&self, cx: &mut Context<'_>, bytes: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        self.socket.poll_as(WaiterId::SHARER, cx, Direction::Write, |io| io.send_to(bytes, target))
    }

    datagram_methods!(SocketAddr);

    /// As [`recv`](Self::recv), without taking: the next one receives the same datagram.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no datagram.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        self.socket.until(Direction::Read, Location::caller(), |io| io.peek(buffer))
    }

    /// As [`recv_from`](Self::recv_from), without taking: the next one receives the same datagram.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no datagram.
    #[track_caller]
    pub fn peek_from(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        self.socket.until(Direction::Read, Location::caller(), |io| io.peek_from(buffer))
    }

    readable_method!();
    writable_method!();
    raw_methods!();
    socket_methods!();

    fn socket(&self) -> &Socket<mio::net::UdpSocket> {
        &self.socket
    }
}

socket_traits!(UdpSocket);
