//! oneloop itself.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use oneloop::net::{TcpListener, TcpStream};

use crate::adapter::{Boxed, Listener, Part, Runtime, Stream};

/// oneloop, as it is.
pub struct Oneloop;

impl Runtime for Oneloop {
    const NAME: &'static str = "oneloop";
    const HAS: &'static [Part] = &[Part::Sleep, Part::Sockets];

    fn run(root: impl Future<Output = ()> + Send + 'static) {
        oneloop::run(root);
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        drop(oneloop::spawn(task));
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        oneloop::time::sleep(duration)
    }

    async fn listen() -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener::bind("127.0.0.1:0").await?))
    }

    async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        Ok(Box::pin(TcpStream::connect(addr).await?))
    }
}

impl Listener for TcpListener {
    fn addr(&self) -> SocketAddr {
        self.local_addr().expect("a listener has an address")
    }

    fn accept(&mut self) -> Boxed<'_, io::Result<Stream>> {
        Box::pin(async { Ok(Box::pin(TcpListener::accept(self).await?.0) as Stream) })
    }
}
