//! Forty cases by both fronts, each deadline forced by a server that is silent there, and a thousand requests that
//! are cancelled on their way.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_lite::future::or;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use oneloop::task::yield_now;
use oneloop::time::sleep;

use crate::Blocking;
use crate::client::{Answer, Ask, Client, Failure, Settings};

/// Long enough for a slow machine: what waits for it is a failure.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST: usize = 1_000_000;

fn settings() -> Settings {
    Settings {
        pool: PATIENCE,
        connect: PATIENCE,
        write: PATIENCE,
        read: PATIENCE,
        total: PATIENCE * 2,
        redirects: 10,
        bytes: MOST,
        connections: 4,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A server of this thread's own: a function answers each request, by its head and its body, and says whether the
/// connection goes on.
fn serve(answer: impl Fn(&mut TcpStream, &str, &[u8]) -> bool + Send + Sync + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some((head, body)) = next_request(&mut stream) {
                    if !answer(stream.get_mut(), &head, &body) {
                        break;
                    }
                }
            });
        }
    });
    addr
}

fn next_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split('\r').next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn send(stream: &mut TcpStream, head: &str, body: &[u8]) -> bool {
    let head = head.replace('\n', "\r\n");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_ok()
}

/// A part of an answer, and the end of the connection.
fn cut(stream: &mut TcpStream, head: &str, body: &[u8]) -> bool {
    send(stream, head, body);
    false
}

/// A whole answer.
fn whole(stream: &mut TcpStream, head: &str, body: &[u8]) -> bool {
    send(stream, &format!("HTTP/1.1 {head}\ncontent-length: {}\n\n", body.len()), body)
}

/// The server of the cases.
fn odd(stream: &mut TcpStream, head: &str, body: &[u8]) -> bool {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    match path {
        "/hello" if method == "HEAD" => send(stream, "HTTP/1.1 200 OK\ncontent-length: 5\n\n", b""),
        "/hello" => whole(stream, "200 OK", b"hello"),
        "/echo" => {
            let has_secret = head.to_lowercase().contains("authorization");
            whole(stream, "200 OK", format!("{method} {} {has_secret}", body.len()).as_bytes())
        }
        "/chunked" => send(stream, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n3\nhel\n2\nlo\n0\n\n", b""),
        "/close" => cut(stream, "HTTP/1.1 200 OK\n\n", b"hello"),
        "/empty" => send(stream, "HTTP/1.1 204 No Content\n\n", b""),
        "/continue" => send(stream, "HTTP/1.1 100 Continue\n\n", b"") && whole(stream, "200 OK", b"hello"),
        "/missing" => whole(stream, "404 Not Found", b"no"),
        "/broken" => whole(stream, "500 Internal Server Error", b""),
        _ => odd_length(stream, path),
    }
}

/// Answers that are encoded, or long.
fn odd_length(stream: &mut TcpStream, path: &str) -> bool {
    match path {
        "/gzip" => whole(stream, "200 OK\ncontent-encoding: gzip", &gzip(b"hello")),
        "/x-gzip" => whole(stream, "200 OK\ncontent-encoding: X-GZip", &gzip(b"hello")),
        "/members" => whole(stream, "200 OK\ncontent-encoding: gzip", &[gzip(b"hel"), gzip(b"lo")].concat()),
        "/gzip-nothing" => whole(stream, "200 OK\ncontent-encoding: gzip", b""),
        "/gzip-lie" => whole(stream, "200 OK\ncontent-encoding: gzip", b"hello hello hello hello"),
        "/gzip-cut" => whole(stream, "200 OK\ncontent-encoding: gzip", &gzip(b"hello")[..12]),
        "/bomb" => whole(stream, "200 OK\ncontent-encoding: gzip", &gzip(&vec![0; 50_000_000])),
        "/long" => whole(stream, "200 OK", &vec![b'x'; MOST + 1]),
        "/exact" => whole(stream, "200 OK", &vec![b'x'; MOST]),
        "/endless" => {
            let mut goes = send(stream, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n", b"");
            let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x1_0000], b"\r\n"].concat();
            while goes {
                goes = stream.write_all(&chunk).is_ok();
            }
            false
        }
        _ => odd_end(stream, path),
    }
}

