//! How a request reaches its server: over a connection that is kept, or by a call.
//!
//! A deadline belongs to one wait. `pool` ends with a place, `connect` with a connection, `write` and `read` with
//! each piece that goes or comes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use axum::Router;
use futures_lite::future::or;
use futures_lite::{AsyncRead, AsyncWrite};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use oneloop::interop::hyper::Io;
use oneloop::net::happy_eyeballs;
use oneloop::task::Builder;
use oneloop::time::{sleep, timeout};
use oneloop_demos::Patient;
use oneloop_web_demos::pool::{Lease, Line, Pool};
use oneloop_web_demos::slowly::{AnyError, InTime, TooLate};
use tower_service::Service;
use url::Url;

use crate::client::{Ask, Failure, Settings};
use crate::tls::Tls;

/// How long the head of an answer may be, in bytes.
const HEAD_MAX: usize = 64 * 1024;
/// How much of a request is handed to the connection at once: what is on its way there is not yet written.
const PIECE: usize = 16 * 1024;
/// How long a connection is kept, and of how many servers.
const KEEP: Duration = Duration::from_secs(15);
const SERVERS: usize = 100;

/// An answer whose body is still to come.
pub(crate) type Reply = Response<Pin<Box<dyn Body<Data = Bytes, Error = AnyError>>>>;

pub(crate) enum Transport {
    Net(Net),
    App(App),
}

impl Transport {
    pub(crate) async fn call(&self, ask: &Ask) -> Result<Reply, Failure> {
        match self {
            Self::Net(net) => net.call(ask).await,
            Self::App(app) => app.call(ask).await,
        }
    }
}

/// An app in this program.
pub(crate) struct App {
    router: Router,
    read: Duration,
}

impl App {
    pub(crate) fn new(router: Router, read: Duration) -> Self {
        Self { router, read }
    }

    async fn call(&self, ask: &Ask) -> Result<Reply, Failure> {
        let request = request(ask, axum::body::Body::from(ask.body.clone()))?;
        let answered = timeout(self.read, self.router.clone().call(request)).await;
        let Ok(response) = answered.map_err(|_| Failure::Late("read", self.read))?;
        let (head, body) = response.into_parts();
        let body = InTime::new(body.map_err(AnyError::from), self.read);
        Ok(Response::from_parts(head, Box::pin(InWords(body, self.read))))
    }
}

/// The network, and the connections that are kept.
pub(crate) struct Net {
    settings: Settings,
    tls: Tls,
    /// A pool for each server, by scheme, host and port.
    pools: RefCell<BTreeMap<String, Rc<Pool<Upload>>>>,
}

impl Net {
    pub(crate) fn new(settings: Settings, ca: Option<PathBuf>) -> Self {
        Self { settings, tls: Tls::new(ca), pools: RefCell::default() }
    }

