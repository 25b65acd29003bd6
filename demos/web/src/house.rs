//! A server's house: what stands around the answers of every demo that strangers can reach.
//!
//! A server needs an upper bound on everything that a stranger could use up. Here they are: connections, the size
//! of a head, and deadlines for the head, for each write and for the connection as a whole. When all places are
//! taken, the guest that has been silent the longest gives way to a newcomer. A stop lets the requests finish that
//! are being answered, for a while.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures_lite::future::or;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN, TRANSFER_ENCODING,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Version};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::Builder;
use oneloop::time::timeout;
use oneloop_demos::{Guests, Patient, address, log, seconds, server, whole};

use crate::slowly::AnyError;

/// How long a request's head may be, in bytes. hyper takes no less than 8192.
const HEAD_MAX: usize = 16 * 1024;
/// The bounds of a server, as flags.
#[derive(clap::Args, Clone, Debug)]
pub struct Limits {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = address)]
    pub addr: SocketAddr,
    /// Stop by itself after this time
    #[arg(long, value_name = "F", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value = "512", value_parser = whole(1..=10_000_u16))]
    pub connections: u16,
    /// How long a stop waits for requests that are being answered, in seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = seconds)]
    pub grace: Duration,
    /// The seconds a client may take to send the head of a request
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    pub head: Duration,
    /// The seconds for which a client may take nothing of an answer
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    pub patience: Duration,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "300", value_parser = seconds)]
    pub lifetime: Duration,
}

/// The house, and who is in it.
pub struct House {
    limits: Limits,
    guests: Rc<Guests>,
    stopping: Sender<Infallible>,
    stop: Receiver<Infallible>,
}

impl House {
    /// A house with these bounds.
    pub fn new(limits: Limits) -> Self {
        let (stopping, stop) = async_channel::bounded(1);
        let guests = Guests::at_most(limits.connections.into());
        Self { limits, guests, stopping, stop }
    }

    /// The server's whole life: lets guests in until `stop` resolves, and then lets the rest finish.
    ///
    /// # Errors
    ///
    /// A sentence, if accepting or waiting for the stop has become impossible.
    pub async fn live<B, F>(
        self,
        listener: TcpListener,
        stop: impl Future<Output = io::Result<()>>,
        answer: impl Fn(Request<Incoming>, SocketAddr) -> F + 'static,
    ) -> Result<(), String>
    where
        B: Body<Data = Bytes> + 'static,
        B::Error: Into<AnyError>,
        F: Future<Output = Response<B>> + 'static,
    {
        let answer = Rc::new(answer);
        let connection = move |guest: Guest| guest.speak_http1(Rc::clone(&answer));
        self.live_with(listener, stop, connection).await
    }

    /// The same, with a protocol of the demo's own on each connection.
    ///
    /// # Errors
    ///
    /// A sentence, if accepting or waiting for the stop has become impossible.
    pub async fn live_with<F>(
        self,
        listener: TcpListener,
        stop: impl Future<Output = io::Result<()>>,
        connection: impl Fn(Guest) -> F,
    ) -> Result<(), String>
    where
        F: Future<Output = Result<(), AnyError>> + 'static,
    {
        let stop = async {
            stop.await?;
            log("stopping");
            Ok(())
        };
        let all_had_gone = self.live_quietly(listener, stop, connection).await?;
        log(if all_had_gone { "stopped" } else { "stopped; not everybody had finished" });
        Ok(())
    }

    /// The same, but it says nothing of the stop. Returns whether everybody had gone at the end.
    ///
    /// # Errors
    ///
    /// A sentence, if accepting or waiting for the stop has become impossible.
    pub async fn live_quietly<F>(
        self,
        listener: TcpListener,
        stop: impl Future<Output = io::Result<()>>,
        connection: impl Fn(Guest) -> F,
    ) -> Result<bool, String>
    where
        F: Future<Output = Result<(), AnyError>> + 'static,
    {
        let lived = or(self.accept(&listener, connection), stop).await;
        lived.map_err(|error| format!("cannot go on: {error}"))?;

        drop(listener); // from here on the kernel refuses newcomers, unless another process listens, too
        drop(self.stopping); // and every connection hears it
        Ok(timeout(self.limits.grace, self.guests.all_gone()).await.is_ok())
    }

