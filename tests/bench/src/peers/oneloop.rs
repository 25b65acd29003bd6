//! oneloop itself.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use oneloop::JoinHandle;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::see::Ring;

use crate::shape::{ANY_PORT, BUFFER_SIZE, Runtime};

/// oneloop with its defaults or, after [`keep_events`], with a ring. Both are one instance of the same code:
/// a second would be optimised otherwise.
pub struct Oneloop;

/// Its name on the command line when it has a ring. It prints how many events there were.
pub const WITH_RING: &str = "oneloop-ring";
/// How many events the ring keeps: so few that it soon forgets one for each that it takes.
const KEPT: usize = 10_000;

static KEEPS_EVENTS: AtomicBool = AtomicBool::new(false);

/// Gives the loops of this process a ring from now on.
pub fn keep_events() {
    KEEPS_EVENTS.store(true, Ordering::Relaxed);
}

impl Runtime for Oneloop {
    const NAME: &'static str = "oneloop";

    type Handle<T: 'static> = JoinHandle<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn block_on<F: Future>(root: F) -> F::Output {
        let ring = KEEPS_EVENTS.load(Ordering::Relaxed).then(|| Ring::new(KEPT));
        let builder = oneloop::Runtime::builder();
        let builder = if let Some(ring) = &ring { builder.observer(ring.clone()) } else { builder };
        let output = builder.build().expect("a runtime").block_on(root);
        if let Some(ring) = ring {
            println!("events {}", ring.dropped() + ring.len() as u64);
        }
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
