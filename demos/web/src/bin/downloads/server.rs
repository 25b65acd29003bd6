//! The server: forty files, each of its own length, sent at its own speed.

use std::convert::Infallible;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_lite::future::or;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::TcpListener;
use oneloop::task::{Builder, spawn_blocking};
use oneloop::time::{Sleep, sleep, timeout};
use oneloop_demos::Guests;

const FILES: usize = 40;
/// How many may be connected at a time: more than the most files that are on their way at one time.
const GUESTS: usize = 300;
/// How often a file's next piece is sent.
const BEAT: Duration = Duration::from_millis(20);
/// How long a client may stay, and take to ask.
const LIFETIME: Duration = Duration::from_secs(300);
const HEAD: Duration = Duration::from_secs(10);

/// Starts it on a free port of loopback.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    let list = spawn_blocking(list).await.map_err(io::Error::other)?;
    drop(Builder::new().name("server").spawn(serve(listener, list.into())));
    Ok(addr)
}

async fn serve(listener: TcpListener, list: Rc<str>) {
    let guests = Guests::at_most(GUESTS);
    while let Ok((stream, peer)) = listener.accept().await {
        let (list, guest) = (Rc::clone(&list), guests.enter());
        let connection = async move {
            let answer = service_fn(async |request| {
                guest.has_spoken();
                Ok::<_, Infallible>(answer(&request, &list))
            });
            let mut http = http1::Builder::new();
            http.timer(Timer).header_read_timeout(HEAD).max_buf_size(16 * 1024);
            let served = async { drop(timeout(LIFETIME, http.serve_connection(Io::new(stream), answer)).await) };
            or(served, guest.has_to_go()).await;
        };
        drop(Builder::new().name(format!("server of {peer}")).spawn(connection));
    }
}

fn answer(request: &Request<Incoming>, list: &str) -> Response<Slowly> {
    let name = request.uri().path().trim_start_matches('/');
    let (status, bytes, speed) = match name.strip_prefix("file-").and_then(|number| number.parse().ok()) {
        Some(number @ 1..=FILES) => (StatusCode::OK, content(number), speed(number)),
        _ if name == "SHA256SUMS" => (StatusCode::OK, list.into(), usize::MAX),
        _ => (StatusCode::NOT_FOUND, "there is no such file\n".into(), usize::MAX),
    };
    let mut response = Response::new(Slowly { bytes: bytes.into(), speed, pause: None });
    *response.status_mut() = status;
    response
}

/// What `sha256sum` would write of all files.
fn list() -> String {
    (1..=FILES).fold(String::new(), |mut text, number| {
        let name = format!("file-{number}");
        let sum = crate::hash_and_keep(&name, &content(number), None).unwrap_or_default();
        let _ = writeln!(text, "{sum}  {name}");
        text
    })
}

/// Bytes that look random, and are the same in every run. (Marsaglia, "Xorshift RNGs", 2003.)
fn content(number: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ number as u64;
    let length = 20_000 + number * number * 300 % 400_000;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Bytes a beat: some files trickle.
fn speed(number: usize) -> usize {
    2_000 + number * 7_919 % 13_000
}

/// A body that is sent a piece a beat.
struct Slowly {
    bytes: Bytes,
    speed: usize,
    pause: Option<Sleep>,
}

impl Body for Slowly {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(cx));
        }
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.speed.min(self.bytes.len());
        let piece = self.bytes.split_to(length);
        self.pause = Some(sleep(BEAT));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
