//! The gateway between clients and upstreams that misbehave: what one side does wrong, the other is told, and memory
//! never pays for it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::support::{Demo, connect, has, reserved, reserved_for_a_server, run};

const GATEWAY: &str = env!("CARGO_BIN_EXE_gateway");
/// How much goes through the gateway where memory is watched. `ONELOOP_GATEWAY_BYTES` asks for more.
const BYTES: usize = 10_000_000;
/// The gateway's memory meanwhile, at its most.
const MEMORY_KB: usize = 20_000;

struct Gateway {
    demo: Demo,
    addr: String,
}

impl Gateway {
    fn start(args: &[&str]) -> Self {
        let mut demo = Demo::start(GATEWAY, &[&["--addr", "127.0.0.1:0"], args].concat());
        let line = demo.line();
        let addr = line.split([' ', ';']).nth(2).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { demo, addr }
    }

    fn before(upstream: &str, args: &[&str]) -> Self {
        Self::start(&[&["--allow-loopback", "--to", &format!("http://{upstream}")], args].concat())
    }

    /// The whole answer to these bytes.
    fn send(&self, text: &str) -> String {
        let mut stream = connect(&self.addr);
        stream.write_all(text.replace('\n', "\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\nhost: localhost\nconnection: close\n\n"))
    }

    fn most_memory_kb(&self) -> Option<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.demo.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    fn stop(self) -> String {
        self.demo.signal(Signal::TERM);
        let ended = self.demo.end();
        ended.assert_code(0);
        ended.stdout
    }
}

/// A server of this test's own: `answer` gets each connection, its number, and the head of each request on it, until
/// it says that it is over.
fn upstream(answer: impl Fn(&mut BufReader<TcpStream>, usize, &str) -> bool + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(head) = head(&mut stream) {
                    if !answer(&mut stream, number, &head) {
                        break;
                    }
                }
            });
        }
    });
    addr
}

/// The head of the next request or answer; nothing where the other side has gone.
fn head(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn say(stream: &mut BufReader<TcpStream>, text: &str) -> bool {
    stream.get_mut().write_all(text.replace('\n', "\r\n").as_bytes()).is_ok()
}

fn hello(stream: &mut BufReader<TcpStream>, number: usize, _: &str) -> bool {
    say(stream, &format!("HTTP/1.1 200 OK\ncontent-length: 7\n\nhello {number}"))
}

/// A mailbox: what is left in it by one thread is awaited by another.
fn mailbox<T: Send>() -> (Sender<T>, Receiver<T>) {
    channel()
}

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_request_has_its_trace_and_the_next_one_the_same_connection() {
    let mut gateway = Gateway::before(&upstream(hello), &[]);
    for _ in 0..3 {
        let answer = gateway.get("/a?b=c");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello 0"), "{answer}");
    }
    let first = gateway.demo.line();
    for word in [" GET /a 200 | queue ", " | dns ", " | connect ", " | first byte ", " | total ", " ms | 7 bytes\n"] {
        assert!(first.contains(word), "{word:?} is not in {first:?}");
    }
    assert!(gateway.demo.line().contains(" | reuse 1 | first byte "));
    assert!(gateway.demo.line().contains(" | reuse 2 | first byte "));
    gateway.stop();
    let mut gateway = Gateway::before(&upstream(hello), &["--json"]);
    gateway.get("/");
    let line = gateway.demo.line();
    let trace: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(trace["status"] == 200 && trace["bytes"] == 7 && trace["problem"].is_null(), "{line}");
    for phase in ["queue_ms", "dns_ms", "connect_ms", "first_byte_ms", "total_ms"] {
        assert!(trace[phase].as_f64().is_some_and(|ms| ms >= 0.0), "{phase} in {line}");
    }
    gateway.stop();
}

#[test]
fn its_own_upstream_answers_also_who_sends_what_nobody_wants() {
    let gateway = Gateway::start(&[]);
    let body = "x".repeat(1_000_000);
    let heads = format!("host: localhost\nconnection: close\ncontent-length: {}\n", body.len());
    let answer = gateway.send(&format!("POST /nowhere HTTP/1.1\n{heads}\n{body}"));
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    gateway.stop();
}

fn bytes_to_send() -> usize {
    std::env::var("ONELOOP_GATEWAY_BYTES").map_or(BYTES, |text| text.parse().unwrap())
}

/// Bytes that differ, and are the same in each run.
fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

#[test]
fn many_bytes_for_a_slow_curl_arrive_whole_and_take_no_memory() {
    if !has("curl", "a slow client") {
        return;
    }
    let all = content(bytes_to_send());
    let sum = Sha256::digest(&all);
    let addr = upstream(move |stream, _, _| {
        say(stream, &format!("HTTP/1.1 200 OK\ncontent-length: {}\n\n", all.len()))
            && stream.get_mut().write_all(&all).is_ok()
    });
    let gateway = Gateway::before(&addr, &[]);
    let mut curl = Command::new("curl");
    // Two seconds, whatever the length: the upstream could send it in a hundredth of that.
    let rate = (bytes_to_send() / 2).to_string();
    let curl = curl.args(["--silent", "--limit-rate", &rate, &format!("http://{}/", gateway.addr)]);
    let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
    let mut hasher = Sha256::new();
    let mut came = curl.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 16];
    while let length @ 1.. = came.read(&mut buffer).unwrap() {
        hasher.update(&buffer[..length]);
    }
    assert!(curl.wait().unwrap().success());
    assert_eq!(hasher.finalize(), sum);
    if let Some(kb) = gateway.most_memory_kb() {
        assert!(kb < MEMORY_KB, "the gateway took {kb} kB");
        eprintln!("the gateway took {kb} kB for {} bytes", bytes_to_send());
    }
    gateway.stop();
}

