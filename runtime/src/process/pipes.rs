//! The pipes to and from a child process.
//!
//! Only our end of a pipe does not block; the child's is as it expects it to be.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use mio::unix::pipe::{Receiver, Sender};

use crate::ground::event::Resource;
use crate::heart::reactor::{Direction, WaiterId};
use crate::net::attempts::poll_nothing;
use crate::net::socket::{Socket, TRY_FIRST};

/// The writing end of a child's standard input. Dropping or closing it is the end of that input.
///
/// Rust programs ignore SIGPIPE unless they say otherwise. With its default disposition, a write to a child that does
/// not read any more ends this process: a pipe knows no other way.
pub struct ChildStdin {
    /// `None` once it was closed.
    socket: Option<Socket<Sender>>,
    at: &'static Location<'static>,
}

impl ChildStdin {
    pub(crate) fn new(pipe: std::process::ChildStdin, child: u32, at: &'static Location<'static>) -> io::Result<Self> {
        let pipe = Sender::from(pipe);
        pipe.set_nonblocking(true)?;
        let socket = Some(Socket::new(pipe, TRY_FIRST, Resource::ChildPipe(child), at)?);
        Ok(Self { socket, at })
    }

    /// Writes what fits into the pipe, and says how much; waits if nothing does.
    ///
    /// # Errors
    ///
    /// As write(2), save for `WouldBlock` and `Interrupted`. `BrokenPipe` if nobody reads any more, or
    /// after this end was closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready has written nothing.
    #[track_caller]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> impl Future<Output = io::Result<usize>> + 'a {
        let at = Location::caller();
        async move {
            if bytes.is_empty() {
                return poll_fn(|cx| poll_nothing(cx)).await;
            }
            self.open()?.until(Direction::Write, at, |mut pipe| pipe.write(bytes)).await
        }
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
        let at = Location::caller();
        async move {
            if bytes.is_empty() {
                return poll_fn(|cx| poll_nothing(cx)).await.map(drop);
            }
            let mut rest = bytes;
            let attempt = |mut pipe: &Sender| {
                while !rest.is_empty() {
                    match pipe.write(rest)? {
                        0 => return Err(io::ErrorKind::WriteZero.into()),
                        written => rest = &rest[written..],
                    }
                }
                Ok(())
            };
            self.open()?.until(Direction::Write, at, attempt).await
        }
    }

    fn open(&self) -> io::Result<&Socket<Sender>> {
        let closed = || io::Error::new(io::ErrorKind::BrokenPipe, "the child's standard input was closed");
        self.socket.as_ref().ok_or_else(closed)
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return poll_nothing(cx);
        }
        self.open()?.poll_io(cx, Direction::Write, self.at, |_| WaiterId::OWNER, |mut pipe| pipe.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket = None;
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildStdin").field(&self.socket.as_ref().map(Socket::io)).finish()
    }
}

macro_rules! reading_end {
    ($name:ident, $of:literal) => {
        #[doc = concat!("The reading end of a child's ", $of, ". It ends when everybody who can write to it has closed it: the")]
        /// child, and any process that has inherited it from the child.
        ///
        /// It can be turned into a [`Stdio`], to be the input of another child.
        pub struct $name {
            socket: Socket<Receiver>,
        }

        impl $name {
            pub(crate) fn new(
                pipe: std::process::$name,
                child: u32,
                at: &'static Location<'static>,
            ) -> io::Result<Self> {
                let pipe = Receiver::from(pipe);
                pipe.set_nonblocking(true)?;
                Ok(Self { socket: Socket::new(pipe, TRY_FIRST, Resource::ChildPipe(child), at)? })
            }

            /// Reads what there is, up to the buffer's length; waits if there is nothing. Zero means the
            /// end, or that the buffer is empty.
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
                // A read of no bytes cannot be asked for without a change to the pipe.
                let needs_nothing = buffer.is_empty();
                let attempt = move |socket: &Socket<Receiver>| Read::read(&mut socket.io(), buffer);
                self.socket.attempts(Direction::Read, Location::caller(), attempt).ready_if(needs_nothing)
            }

            /// Reads to the end.
            pub(crate) fn poll_collect(
                &self,
                cx: &mut Context<'_>,
                at: &'static Location<'static>,
                bytes: &mut Vec<u8>,
            ) -> Poll<io::Result<()>> {
                let mut buffer = [0; 16 * 1024];
                loop {
                    let attempt = |mut pipe: &Receiver| pipe.read(&mut buffer);
                    match ready!(self.socket.poll_io(cx, Direction::Read, at, |_| WaiterId::OWNER, attempt))? {
                        0 => return Poll::Ready(Ok(())),
                        read => bytes.extend_from_slice(&buffer[..read]),
                    }
                }
            }
        }

        reading_end!($name, $name, WaiterId::OWNER);
        reading_end!($name, &$name, WaiterId::SHARER);

        /// For another child to read from.
        impl TryFrom<$name> for Stdio {
            type Error = io::Error;

            fn try_from(pipe: $name) -> io::Result<Self> {
                let pipe = pipe.socket.into_io();
                pipe.set_nonblocking(false)?;
                Ok(OwnedFd::from(pipe).into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(self.socket.io()).finish()
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.io().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.socket.io().as_raw_fd()
            }
        }
    };
    ($name:ident, $type:ty, $waiter:expr) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
                if buffer.is_empty() {
                    return poll_nothing(cx);
                }
                self.socket.poll_as($waiter, cx, Direction::Read, |mut pipe| pipe.read(buffer))
            }
        }
    };
}

reading_end!(ChildStdout, "standard output");
reading_end!(ChildStderr, "standard error");