/// Answers that do not end as they should.
fn odd_end(stream: &mut TcpStream, path: &str) -> bool {
    match path {
        "/promise" => cut(stream, "HTTP/1.1 200 OK\ncontent-length: 18446744073709551000\n\n", b"hello"),
        "/short" => cut(stream, "HTTP/1.1 200 OK\ncontent-length: 100\n\n", b"hello"),
        "/more" => send(stream, "HTTP/1.1 200 OK\ncontent-length: 3\n\n", b"hello"),
        "/negative" => cut(stream, "HTTP/1.1 200 OK\ncontent-length: -1\n\n", b""),
        "/two" => cut(stream, "HTTP/1.1 200 OK\ncontent-length: 1\ncontent-length: 2\n\n", b"ab"),
        "/junk" => cut(stream, "SSH-2.0-OpenSSH\n\n", b""),
        "/nothing" => false,
        "/half" => cut(stream, "HTTP/1.1 200 OK\ncontent-le", b""),
        "/endless-head" => {
            let line = format!("x-more: {}\n", "y".repeat(1000));
            let mut goes = send(stream, "HTTP/1.1 200 OK\n", b"");
            while goes {
                goes = send(stream, &line, b"");
            }
            false
        }
        _ => elsewhere(stream, path),
    }
}

/// Redirects.
fn elsewhere(stream: &mut TcpStream, path: &str) -> bool {
    let to = |stream: &mut TcpStream, status: u16, location: &str| {
        whole(stream, &format!("{status} Elsewhere\nlocation: {location}"), b"")
    };
    match path {
        "/302" => to(stream, 302, "/hello"),
        "/relative" => to(stream, 302, "hello"),
        "/fragment" => to(stream, 302, "/hello#part"),
        "/query" => to(stream, 302, "?done"),
        "/query?done" => whole(stream, "200 OK", b"done"),
        "/loop" => to(stream, 302, "/loop"),
        "/stay" => whole(stream, "302 Found", b"here"),
        "/file" => to(stream, 302, "file:///etc/passwd"),
        "/secret" => to(stream, 302, "http://user:word@127.0.0.1/"),
        "/nowhere" => to(stream, 302, "http://[/"),
        "/301" => to(stream, 301, "/echo"),
        "/303" => to(stream, 303, "/echo"),
        "/307" => to(stream, 307, "/echo"),
        "/308" => to(stream, 308, "/echo"),
        _ => match path.strip_prefix("/hop/").and_then(|left| left.parse::<u32>().ok()) {
            Some(1) => to(stream, 302, "/hello"),
            Some(left) => to(stream, 302, &format!("/hop/{}", left - 1)),
            // Anything else is an address to be sent to.
            None => to(stream, 307, &format!("http:/{path}/echo")),
        },
    }
}

/// The outcome, in a line. The server's address is left out.
fn in_words(came: &Result<Answer, Failure>) -> String {
    match came {
        Ok(answer) => {
            let body = &answer.body;
            let shown =
                if body.len() < 40 { String::from_utf8_lossy(body).into_owned() } else { body.len().to_string() };
            format!("{} {shown:?}, {} hops, {}", answer.status.as_u16(), answer.hops, answer.url.path())
        }
        Err(failure) => format!("{failure}"),
    }
}