#[test]
fn a_client_that_is_faster_than_the_upstream_takes_no_memory() {
    let length = bytes_to_send();
    let addr = upstream(move |stream, _, _| {
        let (mut left, mut hasher) = (length, Sha256::new());
        let mut buffer = vec![0; length / 100];
        while left > 0 {
            thread::sleep(Duration::from_millis(5));
            let wanted = left.min(buffer.len());
            stream.read_exact(&mut buffer[..wanted]).unwrap();
            hasher.update(&buffer[..wanted]);
            left -= wanted;
        }
        let sum: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        say(stream, &format!("HTTP/1.1 200 OK\ncontent-length: 64\n\n{sum}"))
    });
    let gateway = Gateway::before(&addr, &[]);
    let all = content(length);
    let mut stream = connect(&gateway.addr);
    write!(stream, "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
        .unwrap();
    stream.write_all(&all).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let sum: String = Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&sum), "{answer}");
    if let Some(kb) = gateway.most_memory_kb() {
        assert!(kb < MEMORY_KB, "the gateway took {kb} kB");
    }
    gateway.stop();
}

#[test]
fn an_upstream_that_dies_before_the_head_is_a_502() {
    let falls_silent = |stream: &mut BufReader<TcpStream>, _: usize, head: &str| {
        if head.starts_with("GET /half") {
            say(stream, "HTTP/1.1 200 OK\ncontent-le");
        } else if head.starts_with("GET /junk") {
            say(stream, "SSH-2.0-OpenSSH\n\n");
        } else if head.starts_with("GET /switch") {
            say(stream, "HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: other\n\n");
        } else if head.starts_with("GET /endless") {
            let line = format!("x-more: {}\n", "y".repeat(1000));
            say(stream, "HTTP/1.1 200 OK\n");
            while say(stream, &line) {}
        }
        false
    };
    let gateway = Gateway::before(&upstream(falls_silent), &[]);
    for path in ["/", "/half", "/junk", "/switch", "/endless"] {
        let answer = gateway.get(path);
        assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{path}: {answer}");
        assert!(!answer.contains("127.0.0.1"), "{path} tells where the upstream is: {answer}");
    }
    let (free, _kept) = reserved();
    let nobody = Gateway::before(&free, &[]);
    assert!(nobody.get("/").starts_with("HTTP/1.1 502 "));
    assert!(nobody.stop().contains(&free));
    let nowhere = Gateway::start(&["--to", "http://no-such-name.invalid"]);
    assert!(nowhere.get("/").starts_with("HTTP/1.1 502 "));
    nowhere.stop();
    gateway.stop();
}

