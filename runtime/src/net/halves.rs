//! Halves: one side of a stream for a reader, the other for a writer.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::heart::reactor::{Direction, WaiterId};
use crate::net::TcpStream;
use crate::net::methods::{read_methods, write_methods};
use crate::net::socket::Socket;
use crate::net::stream::{Connection, async_read, async_write};

/// The reading half of a stream that was [split](TcpStream::split) and stays where it is.
#[derive(Debug)]
pub struct ReadHalf<'a, S: Connection = TcpStream>(pub(crate) &'a S);

/// The writing half of a stream that was [split](TcpStream::split) and stays where it is. Dropping it
/// ends nothing.
#[derive(Debug)]
pub struct WriteHalf<'a, S: Connection = TcpStream>(pub(crate) &'a S);

/// The reading half of a stream that was [split](TcpStream::into_split) for two owners. The connection
/// closes when both halves are dropped.
///
/// ```
/// use oneloop::net::UnixStream;
///
/// oneloop::run(async {
///     let (near, far) = UnixStream::pair()?;
///     let (read, write) = near.into_split();
///     let echo = oneloop::spawn(async move {
///         let mut buffer = [0; 16];
///         while let count @ 1.. = far.read(&mut buffer).await? {
///             far.write_all(&buffer[..count]).await?;
///         }
///         std::io::Result::Ok(())
///     });
///     write.write_all(b"to and fro").await?;
///     drop(write); // the other side reads to the end, and ends
///     let mut buffer = [0; 16];
///     assert_eq!(read.read(&mut buffer).await?, 10);
///     echo.await.unwrap()
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct OwnedReadHalf<S: Connection = TcpStream>(Arc<S>);

/// The writing half of a stream that was [split](TcpStream::into_split) for two owners. Dropping it
/// ends the writing side, so that the peer reads to the end, unless it is [forgotten](Self::forget).
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Connection = TcpStream> {
    stream: Arc<S>,
    ends_writing: bool,
}

/// The halves are of two streams. Here they are again.
#[derive(Debug)]
pub struct ReuniteError<S: Connection = TcpStream>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: Connection> ReadHalf<'_, S> {
    read_methods!();

    fn socket(&self) -> &Socket<S::Io> {
        self.0.socket()
    }
}

impl<S: Connection> WriteHalf<'_, S> {
    write_methods!();

    fn socket(&self) -> &Socket<S::Io> {
        self.0.socket()
    }
}

/// Cuts a stream in two that can go to two tasks, or to two futures of one.
pub(crate) fn into_halves<S: Connection>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    (OwnedReadHalf(Arc::clone(&stream)), OwnedWriteHalf { stream, ends_writing: true })
}

impl<S: Connection> OwnedReadHalf<S> {
    /// Makes the stream whole again.
    ///
    /// # Errors
    ///
    /// If the other half is another stream's; the error gives both back.
    pub fn reunite(self, mut write: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.ends_writing = false;
        let stream = Arc::clone(&self.0);
        drop((self, write));
        Ok(Arc::into_inner(stream).expect("a stream that was split has two owners, and one is gone"))
    }

    read_methods!();

    fn socket(&self) -> &Socket<S::Io> {
        self.0.socket()
    }
}

impl<S: Connection> OwnedWriteHalf<S> {
    /// Makes the stream whole again.
    ///
    /// # Errors
    ///
    /// If the other half is another stream's; the error gives both back.
    pub fn reunite(self, read: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        read.reunite(self)
    }

    /// Drops this half without ending the writing side.
    pub fn forget(mut self) {
        self.ends_writing = false;
    }

    write_methods!();

    fn socket(&self) -> &Socket<S::Io> {
        self.stream.socket()
    }
}

// A half that is dropped takes back the waker that it was polled with. A borrowed half does not: with a `Drop` it would
// borrow the stream for longer. The stream's next reader or writer replaces its waker.
impl<S: Connection> Drop for OwnedReadHalf<S> {
    fn drop(&mut self) {
        self.socket().forget_owner(Direction::Read);
    }
}

impl<S: Connection> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        self.socket().forget_owner(Direction::Write);
        if self.ends_writing {
            // If that fails, the connection is gone, and the peer knows.
            let _ = self.socket().end_writing();
        }
    }
}

async_read!(['a, S: Connection] ReadHalf<'a, S>, WaiterId::OWNER);
async_read!([S: Connection] OwnedReadHalf<S>, WaiterId::OWNER);
async_write!(['a, S: Connection] WriteHalf<'a, S>, WaiterId::OWNER);
async_write!([S: Connection] OwnedWriteHalf<S>, WaiterId::OWNER);

/// A half gives a look at its stream: at its addresses and settings, for example.
macro_rules! as_stream {
    ($type:ty, $half:ident => $stream:expr) => {
        impl<S: Connection> AsRef<S> for $type {
            fn as_ref(&self) -> &S {
                let $half = self;
                $stream
            }
        }
    };
}

as_stream!(ReadHalf<'_, S>, half => half.0);
as_stream!(WriteHalf<'_, S>, half => half.0);
as_stream!(OwnedReadHalf<S>, half => &half.0);
as_stream!(OwnedWriteHalf<S>, half => &half.stream);

impl<S: Connection> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are of two different streams: reunite those that one into_split gave")
    }
}

impl<S: Connection + fmt::Debug> Error for ReuniteError<S> {}

/// How a stream is split.
macro_rules! split_methods {
    () => {
        /// Lends the reading and the writing half, for two futures of one task.
        pub fn split(&mut self) -> (crate::net::ReadHalf<'_, Self>, crate::net::WriteHalf<'_, Self>) {
            (crate::net::halves::ReadHalf(self), crate::net::halves::WriteHalf(self))
        }

        /// Cuts the stream into a reading and a writing half that can go to two tasks. Dropping the
        /// writing half ends the writing side; [`reunite`](crate::net::OwnedReadHalf::reunite) makes the
        /// stream whole again.
        pub fn into_split(self) -> (crate::net::OwnedReadHalf<Self>, crate::net::OwnedWriteHalf<Self>) {
            crate::net::halves::into_halves(self)
        }
    };
}

pub(crate) use split_methods;
