//! Fetching from a server that nobody vouches for: every wait has a deadline, and no byte is believed in
//! before it has come.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use oneloop::interop::hyper::Io;
use oneloop::net::TcpStream;
use oneloop::time::timeout;

/// How long a server may take to let us in, to answer, and to send the next piece.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a file may be, and a list of files.
const FILE_MAX: usize = 64 << 20;
const LIST_MAX: usize = 1_000;

/// The server of the files.
pub(crate) struct Server(SocketAddr);

impl Server {
    pub(crate) fn at(addr: SocketAddr) -> Self {
        Self(addr)
    }

    /// The names of its files and their sums, from its file SHA256SUMS.
    pub(crate) async fn list(&self, limit: Duration) -> Result<Vec<(String, String)>, String> {
        let text = self.get("SHA256SUMS", limit, |_, _| ()).await.map_err(|error| format!("SHA256SUMS: {error}"))?;
        let text = String::from_utf8(text).map_err(|_| "SHA256SUMS: it is no text")?;
        let list: Option<Vec<_>> = text.lines().map(a_line).collect();
        match list {
            Some(list) if list.len() > LIST_MAX => Err(format!("SHA256SUMS: it lists more than {LIST_MAX} files")),
            Some(list) => Ok(list),
            None => Err("SHA256SUMS: its lines are not as sha256sum writes them, or name a file elsewhere".to_owned()),
        }
    }

    /// The file of this name. `progress` is told of the length that was promised, and of what has come.
    pub(crate) async fn get(
        &self,
        name: &str,
        limit: Duration,
        progress: impl FnMut(Option<u64>, usize),
    ) -> Result<Vec<u8>, String> {
        let whole = timeout(limit, self.get_patiently(name, progress));
        whole.await.unwrap_or_else(|_| Err(format!("it took longer than {} s", limit.as_secs_f64())))
    }

    async fn get_patiently(&self, name: &str, mut progress: impl FnMut(Option<u64>, usize)) -> Result<Vec<u8>, String> {
        let stream = in_time("connect", TcpStream::connect(self.0)).await?;
        let (mut sender, connection) = in_time("shake hands", http1::handshake(Io::new(stream))).await?;
        let talk = oneloop::task::Builder::new().name(format!("connection for {name}")).spawn(connection);
        let request = Request::get(format!("/{name}")).header("host", self.0.to_string());
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let response = in_time("answer", sender.send_request(request)).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("the server says {}", response.status()));
        }
        let mut body = response.into_body();
        let promised = body.size_hint().exact();
        // A length is a promise of somebody else's. Memory is taken for what has come, and for no more.
        let mut bytes = Vec::new();
        while let Some(frame) = in_time("send more", async { body.frame().await.transpose() }).await? {
            let Ok(piece) = frame.into_data() else { continue };
            if bytes.len() + piece.len() > FILE_MAX {
                return Err(format!("it is longer than {FILE_MAX} bytes"));
            }
            bytes.extend_from_slice(&piece);
            progress(promised, bytes.len());
        }
        talk.abort();
        Ok(bytes)
    }
}

/// A step that may not take longer than `PATIENCE`.
async fn in_time<T, E: std::error::Error>(step: &str, future: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(PATIENCE, future).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the server took longer than {} s to {step}", PATIENCE.as_secs())),
    }
}

/// A sum and a name, as sha256sum writes them. The name must be one that stays in its folder.
fn a_line(line: &str) -> Option<(String, String)> {
    let (sum, name) = line.split_once("  ").or_else(|| line.split_once(" *"))?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&letter);
    let good = sum.len() == 64 && !name.is_empty() && !name.starts_with('.') && name.chars().all(plain);
    good.then(|| (sum.to_owned(), name.to_owned()))
}
