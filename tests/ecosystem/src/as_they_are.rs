//! Libraries that run as they are: they need no runtime, or take ours by its traits.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use oneloop::interop::hyper::{Executor, Io, Timer};
use oneloop::net::{TcpListener, TcpStream, duplex};
use oneloop::spawn;
use oneloop::time::{Instant, sleep};

use crate::{Ran, Row, served};

pub(crate) const ROWS: &[Row] = &[
    Row { library: "futures", does: "join, select and count tasks by FuturesUnordered, over sleeps", run: futures },
    Row { library: "futures-lite", does: "race two sleeps, and read a stream line by line", run: futures_lite },
    Row { library: "futures-concurrency", does: "join and race tuples of futures", run: futures_concurrency },
    Row { library: "async-channel", does: "hand values from another thread to a task", run: async_channel },
    Row { library: "async-broadcast", does: "tell two tasks the same", run: async_broadcast },
    Row { library: "async-lock", does: "let two of five tasks in at a time, with a mutex inside", run: async_lock },
    Row { library: "async-once-cell", does: "make a value once for a hundred tasks", run: async_once_cell },
    Row { library: "async-stream", does: "yield from a loop that sleeps", run: async_stream },
    Row { library: "event-listener", does: "wake tasks from another thread", run: event_listener },
    Row { library: "flume", does: "hand values from another thread to a task", run: flume },
    Row { library: "tokio::sync", does: "talk by mpsc, oneshot, watch and Notify, across threads", run: tokio_sync },
    Row { library: "tokio::select", does: "select and join by tokio's macros", run: tokio_macros },
    Row { library: "tokio-util", does: "frame lines over our stream through the compat layer", run: tokio_util },
    Row { library: "moka", does: "compute a cached value once for a hundred tasks", run: moka },
    Row { library: "backon", does: "try again three times, with our sleep", run: backon },
    Row { library: "async-compression", does: "pack and unpack gzip over a stream", run: async_compression },
    Row { library: "async-tungstenite", does: "talk by WebSocket, both sides", run: async_tungstenite },
    Row { library: "futures-rustls", does: "talk by TLS, both sides", run: futures_rustls },
    Row { library: "hyper", does: "ask and answer by HTTP/1.1", run: hyper_1 },
    Row { library: "hyper:http2", does: "ask a hundred things at once on one connection of HTTP/2", run: hyper_2 },
    Row { library: "hyper-util", does: "ask by the pooled client, a server that knows both versions", run: hyper_util },
    Row { library: "h2", does: "open a stream of HTTP/2 by hand", run: h2 },
    Row { library: "axum", does: "route, read and write JSON", run: axum },
    Row { library: "tower", does: "limit concurrency, and retry", run: tower },
];

fn run<T>(future: impl Future<Output = T>) -> Ran {
    oneloop::run(future);
    Ran::Ran
}

fn futures() -> Ran {
    run(async {
        let start = Instant::now();
        let sleeps = (0..20).map(|n| async move {
            sleep(Duration::from_millis(20)).await;
            n
        });
        assert_eq!(futures::future::join_all(sleeps).await.len(), 20);
        let mut many: futures::stream::FuturesUnordered<_> = (0..10_u64)
            .rev()
            .map(|n| {
                spawn(async move {
                    sleep(Duration::from_millis(n * 4)).await;
                    n
                })
            })
            .collect();
        let mut order = Vec::new();
        while let Some(Ok(n)) = many.next().await {
            order.push(n);
        }
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        let (mut sender, mut receiver) = futures::channel::mpsc::channel(1);
        drop(spawn(async move { sender.send(7).await }));
        futures::select! {
            seven = receiver.next() => assert_eq!(seven, Some(7)),
            () = futures::FutureExt::fuse(sleep(Duration::from_secs(30))) => panic!("it sleeps for longer"),
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    })
}

fn futures_lite() -> Ran {
    use futures_lite::AsyncBufReadExt;
    run(async {
        let first = futures_lite::future::race(
            async {
                sleep(Duration::from_secs(30)).await;
                1
            },
            async {
                sleep(Duration::from_millis(1)).await;
                2
            },
        );
        assert_eq!(first.await, 2);
        let (mut one, other) = duplex(64);
        drop(spawn(async move { futures_lite::AsyncWriteExt::write_all(&mut one, b"a\nb\n").await }));
        let lines: Vec<String> = futures_lite::io::BufReader::new(other).lines().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["a", "b"]);
    })
}

