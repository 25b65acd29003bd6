//! hyper, and whatever stands on it, such as axum: its I/O, its tasks and its time, served by this
//! runtime. It needs the feature `hyper`.
//!
//! hyper brings no runtime of its own. It asks for three things, and each is a small adapter here: [`Io`] for
//! connections, [`Executor`] for the tasks of HTTP/2, [`Timer`] for deadlines. Neither tasks nor services need to be
//! `Send`.
//!
//! A server, and a client of it. A server for strangers also needs limits on connections and their lifetime, and an
//! orderly end, as `hello_http` in `demos/web` has.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response, body::Incoming};
//! use oneloop::interop::hyper::{Io, Timer};
//! use oneloop::net::{TcpListener, TcpStream};
//!
//! async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("hello from {}", request.uri().path())))
//! }
//!
//! async fn serve(listener: TcpListener) -> std::io::Result<()> {
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         oneloop::spawn(async move {
//!             let mut http = http1::Builder::new();
//!             http.timer(Timer).header_read_timeout(Duration::from_secs(10));
//!             // An error here is the client's: it went away, or does not speak HTTP.
//!             let _ = http.serve_connection(Io::new(stream), service_fn(hello)).await;
//!         });
//!     }
//! }
//!
//! # oneloop::run(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let addr = listener.local_addr()?;
//! oneloop::spawn(serve(listener));
//!
//! let stream = TcpStream::connect(addr).await?;
//! let (mut sender, connection) = hyper::client::conn::http1::handshake(Io::new(stream)).await?;
//! oneloop::spawn(connection);
//! let request = Request::get("/loop").header("host", "localhost").body(String::new())?;
//! let response = sender.send_request(request).await?;
//! assert_eq!(response.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::heart::budget::ready_within_budget;
use crate::time::{Instant, Sleep, sleep, sleep_until};

/// How much one read brings at most.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    /// Bytes are read to here, and then copied into a buffer of hyper's, which only unsafe code could read into. One
    /// for all connections of a thread: between polls it is all zeros, whatever a reader has left in it.
    static READ_INTO: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A connection, adapted both ways: what reads and writes by futures-io's traits does so by hyper's, and
/// the other way round. So a [`TcpStream`](crate::net::TcpStream) becomes one for hyper, and an upgraded
/// connection of hyper's one for a WebSocket library.
///
/// To hyper a read costs one copy of the bytes that came, zeros over as much as hyper's buffer has room for, and no
/// allocation. The other directions cost nothing. Vectored writes are not offered: hyper then gathers head and body,
/// and writes them at once.
#[derive(Clone, Copy, Debug)]
pub struct Io<T>(T);

impl<T> Io<T> {
    /// Adapts a connection.
    pub fn new(connection: T) -> Self {
        Self(connection)
    }

    /// The connection inside.
    pub fn get_ref(&self) -> &T {
        &self.0
    }

    /// The connection inside.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// The connection, adapted no more.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsyncRead + Unpin> Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut unfilled: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wanted = unfilled.remaining().min(SCRATCH);
        if wanted == 0 {
            return ready_within_budget(cx).map(Ok);
        }
        // The connection is foreign code and may come back here, through an adapter inside another. So
        // the scratch is taken, not borrowed; a second user makes one of its own.
        let mut scratch = READ_INTO.take();
        scratch.resize(SCRATCH, 0);
        let lent = &mut scratch[..wanted];
        let result = Pin::new(&mut self.0).poll_read(cx, lent).map_ok(|count| {
            assert!(count <= wanted, "a reader says that it has read {count} bytes into a buffer of {wanted}");
            unfilled.put_slice(&lent[..count]);
        });
        // A reader may leave bytes behind those that it counts, or where it says Pending. The reader of another
        // connection, which may miscount, is not to see them.
        lent.fill(0);
        READ_INTO.set(scratch);
        result
    }
}

impl<T: AsyncWrite + Unpin> Write for Io<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl<T: Read + Unpin> AsyncRead for Io<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return ready_within_budget(cx).map(|()| Ok(0));
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl<T: Write + Unpin> AsyncWrite for Io<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Runs hyper's background work as tasks of the runtime on this thread, detached.
///
/// # Panics
///
/// When it is given a task where no runtime runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        drop(crate::task::spawn(future));
    }
}

/// Time for hyper's deadlines: the real clock, or the virtual one if the runtime has one. hyper moves a deadline with
/// each request of a connection. It is moved in place, without an allocation.
///
/// # Panics
///
/// When it is asked for a sleep where no runtime runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(sleep_until(Instant::from_std(deadline)))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: std::time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(ours) => ours.get_mut().reset(Instant::from_std(deadline)),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

impl hyper::rt::Sleep for Sleep {}
