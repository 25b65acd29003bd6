//! A web server on one thread: axum finds the handler, hyper speaks HTTP, and the loop does the rest.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos    in one terminal,
//! curl http://127.0.0.1:8080/hello/you        in as many others as you like
//! ```
//!
//! What to watch: one line a request, and `/slow`, which sleeps for a second: ten at once take one
//! second in all. Ctrl-C stops it in order: nobody new is let in, requests that are being answered may
//! finish for a while.
//!
//! A server that strangers can reach needs an upper bound on everything they could use up. Here they
//! are: connections (`--connections`), the size of a head (`HEAD_MAX`) and of a body (axum's two
//! megabytes), and three deadlines: for the head, for the answer, and for the connection as a whole. When all
//! places are taken, whoever has been silent the longest gives way to a newcomer.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_lock::Semaphore;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CONNECTION, HOST};
use axum::http::uri::Authority;
use axum::http::{Request, Response, StatusCode, Version};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use clap::Parser;
use futures_lite::future::or;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::task::AbortHandle;
use oneloop::time::{Instant, sleep, timeout};
use oneloop_demos::{address, fail, finish_log, flags, log, seconds};
use tower_service::Service;

/// How long a request's head may be, in bytes. hyper takes no less than 8192.
const HEAD_MAX: usize = 16 * 1024;

/// A web server on one thread. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = address)]
    addr: SocketAddr,
    /// Stop by itself after this time
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
    /// How many may be connected at a time; one more, and whoever has been silent the longest is hung up on
    #[arg(long, value_name = "N", default_value = "512", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// How long a stop waits for requests that are being answered, in seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = seconds)]
    grace: Duration,
    /// Hang up on whoever takes longer than so many seconds to send the head of a request
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    head: Duration,
    /// Answer 503 if a handler has not answered after so many seconds
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    answer: Duration,
    /// Hang up on everybody after so many seconds
    #[arg(long, value_name = "F", default_value = "300", value_parser = seconds)]
    lifetime: Duration,
}

fn main() -> ExitCode {
    let args: Args = flags();
    match oneloop::Runtime::new().map(|runtime| runtime.block_on(serve(args))) {
        Ok(Ok(())) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Ok(Err(problem)) => fail(problem),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}

/// What is where.
fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello from one thread; try /hello/you, /slow, or POST to /length\n"))
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("hello {name}\n")))
        .route("/slow", get(slow))
        .route("/length", post(async |body: Bytes| format!("{} bytes\n", body.len())))
}

/// Waits without keeping anybody else waiting.
async fn slow() -> &'static str {
    sleep(Duration::from_secs(1)).await;
    "a second later\n"
}

/// The server's whole life: listen, serve until the stop, let the rest finish.
async fn serve(args: Args) -> Result<(), String> {
    let listener = TcpListener::bind(args.addr).await.map_err(|error| cannot_listen(&error))?;
    let stop = stop_requested(); // from here on it is heard
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(&format!("listening on {addr}; try: curl http://{addr}/hello/you"));

    let places = Arc::new(Semaphore::new(args.connections.into()));
    let (stopping, stop_heard) = async_channel::bounded(1);
    let stop = async { or(async { stop.await.map(drop) }, after(args.seconds)).await };
    or(accept(&listener, &places, &stop_heard, args), stop).await.map_err(|error| format!("cannot go on: {error}"))?;

    drop(listener); // from here on the kernel refuses whoever comes
    drop(stopping); // and every connection hears it
    log("stopping");
    // When all places are free, everybody has gone.
    let everybody = async {
        let mut left = Vec::new();
        for _ in 0..args.connections {
            left.push(places.acquire().await);
        }
    };
    match timeout(args.grace, everybody).await {
        Ok(()) => log("stopped"),
        Err(_) => log("stopped; not everybody had finished"),
    }
    Ok(())
}

/// Accepts for ever; returns only if accepting has become impossible.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>, stop: &Stop, args: Args) -> io::Result<()> {
    let (router, silent) = (router(), Rc::new(Silent::default()));
    loop {
        let (stream, peer) = listener.accept().await?;
        let place = match places.try_acquire_arc() {
            Some(place) => place,
            None => {
                // If nobody is silent, all are being answered, and that has a deadline.
                silent.hang_up_on_the_first();
                places.acquire_arc().await
            }
        };
        let guest = Rc::new(Guest { peer, since: Cell::default(), task: OnceCell::new(), silent: Rc::clone(&silent) });
        let connection = connection(stream, Rc::clone(&guest), router.clone(), stop.clone(), args);
        let task = oneloop::spawn(async {
            connection.await;
            drop(place);
        });
        let _ = guest.task.set(task.abort_handle());
        guest.falls_silent();
    }
}

