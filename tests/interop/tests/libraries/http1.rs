//! hyper's client and server, HTTP/1.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::AsyncReadExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, body::Incoming};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::net::{TcpStream, duplex};
use oneloop::time::Instant;

use crate::support::{body_of, connect_http1, get, pattern, post, run, run_virtual, serve_http1};

async fn path(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(request.uri().path().to_owned()))
}

async fn echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    Ok(Response::new(request.into_body()))
}

#[test]
fn one_connection_serves_many_requests() {
    run(async {
        let served = Rc::new(Cell::new(0));
        let counting = Rc::clone(&served);
        let server = serve_http1(service_fn(move |request| {
            counting.set(counting.get() + 1);
            path(request)
        }))
        .await;
        let mut client = connect_http1(server.addr).await;
        for n in 0..100 {
            client.ready().await.unwrap();
            let response = client.send_request(get(&format!("/{n}"))).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(body_of(response).await, format!("/{n}"));
        }
        assert_eq!((served.get(), server.connections.get()), (100, 1));
    });
}

#[test]
fn large_bodies_stream_both_ways_at_once() {
    run(async {
        let server = serve_http1(service_fn(echo)).await;
        let body = pattern(8 << 20);
        let mut client = connect_http1(server.addr).await;
        let response = client.send_request(post("/", body.clone())).await.unwrap();
        assert!(body_of(response).await == body);
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    run(async {
        let server = serve_http1(service_fn(path)).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = |n: usize| format!("GET /number-{n} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let last = "GET /last HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let requests = (0..50).map(request).collect::<String>() + last;
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let paths: Vec<_> =
            answers.split("\r\n\r\n").skip(1).map(|part| part.split("HTTP/1.1").next().unwrap()).collect();
        let expected: Vec<_> = (0..50).map(|n| format!("/number-{n}")).chain(["/last".to_owned()]).collect();
        assert_eq!(paths, expected);
    });
}

#[test]
fn a_hundred_clients_are_served_side_by_side() {
    run(async {
        let server = serve_http1(service_fn(echo)).await;
        let clients: Vec<_> = (0..100)
            .map(|n| {
                oneloop::spawn(async move {
                    let body = pattern(10_000 + n);
                    let mut client = connect_http1(server.addr).await;
                    let response = client.send_request(post("/", body.clone())).await.unwrap();
                    assert!(body_of(response).await == body);
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(server.connections.get(), 100);
    });
}

#[test]
fn a_client_that_stalls_in_its_head_is_cut_off_at_the_deadline() {
    run_virtual(async {
        let (client, server) = duplex(1024);
        let mut http = http1::Builder::new();
        http.timer(Timer).header_read_timeout(Duration::from_secs(10));
        let start = Instant::now();
        let serving = oneloop::spawn(http.serve_connection(Io::new(server), service_fn(path)));
        client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let error = serving.await.unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    });
}

#[test]
fn each_request_of_a_connection_has_the_whole_deadline() {
    run_virtual(async {
        let (client, server) = duplex(1024);
        let mut http = http1::Builder::new();
        http.timer(Timer).header_read_timeout(Duration::from_secs(10));
        let serving = oneloop::spawn(http.serve_connection(Io::new(server), service_fn(path)));
        let mut answer = vec![0; 1024];
        for _ in 0..5 {
            client.write_all(b"GET /slow HTTP/1.1\r\nhost: ").await.unwrap();
            oneloop::time::sleep(Duration::from_secs(9)).await;
            client.write_all(b"localhost\r\n\r\n").await.unwrap();
            let length = client.read(&mut answer).await.unwrap();
            assert!(answer[..length].ends_with(b"/slow"));
        }
        drop(client);
        serving.await.unwrap().unwrap();
    });
}
