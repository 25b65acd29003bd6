//! Byte streams: what a `TcpStream` and a `UnixStream` do alike, written once.
//!
//! Here is how bytes are read and written, on the socket. The methods that users call stand in `methods.rs`.

use std::io::{self, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::panic::Location;
use std::task::{Context, Poll};

use crate::heart::reactor::{Direction, WaiterId};
use crate::net::attempts::poll_nothing;
use crate::net::socket::Socket;

/// A connection that carries bytes both ways: a [`TcpStream`](crate::net::TcpStream) or a
/// [`UnixStream`](crate::net::UnixStream).
///
/// It cannot be implemented outside this crate.
pub trait Connection: sealed::HasSocket {}

impl<T: sealed::HasSocket> Connection for T {}

pub(crate) mod sealed {
    use super::{Bytes, Socket};

    pub trait HasSocket {
        type Io: Bytes;
        fn socket(&self) -> &Socket<Self::Io>;
    }
}

/// A mio object that carries bytes.
pub trait Bytes: mio::event::Source + Send + 'static {
    /// Whether a read that did not fill its buffer has emptied the socket.
    const SHORT_READ_DRAINS: bool;

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

macro_rules! bytes {
    ($type:ty, $short_read_drains:expr) => {
        impl Bytes for $type {
            const SHORT_READ_DRAINS: bool = $short_read_drains;

            fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buffer)
            }

            fn read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                Read::read_vectored(&mut &*self, buffers)
            }

            fn write(&self, bytes: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, bytes)
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                <$type>::shutdown(self, how)
            }
        }
    };
}

bytes!(mio::net::TcpStream, true);
// A read of a Unix socket ends where a descriptor was passed along, whatever lies behind it.
bytes!(mio::net::UnixStream, false);

impl<S: Bytes> Socket<S> {
    fn read_some(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.io().read(buffer)?;
        self.has_read(read, buffer.len())
    }

    fn has_read(&self, read: usize, asked: usize) -> io::Result<usize> {
        if S::SHORT_READ_DRAINS {
            self.moved(Direction::Read, read, asked);
        }
        if read == 0 { self.read_the_end() } else { Ok(read) }
    }

    /// The end of what can be read. The kernel would have told a reset here, after the bytes that came before it.
    /// It does not tell a broken pipe, which follows an end that the peer has sent.
    pub(crate) fn read_the_end(&self) -> io::Result<usize> {
        let is_reset = |error: &io::Error| error.kind() != io::ErrorKind::BrokenPipe;
        self.take_kept_error(is_reset).map_or(Ok(0), Err)
    }

    fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let written = self.io().write(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => self.take_kept_error(|_| true).unwrap_or(error),
            _ => error,
        })?;
        self.moved(Direction::Write, written, bytes.len());
        Ok(written)
    }

    pub(crate) fn read(
        &self,
        at: &'static Location<'static>,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> {
        let needs_nothing = buffer.is_empty();
        self.attempts(Direction::Read, at, |socket| socket.read_some(buffer)).ready_if(needs_nothing)
    }

    pub(crate) fn write(
        &self,
        at: &'static Location<'static>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<usize>> {
        self.attempts(Direction::Write, at, |socket| socket.write_some(bytes)).ready_if(bytes.is_empty())
    }

    pub(crate) fn write_all(
        &self,
        at: &'static Location<'static>,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> {
        let mut rest = bytes;
        let attempt = move |socket: &Self| {
            while !rest.is_empty() {
                match socket.write_some(rest)? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    written => rest = &rest[written..],
                }
            }
            Ok(())
        };
        self.attempts(Direction::Write, at, attempt).ready_if(bytes.is_empty())
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.try_io(Direction::Read, |_| self.read_some(buffer))
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.try_io(Direction::Write, |_| self.write_some(bytes))
    }

    pub(crate) fn poll_read(&self, by: WaiterId, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return poll_nothing(cx);
        }
        self.poll_as(by, cx, Direction::Read, |_| self.read_some(buffer))
    }

    pub(crate) fn poll_read_vectored(
        &self,
        by: WaiterId,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = buffers.iter().map(|buffer| buffer.len()).sum();
        if asked == 0 {
            return poll_nothing(cx);
        }
        self.poll_as(by, cx, Direction::Read, |io| {
            let read = io.read_vectored(buffers)?;
            self.has_read(read, asked)
        })
    }

    pub(crate) fn poll_write(&self, by: WaiterId, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return poll_nothing(cx);
        }
        self.poll_as(by, cx, Direction::Write, |_| self.write_some(bytes))
    }

    /// Ends the writing side. A connection that is gone altogether is no failure.
    pub(crate) fn end_writing(&self) -> io::Result<()> {
        match self.io().shutdown(Shutdown::Write) {
            Err(gone) if gone.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

/// Implements `AsyncRead` for something that has a `socket()`. Through `&mut` there is one reader, and
/// the latest waker is its own; through `&` there may be several, and each is woken.
macro_rules! async_read {
    ([$($generics:tt)*] $type:ty, $waiter:expr) => {
        impl<$($generics)*> futures_io::AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                self.socket().poll_read($waiter, cx, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [io::IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.socket().poll_read_vectored($waiter, cx, buffers)
            }
        }
    };
}

/// Implements `AsyncWrite` for something that has a `socket()`. Vectored writes are left to the default, which writes
/// the first buffer that is not empty. The reason is that writev(2) has no flag for an error instead of SIGPIPE.
macro_rules! async_write {
    ([$($generics:tt)*] $type:ty, $waiter:expr) => {
        impl<$($generics)*> futures_io::AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                self.socket().poll_write($waiter, cx, bytes)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.socket().end_writing())
            }
        }
    };
}

pub(crate) use {async_read, async_write};