    async fn call(&self, ask: &Ask) -> Result<Reply, Failure> {
        let pool = self.pool(&ask.url);
        // A kept connection may have died in silence. Then the request was not sent, or may be sent again.
        loop {
            let (lease, is_reused) = self.lease(&pool, &ask.url).await?;
            match self.exchange(lease, ask).await {
                Err((Failure::Protocol(_), may_go_again)) if is_reused && may_go_again => {}
                Err((failure, _)) => return Err(failure),
                Ok(reply) => return Ok(reply),
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.pools.borrow().values().map(|pool| pool.idle()).sum()
    }

    fn pool(&self, url: &Url) -> Rc<Pool<Upload>> {
        let mut pools = self.pools.borrow_mut();
        if pools.len() >= SERVERS {
            pools.retain(|_, pool| Rc::strong_count(pool) > 1);
        }
        let most = self.settings.connections.into();
        Rc::clone(pools.entry(url.origin().ascii_serialization()).or_insert_with(|| Pool::new(most, KEEP)))
    }

    async fn lease(&self, pool: &Rc<Pool<Upload>>, url: &Url) -> Result<(Lease<Upload>, bool), Failure> {
        let Settings { pool: limit, connect, .. } = self.settings;
        let place = timeout(limit, pool.place()).await.map_err(|_| Failure::Late("pool", limit))?;
        match pool.reuse(place).await {
            Ok(lease) => Ok((lease, true)),
            Err(place) => {
                let line = timeout(connect, self.connect(url)).await;
                let line = line.map_err(|_| Failure::Late("connect", connect))??;
                Ok((pool.lend(line, place), false))
            }
        }
    }

    async fn connect(&self, url: &Url) -> Result<Line<Upload>, Failure> {
        // The error of an address says so itself; that of a lookup may not.
        let failed = |error: std::io::Error| match error.to_string() {
            said if said.starts_with("cannot ") => Failure::Connect(said),
            said => Failure::Connect(format!("cannot connect: {said}")),
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let stream = happy_eyeballs((host, url.port_or_known_default().unwrap_or(80))).await.map_err(failed)?;
        let _ = stream.set_nodelay(true);
        if url.scheme() == "https" {
            let stream = self.tls.connect(host, stream).await;
            let stream = stream.map_err(|error| Failure::Connect(format!("cannot speak TLS: {error}")))?;
            return self.handshake(stream).await;
        }
        self.handshake(stream).await
    }

    async fn handshake<T>(&self, stream: T) -> Result<Line<Upload>, Failure>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut http = http1::Builder::new();
        http.max_buf_size(HEAD_MAX);
        let stream = Io::new(Patient::new(stream, self.settings.write));
        let (sender, connection) = http.handshake(stream).await.map_err(|error| Failure::of(&error))?;
        let task = Builder::new().name("connection").spawn(connection);
        Ok(Line::new(sender, task.abort_handle()))
    }

    /// One request on one connection. A failure says whether the same may be tried on another.
    async fn exchange(&self, mut lease: Lease<Upload>, ask: &Ask) -> Result<Reply, (Failure, bool)> {
        let Settings { read, write, .. } = self.settings;
        let (sending, sent) = async_channel::bounded(1);
        let sent = Box::new(sent);
        let upload = Upload { left: ask.body.clone(), _sending: (!ask.body.is_empty()).then_some(sending) };
        let request = request(ask, upload).map_err(|failure| (failure, false))?;
        let answer = async { Some(lease.line.sender.try_send_request(request).await) };
        // The wait for the answer begins when the request has gone.
        let patience = async {
            let _: Result<Infallible, _> = sent.recv().await;
            sleep(read).await;
            None
        };
        let response = match or(answer, patience).await {
            None => return Err((Failure::Late("read", read), false)),
            Some(Ok(response)) => response,
            Some(Err(mut error)) => {
                let unsent = error.take_message().is_some();
                let error = error.into_error();
                if is_late(&error) {
                    return Err((Failure::Late("write", write), false));
                }
                return Err((Failure::of(&error), unsent || ask.method.is_idempotent()));
            }
        };
        let (head, body) = response.into_parts();
        let mut came = Came { body: InTime::new(body, read), kept: Some((lease, sent)) };
        came.ends_if_it_is_over(false);
        Ok(Response::from_parts(head, Box::pin(InWords(came, read))))
    }
}

/// The request as it goes out.
fn request<B>(ask: &Ask, body: B) -> Result<Request<B>, Failure> {
    let wrong = |error: &dyn Error| Failure::Url(format!("it cannot be asked for: {error}"));
    let url = &ask.url;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let mut request =
        Request::builder().method(ask.method.clone()).uri(path).body(body).map_err(|error| wrong(&error))?;
    *request.headers_mut() = ask.headers.clone();
    request.headers_mut().insert(HOST, HeaderValue::try_from(host).map_err(|error| wrong(&error))?);
    Ok(request)
}

/// Whether a write took too long: the connection says so in an error of its own.
fn is_late(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A request's body, piece by piece: so it has gone when the last piece is asked for, and not before.
#[derive(Debug)]
pub(crate) struct Upload {
    left: Bytes,
    /// Closed when all has gone.
    _sending: Option<Sender<Infallible>>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// An answer's body. Its connection is kept when nothing is left on it of this answer, nor of the request.
struct Came {
    body: InTime<Incoming>,
    kept: Option<(Lease<Upload>, Box<Receiver<Infallible>>)>,
}

impl Came {
    fn ends_if_it_is_over(&mut self, last: bool) {
        if !last && !self.body.is_end_stream() {
            return;
        }
        if let Some((lease, _)) = self.kept.take().filter(|(_, sent)| sent.is_closed()) {
            lease.give_back();
        }
    }
}

impl Body for Came {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if matches!(frame, Some(Err(_))) {
            self.kept = None;
        } else {
            self.ends_if_it_is_over(frame.is_none());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// A body whose errors say what a deadline was for.
struct InWords<B>(B, Duration);

impl<B: Body<Data = Bytes, Error = AnyError> + Unpin> Body for InWords<B> {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        let limit = self.1;
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| match error.is::<TooLate>() {
                true => Failure::Late("read", limit).into(),
                false => error,
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