/// Method, path, and the beginning of what is to come of it.
const CASES: [(&str, &str, &str); 47] = [
    ("GET", "/hello", "200 \"hello\", 0 hops, /hello"),
    ("HEAD", "/hello", "200 \"\", 0 hops"),
    ("GET", "/chunked", "200 \"hello\""),
    ("GET", "/close", "200 \"hello\""),
    ("GET", "/empty", "204 \"\""),
    ("GET", "/continue", "200 \"hello\""),
    ("GET", "/missing", "404 \"no\""),
    ("GET", "/broken", "500 \"\""),
    ("POST", "/echo", "200 \"POST 4 true\""),
    ("DELETE", "/echo", "200 \"DELETE 4 true\""),
    ("GET", "/gzip", "200 \"hello\""),
    ("GET", "/x-gzip", "200 \"hello\""),
    ("GET", "/members", "200 \"hello\""),
    ("GET", "/gzip-nothing", "200 \"\""),
    ("GET", "/gzip-lie", "it is not what its encoding says: "),
    ("GET", "/gzip-cut", "it is not what its encoding says: "),
    ("GET", "/bomb", "it is longer than 1000000 bytes; --bytes"),
    ("GET", "/long", "it is longer than 1000000 bytes; --bytes"),
    ("GET", "/exact", "200 \"1000000\""),
    ("GET", "/endless", "it is longer than 1000000 bytes; --bytes"),
    ("GET", "/promise", "error reading a body from connection"),
    ("GET", "/short", "error reading a body from connection"),
    ("GET", "/more", "200 \"hel\""),
    ("GET", "/negative", "invalid content-length parsed"),
    ("GET", "/two", "invalid content-length parsed"),
    ("GET", "/junk", "invalid HTTP version parsed"),
    ("GET", "/nothing", "connection closed before message completed"),
    ("GET", "/half", "connection closed before message completed"),
    ("GET", "/endless-head", "message head is too large"),
    ("GET", "/302", "200 \"hello\", 1 hops, /hello"),
    ("HEAD", "/302", "200 \"\", 1 hops, /hello"),
    ("GET", "/relative", "200 \"hello\", 1 hops"),
    ("GET", "/fragment", "200 \"hello\", 1 hops"),
    ("GET", "/query", "200 \"done\", 1 hops, /query"),
    ("GET", "/loop", "it redirects more than 10 times; --redirects"),
    ("GET", "/hop/10", "200 \"hello\", 10 hops"),
    ("GET", "/hop/11", "it redirects more than 10 times; --redirects"),
    ("GET", "/stay", "302 \"here\", 0 hops"),
    ("GET", "/file", "file is fetched by nobody here"),
    ("GET", "/secret", "a name and a password have no place in a URL"),
    ("GET", "/nowhere", "a redirect to no URL: "),
    ("POST", "/301", "200 \"GET 0 true\", 1 hops"),
    ("POST", "/303", "200 \"GET 0 true\", 1 hops"),
    ("POST", "/307", "200 \"POST 4 true\", 1 hops"),
    ("POST", "/308", "200 \"POST 4 true\", 1 hops"),
    // Two servers: the second is not told the secret of the first.
    ("POST", "/OTHER", "200 \"POST 4 false\", 1 hops"),
    ("GET", "/OTHER", "200 \"GET 0 false\", 1 hops"),
];

fn ask(addr: &str, method: &str, path: &str) -> Ask {
    let body: &[u8] = if matches!(method, "POST" | "DELETE") { b"four" } else { b"" };
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut ask = Ask::new(method, &format!("http://{addr}{path}"), Bytes::from_static(body)).unwrap();
    ask.headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic c2VjcmV0"));
    ask
}

#[test]
fn forty_seven_cases_end_alike_by_both_fronts() {
    let (addr, other) = (serve(odd), serve(odd));
    let blocking = Blocking::new(Client::new(settings(), None)).unwrap();
    let client = Client::new(settings(), None);
    let runtime = oneloop::Runtime::new().unwrap();
    for (method, path, expected) in CASES {
        let path = path.replace("/OTHER", &format!("/{other}"));
        let awaited = in_words(&runtime.block_on(client.send(ask(&addr, method, &path))));
        let blocked = in_words(&blocking.send(ask(&addr, method, &path)));
        assert!(awaited.starts_with(expected), "{method} {path}: {awaited}, and not {expected}");
        assert_eq!(awaited, blocked, "{method} {path}");
        // The next request is answered, whatever it was.
        assert_eq!(blocking.send(ask(&addr, "GET", "/hello")).unwrap().body, b"hello", "after {method} {path}");
    }
}

#[test]
fn a_url_that_cannot_be_fetched_is_refused_before_anything_is_sent() {
    for (url, words) in [
        ("nonsense", "it is no URL"),
        ("ftp://127.0.0.1/", "ftp is fetched by nobody here"),
        ("http://user@127.0.0.1/", "no place in a URL"),
        ("http://", "it is no URL"),
    ] {
        assert!(Ask::get(url).unwrap_err().to_string().contains(words), "{url}");
    }
    // The port of a client: taken, so that no server can get it, and nobody listens there.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let free = other.local_addr().unwrap();
    let client = Blocking::new(Client::new(settings(), None)).unwrap();
    for url in [format!("http://{free}/"), "http://no-such-name.invalid/".to_owned()] {
        let failure = client.send(Ask::get(&url).unwrap()).unwrap_err();
        assert!(matches!(&failure, Failure::Connect(why) if why.matches("cannot ").count() == 1), "{failure}");
    }
}