    /// Accepts for ever; returns only if accepting has become impossible.
    async fn accept<F>(&self, listener: &TcpListener, connection: impl Fn(Guest) -> F) -> io::Result<()>
    where
        F: Future<Output = Result<(), AnyError>> + 'static,
    {
        loop {
            let (stream, peer) = listener.accept().await?;
            // If nobody is silent, all are being answered, and that has a deadline.
            self.guests.room().await;
            let ear = Rc::new(Ear { place: self.guests.enter(), answering: Cell::new(0) });
            let limits = self.limits.clone();
            let lifetime = limits.lifetime;
            let guest = Guest { stream, peer, limits, ear: Rc::clone(&ear), stop: self.stop.clone() };
            // In a box, it is not moved into what is put around it: each of those would have room for it a second time.
            let talk = Box::pin(connection(guest));
            let whole = async move {
                match timeout(lifetime, talk).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => log(&format!("{peer} - {error}")),
                    Err(_) => log(&format!("{peer} - its time was up")),
                }
            };
            let named = Builder::new().name(format!("client {peer}"));
            drop(named.spawn(async move { or(whole, ear.place.has_to_go()).await }));
        }
    }
}

/// A connection, as its protocol gets it.
pub struct Guest {
    /// The connection itself.
    pub stream: TcpStream,
    /// The address of its other end.
    pub peer: SocketAddr,
    /// The bounds on what it may use up.
    pub limits: Limits,
    /// To be told when a request comes, and when it has been answered.
    pub ear: Rc<Ear>,
    /// Closed when the server stops; nothing is ever sent on it.
    pub stop: Receiver<Infallible>,
}

impl Guest {
    /// Speaks HTTP/1.1 until the client leaves. A stop ends it between two requests.
    async fn speak_http1<B, F>(
        self,
        answer: Rc<impl Fn(Request<Incoming>, SocketAddr) -> F + 'static>,
    ) -> Result<(), AnyError>
    where
        B: Body<Data = Bytes> + 'static,
        B::Error: Into<AnyError>,
        F: Future<Output = Response<B>> + 'static,
    {
        let Self { stream, peer, limits, ear, stop } = self;
        let answer = service_fn(|request| {
            ear.is_heard();
            let (answer, ear) = (answer(request, peer), Rc::clone(&ear));
            Box::pin(async move {
                let answer = answer.await;
                ear.falls_silent();
                Ok::<_, Infallible>(answer)
            })
        });
        let mut http = http1::Builder::new();
        // A client that sends no more may well be reading still, as `nc -N` does.
        http.half_close(true);
        http.timer(Timer).header_read_timeout(limits.head).max_buf_size(HEAD_MAX);
        let mut http = http.serve_connection(Io::new(Patient::new(stream, limits.patience)), answer);
        let stopped = async {
            let _ = stop.recv().await;
            None
        };
        let ended = match or(async { Some(poll_fn(|cx| http.poll_without_shutdown(cx)).await) }, stopped).await {
            Some(ended) => ended,
            None => {
                Pin::new(&mut http).graceful_shutdown();
                poll_fn(|cx| http.poll_without_shutdown(cx)).await
            }
        };
        server::linger(&http.into_parts().io.into_inner().into_inner()).await;
        ended.map_err(Into::into)
    }
}

/// A guest's place among the others, and how many of its requests are being answered.
pub struct Ear {
    place: oneloop_demos::Guest,
    answering: Cell<usize>,
}

impl Ear {
    /// A request has been answered.
    pub fn falls_silent(&self) {
        let answering = self.answering.get().saturating_sub(1);
        self.answering.set(answering);
        if answering == 0 {
            self.place.has_spoken();
        }
    }

