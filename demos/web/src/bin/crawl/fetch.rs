//! One fetch, on a connection that is kept while there is more to fetch from its host.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, RETRY_AFTER};
use hyper::{Request, StatusCode};
use oneloop::interop::hyper::Io;
use oneloop::net::TcpStream;
use oneloop::task::{Builder, JoinHandle};
use oneloop::time::timeout;

use crate::frontier::{Page, retry_after};

/// How long a page may be, in bytes.
const PAGE_MAX: usize = 1 << 20;
/// How long the other side may take to close a connection that is left.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection to a host, with the task that drives it.
pub(crate) struct Connection {
    host: SocketAddr,
    sender: SendRequest<Empty<Bytes>>,
    /// Ends with the stream, when the sender is gone.
    driver: JoinHandle<Option<TcpStream>>,
}

pub(crate) enum Outcome {
    Page { links: Vec<String>, bytes: usize },
    Missing,
    TryAgain { wait: Option<Duration> },
}

impl Connection {
    async fn open(host: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        let (sender, connection) = http1::handshake(Io::new(stream)).await.map_err(io::Error::other)?;
        let driver = async move { connection.without_shutdown().await.ok().map(|parts| parts.io.into_inner()) };
        Ok(Self { host, sender, driver: Builder::new().name(format!("connection to {host}")).spawn(driver) })
    }

    pub(crate) fn host(&self) -> SocketAddr {
        self.host
    }

    /// Leaves, and waits until the other side has closed too: from then on it counts no longer there either.
    pub(crate) async fn leave(self) {
        drop(self.sender);
        let goodbye = async {
            let Ok(Some(stream)) = self.driver.await else { return };
            let _ = stream.shutdown(Shutdown::Write);
            while stream.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// Fetches a page within so much time. The connection is kept if it can be used again.
pub(crate) async fn fetch(connection: &mut Option<Connection>, page: &Page, patience: Duration) -> Outcome {
    match timeout(patience, attempt(connection, page)).await {
        Ok(Ok(outcome)) => outcome,
        // Nothing is known of a connection on which something failed.
        Ok(Err(_)) | Err(_) => {
            if let Some(connection) = connection.take() {
                connection.driver.abort();
            }
            Outcome::TryAgain { wait: None }
        }
    }
}

async fn attempt(
    kept: &mut Option<Connection>,
    page: &Page,
) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(page.host).await?,
    };
    let request = Request::get(&page.path).header(HOST, page.host.to_string()).body(Empty::new())?;
    let response = connection.sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let is_last = head.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let is_last = is_last || head.version == hyper::Version::HTTP_10;
    let body = Limited::new(body, PAGE_MAX).collect().await?.to_bytes();
    if is_last {
        connection.leave().await;
    } else {
        *kept = Some(connection);
    }
    Ok(match head.status {
        status if status.is_success() => {
            let text = String::from_utf8_lossy(&body);
            Outcome::Page { links: links(&text), bytes: body.len() }
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Outcome::TryAgain { wait: None },
        status if status.is_server_error() => {
            let asked = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Outcome::TryAgain { wait: asked.and_then(retry_after) }
        }
        _ => Outcome::Missing,
    })
}

/// The links of a page. This is a demo of many connections, and no parser of HTML.
fn links(page: &str) -> Vec<String> {
    let after = page.split("href=\"").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(link, _)| link.replace("&amp;", "&")).collect()
}
