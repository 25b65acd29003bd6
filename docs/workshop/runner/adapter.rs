//! A learner's runtime in the conformance suite: the adapter is the suite's own, and this is the learner's side of it.

use std::future::Future;
use std::process::ExitCode;
#[cfg(feature = "sleep")]
use std::time::Duration;

use oneloop_conformance::{Part, Runtime};

struct Yours;

impl Runtime for Yours {
    const NAME: &'static str = "yours";
    const HAS: &'static [Part] = &[
        #[cfg(feature = "sleep")]
        Part::Sleep,
        #[cfg(feature = "sockets")]
        Part::Sockets,
    ];

    fn run(root: impl Future<Output = ()> + Send + 'static) {
        my_loop::Runtime::new().block_on(root);
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        drop(my_loop::spawn(task));
    }

    #[cfg(feature = "sleep")]
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        my_loop::time::sleep(duration)
    }

    #[cfg(feature = "sockets")]
    async fn listen() -> std::io::Result<Box<dyn oneloop_conformance::Listener>> {
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Box::new(sockets::Listening(my_loop::net::TcpListener::bind(addr)?)))
    }

    #[cfg(feature = "sockets")]
    async fn connect(addr: std::net::SocketAddr) -> std::io::Result<oneloop_conformance::Stream> {
        Ok(Box::pin(sockets::Connection(my_loop::net::TcpStream::connect(addr).await?)))
    }
}

#[cfg(feature = "sockets")]
mod sockets {
    use std::io;
    use std::net::{Shutdown, SocketAddr};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_lite::{AsyncRead, AsyncWrite};
    use my_loop::net::{TcpListener, TcpStream};
    use oneloop_conformance::{Boxed, Listener, Stream};

    pub(crate) struct Listening(pub(crate) TcpListener);

    impl Listener for Listening {
        fn addr(&self) -> SocketAddr {
            self.0.local_addr().expect("a listener has an address")
        }

        fn accept(&mut self) -> Boxed<'_, io::Result<Stream>> {
            Box::pin(async { Ok(Box::pin(Connection(self.0.accept().await?)) as Stream) })
        }
    }

    pub(crate) struct Connection(pub(crate) TcpStream);

    impl AsyncRead for Connection {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
            self.0.poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Connection {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.poll_write(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(self.0.shutdown(Shutdown::Write))
        }
    }
}

fn main() -> ExitCode {
    oneloop_conformance::main::<Yours>()
}
