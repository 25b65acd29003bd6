//! The fixtures of the tests: a watchdog, and an HTTP server and client on loopback.

use std::cell::Cell;
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::yield_now;
use oneloop::{Handle, Runtime};

/// Many times what any test takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// While it lives, the test is watched.
pub(crate) struct Watch(#[expect(dead_code, reason = "it is dropped, which tells the watchdog")] Sender<()>);

impl Watch {
    pub(crate) fn new() -> Self {
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let (over, is_over) = channel();
        thread::spawn(move || {
            if is_over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                // Not by `eprintln`: what a test prints is kept back until it is over.
                let _ = writeln!(std::io::stderr().lock(), "\n{test} is not over after {LIMIT:?}");
                std::process::abort();
            }
        });
        Self(over)
    }
}

/// Runs a test's body, watched.
pub(crate) fn run<T>(body: impl Future<Output = T>) -> T {
    let _watch = Watch::new();
    oneloop::run(body)
}

/// The same by the virtual clock. It does not move while a socket is waited for, so a program that talks here
/// talks in memory.
pub(crate) fn run_virtual<T>(body: impl Future<Output = T>) -> T {
    let _watch = Watch::new();
    Runtime::builder().virtual_clock().build().expect("the system gives an event queue").block_on(body)
}

/// How many timers are pending. The runtime counts at the end of each turn, so this waits for one.
pub(crate) async fn timers() -> u64 {
    let turns = || Handle::current().metrics().turns;
    let before = turns();
    while turns() == before {
        yield_now().await;
    }
    Handle::current().metrics().timers
}

/// A server on loopback.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) connections: Rc<Cell<usize>>,
}

/// Calls `serve` for everyone who connects, each time in a task of its own.
pub(crate) async fn listen<F: Future + 'static>(serve: impl Fn(TcpStream) -> F + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { addr: listener.local_addr().unwrap(), connections: Rc::default() };
    let connections = Rc::clone(&server.connections);
    oneloop::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.set(connections.get() + 1);
            let serving = serve(stream);
            oneloop::spawn(async { drop(serving.await) });
        }
    });
    server
}

/// Serves HTTP/1 on loopback.
pub(crate) async fn serve_http1<S, B>(service: S) -> Server
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    listen(move |stream| {
        let connection = http1::Builder::new()
            .timer(Timer)
            .pipeline_flush(true)
            .serve_connection(Io::new(stream), service.clone())
            .with_upgrades();
        async { connection.await.unwrap() }
    })
    .await
}

/// A client of HTTP/1.
pub(crate) async fn connect_http1(addr: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = handshake(Io::new(stream)).await.unwrap();
    oneloop::spawn(connection);
    sender
}

pub(crate) fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).header("host", "localhost").body(Full::default()).unwrap()
}

pub(crate) fn post(path: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::post(path).header("host", "localhost").body(Full::new(body)).unwrap()
}

/// The whole body of a response.
pub(crate) async fn body_of<B: Body>(response: Response<B>) -> Bytes
where
    B::Error: std::fmt::Debug,
{
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Bytes of which no two stretches are alike, so that none can be lost, doubled or moved unseen.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}
