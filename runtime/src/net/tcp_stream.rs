//! A TCP connection.

use std::fmt;
use std::io::{self, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::event::Resource;
use crate::net::addr::{ToSocketAddrs, cannot, no_address, resolve};
use crate::net::socket::{Socket, TRY_FIRST, WAIT_FIRST};
use crate::reactor::{Direction, Waiter};

/// A TCP connection.
///
/// It can be read and written through `&self`, so one task may read while another writes: share it in
/// an `Rc`. It implements [`AsyncRead`] and [`AsyncWrite`], for `TcpStream` and for `&TcpStream`, which
/// is what the ecosystem's helpers ask for.
///
/// Dropping it closes the connection. If bytes have arrived that nobody read, TCP resets the
/// connection, and what was sent last may not reach the peer: [`shutdown`](Self::shutdown) the sending
/// side and read to the end first.
///
/// An example is at [`TcpListener`](crate::net::TcpListener).
pub struct TcpStream {
    socket: Socket<mio::net::TcpStream>,
    at: &'static Location<'static>,
}

impl TcpStream {
    /// Connects to the first address that answers, trying one after the other.
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
            for addr in resolve(&addr).await? {
                match Self::connect_to(addr, at).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failed = cannot("connect to", addr, &error),
                }
            }
            Err(failed)
        }
    }

    async fn connect_to(addr: SocketAddr, at: &'static Location<'static>) -> io::Result<Self> {
        let io = mio::net::TcpStream::connect(addr)?;
        let stream = Self { socket: Socket::new(io, WAIT_FIRST, Resource::TcpStream(addr), at)?, at };
        // Writable is not connected: the socket's error says how it ended, and its peer that it has.
        stream
            .socket
            .until(Direction::Write, at, |io| match (io.take_error()?, io.peer_addr()) {
                (None, Ok(_)) => Ok(()),
                (None, Err(not_yet)) if not_yet.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                (Some(error), _) | (None, Err(error)) => Err(error),
            })
            .await?;
        Ok(stream)
    }

    pub(crate) fn accepted(
        io: mio::net::TcpStream,
        peer: SocketAddr,
        at: &'static Location<'static>,
    ) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(io, TRY_FIRST, Resource::TcpStream(peer), at)?, at })
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
        let peer = stream.peer_addr()?;
        Self::accepted(mio::net::TcpStream::from_std(stream), peer, Location::caller())
    }

    /// Gives the connection to the standard library. It stays non-blocking.
    ///
    /// # Panics
    ///
    /// Where its runtime is not running.
    pub fn into_std(self) -> std::net::TcpStream {
        self.socket.into_io().into()
    }

    /// Reads what there is, up to the buffer's length; waits if there is nothing. Zero means that the
    /// peer has sent all it will, or that the buffer is empty.
    ///
    /// # Errors
    ///
    /// As read(2), save for `WouldBlock` and `Interrupted`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no byte.
    #[track_caller]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.until(Direction::Read, Location::caller(), move |io| self.read_from(io, buffer))
    }

    /// Writes what fits into the socket's buffer, and says how much; waits if nothing does.
    ///
    /// # Errors
    ///
    /// As write(2), save for `WouldBlock` and `Interrupted`. Writing to a closed peer gives
    /// `BrokenPipe`, and no signal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has written nothing.
    #[track_caller]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.until(Direction::Write, Location::caller(), move |io| self.write_to(io, bytes))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// **Not** cancel-safe: dropping the future before it is ready may have written any part.
    #[track_caller]
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = io::Result<()>> + 'a {
        let mut rest = bytes;
        self.socket.until(Direction::Write, Location::caller(), move |io| {
            while !rest.is_empty() {
                match self.write_to(io, rest)? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    written => rest = &rest[written..],
                }
            }
            Ok(())
        })
    }

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
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        self.socket.until(Direction::Read, Location::caller(), move |io| io.peek(buffer))
    }

    /// Waits until a read may succeed. It may still say `WouldBlock`; then wait again.
    ///
    /// # Errors
    ///
    /// None so far; failures show in the read that follows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.socket.until(Direction::Read, Location::caller(), |_| Ok(()))
    }

    /// Waits until a write may succeed. It may still say `WouldBlock`; then wait again.
    ///
    /// # Errors
    ///
    /// None so far; failures show in the write that follows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> + '_ {
        self.socket.until(Direction::Write, Location::caller(), |_| Ok(()))
    }

    /// Reads what there is, and never waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing; else as [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// Where its runtime is not running.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_io(Direction::Read, |io| self.read_from(io, buffer))
    }

    /// Writes what fits, and never waits.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing fits; else as [`write`](Self::write).
    ///
    /// # Panics
    ///
    /// Where its runtime is not running.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.try_io(Direction::Write, |io| self.write_to(io, bytes))
    }

    fn read_from(&self, mut io: &mio::net::TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let read = io.read(buffer)?;
        self.socket.moved(Direction::Read, read, buffer.len());
        Ok(read)
    }

    fn write_to(&self, mut io: &mio::net::TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let written = io.write(bytes)?;
        self.socket.moved(Direction::Write, written, bytes.len());
        Ok(written)
    }

    fn poll_read_as(&self, waiter: Waiter, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_io(cx, Direction::Read, self.at, |_| waiter, |io| self.read_from(io, buffer))
    }

    fn poll_write_as(&self, waiter: Waiter, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_io(cx, Direction::Write, self.at, |_| waiter, |io| self.write_to(io, bytes))
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

    /// The last error of the socket, which is cleared by asking.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.io().take_error()
    }
}

// Through `&mut` there is one reader and one writer, and the latest waker is theirs. Through `&` there
// may be several, and each is woken.
macro_rules! impl_io {
    ($type:ty, $waiter:expr) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                self.poll_read_as($waiter, cx, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let asked = buffers.iter().map(|buffer| buffer.len()).sum();
                self.socket.poll_io(
                    cx,
                    Direction::Read,
                    self.at,
                    |_| $waiter,
                    |mut io| {
                        let read = io.read_vectored(buffers)?;
                        self.socket.moved(Direction::Read, read, asked);
                        Ok(read)
                    },
                )
            }
        }

        // Vectored writes are left to the default, which writes the first buffer that is not empty:
        // writev(2) has no way to ask for an error instead of SIGPIPE.
        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                self.poll_write_as($waiter, cx, bytes)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.shutdown(Shutdown::Write) {
                    Err(gone) if gone.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
                    result => Poll::Ready(result),
                }
            }
        }
    };
}

impl_io!(TcpStream, Waiter::OWNER);
impl_io!(&TcpStream, Waiter::SHARER);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.io().fmt(f)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.io().as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.io().as_raw_fd()
    }
}