/// Sends it with these settings, and returns the deadline that it met. It must not take much longer.
#[track_caller]
fn late(settings: Settings, ask: Ask) -> &'static str {
    let client = Blocking::new(Client::new(settings, None)).unwrap();
    let start = Instant::now();
    let failure = client.send(ask).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    match failure {
        Failure::Late(wait, _) => wait,
        other => panic!("{other}"),
    }
}

#[test]
fn a_silent_server_forces_each_deadline() {
    let short = Duration::from_millis(100);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap();
    let get = || Ask::get(&format!("http://{addr}/")).unwrap();
    // It takes the connection and says nothing: neither of TLS, nor an answer, nor that it reads.
    let tls = Ask::get(&format!("https://localhost:{}/", addr.port())).unwrap();
    assert_eq!(late(Settings { connect: short, ..settings() }, tls), "connect");
    assert_eq!(late(Settings { read: short, ..settings() }, get()), "read");
    let much = Ask { body: vec![0; 50_000_000].into(), method: Method::POST, ..get() };
    assert_eq!(late(Settings { write: short, ..settings() }, much.clone()), "write");
    // The wait for the answer has not begun as long as the request is on its way.
    assert_eq!(late(Settings { read: short, write: short * 5, ..settings() }, much), "write");
    assert_eq!(late(Settings { total: short, ..settings() }, get()), "in all");
    // It pauses within an answer.
    let pauses = serve(|stream, _, _| {
        send(stream, "HTTP/1.1 200 OK\ncontent-length: 10\n\n", b"hello");
        let _ = stream.read(&mut [0]);
        false
    });
    assert_eq!(late(Settings { read: short, ..settings() }, ask(&pauses, "GET", "/")), "read");
    // A byte now and then meets every deadline but the one for all of it.
    let trickles = serve(|stream, _, _| {
        let mut goes = send(stream, "HTTP/1.1 200 OK\ncontent-length: 1000\n\n", b"");
        while goes {
            thread::sleep(Duration::from_millis(20));
            goes = send(stream, "x", b"");
        }
        false
    });
    let patient = Settings { read: Duration::from_secs(5), total: short * 5, ..settings() };
    assert_eq!(late(patient, ask(&trickles, "GET", "/")), "in all");
}

#[test]
fn who_waits_for_a_place_in_the_pool_gives_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let pool = Duration::from_millis(100);
    oneloop::run(async {
        let client = Rc::new(Client::new(Settings { pool, connections: 1, ..settings() }, None));
        let first = oneloop::spawn({
            let (client, url) = (Rc::clone(&client), url.clone());
            async move { client.send(Ask::get(&url).unwrap()).await.map(drop) }
        });
        yield_now().await;
        let second = client.send(Ask::get(&url).unwrap()).await;
        assert_eq!(second.map(drop), Err(Failure::Late("pool", pool)));
        first.abort();
    });
}

#[test]
fn a_thousand_requests_cancelled_anywhere_leave_the_pool_whole() {
    let addr = serve(odd);
    let runtime = oneloop::Runtime::new().unwrap();
    let before = runtime.metrics();
    let connections = settings().connections;
    let done = Rc::new(Cell::new(0));
    runtime.block_on(async {
        let client = Rc::new(Client::new(settings(), None));
        let mut random = fastrand::Rng::with_seed(13);
        for _ in 0..100 {
            let cancelled = (0..10).map(|_| {
                let path = *random
                    .choice(["/hello", "/chunked", "/hop/3", "/gzip", "/long", "/close", "/307"].iter())
                    .unwrap();
                let method = *random.choice(["GET", "POST"].iter()).unwrap();
                let (ask, client, done) = (ask(&addr, method, path), Rc::clone(&client), Rc::clone(&done));
                let (yields, pause) = (random.u32(0..30), random.u64(0..3000));
                oneloop::spawn(async move {
                    let cancel = async {
                        for _ in 0..yields {
                            yield_now().await;
                        }
                        sleep(Duration::from_micros(pause)).await;
                    };
                    let sent = async {
                        let _ = client.send(ask).await;
                        done.set(done.get() + 1);
                    };
                    or(sent, cancel).await;
                })
            });
            for task in cancelled.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        }
        assert!((100..900).contains(&done.get()), "{} of 1000 came to their end", done.get());
        // Every place is free, and no connection holds the rest of another answer.
        let all = (0..connections * 5).map(|_| {
            let (client, ask) = (Rc::clone(&client), ask(&addr, "GET", "/hello"));
            oneloop::spawn(async move { client.send(ask).await.unwrap().body })
        });
        for task in all.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), b"hello");
        }
        let kept = client.idle();
        assert!((1..=connections.into()).contains(&kept), "{kept} connections are kept");
        drop(client);
        yield_now().await;
        yield_now().await;
    });
    let after = runtime.metrics();
    assert_eq!((after.tasks, after.sources), (before.tasks, before.sources));
}

