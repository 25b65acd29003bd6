//! tokio's current-thread scheduler, through `LocalRuntime`, whose tasks stay on their thread.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::adapter::{Boxed, Listener, Part, Runtime, Stream};

/// tokio, on the current thread.
pub struct Tokio;

impl Runtime for Tokio {
    const NAME: &'static str = "tokio";
    const HAS: &'static [Part] = &[Part::Sleep, Part::Sockets];

    fn run(root: impl Future<Output = ()> + Send + 'static) {
        let built = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        built.expect("tokio can be built").block_on(root);
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        drop(tokio::task::spawn_local(task));
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep(duration)
    }

    async fn listen() -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(TcpListener::bind("127.0.0.1:0").await?))
    }

    async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        Ok(Box::pin(TcpStream::connect(addr).await?.compat()))
    }
}

impl Listener for TcpListener {
    fn addr(&self) -> SocketAddr {
        self.local_addr().expect("a listener has an address")
    }

    fn accept(&mut self) -> Boxed<'_, io::Result<Stream>> {
        Box::pin(async { Ok(Box::pin(TcpListener::accept(self).await?.0.compat()) as Stream) })
    }
}
