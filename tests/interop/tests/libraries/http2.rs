//! hyper's client and server, HTTP/2: many streams on one connection, and tasks that hyper spawns.

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use oneloop::interop::hyper::{Executor, Io, Timer};
use oneloop::net::TcpStream;
use oneloop::time::{Instant, sleep};

use crate::support::{Server, body_of, listen, pattern, post, run};

async fn echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    Ok(Response::new(request.into_body()))
}

async fn serve<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + 'static) -> Server
where
    F: Future<Output = Result<Response<Incoming>, Infallible>> + 'static,
{
    listen(move |stream| {
        let mut http = http2::Builder::new(Executor);
        http.timer(Timer).keep_alive_interval(Duration::from_secs(5));
        let connection = http.serve_connection(Io::new(stream), service_fn(answer.clone()));
        async { connection.await.unwrap() }
    })
    .await
}

async fn connect(addr: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut http = Builder::new(Executor);
    http.timer(Timer).keep_alive_interval(Duration::from_secs(5));
    let (sender, connection) = http.handshake(Io::new(stream)).await.unwrap();
    oneloop::spawn(connection);
    sender
}

#[test]
fn many_requests_share_one_connection_and_none_waits_for_another() {
    run(async {
        // Everyone waits for the last one: in turn, they would wait for ever.
        let here = Rc::new(Cell::new(0));
        let server = serve(move |request| {
            let here = Rc::clone(&here);
            async move {
                here.set(here.get() + 1);
                while here.get() < 50 {
                    sleep(Duration::from_millis(1)).await;
                }
                echo(request).await
            }
        })
        .await;
        let client = connect(server.addr).await;
        let requests: Vec<_> = (0..50)
            .map(|n| {
                let mut client = client.clone();
                oneloop::spawn(async move {
                    let body = pattern(1000 * n);
                    let response = client.send_request(post("http://localhost/", body.clone())).await.unwrap();
                    assert!(body_of(response).await == body);
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
        assert_eq!(server.connections.get(), 1);
    });
}

#[test]
fn large_bodies_stream_both_ways_within_the_flow_windows() {
    run(async {
        let server = serve(echo).await;
        let body = pattern(8 << 20);
        let mut client = connect(server.addr).await;
        let response = client.send_request(post("http://localhost/", body.clone())).await.unwrap();
        assert!(body_of(response).await == body);
    });
}

#[test]
fn a_peer_that_answers_no_ping_is_given_up_by_the_virtual_clock() {
    crate::support::run_virtual(async {
        let (client, _silent) = oneloop::net::duplex(1 << 16);
        let mut http = Builder::new(Executor);
        http.timer(Timer).keep_alive_interval(Duration::from_secs(20)).keep_alive_timeout(Duration::from_secs(5));
        http.keep_alive_while_idle(true);
        let start = Instant::now();
        let (sender, connection) = http.handshake::<_, Full<Bytes>>(Io::new(client)).await.unwrap();
        let error = connection.await.unwrap_err();
        drop(sender);
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(start.elapsed(), Duration::from_secs(25));
    });
}
