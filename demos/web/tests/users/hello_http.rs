//! The web server as its users meet it: what it answers, how it ends, and what it says to bad input.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Demo, connect, has, run};

const HELLO: &str = env!("CARGO_BIN_EXE_hello_http");

/// A server on a free port.
struct Server {
    demo: Demo,
    addr: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut demo = Demo::start(HELLO, &[&["--addr", "127.0.0.1:0"], args].concat());
        let line = demo.line();
        let addr = line.split([' ', ';']).nth(2).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Self { demo, addr }
    }

    /// The whole answer to a request on a connection of its own.
    fn ask(&self, head: &str) -> String {
        self.send(&format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    /// The whole answer to these bytes.
    fn send(&self, bytes: &str) -> String {
        let mut stream = connect(&self.addr);
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn interrupt(&self) {
        self.demo.signal(Signal::INT);
    }

    /// The rest of its log.
    fn end(self) -> String {
        let ended = self.demo.end();
        ended.assert_code(0);
        ended.stdout
    }
}

#[test]
fn requests_are_answered_and_each_has_its_line() {
    let mut server = Server::start(&[]);
    for (request, status, end, line) in [
        ("GET /hello/you HTTP/1.1", "200", "\r\n\r\nhello you\n", " GET /hello/you 200 "),
        ("GET /nowhere HTTP/1.1", "404", "\r\n\r\n", " GET /nowhere 404 "),
        ("POST /length HTTP/1.1\r\ncontent-length: 0", "200", "\r\n\r\n0 bytes\n", " POST /length 200 "),
    ] {
        let answer = server.ask(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with(end), "{answer}");
        let logged = server.demo.line();
        assert!(logged.contains(line) && logged.ends_with(" ms\n"), "{logged}");
    }
    server.interrupt();
    assert_eq!(server.end(), "stopping\nstopped\n");
}

#[test]
fn curl_is_answered() {
    if !has("curl", "hello to it") {
        return;
    }
    let server = Server::start(&[]);
    let url = format!("http://{}/hello/curl", server.addr);
    let output = Command::new("curl").args(["--silent", "--max-time", "30", "--noproxy", "*", &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello curl\n");
    server.interrupt();
    server.end();
}

#[test]
fn slow_requests_wait_side_by_side() {
    let server = Server::start(&[]);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert!(server.ask("GET /slow HTTP/1.1").ends_with("a second later\n")));
        }
    });
    assert!((1.0..10.0).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    server.interrupt();
    server.end();
}

#[test]
fn a_stop_lets_a_request_finish_and_ends_idle_connections() {
    let mut server = Server::start(&["--grace", "50"]);
    let (mut idle, mut busy) = (connect(&server.addr), connect(&server.addr));
    write!(idle, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert!(server.demo.line().contains(" GET / 200 "));
    write!(busy, "GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    // A later client has been answered, so the request above has been read.
    server.ask("GET / HTTP/1.1");
    server.demo.line();
    server.interrupt();
    assert_eq!(server.demo.line(), "stopping\n");
    let mut answer = String::new();
    idle.read_to_string(&mut answer).unwrap();
    answer.clear();
    busy.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("a second later\n"), "{answer}");
    let log = server.end();
    assert!(log.contains(" GET /slow 200 ") && log.ends_with("stopped\n"), "{log}");
}

#[test]
fn deadlines_hold_for_the_head_the_answer_and_the_connection() {
    let mut server = Server::start(&["--head", "0.05"]);
    let mut silent = connect(&server.addr);
    write!(silent, "GET / HTTP/1.1\r\n").unwrap();
    silent.read_to_string(&mut String::new()).unwrap();
    assert!(server.demo.line().contains("timeout"));
    server.interrupt();
    server.end();

    let server = Server::start(&["--answer", "0.05"]);
    assert!(server.ask("GET /slow HTTP/1.1").starts_with("HTTP/1.1 503 "));
    server.interrupt();
    server.end();

    let mut server = Server::start(&["--lifetime", "0.05"]);
    connect(&server.addr).read_to_string(&mut String::new()).unwrap();
    assert!(server.demo.line().ends_with("its time was up\n"));
    server.interrupt();
    server.end();
}

#[test]
fn a_request_that_does_not_say_well_whom_it_is_for_is_refused() {
    let server = Server::start(&[]);
    let asks = |version: &str, hosts: &str| server.send(&format!("GET / HTTP/{version}\r\n{hosts}\r\n"));
    for junk in ["", "a b", "a@b", "a/b", "http://a", "a:99999", "a:b", ":80", "[::1", "\u{1}"] {
        let answer = asks("1.1", &format!("host: {junk}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{junk:?}: {answer}");
    }
    for none_or_two in ["", "host: a\r\nhost: a\r\n", "host: a\r\nHost: b\r\n", "host : a\r\n"] {
        let answer = asks("1.1", none_or_two);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{none_or_two:?}: {answer}");
    }
    assert!(asks("1.0", "").starts_with("HTTP/1.0 200 "));
    for host in ["localhost", "127.0.0.1:8080", "[::1]:80", "example.org:"] {
        let answer = asks("1.1", &format!("host: {host}\r\nconnection: close\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
    server.interrupt();
    server.end();
}

#[test]
fn a_client_that_sends_no_more_after_its_request_is_answered() {
    let server = Server::start(&[]);
    for (request, end) in [
        ("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n", "a second later\n"),
        ("POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc", "3 bytes\n"),
    ] {
        let mut stream = connect(&server.addr);
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with(end), "{answer:?}");
    }
    server.interrupt();
    server.end();
}

#[test]
fn silent_clients_that_take_all_places_give_way_to_a_newcomer() {
    let server = Server::start(&["--connections", "8", "--head", "50"]);
    // One says nothing, one says half of a head, and one has had an answer.
    let mut silent: Vec<_> = (0..8).map(|_| connect(&server.addr)).collect();
    silent[1].write_all(b"GET / HTTP/1.1\r\n").unwrap();
    silent[2].write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    silent[2].read_exact(&mut [0; 64]).unwrap();
    let start = Instant::now();
    for _ in 0..20 {
        assert!(server.ask("GET /hello/you HTTP/1.1").ends_with("hello you\n"));
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    // The first has gone; the last who spoke stays longest.
    assert_eq!(silent[0].read(&mut [0; 64]).unwrap(), 0);
    server.interrupt();
    assert!(server.end().contains("was silent the longest"));
}

#[test]
fn it_stops_by_itself_when_it_was_asked_to() {
    assert_eq!(Server::start(&["--seconds", "0.05"]).end(), "stopping\nstopped\n");
}

#[test]
fn bad_input_is_named_with_the_way_out() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (args, code, words) in [
        (["--addr", &taken], 1, [&taken as &str, "--addr"]),
        (["--addr", "localhost"], 2, ["--addr", "such as 127.0.0.1"]),
        (["--connections", "0"], 2, ["--connections", "from 1 to 10000"]),
        (["--grace", "soon"], 2, ["--grace", "such as 10"]),
    ] {
        run(HELLO, &args).assert_complains(code, &words);
    }
}
