//! oneloop itself.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use oneloop::JoinHandle;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::see::Ring;

use crate::shape::{ANY_PORT, BUFFER_SIZE, Runtime};

/// oneloop with its defaults, or with a ring that keeps the last events.
pub struct Loop<const RING: bool>;

/// oneloop with its defaults.
pub type Oneloop = Loop<false>;
/// oneloop with a ring. It prints how many events there were.
pub type Ringed = Loop<true>;

/// How many events the ring keeps: so few that it soon forgets one for each that it takes.
const KEPT: usize = 10_000;

impl<const RING: bool> Runtime for Loop<RING> {
    const NAME: &'static str = if RING { "oneloop-ring" } else { "oneloop" };

    type Handle<T: 'static> = JoinHandle<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn block_on<F: Future>(root: F) -> F::Output {
        if !RING {
            return oneloop::run(root);
        }
        let ring = Ring::new(KEPT);
        let runtime = oneloop::Runtime::builder().observer(ring.clone()).build().expect("a runtime");
        let output = runtime.block_on(root);
        println!("events {}", ring.dropped() + ring.len() as u64);
        output
    }

    fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        oneloop::spawn(future)
    }

    async fn join<T: 'static>(handle: JoinHandle<T>) -> T {
        handle.await.expect("the task failed")
    }

    fn detach<T: 'static>(handle: JoinHandle<T>) {
        drop(handle);
    }

    fn yield_now() -> impl Future<Output = ()> {
        oneloop::task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        oneloop::time::sleep(duration)
    }

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANY_PORT).await.expect("bind on loopback");
        let address = listener.local_addr().expect("local address");
        (listener, address)
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        listener.accept().await.expect("accept").0
    }

    async fn echo(stream: TcpStream) {
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            let count = stream.read(&mut buffer).await.expect("read");
            if count == 0 {
                return;
            }
            stream.write_all(&buffer[..count]).await.expect("write");
        }
    }
}
