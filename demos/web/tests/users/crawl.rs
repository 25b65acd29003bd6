//! The crawler as its users meet it: all pages, never more connections than allowed, and an account in any case.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Demo, Process, has, run};

const CRAWL: &str = env!("CARGO_BIN_EXE_crawl");

fn account(args: &[&str]) -> Value {
    let ended = run(CRAWL, &[&["--json"], args].concat());
    ended.assert_code(0);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

/// A server on a thread of its own, which gives each connection to `serve` and counts how many there are at once.
fn serve(serve: fn(TcpStream, &str)) -> (String, &'static AtomicU32) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let most: &'static AtomicU32 = Box::leak(Box::default());
    let now: &'static AtomicU32 = Box::leak(Box::default());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let here = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(here, Ordering::SeqCst);
            thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                while let Some(line) = lines.next() {
                    if let Some(path) = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) {
                        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
                        serve(stream.try_clone().unwrap(), path);
                    }
                }
                now.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (url, most)
}

fn answer(mut stream: TcpStream, head: &str, body: &str) {
    let _ = write!(stream, "HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

#[test]
fn a_thousand_pages_are_fetched_with_twenty_connections_at_most() {
    let account = account(&[]);
    assert_eq!(account["pages"], 1000, "{account}");
    assert_eq!(account["lost"], Value::Array(Vec::new()));
    assert!(account["connections_seen"].as_u64().is_some_and(|seen| (10..=20).contains(&seen)), "{account}");
    assert!(
        account["retries"].as_u64().is_some_and(|retries| retries > 10) && account["finished"] == true,
        "{account}"
    );
}

#[test]
fn ss_never_sees_more_than_twenty_connections() {
    if !has("ss", "the crawler's connections, seen from outside") {
        return;
    }
    let mut crawl = Demo::start(CRAWL, &["--json"]);
    let its = format!("pid={},", crawl.child.id());
    let mut most = 0;
    while crawl.child.try_wait().unwrap().is_none() {
        let seen = Command::new("ss").args(["-Htnp", "state", "established"]).output().unwrap();
        let ends = String::from_utf8_lossy(&seen.stdout).lines().filter(|line| line.contains(&its)).count();
        // The server of the pages is in the same process, and has the other end of each.
        most = most.max(ends.div_ceil(2));
    }
    crawl.end().assert_code(0);
    assert!((1..=20).contains(&most), "{most} connections at once");
}

#[test]
fn a_page_is_tried_again_and_lost_after_so_many_tries() {
    // One page is broken for good, one is missing, one hangs up twice.
    static HUNG_UP: AtomicU32 = AtomicU32::new(0);
    let (url, most) = serve(|stream, path| match path {
        "/" => answer(
            stream,
            "200 OK",
            "<a href=\"broken\"><a href='no'><a href=\"missing\"><a href=\"shy\"><a href=\"/good?a&amp;b\">",
        ),
        "/broken" => answer(stream, "500 Broken", ""),
        "/shy" if HUNG_UP.fetch_add(1, Ordering::SeqCst) < 2 => stream.shutdown(std::net::Shutdown::Both).unwrap(),
        "/shy" | "/good?a&b" => answer(stream, "200 OK", "found"),
        _ => answer(stream, "404 Missing", ""),
    });
    let account = account(&["--from", &url, "--tries", "3", "--per-host", "2"]);
    assert_eq!(account["pages"], 3, "{account}");
    let mut lost: Vec<_> =
        account["lost"].as_array().unwrap().iter().map(|lost| lost.as_str().unwrap().to_owned()).collect();
    lost.sort();
    assert_eq!(lost, [format!("{url}broken: too many tries"), format!("{url}missing: 404 or the like")]);
    assert_eq!(account["retries"], 4, "twice for the broken one, and twice for the shy one");
    assert!(most.load(Ordering::SeqCst) <= 2, "two connections to one host");
}

#[test]
fn a_server_that_is_silent_endless_or_lies_costs_a_bounded_time() {
    for serve_one in [
        (|_, _: &str| thread::sleep(Duration::from_secs(5))) as fn(TcpStream, &str),
        |mut stream, _| while stream.write_all(&[b'x'; 4096]).is_ok() {},
        |mut stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        },
        |mut stream, _| drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort")),
    ] {
        let (url, _) = serve(serve_one);
        let account = account(&["--from", &url, "--tries", "2", "--patience", "0.3"]);
        assert_eq!((&account["pages"], &account["retries"]), (&Value::from(0), &Value::from(1)), "{account}");
    }
}

#[test]
fn pythons_http_server_is_crawled() {
    if !has("python3", "a crawl of http.server") {
        return;
    }
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("crawled");
    let _ = std::fs::remove_dir_all(&folder);
    for deep in 0..5 {
        let deep = folder.join(format!("folder {deep}"));
        std::fs::create_dir_all(&deep).unwrap();
        for number in 0..10 {
            std::fs::write(deep.join(format!("{number}.txt")), "x".repeat(100)).unwrap();
        }
    }
    let script = "import functools, http.server, sys\nhandler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])\n\
                  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)\nprint(server.server_port, flush=True)\nserver.serve_forever()";
    let mut python = Command::new("python3");
    let python = python.args(["-c", script, folder.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut python = Process::start(python);
    let mut port = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let account = account(&["--from", &format!("http://127.0.0.1:{}/", port.trim())]);
    drop(python);
    // The listing, five folders with listings, fifty files.
    assert_eq!(account["pages"], 56, "{account}");
    assert_eq!(account["lost"], Value::Array(Vec::new()));
}

#[test]
fn an_interrupt_gives_the_account_so_far() {
    let (url, _) = serve(|stream, _| {
        thread::sleep(Duration::from_millis(20));
        answer(stream, "200 OK", &(0..50).map(|n| format!("<a href=\"/{n}\">")).collect::<String>());
    });
    let mut crawl = Demo::start(CRAWL, &["--from", &url, "--pages", "1000000", "--connections", "1"]);
    let line = crawl.line();
    assert!(line.contains(" done, ") && line.contains(" at work, "), "{line}");
    crawl.signal(Signal::INT);
    let ended = crawl.end();
    ended.assert_code(0);
    let last = ended.stdout.lines().last().unwrap().to_owned();
    assert!(last.contains(" pages, ") && (last.starts_with("stopped: ") || last.starts_with("done: ")), "{last}");
}

#[test]
fn a_beginning_that_is_none_is_named_with_the_way_out() {
    for wrong in
        ["localhost:8099", "http://localhost/", "https://127.0.0.1:1/", "http://127.0.0.1/", "http://127.0.0.1:1/a b"]
    {
        run(CRAWL, &["--from", wrong]).assert_complains(2, &["--from", "such as http://127.0.0.1:8099/"]);
    }
    run(CRAWL, &["--connections", "0"]).assert_complains(2, &["--connections"]);
    let nobody = account(&["--from", "http://127.0.0.1:1/", "--tries", "2"]);
    assert_eq!(nobody["pages"], 0);
}
