//! tokio's current thread, as the program asks for it. Its streams have traits of their own; `compat` gives
//! them those of futures-io.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use ::tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

pub(crate) use ::tokio::time::sleep;

pub(crate) type Stream = Compat<TcpStream>;

pub(crate) fn run<T>(program: impl Future<Output = T>) -> T {
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    ::tokio::task::LocalSet::new().block_on(&runtime, program)
}

pub(crate) fn spawn<T: 'static>(task: impl Future<Output = T> + 'static) -> ::tokio::task::JoinHandle<T> {
    ::tokio::task::spawn_local(task)
}

pub(crate) async fn join<T>(task: ::tokio::task::JoinHandle<T>) -> T {
    task.await.expect("no task of the program panics")
}

pub(crate) async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

pub(crate) fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a listener has an address")
}

pub(crate) async fn accept(listener: &TcpListener) -> io::Result<Stream> {
    Ok(listener.accept().await?.0.compat())
}

pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Stream> {
    Ok(TcpStream::connect(addr).await?.compat())
}
