//! Many loops on one port, and a restart that no client notices.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::{Demo, LIMIT, connect, run, until, until_read};

const FAST: &str = env!("CARGO_BIN_EXE_fast");

struct Fast {
    demo: Demo,
    addr: String,
    /// The process that serves now.
    pid: i32,
}

impl Fast {
    fn start(args: &[&str]) -> Self {
        let demo = Demo::start(FAST, &[&["--addr", "127.0.0.1:0"], args].concat());
        let mut fast = Self { demo, addr: String::new(), pid: 0 };
        fast.listens();
        fast
    }

    /// Reads until a process says that it listens.
    fn listens(&mut self) {
        let line = std::iter::repeat_with(|| self.demo.line()).find(|line| line.starts_with("listening on ")).unwrap();
        let words: Vec<&str> = line.split([' ', ';']).collect();
        self.addr = words[2].to_owned();
        self.pid = words[8].parse().unwrap_or_else(|_| panic!("no process in {line:?}"));
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal).unwrap();
    }

    fn restart(&mut self) {
        self.signal(Signal::HUP);
        self.listens();
    }
}

impl Drop for Fast {
    /// A process that took over outlives the one that the watchdog knows.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_raw(self.pid).unwrap(), Signal::KILL);
    }
}

/// The body of an answer, or nothing if the request failed in any way.
fn get(addr: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
}

/// A client that keeps its connection until the server says that it closes.
struct Kept(String, Option<BufReader<TcpStream>>);

impl Kept {
    fn get(&mut self) -> Option<String> {
        let mut stream = match self.1.take() {
            Some(stream) => stream,
            None => BufReader::new(connect(&self.0)),
        };
        write!(stream.get_mut(), "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").ok()?;
        let (mut length, mut closes, mut line) = (0, false, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.to_lowercase();
            closes |= lower.starts_with("connection: close");
            if let Some(text) = lower.strip_prefix("content-length: ") {
                length = text.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        self.1 = (!closes).then_some(stream);
        String::from_utf8(body).ok()
    }
}

#[test]
fn every_loop_answers_on_the_same_port() {
    let fast = Fast::start(&["--loops", "3"]);
    let mut loops = BTreeSet::new();
    let until = Instant::now() + Duration::from_secs(30);
    while loops.len() < 3 && Instant::now() < until {
        let answer = get(&fast.addr, "/").unwrap();
        assert!(answer.ends_with(&format!(" of process {}\n", fast.pid)), "{answer}");
        loops.insert(answer.split(' ').nth(3).unwrap().to_owned());
    }
    assert_eq!(loops.into_iter().collect::<Vec<_>>(), ["0", "1", "2"]);
    fast.signal(Signal::TERM);
}

#[test]
fn a_head_that_is_none_is_answered_and_not_hung_up_on() {
    let fast = Fast::start(&["--loops", "1"]);
    for line in ["host : localhost", "x: a\r\n b", "content-length: 5\r\ncontent-length: 6"] {
        let mut stream = connect(&fast.addr);
        write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\n{line}\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 400"), "{line:?}: {answer}");
    }
    fast.signal(Signal::TERM);
}

#[test]
fn a_rolling_restart_fails_no_request_of_running_clients() {
    let mut fast = Fast::start(&["--loops", "2", "--grace", "20"]);
    let first = fast.pid;
    let (goes_on, answered) = (AtomicBool::new(true), AtomicUsize::new(0));
    let addr = fast.addr.clone();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|number| {
                let (goes_on, answered, addr) = (&goes_on, &answered, addr.clone());
                scope.spawn(move || {
                    let mut kept = Kept(addr.clone(), None);
                    let (mut asked, mut failed) = (0, 0);
                    while goes_on.load(Ordering::Relaxed) {
                        let answer = match number {
                            0..3 => get(&addr, "/"),
                            3 => get(&addr, "/slow"),
                            _ => kept.get(),
                        };
                        asked += 1;
                        failed += usize::from(answer.is_none());
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    (asked, failed)
                })
            })
            .collect();
        for _ in 0..3 {
            let before = answered.load(Ordering::Relaxed);
            while answered.load(Ordering::Relaxed) < before + 100 {
                thread::sleep(Duration::from_millis(5));
            }
            fast.restart();
        }
        // The last one answers, too.
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 100 {
            thread::sleep(Duration::from_millis(5));
        }
        goes_on.store(false, Ordering::Relaxed);
        let counts: Vec<(usize, usize)> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let (asked, failed) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        assert_eq!(failed, 0, "of {asked} requests");
        assert!(asked >= 400, "{asked}");
    });
    assert_ne!(fast.pid, first);
    // The first process has come to its end: its clients have left it.
    let status = fast.demo.child.wait().unwrap();
    assert!(status.success(), "{status}");
    fast.signal(Signal::TERM);
    let mut rest = String::new();
    fast.demo.stdout.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("and is over"), "{rest}");
}

#[test]
fn a_restart_that_fails_leaves_the_old_process_at_work() {
    // Its own file is another link, which another file takes the place of. A copy would be written by this process, and
    // a program is not started while a child of some other test still has it open.
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("fast-restart");
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("fast");
    let _ = std::fs::remove_file(&link);
    std::fs::hard_link(FAST, &link).unwrap();
    let demo = Demo::start(link.to_str().unwrap(), &["--addr", "127.0.0.1:0", "--loops", "1"]);
    let mut fast = Fast { demo, addr: String::new(), pid: 0 };
    fast.listens();
    for wrong in ["#!/bin/sh\nexit 3\n", "this is no program\n"] {
        std::fs::remove_file(&link).unwrap();
        std::fs::write(&link, wrong).unwrap();
        let mut mode = std::fs::metadata(&link).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        std::fs::set_permissions(&link, mode).unwrap();
        fast.signal(Signal::HUP);
        let line = fast.demo.line();
        assert!(line.starts_with("no process has taken over, so this one goes on: "), "{line}");
        assert!(get(&fast.addr, "/").unwrap().ends_with(&format!(" of process {}\n", fast.pid)));
    }
    fast.signal(Signal::TERM);
    assert!(fast.demo.child.wait().unwrap().success());
}

#[test]
fn a_stop_lets_what_is_being_answered_finish_and_says_that_it_is_the_last() {
    let mut fast = Fast::start(&["--loops", "2", "--grace", "60"]);
    let (mut one, mut other) = (connect(&fast.addr), connect(&fast.addr));
    // An answer that is made, for half a second, and a request whose end comes after the stop.
    write!(one, "GET /slow HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    write!(other, "GET / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    until_read(&one);
    until_read(&other);
    fast.signal(Signal::TERM);
    until("nobody new is let in", || TcpStream::connect(&fast.addr).is_err());
    write!(other, "\r\n").unwrap();
    let [first, second] = [&mut one, &mut other].map(|stream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(first.ends_with("half a second later\n"), "{first}");
    assert!(second.contains("connection: close\r\n") && second.contains("hello from loop"), "{second}");
    assert!(fast.demo.child.wait().unwrap().success());
    assert!(test_kill_process(Pid::from_raw(fast.pid).unwrap()).is_err());
}

#[test]
fn a_port_that_is_taken_is_not_shared_with_a_stranger() {
    let fast = Fast::start(&["--loops", "1"]);
    run(FAST, &["--addr", &fast.addr]).assert_complains(1, &[&fast.addr, "--addr"]);
    run(FAST, &["--loops", "0"]).assert_complains(2, &["--loops", "from 1 to 64"]);
    fast.signal(Signal::TERM);
}