#[test]
fn a_connection_serves_the_next_request() {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    // Each connection has a thread of its own, and so a count.
    let addr = serve(|stream, _, _| {
        COUNT.set(COUNT.get() + 1);
        whole(stream, "200 OK", COUNT.get().to_string().as_bytes())
    });
    let client = Blocking::new(Client::new(settings(), None)).unwrap();
    for expected in ["1", "2", "3"] {
        assert_eq!(client.send(ask(&addr, "GET", "/")).unwrap().body, expected.as_bytes());
    }
}

#[test]
fn an_app_is_called_without_a_socket() {
    let router = || {
        Router::new()
            .route("/", get(async || "hello"))
            .route("/length", post(async |body: Bytes| body.len().to_string()))
            .route("/old", get(async || axum::response::Redirect::permanent("/")))
            .route("/silent", get(async || std::future::pending::<String>().await))
    };
    let runtime = oneloop::Runtime::new().unwrap();
    let client = Client::of_app(Settings { read: Duration::from_millis(50), ..settings() }, router());
    let blocking = Blocking::new(Client::of_app(Settings { read: Duration::from_millis(50), ..settings() }, router()));
    let blocking = blocking.unwrap();
    for (method, path, expected) in [
        ("GET", "/", "200 \"hello\", 0 hops, /"),
        ("POST", "/length", "200 \"4\", 0 hops, /length"),
        ("GET", "/old", "200 \"hello\", 1 hops, /"),
        ("GET", "/none", "404 \"\", 0 hops, /none"),
        ("GET", "/silent", "the next read took longer than 0.05 s; --read allows more"),
    ] {
        let awaited = in_words(&runtime.block_on(client.send(ask("app", method, path))));
        assert_eq!(awaited, expected, "{method} {path}");
        assert_eq!(awaited, in_words(&blocking.send(ask("app", method, path))));
    }
    assert_eq!(runtime.metrics().sources, 0);
}

/// A server by TLS, for `localhost`.
fn serve_tls() -> u16 {
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/tests/libraries/localhost.pem");
    let pem = std::fs::read(pem).unwrap();
    let (certificate, key) =
        (CertificateDer::from_pem_slice(&pem).unwrap(), PrivateKeyDer::from_pem_slice(&pem).unwrap());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream.unwrap());
                while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
                }
            });
        }
    });
    port
}

#[test]
fn tls_is_spoken_with_whom_is_trusted_and_with_nobody_else() {
    let port = serve_tls();
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/tests/libraries/localhost.pem");
    let trusts = Blocking::new(Client::new(settings(), Some(pem))).unwrap();
    let get = |host: &str| Ask::get(&format!("https://{host}:{port}/")).unwrap();
    for _ in 0..3 {
        assert_eq!(trusts.send(get("localhost")).unwrap().body, b"hello");
    }
    // It is trusted under its own name only.
    let failure = trusts.send(get("127.0.0.1")).unwrap_err().to_string();
    assert!(failure.starts_with("cannot speak TLS: ") && failure.contains("certificate"), "{failure}");
    let stranger = Blocking::new(Client::new(settings(), None)).unwrap();
    let failure = stranger.send(get("localhost")).unwrap_err().to_string();
    assert!(failure.starts_with("cannot speak TLS: "), "{failure}");
    let lost = Blocking::new(Client::new(settings(), Some("no/such/file.pem".into()))).unwrap();
    assert!(lost.send(get("localhost")).unwrap_err().to_string().contains("--ca no/such/file.pem"));
}
