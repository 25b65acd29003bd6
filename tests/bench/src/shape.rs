//! The questions that a workload may ask of a runtime.
//!
//! The shape is thin on purpose: every function is one call into the runtime, so that a workload
//! costs what it would cost its users. If idioms differ (whose buffer is read into), the whole
//! handler is the runtime's own: see [`Runtime::echo`].

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

/// The size of the buffer that every connection holds, in bytes.
pub const BUFFER_SIZE: usize = 1024;

/// A single-threaded runtime under test.
pub trait Runtime: 'static {
    /// The name that the command line and the table use.
    const NAME: &'static str;

    /// The handle that spawning returns.
    type Handle<T: 'static>;
    /// A listening socket.
    type Listener;
    /// A connected socket.
    type Stream: 'static;

    /// Builds a runtime, runs `root` to its end on this thread, and drops the runtime with all its tasks.
    fn block_on<F: Future>(root: F) -> F::Output;

    /// Starts a task on the runtime that runs the caller.
    fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Self::Handle<T>;

    /// Waits for a task and returns its output.
    fn join<T: 'static>(handle: Self::Handle<T>) -> impl Future<Output = T>;

    /// Lets a task run on without its handle.
    fn detach<T: 'static>(handle: Self::Handle<T>);

    /// Gives the other tasks a turn.
    fn yield_now() -> impl Future<Output = ()>;

    /// Waits for `duration`.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static;

    /// Listens on a free loopback port.
    fn listen() -> impl Future<Output = (Self::Listener, SocketAddr)>;

    /// Takes the next connection.
    fn accept(listener: &Self::Listener) -> impl Future<Output = Self::Stream>;

    /// Sends back what arrives, through a heap buffer of [`BUFFER_SIZE`], until the peer closes.
    fn echo(stream: Self::Stream) -> impl Future<Output = ()> + 'static;
}

/// The loopback address with a port of the kernel's choice.
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