#[test]
fn an_upstream_that_dies_after_the_head_never_ends_an_answer_well() {
    let breaks_off = |stream: &mut BufReader<TcpStream>, _: usize, head: &str| {
        let framing =
            if head.starts_with("GET /chunks") { "transfer-encoding: chunked" } else { "content-length: 100" };
        let piece = if head.starts_with("GET /chunks") { "5\n01234\n" } else { "01234" };
        say(stream, &format!("HTTP/1.1 200 OK\n{framing}\n\n{piece}"));
        false
    };
    let gateway = Gateway::before(&upstream(breaks_off), &[]);
    for path in ["/", "/chunks"] {
        let answer = gateway.get(path);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("01234"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "the answer ends as if it were whole: {answer}");
        if has("curl", "the same answer") {
            let url = format!("http://{}{path}", gateway.addr);
            let curl = Command::new("curl").args(["-s", "-o", "/dev/null", &url]).status().unwrap();
            // A partial file; or, of chunks, a failure to receive.
            assert!(matches!(curl.code(), Some(18 | 56)), "{curl}");
        }
    }
    assert!(gateway.stop().contains("the upstream broke off"));
}

#[test]
fn a_silent_upstream_is_a_504_and_a_pause_ends_an_answer() {
    let silent = |stream: &mut BufReader<TcpStream>, _: usize, head: &str| {
        if head.starts_with("GET /pause") {
            say(stream, "HTTP/1.1 200 OK\ncontent-length: 100\n\n01234");
        }
        let _ = stream.read_to_end(&mut Vec::new());
        false
    };
    let gateway = Gateway::before(&upstream(silent), &["--answer", "0.2", "--patience", "0.4"]);
    let start = Instant::now();
    assert!(gateway.get("/").starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
    let answer = gateway.get("/pause");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("01234"), "{answer}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    // A client that sends half of a request is not the upstream's fault.
    let half = "POST / HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: 10\n\nabc";
    assert!(gateway.send(half).starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert!(gateway.stop().contains("no byte came for 0.4 s"));
}

#[test]
fn addresses_on_the_deny_list_are_led_to_by_no_name() {
    for denied in ["http://169.254.169.254", "http://[::ffff:a9fe:a9fe]", "http://[fe80::1]", "http://0.0.0.0:80"] {
        run(GATEWAY, &["--addr", "127.0.0.1:0", "--allow-loopback", "--to", denied]).assert_complains(1, &["--to"]);
    }
    for loopback in ["http://127.0.0.1:1", "http://[::1]:1", "http://127.9.9.9"] {
        let ended = run(GATEWAY, &["--addr", "127.0.0.1:0", "--to", loopback]);
        ended.assert_complains(1, &["loopback", "--allow-loopback"]);
    }
    let port = upstream(hello).rsplit_once(':').unwrap().1.to_owned();
    // Names are judged by what they lead to. The number is 127.0.0.1 in one word, and 2852039166 is 169.254.169.254.
    for (name, why) in [
        (format!("http://localhost:{port}"), "loopback is denied"),
        (format!("http://2130706433:{port}"), "loopback is denied"),
        ("http://2852039166".to_owned(), "metadata addresses are denied"),
    ] {
        let gateway = Gateway::start(&["--to", &name]);
        assert!(gateway.get("/").starts_with("HTTP/1.1 502 "), "{name}");
        let said = gateway.stop();
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn a_request_that_goes_round_is_stopped() {
    let (itself, _kept) = reserved_for_a_server();
    let to = format!("http://{itself}");
    let ended = run(GATEWAY, &["--addr", &itself, "--allow-loopback", "--to", &to]);
    ended.assert_complains(1, &["the gateway itself"]);
    // By a name, it is seen when the name has been looked up.
    let port = itself.rsplit_once(':').unwrap().1;
    let by_name = format!("http://localhost:{port}");
    let mut demo = Demo::start(GATEWAY, &["--addr", &itself, "--allow-loopback", "--to", &by_name]);
    demo.line();
    let gateway = Gateway { demo, addr: itself.clone() };
    assert!(gateway.get("/").starts_with("HTTP/1.1 502 "));
    gateway.stop();
    // Two that lead to each other.
    let second = Gateway::before(&itself, &["--host", "127.0.0.1"]);
    let to = format!("http://{}", second.addr);
    let mut demo = Demo::start(GATEWAY, &["--addr", &itself, "--allow-loopback", "--to", &to]);
    demo.line();
    let first = Gateway { demo, addr: itself };
    assert!(first.get("/").starts_with("HTTP/1.1 508 Loop Detected\r\n"));
    assert_eq!(first.stop().matches(" GET / ").count(), 2);
    assert_eq!(second.stop().matches(" GET / 508 ").count(), 1);
}

#[test]
fn the_upstream_is_asked_with_clean_headers_and_one_framing() {
    let (sender, heads) = mailbox();
    let addr = upstream(move |stream, _, head| {
        sender.send(head.to_lowercase()).unwrap();
        say(
            stream,
            "HTTP/1.1 200 OK\nconnection: x-private, close\nx-private: 1\nkeep-alive: timeout=5\n\
                     proxy-authenticate: Basic\nx-public: 2\ncontent-length: 2\n\nok",
        );
        false
    });
    let gateway = Gateway::before(&addr, &["--host", "shop.example"]);
    let answer = gateway.send(
        "GET /path?query HTTP/1.1\nhost: shop.example\nconnection: close, x-secret\nx-secret: 1\nte: trailers\n\
         upgrade: h2c\nproxy-connection: keep-alive\nx-forwarded-for: 10.1.1.1\nforwarded: for=10.1.1.1\n\
         cookie: a=b\n\n",
    );
    let head = heads.recv_timeout(PATIENCE).unwrap();
    for gone in ["x-secret", "\r\nte:", "upgrade", "proxy-connection", "10.1.1.1", "keep-alive", "transfer-encoding"] {
        assert!(!head.contains(gone), "{gone:?} is in {head}");
    }
    for there in [
        "get /path?query http/1.1\r\n",
        &format!("\r\nhost: {addr}\r\n"),
        "\r\nx-forwarded-for: 127.0.0.1\r\n",
        "\r\nx-forwarded-host: shop.example\r\n",
        "\r\nx-forwarded-proto: http\r\n",
        "\r\ncookie: a=b\r\n",
        "\r\nvia: 1.1 oneloop-",
    ] {
        assert!(head.contains(there), "{there:?} is not in {head}");
    }
    for gone in ["x-private", "timeout=5", "proxy-authenticate"] {
        assert!(!answer.contains(gone), "{gone:?} is in {answer}");
    }
    assert!(answer.contains("\r\nx-public: 2\r\n") && answer.contains("\r\nvia: 1.1 oneloop-"), "{answer}");
    gateway.stop();
}

#[test]
fn a_message_that_says_badly_how_long_it_is_goes_no_further() {
    let (sender, heads) = mailbox();
    let addr = upstream(move |stream, _, head| {
        sender.send(head.to_lowercase()).unwrap();
        let (framing, body) = match head.split(' ').nth(1).unwrap() {
            "/both" => ("content-length: 3\ntransfer-encoding: chunked", "5\nhello\n0\n\n"),
            "/turned" => ("transfer-encoding: chunked\ncontent-length: 3", "5\nhello\n0\n\n"),
            "/gzip" => ("transfer-encoding: gzip, chunked", "5\nhello\n0\n\n"),
            "/endless" => ("transfer-encoding: gzip", "hello"),
            "/list" => ("content-length: 5, 5", "hello"),
            _ => ("content-length: 5", "hello"),
        };
        say(stream, &format!("HTTP/1.1 200 OK\n{framing}\n\n{body}"));
        false
    });
    let gateway = Gateway::before(&addr, &[]);
    // An answer of two lengths was cut at the shorter one, and looked whole.
    for answer in ["/both", "/turned", "/gzip", "/endless", "/list"] {
        assert!(gateway.get(answer).starts_with("HTTP/1.1 502 "), "{answer}");
        heads.recv_timeout(PATIENCE).unwrap();
    }
    for (status, framing, body) in [
        (400, "transfer-encoding: gzip, chunked", "2\nok\n0\n\n"),
        (400, "transfer-encoding: chunked, chunked", "2\nok\n0\n\n"),
        (400, "transfer-encoding: chunked\ntransfer-encoding: chunked", "2\nok\n0\n\n"),
        (400, "transfer-encoding: gzip", "abc"),
        (400, "content-length: 3\ncontent-length: 4", "abcd"),
        (400, "content-length: +3", "abc"),
        // It has begun when this is seen: the upstream hears of it, and the client why it is not answered.
        (400, "transfer-encoding: chunked", "0x2\nok\n0\n\n"),
        (400, "transfer-encoding: chunked", "2\nokay\n0\n\n"),
        // hyper forgets the length of these when it reads their heads, and closes behind the answer.
        (200, "transfer-encoding: chunked\ncontent-length: 3", "2\nok\n0\n\n"),
        (200, "content-length: 3\ntransfer-encoding: chunked", "2\nok\n0\n\n"),
        (200, "content-length: 2", "ok"),
    ] {
        let answer = gateway.send(&format!("POST / HTTP/1.1\nhost: localhost\nconnection: close\n{framing}\n\n{body}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{framing:?}: {answer}");
    }
    gateway.stop();
    for head in heads.try_iter() {
        assert!(!(head.contains("content-length") && head.contains("transfer-encoding")), "{head}");
    }
}

#[test]
fn each_hop_speaks_its_own_version_and_the_body_of_a_get_goes_along() {
    let (sender, bodies) = mailbox();
    let addr = upstream(move |stream, number, head| {
        if head.contains("transfer-encoding: chunked") {
            let mut body = [0; 12];
            stream.read_exact(&mut body).unwrap();
            sender.send(body).unwrap();
        }
        let version = if head.starts_with("GET /old ") { "1.0" } else { "1.1" };
        let first = head.lines().next().unwrap();
        let length = first.len() + 2;
        say(stream, &format!("HTTP/{version} 200 OK\ncontent-length: {length}\n\n{number} {first}"))
    });
    let gateway = Gateway::before(&addr, &[]);
    // A client of the first version does not cost the gateway its connection.
    for _ in 0..2 {
        let answer = gateway.send("GET / HTTP/1.0\nhost: localhost\n\n");
        assert!(answer.ends_with("0 GET / HTTP/1.1"), "{answer}");
    }
    assert!(gateway.get("/old").starts_with("HTTP/1.1 200 "));
    let search = "GET /search HTTP/1.1\nhost: localhost\nconnection: close\ntransfer-encoding: chunked\n\n2\nok\n0\n\n";
    assert!(gateway.send(search).ends_with(" GET /search HTTP/1.1"));
    assert_eq!(&bodies.recv_timeout(PATIENCE).unwrap(), b"2\r\nok\r\n0\r\n\r\n");
    gateway.stop();
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_order() {
    let addr = upstream(|stream, _, head| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        say(stream, &format!("HTTP/1.1 200 OK\ncontent-length: {}\n\n{path}", path.len()))
    });
    let gateway = Gateway::before(&addr, &[]);
    let stream = connect(&gateway.addr);
    let mut writer = stream.try_clone().unwrap();
    let asks = thread::spawn(move || {
        let all: String = (0..1000).map(|n| format!("GET /{n} HTTP/1.1\r\nhost: localhost\r\n\r\n")).collect();
        writer.write_all(all.as_bytes()).unwrap();
    });
    let mut reader = BufReader::new(stream);
    for n in 0..1000 {
        assert!(head(&mut reader).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        let mut body = vec![0; format!("/{n}").len()];
        reader.read_exact(&mut body).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), format!("/{n}"));
    }
    asks.join().unwrap();
    drop(reader);
    gateway.stop();
}

#[test]
fn an_answer_before_the_end_of_the_request_reaches_the_client() {
    let refuses = |stream: &mut BufReader<TcpStream>, _: usize, _: &str| {
        say(stream, "HTTP/1.1 413 Content Too Large\ncontent-length: 8\nconnection: close\n\ntoo much");
        let _ = stream.get_mut().shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink());
        false
    };
    let mut gateway = Gateway::before(&upstream(refuses), &[]);
    let length = 500_000;
    // One is answered early by the upstream, the other by the gateway itself.
    for (host, status) in [("localhost", 413), ("evil.example", 421)].into_iter().cycle().take(20) {
        let mut stream = connect(&gateway.addr);
        let head =
            format!("POST /much HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        // The other side may have hung up by the end of it.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; length]));
        // The client reads when the gateway has said all. A reset would overtake the answer.
        let line = gateway.demo.line();
        assert!(line.contains(&format!(" POST /much {status} ")), "{line}");
        thread::sleep(Duration::from_millis(20));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is not lost");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    gateway.stop();
}

#[test]
fn a_connection_that_died_while_it_was_idle_fails_no_request() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    // It promises to go on, and hangs up: at once, or when the next request comes.
    let lies = move |stream: &mut BufReader<TcpStream>, number: usize, head: &str| {
        let is_first = seen.lock().unwrap().insert(number);
        is_first && hello(stream, number, head) && number % 2 == 0
    };
    let gateway = Gateway::before(&upstream(lies), &[]);
    for n in 0..40 {
        let answer = gateway.get("/");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{n}: {answer}");
    }
    gateway.stop();
}

#[test]
fn a_request_that_found_its_connection_closed_is_dressed_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let (sender, asked) = mailbox();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let head = head(&mut stream).unwrap_or_default();
            hello(&mut stream, 0, &head);
            sender.send((head.to_lowercase(), stream)).unwrap();
        }
    });
    let gateway = Gateway::before(&addr, &[]);
    let mut client = BufReader::new(connect(&gateway.addr));
    let mut ask = |text: &str| client.get_mut().write_all(text.replace('\n', "\r\n").as_bytes()).unwrap();
    ask("GET / HTTP/1.1\nhost: localhost\n\n");
    let (_, first) = asked.recv_timeout(PATIENCE).unwrap();
    // The gateway is held up, so that it hears of the request first, and of the end of the connection with it.
    gateway.demo.signal(Signal::STOP);
    let stat = format!("/proc/{}/stat", gateway.demo.child.id());
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") T ")) {
        thread::yield_now();
    }
    ask("POST / HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: 2\n\nhi");
    drop(first);
    gateway.demo.signal(Signal::CONT);
    let (head, _second) = asked.recv_timeout(PATIENCE).unwrap();
    assert!(head.matches("via: ").count() == 1 && head.contains("x-forwarded-host: localhost\r\n"), "{head}");
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
    gateway.stop();
}