fn futures_concurrency() -> Ran {
    use futures_concurrency::prelude::*;
    run(async {
        let (one, two) = (
            async {
                sleep(Duration::from_millis(2)).await;
                1
            },
            async { 2 },
        )
            .join()
            .await;
        assert_eq!((one, two), (1, 2));
        let first = (
            async {
                sleep(Duration::from_secs(30)).await;
                1
            },
            async {
                sleep(Duration::from_millis(1)).await;
                2
            },
        );
        assert_eq!(first.race().await, 2);
    })
}

fn async_channel() -> Ran {
    run(async {
        let (sender, receiver) = async_channel::bounded(4);
        let other = thread::spawn(move || (0..1000).for_each(|n| sender.send_blocking(n).unwrap()));
        let mut sum = 0;
        while let Ok(n) = receiver.recv().await {
            sum += n;
        }
        assert_eq!(sum, 499_500);
        other.join().unwrap();
    })
}

fn async_broadcast() -> Ran {
    run(async {
        let (sender, receiver) = async_broadcast::broadcast(2);
        let hears = [receiver.clone(), receiver]
            .map(|mut receiver| spawn(async move { (receiver.recv().await, receiver.recv().await) }));
        sender.broadcast(1).await.unwrap();
        sender.broadcast(2).await.unwrap();
        for heard in hears {
            assert_eq!(heard.await.unwrap(), (Ok(1), Ok(2)));
        }
    })
}

fn async_lock() -> Ran {
    run(async {
        let (places, inside) = (Arc::new(async_lock::Semaphore::new(2)), Arc::new(async_lock::Mutex::new((0, 0))));
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let (places, inside) = (places.clone(), inside.clone());
                spawn(async move {
                    let _place = places.acquire().await;
                    let mut counts = inside.lock().await;
                    *counts = (counts.0 + 1, counts.1.max(counts.0 + 1));
                    drop(counts);
                    sleep(Duration::from_millis(2)).await;
                    inside.lock().await.0 -= 1;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*inside.lock().await, (0, 2));
    })
}

fn async_once_cell() -> Ran {
    run(async {
        let (cell, made) =
            (std::rc::Rc::new(async_once_cell::OnceCell::new()), std::rc::Rc::new(std::cell::Cell::new(0)));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (cell, made) = (cell.clone(), made.clone());
                spawn(async move {
                    *cell
                        .get_or_init(async {
                            sleep(Duration::from_millis(2)).await;
                            made.set(made.get() + 1);
                            7
                        })
                        .await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 7);
        }
        assert_eq!(made.get(), 1);
    })
}

fn async_stream() -> Ran {
    run(async {
        let numbers = async_stream::stream! {
            for n in 0..5 {
                sleep(Duration::from_millis(1)).await;
                yield n;
            }
        };
        assert_eq!(numbers.collect::<Vec<_>>().await, [0, 1, 2, 3, 4]);
    })
}

fn event_listener() -> Ran {
    run(async {
        let event = Arc::new(event_listener::Event::new());
        let tasks = [(); 3].map(|()| spawn(event.listen()));
        let other = event.clone();
        thread::spawn(move || other.notify(3)).join().unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    })
}

fn flume() -> Ran {
    run(async {
        let (sender, receiver) = flume::bounded(4);
        let other = thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
        let mut sum = 0;
        while let Ok(n) = receiver.recv_async().await {
            sum += n;
        }
        assert_eq!(sum, 499_500);
        other.join().unwrap();
    })
}

fn tokio_sync() -> Ran {
    run(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let other = thread::spawn(move || (0..1000).for_each(|n| sender.blocking_send(n).unwrap()));
        let mut sum = 0;
        while let Some(n) = receiver.recv().await {
            sum += n;
        }
        assert_eq!(sum, 499_500);
        other.join().unwrap();
        let (answer, answered) = tokio::sync::oneshot::channel();
        thread::spawn(move || answer.send(7));
        assert_eq!(answered.await, Ok(7));
        let (tell, mut told) = tokio::sync::watch::channel(1);
        thread::spawn(move || tell.send(2));
        assert!(told.wait_for(|n| *n == 2).await.is_ok());
        let notify = Arc::new(tokio::sync::Notify::new());
        let other = notify.clone();
        thread::spawn(move || other.notify_one());
        notify.notified().await;
    })
}