/// The guests of whom nothing is being answered, in the order in which they fell silent.
#[derive(Default)]
struct Silent {
    last: Cell<u64>,
    guests: RefCell<BTreeMap<u64, (SocketAddr, AbortHandle)>>,
}

impl Silent {
    fn hang_up_on_the_first(&self) {
        let first = self.guests.borrow_mut().pop_first();
        if let Some((_, (peer, task))) = first {
            task.abort();
            log(&format!("{peer} - was silent the longest, and all places are taken"));
        }
    }
}

/// Somebody who is connected.
struct Guest {
    peer: SocketAddr,
    /// Its place among the silent.
    since: Cell<u64>,
    task: OnceCell<AbortHandle>,
    silent: Rc<Silent>,
}

impl Guest {
    fn falls_silent(&self) {
        let Some(task) = self.task.get() else { return };
        self.silent.last.set(self.silent.last.get() + 1);
        self.since.set(self.silent.last.get());
        self.silent.guests.borrow_mut().insert(self.since.get(), (self.peer, task.clone()));
    }

    fn is_heard(&self) {
        self.silent.guests.borrow_mut().remove(&self.since.get());
    }
}

/// A channel on which nothing is ever sent: it is closed when the server stops.
type Stop = async_channel::Receiver<Infallible>;

/// One client, for as long as it may stay. A stop ends it between two requests.
async fn connection(stream: TcpStream, guest: Rc<Guest>, router: Router, stop: Stop, args: Args) {
    let peer = guest.peer;
    let answer = service_fn(|request| {
        guest.is_heard();
        let answer = answer(request, peer, router.clone(), args.answer);
        let guest = Rc::clone(&guest);
        async move {
            let answer = answer.await;
            guest.falls_silent();
            answer
        }
    });
    let mut http = http1::Builder::new();
    // Whoever sends no more may well be reading still, as `nc -N` does.
    http.half_close(true);
    http.timer(Timer).header_read_timeout(args.head).max_buf_size(HEAD_MAX);
    let mut http = pin!(http.serve_connection(Io::new(stream), answer));
    let whole = async {
        let stopped = async {
            let _ = stop.recv().await;
            None
        };
        match or(async { Some(http.as_mut().await) }, stopped).await {
            Some(result) => result,
            None => {
                http.as_mut().graceful_shutdown();
                http.await
            }
        }
    };
    match timeout(args.lifetime, whole).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log(&format!("{peer} - {error}")),
        Err(_) => log(&format!("{peer} - its time was up")),
    }
    guest.is_heard();
}

/// Has the router answer, within the deadline, and prints the line in the log.
async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    mut router: Router,
    limit: Duration,
) -> Result<Response<Body>, Infallible> {
    let start = Instant::now();
    let line = format!("{peer} {} {}", request.method(), request.uri().path());
    let refused = why_refused(&request).map(|why| (StatusCode::BAD_REQUEST, [(CONNECTION, "close")], why));
    let answer = async {
        match refused {
            Some(refused) => Ok(refused.into_response()),
            None => router.call(request).await,
        }
    };
    let response = match timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "it took too long\n").into_response(),
    };
    log(&format!("{line} {} {:.1} ms", response.status().as_u16(), start.elapsed().as_secs_f64() * 1000.0));
    Ok(response)
}

/// A request says once, and well, whom it is for: else two servers in a row may take it for different hosts.
/// Source: RFC 9112, section 3.2.
fn why_refused(request: &Request<Incoming>) -> Option<&'static str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => None,
        (None, _) => Some("a request of HTTP/1.1 needs a Host\n"),
        (Some(_), Some(_)) => Some("a request has one Host, and this has more\n"),
        (Some(host), None) if host.to_str().is_ok_and(is_a_host) => None,
        (Some(_), None) => Some("this Host is none: a name or an address is one, with a port or without\n"),
    }
}

fn is_a_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let name = authority.host();
    let port = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
    !name.is_empty() && (text == name || port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok()))
}

/// Resolves after the time that was asked for, or never if none was.
async fn after(time: Option<Duration>) -> io::Result<()> {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
    Ok(())
}

/// What is wrong with the address, and the way out.
fn cannot_listen(error: &io::Error) -> String {
    let way_out = match error.kind() {
        ErrorKind::AddrInUse => "another program has this port: stop it, or choose another port with --addr",
        ErrorKind::AddrNotAvailable => "this machine does not have that address: try --addr 127.0.0.1:8080",
        ErrorKind::PermissionDenied => "ports below 1024 need privileges: try --addr 127.0.0.1:8080",
        _ => "try another address with --addr",
    };
    format!("{error}; {way_out}")
}
