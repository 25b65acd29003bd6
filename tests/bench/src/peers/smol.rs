//! smol: a `LocalExecutor` driven by `block_on`, which also turns async-io's reactor.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{LocalExecutor, Task, Timer};

use crate::shape::{ANY_PORT, BUFFER_SIZE, Runtime};

thread_local! {
    /// smol's spawn is a method of the executor; workloads call a function.
    static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
}

/// smol on one thread.
pub struct Smol;

impl Runtime for Smol {
    const NAME: &'static str = "smol";

    type Handle<T: 'static> = Task<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn block_on<F: Future>(root: F) -> F::Output {
        EXECUTOR.with(|executor| smol::block_on(executor.run(root)))
    }

    fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    fn join<T: 'static>(handle: Task<T>) -> impl Future<Output = T> {
        handle
    }

    fn detach<T: 'static>(handle: Task<T>) {
        handle.detach();
    }

    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }

    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(ANY_PORT).await.expect("bind on loopback");
        let address = listener.local_addr().expect("local address");
        (listener, address)
    }

    async fn accept(listener: &TcpListener) -> TcpStream {
        listener.accept().await.expect("accept").0
    }

    async fn echo(mut stream: TcpStream) {
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
