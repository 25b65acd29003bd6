//! axum without its feature `tokio`: the router is a service, and hyper serves it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use futures_lite::{AsyncReadExt, StreamExt};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use oneloop::net::TcpStream;
use oneloop::time::{interval, sleep};
use tower_service::Service;

use crate::support::{self, Server, body_of, connect_http1, run, serve_http1};

async fn serve(router: Router) -> Server {
    serve_http1(service_fn(move |request: Request<Incoming>| router.clone().call(request))).await
}

/// The answer to one request on a connection of its own.
async fn ask(server: &Server, request: Request<http_body_util::Full<Bytes>>) -> (StatusCode, Bytes) {
    let response = connect_http1(server.addr).await.send_request(request).await.unwrap();
    (response.status(), body_of(response).await)
}

#[test]
fn a_router_finds_its_handlers_and_they_share_their_state() {
    async fn hello(State(count): State<Arc<AtomicUsize>>, Path(name): Path<String>) -> String {
        format!("hello {name}, number {}", count.fetch_add(1, Ordering::Relaxed) + 1)
    }
    run(async {
        let router = Router::new().route("/hello/{name}", get(hello)).with_state(Arc::default());
        let server = serve(router).await;
        let (status, body) = ask(&server, support::get("/hello/loop")).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"hello loop, number 1"[..]));
        let (_, body) = ask(&server, support::get("/hello/again")).await;
        assert_eq!(body, "hello again, number 2");
        assert_eq!(ask(&server, support::get("/nobody")).await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&server, support::post("/hello/x", Bytes::new())).await.0, StatusCode::METHOD_NOT_ALLOWED);
    });
}

#[test]
fn a_handler_may_sleep_and_open_connections() {
    // axum asks that handlers' futures be `Send`; those of sleeps and sockets are.
    async fn relay(State(addr): State<std::net::SocketAddr>) -> Result<String, StatusCode> {
        sleep(Duration::from_millis(1)).await;
        let stream = TcpStream::connect(addr).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        let mut buffer = [0; 64];
        let length = stream.read(&mut buffer).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }
    run(async {
        let behind = support::listen(|stream| async move { stream.write_all(b"from behind").await }).await;
        let server = serve(Router::new().route("/", get(relay)).with_state(behind.addr)).await;
        assert_eq!(ask(&server, support::get("/")).await, (StatusCode::OK, Bytes::from("from behind")));
    });
}

#[test]
fn an_interval_may_be_the_body_of_a_response() {
    async fn ticks() -> Body {
        let ticks = interval(Duration::from_millis(1)).take(5).enumerate();
        Body::from_stream(ticks.map(|(n, _)| Ok::<_, Infallible>(format!("tick {n}\n"))))
    }
    run(async {
        let server = serve(Router::new().route("/", get(ticks))).await;
        let (_, body) = ask(&server, support::get("/")).await;
        assert_eq!(body, "tick 0\ntick 1\ntick 2\ntick 3\ntick 4\n");
    });
}

#[test]
fn a_body_over_the_limit_is_refused() {
    async fn length(body: Bytes) -> String {
        body.len().to_string()
    }
    run(async {
        let server = serve(Router::new().route("/", post(length))).await;
        let (status, body) = ask(&server, support::post("/", support::pattern(1 << 20))).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"1048576"[..]));
        // More is announced than comes: the byte over the limit of two megabytes is the last that is read,
        // so that nothing unread resets the connection before the answer has arrived.
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3000000\r\n\r\n").await.unwrap();
        stream.write_all(&support::pattern((2 << 20) + 1)).await.unwrap();
        let mut answer = [0; 13];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *b"HTTP/1.1 413 ");
    });
}