    /// A request has come.
    pub fn is_heard(&self) {
        self.answering.set(self.answering.get() + 1);
        self.place.is_busy();
    }
}

/// Why a request is not answered: it says badly how long it is, or whom it is for.
pub fn why_refused<B>(request: &Request<B>) -> Option<&'static str> {
    why_misframed(request.headers()).or_else(|| why_homeless(request))
}

/// A message says once how long it is: else two servers in a row may take its end for different places, and one of
/// them the rest of it for another message. Source: RFC 9112, section 6.3.
pub fn why_misframed(headers: &HeaderMap) -> Option<&'static str> {
    let (mut lengths, mut codings) =
        (headers.get_all(CONTENT_LENGTH).iter(), headers.get_all(TRANSFER_ENCODING).iter());
    match (lengths.next(), lengths.next(), codings.next(), codings.next()) {
        (Some(_), _, Some(_), _) => Some("a message has a Content-Length or a Transfer-Encoding, and this has both\n"),
        (None, _, Some(coding), None) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Some("chunked is the one transfer coding that is read here\n")
        }
        (None, _, Some(_), Some(_)) => Some("a message has one Transfer-Encoding, and this has more\n"),
        (Some(length), None, None, _) if !length.as_bytes().iter().all(u8::is_ascii_digit) => {
            Some("a Content-Length is one number\n")
        }
        (Some(_), Some(_), None, _) => Some("a message has one Content-Length, and this has more\n"),
        _ => None,
    }
}

/// A request says once, and well, whom it is for: else two servers in a row may take it for different hosts.
/// Source: RFC 9112, section 3.2.
fn why_homeless<B>(request: &Request<B>) -> Option<&'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() != Version::HTTP_11 => None,
        (None, _) => Some("a request of HTTP/1.1 needs a Host\n"),
        (Some(_), Some(_)) => Some("a request has one Host, and this has more\n"),
        (Some(host), None) if host.to_str().is_ok_and(is_a_host) => {
            // A request line may name a host, too. CONNECT always names another one there.
            let target = request.uri().authority().filter(|_| request.method() != Method::CONNECT);
            let is_another =
                target.is_some_and(|target| !host.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes()));
            is_another.then_some("the first line names one host, and Host another\n")
        }
        (Some(_), None) => Some("this Host is none: a name or an address is one, with a port or without\n"),
    }
}

fn is_a_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let name = authority.host();
    let port = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
    !name.is_empty() && (text == name || port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok()))
}

/// Whether a request is meant for this server, and not sent by the page of another.
///
/// # Errors
///
/// A sentence that says what is wrong, with a line feed.
pub fn is_at_home<B>(request: &Request<B>, addr: SocketAddr, names: &[String]) -> Result<(), &'static str> {
    let origin = request.headers().get(ORIGIN).map(|origin| origin.to_str().unwrap_or("?"));
    server::is_at_home(&hosts(request), origin, addr, names)
}

/// The same for a server that leaves it to another which pages may ask.
///
/// # Errors
///
/// A sentence that says what is wrong, with a line feed.
pub fn is_own_host<B>(request: &Request<B>, addr: SocketAddr, names: &[String]) -> Result<(), &'static str> {
    server::is_at_home(&hosts(request), None, addr, names)
}

/// Makes a page of a response: its scripts and styles are its own, and no other page holds it in a frame.
pub fn make_a_page<B>(response: &mut Response<B>) {
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    head.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The hosts that a request says it is for. In HTTP/2 they may stand in its URI alone.
fn hosts<B>(request: &Request<B>) -> Vec<&str> {
    let named = request.headers().get_all(HOST).iter().map(|host| host.to_str().unwrap_or("?"));
    let hosts: Vec<&str> = named.collect();
    if hosts.is_empty() { request.uri().authority().map(Authority::as_str).into_iter().collect() } else { hosts }
}