#[test]
fn what_cannot_be_sent_twice_is_not() {
    let (sender, asked) = mailbox();
    let addr = upstream(move |stream, number, head| {
        sender.send(head.lines().next().unwrap().to_owned()).unwrap();
        // The second request of a connection is read, and the connection closed over it.
        head.starts_with("GET") && hello(stream, number, head)
    });
    let gateway = Gateway::before(&addr, &[]);
    gateway.get("/");
    let answer = gateway.send("POST /pay HTTP/1.1\nhost: localhost\nconnection: close\ncontent-length: 2\n\nhi");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    gateway.stop();
    assert_eq!(asked.iter().take(2).collect::<Vec<_>>(), ["GET / HTTP/1.1", "POST /pay HTTP/1.1"]);
    assert!(asked.try_recv().is_err(), "it was sent once more");
}

#[test]
fn who_waits_too_long_for_a_connection_is_told_so() {
    let (asked, asks) = mailbox();
    let (may_answer, answers) = mailbox::<()>();
    let answers = Arc::new(Mutex::new(answers));
    let addr = upstream(move |stream, number, head| {
        asked.send(()).unwrap();
        answers.lock().unwrap().recv().unwrap();
        hello(stream, number, head)
    });
    let gateway = Gateway::before(&addr, &["--upstream-connections", "1", "--queue", "0.2"]);
    thread::scope(|scope| {
        let first = scope.spawn(|| gateway.get("/first"));
        asks.recv_timeout(PATIENCE).unwrap();
        assert!(gateway.get("/").starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
        may_answer.send(()).unwrap();
        assert!(first.join().unwrap().starts_with("HTTP/1.1 200 "));
    });
    may_answer.send(()).unwrap();
    assert!(gateway.get("/").starts_with("HTTP/1.1 200 "), "the place is free again");
    gateway.stop();
}

#[test]
fn a_client_that_leaves_takes_its_upstream_connection_along() {
    let (gone, leaves) = mailbox();
    let addr = upstream(move |stream, number, head| {
        if head.starts_with("GET /endless") {
            say(stream, "HTTP/1.1 200 OK\ncontent-length: 1000000000000\n\n");
            while stream.get_mut().write_all(&[b'x'; 4096]).is_ok() {}
            gone.send(()).unwrap();
            return false;
        }
        hello(stream, number, head)
    });
    let gateway = Gateway::before(&addr, &["--upstream-connections", "1"]);
    for _ in 0..5 {
        let mut client = connect(&gateway.addr);
        client.write_all(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 100_000]).unwrap();
        drop(client);
        leaves.recv_timeout(PATIENCE).expect("the upstream is told");
    }
    assert!(gateway.get("/").starts_with("HTTP/1.1 200 "));
    assert_eq!(gateway.stop().matches("the client left").count(), 5);
}

