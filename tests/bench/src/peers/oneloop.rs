//! oneloop itself.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use oneloop::JoinHandle;
use oneloop::net::{TcpListener, TcpStream};

use crate::shape::{ANY_PORT, BUFFER_SIZE, Runtime};

/// oneloop with its defaults.
pub struct Oneloop;

impl Runtime for Oneloop {
    const NAME: &'static str = "oneloop";

    type Handle<T: 'static> = JoinHandle<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn block_on<F: Future>(root: F) -> F::Output {
        oneloop::run(root)
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
