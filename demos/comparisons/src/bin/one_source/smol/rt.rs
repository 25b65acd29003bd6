//! smol, as the program asks for it: an executor on this thread, with the reactor on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use ::smol::LocalExecutor;
use ::smol::net::TcpListener;

pub(crate) use ::smol::net::TcpStream as Stream;

thread_local! {
    /// The executor of the program that runs on this thread. smol hands none out by itself.
    static EXECUTOR: Rc<LocalExecutor<'static>> = Rc::new(LocalExecutor::new());
}

pub(crate) fn run<T>(program: impl Future<Output = T>) -> T {
    let executor = EXECUTOR.with(Rc::clone);
    ::smol::block_on(executor.run(program))
}

pub(crate) fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) -> ::smol::Task<T> {
    EXECUTOR.with(|executor| executor.spawn(task))
}

pub(crate) async fn join<T>(task: ::smol::Task<T>) -> T {
    task.await
}

pub(crate) async fn sleep(time: Duration) {
    ::smol::Timer::after(time).await;
}

pub(crate) async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

pub(crate) fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a listener has an address")
}

pub(crate) async fn accept(listener: &TcpListener) -> io::Result<Stream> {
    Ok(listener.accept().await?.0)
}

pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Stream> {
    Stream::connect(addr).await
}
