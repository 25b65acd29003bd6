//! The server: HTTP/1.1 and HTTP/2 on one port, told apart by how a client begins.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use futures_lite::future::or;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::conn::auto;
use oneloop::interop::hyper::{Executor, Io, Timer};
use oneloop::task::spawn_blocking;
use oneloop::time::{Instant, timeout_at};
use oneloop_demos::server::{listen, stop_asked_for};
use oneloop_demos::{Patient, log, print};
use oneloop_web_demos::house::{Guest, House, is_at_home, why_refused};
use oneloop_web_demos::slowly::AnyError;
use tower_service::Service;

use crate::Args;
use crate::notes::router;
use crate::store::Store;
use crate::valid::{Refusal, Until};

/// How many requests a client of HTTP/2 may have answered at once.
const STREAMS: u32 = 32;
/// How long a request's head may be, in bytes.
const HEAD_MAX: u32 = 16 * 1024;

/// The server's whole life.
pub(crate) async fn serve(args: Args) -> Result<(), String> {
    let db = args.db.clone();
    let store = spawn_blocking(move || Store::open(db.as_deref())).await.map_err(|error| error.to_string())??;
    let (listener, addr) = listen(args.limits.addr, "--addr").await?;
    let stop = stop_asked_for(args.limits.seconds); // from here on it is heard
    print(format_args!("listening on {addr}; open http://{addr}/docs/ or: curl http://{addr}/notes"));
    let api = Rc::new(Api { router: router(store), addr, host: args.host, limit: args.answer });
    House::new(args.limits).live_with(listener, stop, |guest| talk(guest, Rc::clone(&api))).await
}

struct Api {
    router: Router,
    addr: SocketAddr,
    host: Vec<String>,
    limit: Duration,
}

async fn talk(guest: Guest, api: Rc<Api>) -> Result<(), AnyError> {
    let Guest { stream, peer, limits, ear, stop } = guest;
    let answer = service_fn(|request| {
        ear.is_heard();
        let (api, ear) = (Rc::clone(&api), Rc::clone(&ear));
        async move {
            let answer = api.answer(request, peer).await;
            ear.falls_silent();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut http = auto::Builder::new(Executor);
    http.http1().timer(Timer).header_read_timeout(limits.head).max_buf_size(HEAD_MAX as usize).half_close(true);
    http.http2()
        .timer(Timer)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_MAX)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.patience);
    let mut talk = pin!(http.serve_connection(Io::new(Patient::new(stream, limits.patience)), answer));
    let stopped = async {
        let _ = stop.recv().await;
        None
    };
    match or(async { Some(talk.as_mut().await) }, stopped).await {
        Some(ended) => ended,
        None => {
            talk.as_mut().graceful_shutdown();
            talk.await
        }
    }
}

impl Api {
    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let start = Instant::now();
        let until = start + self.limit;
        request.extensions_mut().insert(Until(until));
        let line = format!("{peer} {:?} {} {}", request.version(), request.method(), request.uri().path());
        let mut router = self.router.clone();
        let answer = async {
            if let Some(why) = why_refused(&request) {
                return Refusal::new(StatusCode::BAD_REQUEST, why.trim_end()).into_response();
            }
            if let Err(why) = is_at_home(&request, self.addr, &self.host) {
                return Refusal::new(StatusCode::FORBIDDEN, why.trim_end()).into_response();
            }
            let Ok(response) = router.call(request).await;
            response
        };
        let late = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "it took too long").into_response();
        let mut response = timeout_at(until, answer).await.unwrap_or_else(|_| late());
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        log(&format!("{line} {} {:.1} ms", response.status().as_u16(), start.elapsed().as_secs_f64() * 1000.0));
        response
    }
}