fn tokio_macros() -> Ran {
    run(async {
        let first = tokio::select! {
            () = sleep(Duration::from_secs(30)) => 1,
            () = sleep(Duration::from_millis(1)) => 2,
        };
        let both = tokio::join!(async { first }, async {
            sleep(Duration::from_millis(1)).await;
            3
        });
        assert_eq!(both, (2, 3));
    })
}

fn tokio_util() -> Ran {
    use tokio_util::codec::{Framed, LinesCodec};
    use tokio_util::compat::FuturesAsyncReadCompatExt; // glue
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            let stream = listener.accept().await.unwrap().0.compat(); // glue
            let (mut sink, lines) = Framed::new(stream, LinesCodec::new_with_max_length(100)).split::<String>();
            let mut shouted = lines.map(|line| line.map(|line| line.to_uppercase()));
            let _ = sink.send_all(&mut shouted).await;
        }));
        let mut lines = Framed::new(TcpStream::connect(addr).await.unwrap().compat(), LinesCodec::new());
        lines.send("hello").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "HELLO");
    })
}

fn moka() -> Ran {
    run(async {
        let cache = moka::future::Cache::new(10);
        let made = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (cache, made) = (cache.clone(), made.clone());
                spawn(async move {
                    cache
                        .get_with("key", async move {
                            sleep(Duration::from_millis(2)).await;
                            made.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
                        })
                        .await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 0);
        }
    })
}

fn backon() -> Ran {
    use backon::Retryable;
    run(async {
        let tries = std::cell::Cell::new(0);
        let fails_twice = || async {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err("not yet") } else { Ok(7) }
        };
        let wait = backon::ConstantBuilder::default().with_delay(Duration::from_millis(2));
        let answer = fails_twice
            .retry(wait)
            .sleep(sleep) // glue
            .await;
        assert_eq!((answer, tries.get()), (Ok(7), 3));
    })
}

fn async_compression() -> Ran {
    use async_compression::futures::bufread::GzipDecoder;
    use async_compression::futures::write::GzipEncoder;
    run(async {
        let (one, other) = duplex(1024);
        drop(spawn(async move {
            let mut packed = GzipEncoder::new(one);
            packed.write_all(&[b'x'; 100_000]).await.unwrap();
            packed.close().await.unwrap();
        }));
        let mut text = Vec::new();
        GzipDecoder::new(futures::io::BufReader::new(other)).read_to_end(&mut text).await.unwrap();
        assert_eq!(text, [b'x'; 100_000]);
    })
}

fn async_tungstenite() -> Ran {
    use async_tungstenite::tungstenite::Message;
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            let mut socket = async_tungstenite::accept_async(listener.accept().await.unwrap().0).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                let _ = socket.send(message).await;
            }
        }));
        let stream = TcpStream::connect(addr).await.unwrap();
        let (mut socket, _) = async_tungstenite::client_async(format!("ws://{addr}/"), stream).await.unwrap();
        socket.send(Message::text("back")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("back"));
    })
}

fn futures_rustls() -> Ran {
    use futures_rustls::{TlsAcceptor, TlsConnector};
    run(async {
        let (server, client) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            let mut stream = TlsAcceptor::from(server).accept(listener.accept().await.unwrap().0).await.unwrap();
            stream.write_all(b"secret").await.unwrap();
            stream.close().await.unwrap();
        }));
        let stream = TcpStream::connect(addr).await.unwrap();
        let mut stream = TlsConnector::from(client).connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "secret");
    })
}

/// A certificate for localhost, by which two sides of TLS trust each other.
pub(crate) fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let (server, client, _) = tls_and_pem();
    (server, client)
}

/// A certificate and its key, for a program that reads files.
pub(crate) struct Pem {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Both sides of TLS for localhost, and their certificate for a program that is no library.
pub(crate) fn tls_and_pem() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>, Pem) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server =
        rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let pem = Pem { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() };
    (Arc::new(server), Arc::new(client.with_root_certificates(roots).with_no_client_auth()), pem)
}

type Nothing = http_body_util::Empty<hyper::body::Bytes>;

