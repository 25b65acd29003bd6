//! The adapter: all that the suite asks of a runtime.
//!
//! Only [`Runtime::run`] and [`Runtime::spawn`] are a must. A runtime names all else that it has in
//! [`Runtime::HAS`] and implements; checks of what it has not are left out.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite};

/// A thing that a runtime may have besides tasks and wakers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// [`Runtime::sleep`].
    Sleep,
    /// [`Runtime::listen`] and [`Runtime::connect`].
    Sockets,
}

/// A connection. Closing it with `AsyncWriteExt::close` ends its writing side.
pub type Stream = Pin<Box<dyn Duplex>>;

/// Both ways of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// A future in a box.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A listening socket.
pub trait Listener: Send {
    /// The address that it listens on.
    fn addr(&self) -> SocketAddr;

    /// Takes the next connection.
    fn accept(&mut self) -> Boxed<'_, io::Result<Stream>>;
}

/// A single-threaded runtime.
pub trait Runtime: 'static {
    /// Its name in the table.
    const NAME: &'static str;

    /// The things it has besides tasks and wakers.
    const HAS: &'static [Part] = &[];

    /// Makes a runtime, runs `root` to its end on this thread, and whatever `root` spawned at least until
    /// then; drops the runtime, and returns.
    fn run(root: impl Future<Output = ()> + Send + 'static);

    /// Starts a task on the runtime that polls the caller. Nobody will join it.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Waits for `duration`, counted from the call.
    #[must_use]
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let _ = duration;
        async { missing("sleep") }
    }

    /// Listens on a free port of 127.0.0.1.
    #[must_use]
    fn listen() -> impl Future<Output = io::Result<Box<dyn Listener>>> + Send {
        async { missing("listen") }
    }

    /// Connects.
    #[must_use]
    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<Stream>> + Send {
        let _ = addr;
        async { missing("connect") }
    }
}

fn missing<T>(what: &str) -> T {
    panic!("this runtime's HAS names a part, but `{what}` is not implemented")
}
