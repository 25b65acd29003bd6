//! hickory-resolver's `RuntimeProvider` on this loop: a file to copy. Names are then looked up in tasks of the loop, on
//! its sockets and its clock, and by no thread.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite};
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::runtime::{RuntimeProvider, Spawn, Time};
use hickory_resolver::proto::tcp::DnsTcpStream;
use hickory_resolver::proto::udp::DnsUdpSocket;
use oneloop::net::{TcpStream, UdpSocket};
use oneloop::time::{sleep, timeout};

/// How long a connection by TCP may take, where hickory does not say.
const CONNECT: Duration = Duration::from_secs(5);

/// Give it to `GenericConnector::new`.
#[derive(Clone, Copy, Default)]
pub struct OnThisLoop;

impl RuntimeProvider for OnThisLoop {
    type Handle = Self;
    type Timer = Timer;
    type Udp = Udp;
    type Tcp = Tcp;

    fn create_handle(&self) -> Self {
        *self
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        bind: Option<SocketAddr>,
        within: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Tcp>>>> {
        Box::pin(async move {
            if bind.is_some_and(|bind| bind.port() != 0 || !bind.ip().is_unspecified()) {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "this resolver takes any local address for TCP",
                ));
            }
            let stream = timeout(within.unwrap_or(CONNECT), TcpStream::connect(server)).await??;
            stream.set_nodelay(true)?;
            Ok(Tcp(stream))
        })
    }

    fn bind_udp(&self, local: SocketAddr, _: SocketAddr) -> Pin<Box<dyn Send + Future<Output = io::Result<Udp>>>> {
        Box::pin(async move { Ok(Udp(UdpSocket::bind(local).await?)) })
    }
}

impl Spawn for OnThisLoop {
    fn spawn_bg<F>(&mut self, future: F)
    where
        F: Future<Output = Result<(), ProtoError>> + Send + 'static,
    {
        drop(oneloop::task::Builder::new().name("dns").spawn(future));
    }
}

/// The loop's clock.
#[derive(Clone, Copy)]
pub struct Timer;

#[async_trait::async_trait]
impl Time for Timer {
    async fn delay_for(duration: Duration) {
        sleep(duration).await;
    }

    async fn timeout<F: 'static + Future + Send>(duration: Duration, future: F) -> io::Result<F::Output> {
        Ok(timeout(duration, future).await?)
    }
}

/// A socket for questions and answers.
pub struct Udp(UdpSocket);

impl DnsUdpSocket for Udp {
    type Time = Timer;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll_recv_from(cx, buffer)
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, bytes: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        self.0.poll_send_to(cx, bytes, target)
    }
}

/// A connection for answers that do not fit into one datagram.
pub struct Tcp(TcpStream);

impl DnsTcpStream for Tcp {
    type Time = Timer;
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
