//! monoio, on its epoll driver and on io_uring: reads and writes take the buffer and hand it back.

use std::future::Future;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::task::JoinHandle;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use crate::shape::{ANY_PORT, BUFFER_SIZE, Runtime};
use crate::work::yield_once;

/// monoio on the driver that `D` names.
pub struct Monoio<D>(PhantomData<D>);

/// monoio on epoll.
pub type MonoioEpoll = Monoio<Epoll>;
/// monoio on io_uring.
pub type MonoioUring = Monoio<Uring>;

/// Chooses the epoll driver.
pub struct Epoll;
/// Chooses the io_uring driver.
pub struct Uring;

/// A driver of monoio's: what differs between the two is only how the runtime is built.
pub trait Driver: 'static {
    /// The name that the command line and the table use.
    const NAME: &'static str;

    /// Builds the runtime and runs `root` on it.
    fn block_on<F: Future>(root: F) -> F::Output;
}

impl Driver for Epoll {
    const NAME: &'static str = "monoio";

    fn block_on<F: Future>(root: F) -> F::Output {
        RuntimeBuilder::<LegacyDriver>::new()
            .enable_timer()
            .build()
            .expect("monoio could not be built on epoll")
            .block_on(root)
    }
}

impl Driver for Uring {
    const NAME: &'static str = "monoio-uring";

    fn block_on<F: Future>(root: F) -> F::Output {
        RuntimeBuilder::<IoUringDriver>::new()
            .enable_timer()
            .build()
            .expect("monoio could not be built on io_uring")
            .block_on(root)
    }
}

impl<D: Driver> Runtime for Monoio<D> {
    const NAME: &'static str = D::NAME;

    type Handle<T: 'static> = JoinHandle<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn block_on<F: Future>(root: F) -> F::Output {
        D::block_on(root)
    }

    fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        monoio::spawn(future)
    }

    fn join<T: 'static>(handle: JoinHandle<T>) -> impl Future<Output = T> {
        handle
    }

    fn detach<T: 'static>(handle: JoinHandle<T>) {
        drop(handle);
    }

    // monoio has no yield of its own.
    fn yield_now() -> impl Future<Output = ()> {
        yield_once()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep(duration)
    }

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANY_PORT).expect("bind on loopback");
        let address = listener.local_addr().expect("local address");
        (listener, address)
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        listener.accept().await.expect("accept").0
    }

    async fn echo(mut stream: TcpStream) {
        let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER_SIZE);
        loop {
            let (count, filled) = stream.read(buffer).await;
            if count.expect("read") == 0 {
                return;
            }
            let (written, emptied) = stream.write_all(filled).await;
            written.expect("write");
            buffer = emptied;
        }
    }
}
