//! A web server on one thread: axum finds the handler, hyper speaks HTTP, and the loop does the rest.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos    in one terminal,
//! curl http://127.0.0.1:8080/hello/you        in as many others as you like
//! ```
//!
//! Watch: one line a request, and `/slow`, which sleeps for a second: ten at once take one
//! second in all. Ctrl-C stops it in order: nobody new is let in, requests that are being answered may
//! finish for a while.
//!
//! It prints a line a request: who asked, for what, the status, and how long it took. This answers Quart.
//!
//! A server that strangers can reach needs an upper bound on everything they could use up. The bounds on
//! connections, heads and time are the house's (`demos/web/src/house.rs`), as in all demos that speak HTTP; a body
//! has axum's two megabytes, and an answer its deadline here.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::CONNECTION;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use clap::Parser;
use hyper::body::{Bytes, Incoming};
use oneloop::time::{Instant, sleep, timeout};
use oneloop_demos::server::{listen, stop_asked_for};
use oneloop_demos::{end_of, flags, log, print, seconds};
use oneloop_web_demos::house::{House, Limits, why_refused};
use tower_service::Service;

/// A web server on one thread. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone)]
struct Args {
    #[command(flatten)]
    limits: Limits,
    /// The seconds that a handler may take; then the answer is 503
    #[arg(long, value_name = "F", default_value = "10", value_parser = seconds)]
    answer: Duration,
}

fn main() -> ExitCode {
    end_of(serve(flags()))
}

/// The paths, and their handlers.
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
    let (listener, addr) = listen(args.limits.addr, "--addr").await?;
    let stop = stop_asked_for(args.limits.seconds); // from here on it is heard
    print(format_args!("listening on {addr}; try: curl http://{addr}/hello/you"));
    let router = router();
    let answer = move |request, peer| answer(request, peer, router.clone(), args.answer);
    House::new(args.limits).live(listener, stop, answer).await
}

/// Has the router answer, within the deadline, and prints the line in the log.
async fn answer(request: Request<Incoming>, peer: SocketAddr, mut router: Router, limit: Duration) -> Response<Body> {
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
    response
}
