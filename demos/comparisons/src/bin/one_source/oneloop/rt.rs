//! oneloop, as the program asks for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) use ::oneloop::net::TcpStream as Stream;
pub(crate) use ::oneloop::time::sleep;
pub(crate) use ::oneloop::{run, spawn};

pub(crate) async fn join<T: 'static>(task: ::oneloop::JoinHandle<T>) -> T {
    task.await.expect("no task of the program panics")
}

pub(crate) async fn listen() -> io::Result<::oneloop::net::TcpListener> {
    ::oneloop::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

pub(crate) fn address(listener: &::oneloop::net::TcpListener) -> SocketAddr {
    listener.local_addr().expect("a listener has an address")
}

pub(crate) async fn accept(listener: &::oneloop::net::TcpListener) -> io::Result<Stream> {
    Ok(listener.accept().await?.0)
}

pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Stream> {
    Stream::connect(addr).await
}