async fn text(response: hyper::Response<hyper::body::Incoming>) -> String {
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn get(uri: impl std::fmt::Display) -> hyper::Request<Nothing> {
    hyper::Request::get(uri.to_string()).body(Nothing::new()).unwrap()
}

fn hyper_1() -> Ran {
    run(async {
        let addr = served::start().await;
        let stream = Io::new(TcpStream::connect(addr).await.unwrap()); // glue
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        drop(spawn(connection));
        for path in ["/a", "/b"] {
            assert_eq!(text(sender.send_request(get(path)).await.unwrap()).await, format!("hello from {path}"));
        }
    })
}

fn hyper_2() -> Ran {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            let stream = Io::new(listener.accept().await.unwrap().0); // glue
            let service = hyper::service::service_fn(served::hello);
            let mut server = hyper::server::conn::http2::Builder::new(Executor); // glue
            server.timer(Timer); // glue
            server.serve_connection(stream, service).await
        }));
        let stream = Io::new(TcpStream::connect(addr).await.unwrap());
        let (sender, connection) = hyper::client::conn::http2::handshake(Executor, stream).await.unwrap();
        drop(spawn(connection));
        let asked = (0..100).map(|n| {
            let mut sender = sender.clone();
            async move { text(sender.send_request(get(format_args!("http://x/{n}"))).await.unwrap()).await }
        });
        let heard = futures::future::join_all(asked).await;
        assert!(heard.iter().enumerate().all(|(n, heard)| *heard == format!("hello from /{n}")));
    })
}

fn hyper_util() -> Ran {
    use oneloop::interop::hyper_util::Connector; // glue
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = hyper_util::server::conn::auto::Builder::new(Executor); // glue
                let service = hyper::service::service_fn(served::hello);
                drop(spawn(async move { drop(server.serve_connection(Io::new(stream), service).await) })); // glue
            }
        }));
        let client = hyper_util::client::legacy::Client::builder(Executor).build(Connector::new()); // glue
        for n in 0..10 {
            let response = client.request(get(format_args!("http://{addr}/{n}"))).await.unwrap();
            assert_eq!(text(response).await, format!("hello from /{n}"));
        }
    })
}

fn h2() -> Ran {
    use tokio_util::compat::FuturesAsyncReadCompatExt; // glue
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            let stream = listener.accept().await.unwrap().0.compat(); // glue
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let mut body = respond.send_response(hyper::Response::new(()), false).unwrap();
                body.send_data("frame".into(), true).unwrap();
            }
        }));
        let stream = TcpStream::connect(addr).await.unwrap().compat();
        let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
        drop(spawn(connection));
        let (response, _) = sender.send_request(hyper::Request::get("http://x/").body(()).unwrap(), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "frame");
    })
}

fn axum() -> Ran {
    use axum::routing::post;
    run(async {
        let double = post(async |axum::Json(n): axum::Json<u32>| axum::Json(n * 2));
        let router = axum::Router::new().route("/double", double);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(spawn(async move {
            let stream = Io::new(listener.accept().await.unwrap().0); // glue
            let service = hyper_util::service::TowerToHyperService::new(router); // glue
            hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await // glue
        }));
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let request = "POST /double HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n21";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n42"), "{answer}");
    })
}

fn tower() -> Ran {
    use tower::{Service, ServiceBuilder, ServiceExt};
    #[derive(Clone)]
    struct Again(u32);
    impl tower::retry::Policy<u32, u32, &'static str> for Again {
        type Future = std::future::Ready<()>;
        fn retry(&mut self, _: &mut u32, result: &mut Result<u32, &'static str>) -> Option<Self::Future> {
            self.0 = self.0.checked_sub(1)?;
            result.is_err().then(|| std::future::ready(()))
        }
        fn clone_request(&mut self, request: &u32) -> Option<u32> {
            Some(*request)
        }
    }
    run(async {
        let tries = std::rc::Rc::new(std::cell::Cell::new(0));
        let seen = tries.clone();
        let fails_twice = tower::service_fn(move |n: u32| {
            seen.set(seen.get() + 1);
            let is_late = seen.get() >= 3;
            async move {
                sleep(Duration::from_millis(1)).await;
                if is_late { Ok(n * 2) } else { Err("not yet") }
            }
        });
        let mut service = ServiceBuilder::new().concurrency_limit(1).retry(Again(5)).service(fails_twice);
        assert_eq!(service.ready().await.unwrap().call(21).await, Ok(42));
        assert_eq!(tries.get(), 3);
    })
}
