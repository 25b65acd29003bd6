//! hyper-util's pooled client (`client::legacy`), and whatever stands on it, such as tonic and hyper-rustls.
//! It needs the feature `hyper-util`.
//!
//! The client wants a [`Connector`] and says of a connection what only its own trait can say: [`Io`]
//! implements it. Its feature `client-legacy` names tokio's `net`, so tokio's sockets are compiled along,
//! though nothing here opens one. hyper-util's newer `client::pool` does without, and needs nothing of this.
//!
//! ```
//! use http_body_util::{BodyExt, Empty};
//! use hyper::body::Bytes;
//! use hyper_util::client::legacy::Client;
//! use oneloop::interop::hyper::{Executor, Timer};
//! use oneloop::interop::hyper_util::Connector;
//!
//! # oneloop::run(async {
//! # let listener = oneloop::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let addr = listener.local_addr()?;
//! # oneloop::spawn(async move {
//! #     let (stream, _) = listener.accept().await.unwrap();
//! #     let mut buffer = [0; 1024];
//! #     stream.read(&mut buffer).await.unwrap();
//! #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
//! #     stream.read(&mut buffer).await.unwrap();
//! # });
//! let client: Client<_, Empty<Bytes>> = Client::builder(Executor).pool_timer(Timer).build(Connector::new());
//! let response = client.get(format!("http://{addr}/").parse()?).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};

use crate::interop::hyper::Io;
use crate::net::{DuplexStream, TcpStream, UnixStream, happy_eyeballs};

impl Connection for Io<TcpStream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Connection for Io<UnixStream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Connection for Io<DuplexStream> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Connects hyper-util's client by TCP. Host names are looked up off the loop, and their addresses race
/// as in [`happy_eyeballs`]. Small writes are not delayed.
///
/// Give it no more time than you have: put a [`timeout`](crate::time::timeout) around the request.
#[derive(Clone, Copy, Debug)]
pub struct Connector {
    http_only: bool,
}

impl Connector {
    /// A connector for `http` alone.
    pub fn new() -> Self {
        Self { http_only: true }
    }

    /// Whether other schemes than `http` are refused, which is so unless told otherwise. Say `false` for a
    /// connector that TLS is put around, as hyper-rustls does.
    pub fn enforce_http(&mut self, is_enforced: bool) {
        self.http_only = is_enforced;
    }

    async fn connect(self, uri: Uri) -> io::Result<Io<TcpStream>> {
        let refused = |says: String| io::Error::new(io::ErrorKind::InvalidInput, says);
        let scheme = uri.scheme_str().unwrap_or("http");
        if self.http_only && scheme != "http" {
            return Err(refused(format!(
                "cannot connect to {uri}: {scheme} needs a connector with TLS around this one"
            )));
        }
        let host = uri.host().ok_or_else(|| refused(format!("cannot connect to {uri}: it names no host")))?;
        // An address of IPv6 stands in brackets in a URI, and nowhere else.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let stream = happy_eyeballs((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Io::new(stream))
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Io<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Io<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.connect(uri))
    }
}
