//! The pages to crawl: five hosts with 200 pages each, which are slow at times, answer 503 at times, and hang up at
//! times. It counts who is connected.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::RETRY_AFTER;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::TcpListener;
use oneloop::task::Builder;
use oneloop::time::{sleep, timeout};

pub(crate) const HOSTS: usize = 5;
pub(crate) const PAGES: usize = 200;

/// The server, while it runs.
pub(crate) struct Served {
    pub(crate) hosts: Vec<SocketAddr>,
    now: Cell<u32>,
    /// The most that were connected at once.
    pub(crate) most: Cell<u32>,
}

/// Starts it on five free ports. It ends with the program.
pub(crate) async fn start() -> io::Result<Rc<Served>> {
    let mut listeners = Vec::new();
    for _ in 0..HOSTS {
        listeners.push(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?);
    }
    let hosts = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
    let served = Rc::new(Served { hosts, now: Cell::new(0), most: Cell::new(0) });
    for (number, listener) in listeners.into_iter().enumerate() {
        let served = Rc::clone(&served);
        drop(Builder::new().name(format!("host {number}")).spawn(async move {
            // The crawler is its only guest, and has bounds of its own.
            while let Ok((stream, peer)) = listener.accept().await {
                let counted = Counted::new(&served);
                let answer = service_fn(move |request| answer(request, number, Rc::clone(&counted.0)));
                let mut http = http1::Builder::new();
                http.timer(Timer).header_read_timeout(Duration::from_secs(30));
                let connection = http.serve_connection(Io::new(stream), answer);
                let whole = async move { drop(timeout(Duration::from_secs(300), connection).await) };
                drop(Builder::new().name(format!("page server, {peer}")).spawn(whole));
            }
        }));
    }
    Ok(served)
}

/// Somebody who is connected, until this is dropped.
struct Counted(Rc<Served>);

impl Counted {
    fn new(served: &Rc<Served>) -> Self {
        served.now.set(served.now.get() + 1);
        served.most.set(served.most.get().max(served.now.get()));
        Self(Rc::clone(served))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

/// Why a connection is to be ended without an answer.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up on purpose")
    }
}

impl std::error::Error for HangUp {}

async fn answer(request: Request<Incoming>, host: usize, served: Rc<Served>) -> Result<Response<Full<Bytes>>, HangUp> {
    let page: usize = request.uri().path()[1..].parse().unwrap_or(PAGES);
    if page >= PAGES {
        return Ok(with_status(StatusCode::NOT_FOUND));
    }
    let is_slow = fastrand::u32(..50) == 0;
    sleep(Duration::from_millis(if is_slow { fastrand::u64(200..600) } else { fastrand::u64(20..100) })).await;
    match fastrand::u32(..100) {
        0..3 => {
            let mut response = with_status(StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(RETRY_AFTER, 0.into());
            Ok(response)
        }
        3..5 => Err(HangUp),
        _ => Ok(Response::new(Full::new(text(page, host, &served.hosts).into()))),
    }
}

/// A page with links to the next ones, here and on the other hosts.
fn text(page: usize, host: usize, hosts: &[SocketAddr]) -> String {
    let here = (1..=3).map(|step| format!("<li><a href=\"/{}\">on</a>", (page * 3 + step) % PAGES));
    let there = hosts.iter().enumerate().filter(|(other, _)| *other != host);
    let there = there.map(|(_, addr)| format!("<li><a href=\"http://{addr}/{page}\">across</a>"));
    let words = "All of it is one thread. ".repeat(10 + page);
    format!("<!doctype html><title>Page {page}</title><p>{words}<ul>{}</ul>", here.chain(there).collect::<String>())
}

fn with_status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
