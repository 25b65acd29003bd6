//! The upstream that the gateway brings along when it is given none: a greeting, a slow one, and many bytes.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::TcpListener;
use oneloop::task::Builder;
use oneloop::time::sleep;

const PIECE: &[u8] = &[b'x'; 16 * 1024];

/// Starts it on a free port of loopback.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let addr = listener.local_addr()?;
    drop(Builder::new().name("upstream").spawn(serve(listener)));
    Ok(addr)
}

async fn serve(listener: TcpListener) {
    while let Ok((stream, peer)) = listener.accept().await {
        let talk = async move {
            let mut http = http1::Builder::new();
            http.timer(Timer).header_read_timeout(Duration::from_secs(60));
            // An error here is the gateway's: it has gone.
            let _ = http.serve_connection(Io::new(stream), service_fn(answer)).await;
        };
        drop(Builder::new().name(format!("upstream of {peer}")).spawn(talk));
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
    let (head, mut sent) = request.into_parts();
    // An answer over bytes that nobody has read would be lost in a reset.
    while let Some(Ok(_)) = sent.frame().await {}
    let path = head.uri.path();
    let reply = match path.strip_prefix("/big/").and_then(|length| length.parse().ok()) {
        Some(length) => Reply::Many(length),
        None if path == "/slow" => {
            sleep(Duration::from_secs(1)).await;
            Reply::Words("a second later\n")
        }
        None if path == "/" => Reply::Words("hello from the upstream\n"),
        None => Reply::Words("there is /, /slow, and /big/BYTES\n"),
    };
    let is_missing = matches!(reply, Reply::Words(words) if words.starts_with("there is"));
    let mut response = Response::new(reply);
    *response.status_mut() = if is_missing { StatusCode::NOT_FOUND } else { StatusCode::OK };
    Ok(response)
}

enum Reply {
    Words(&'static str),
    Many(u64),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Self::Words(words) => Bytes::from_static(std::mem::take(words).as_bytes()),
            Self::Many(left) => {
                let length = (*left).min(PIECE.len() as u64);
                *left -= length;
                Bytes::from_static(&PIECE[..length as usize])
            }
        };
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Words(words) => words.len() as u64,
            Self::Many(left) => *left,
        })
    }
}
