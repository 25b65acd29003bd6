//! hyper-util's pooled client on oneloop. Its feature `client-legacy` brings tokio's `net` along, so it
//! is asked for by name: `cargo test -p oneloop-interop-tests --features hyper-util`.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use oneloop::interop::hyper::{Executor, Io, Timer};
use oneloop::interop::hyper_util::Connector;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::time::timeout;

type HttpClient = Client<Connector, Empty<Bytes>>;

fn client() -> HttpClient {
    Client::builder(Executor).pool_timer(Timer).pool_idle_timeout(Duration::from_secs(5)).build(Connector::new())
}

/// A server that says its path, on the address that is returned; it counts its connections.
async fn server(on: &str) -> std::io::Result<(String, Rc<Cell<usize>>)> {
    let listener = TcpListener::bind(on).await?;
    let addr = listener.local_addr()?.to_string();
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    drop(oneloop::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.set(count.get() + 1);
            drop(oneloop::spawn(async move {
                let path = async |request: Request<_>| {
                    let _: &hyper::body::Incoming = request.body();
                    Ok::<_, Infallible>(Response::new(request.uri().path().to_owned()))
                };
                let _ = http1::Builder::new().serve_connection(Io::new(stream), service_fn(path)).await;
            }));
        }
    }));
    Ok((addr, connections))
}

async fn get(client: &HttpClient, uri: String) -> Result<Bytes, Box<dyn std::error::Error>> {
    let answered = timeout(Duration::from_secs(10), async {
        let response = client.get(uri.parse()?).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    });
    answered.await?
}

#[test]
fn requests_in_a_row_share_one_connection_and_requests_at_once_do_not() {
    oneloop::run(async {
        let (addr, connections) = server("127.0.0.1:0").await.unwrap();
        let client = client();
        for n in 0..20 {
            let said = get(&client, format!("http://{addr}/{n}")).await.unwrap();
            assert_eq!(said, format!("/{n}"));
        }
        assert_eq!(connections.get(), 1);
        let at_once: Vec<_> = (0..5)
            .map(|n| {
                let (client, uri) = (client.clone(), format!("http://{addr}/{n}"));
                oneloop::spawn(async move { get(&client, uri).await.unwrap() })
            })
            .collect();
        for (n, said) in at_once.into_iter().enumerate() {
            assert_eq!(said.await.unwrap(), format!("/{n}"));
        }
        assert!((2..=6).contains(&connections.get()), "{} connections", connections.get());
    });
}

#[test]
fn a_host_may_be_a_name_or_an_address_of_either_family() {
    oneloop::run(async {
        let client = client();
        let (addr, _) = server("127.0.0.1:0").await.unwrap();
        let port = addr.rsplit_once(':').unwrap().1;
        assert_eq!(get(&client, format!("http://localhost:{port}/name")).await.unwrap(), "/name");
        match server("[::1]:0").await {
            Ok((addr, _)) => assert_eq!(get(&client, format!("http://{addr}/six")).await.unwrap(), "/six"),
            Err(error) => eprintln!("skipped, as this machine has no IPv6: {error}"),
        }
    });
}

#[test]
fn what_it_cannot_connect_to_is_named_with_the_reason() {
    oneloop::run(async {
        let client = client();
        // The port of a client: taken, so that no server can get it, and nobody listens there.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let closed = other.local_addr().unwrap().to_string();
        for (uri, words) in [
            (format!("http://{closed}/"), closed.as_str()),
            ("https://localhost/".to_owned(), "https needs a connector with TLS"),
            ("http://no-such-host.invalid/".to_owned(), "no-such-host.invalid"),
        ] {
            let said = chain(&*get(&client, uri).await.unwrap_err());
            assert!(said.contains(words), "{words:?} is not in: {said}");
        }
    });
}

/// An error with all that caused it: the client's own sentence says no more than "client error".
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