#[test]
fn a_foreign_name_and_a_tunnel_come_to_nothing() {
    let gateway = Gateway::before(&upstream(hello), &["--host", "shop.example"]);
    for (request, status) in [
        ("GET / HTTP/1.1\nhost: evil.example\n", 421),
        ("GET / HTTP/1.1\nhost: localhost.evil.example\n", 421),
        ("GET / HTTP/1.1\nhost: shop.example\n", 200),
        ("GET / HTTP/1.1\nhost: SHOP.example:80\n", 200),
        ("GET http://169.254.169.254/ HTTP/1.1\nhost: localhost\n", 400),
        ("GET http://localhost/ HTTP/1.1\nhost: localhost\n", 200),
        ("GET / HTTP/1.1\n", 400),
        ("CONNECT 127.0.0.1:22 HTTP/1.1\nhost: localhost\n", 405),
        ("CONNECT 169.254.169.254:80 HTTP/1.1\nhost: localhost\n", 405),
        ("TRACE / HTTP/1.1\nhost: localhost\n", 405),
    ] {
        let answer = gateway.send(&format!("{request}connection: close\n\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    gateway.stop();
}

#[test]
fn upstreams_take_turns_and_one_that_is_down_is_passed_over() {
    let say_name = |name: &'static str| {
        upstream(move |stream, _, _| say(stream, &format!("HTTP/1.1 200 OK\ncontent-length: 1\n\n{name}")))
    };
    let (down, _kept) = reserved();
    let to: Vec<_> = [say_name("a"), down, say_name("b")].map(|addr| format!("http://{addr}")).into();
    let gateway = Gateway::start(&["--allow-loopback", "--to", &to[0], "--to", &to[1], "--to", &to[2]]);
    let answers: String = (0..6).map(|_| gateway.get("/").pop().unwrap()).collect();
    assert_eq!(answers, "abbabb");
    gateway.stop();
}

#[test]
fn what_the_flags_cannot_mean_is_named_with_the_way_out() {
    for (to, words) in [
        ("10.0.0.1:80", "such as http://10.0.0.7:9000"),
        ("https://10.0.0.1", "http://"),
        ("http://10.0.0.1/path", "no path"),
        ("http://user:word@10.0.0.1", "no place"),
    ] {
        run(GATEWAY, &["--to", to]).assert_complains(2, &["--to", words]);
    }
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    run(GATEWAY, &["--addr", &taken]).assert_complains(1, &[&taken, "--addr"]);
    run(GATEWAY, &["--upstream-connections", "0"]).assert_complains(2, &["--upstream-connections"]);
}
