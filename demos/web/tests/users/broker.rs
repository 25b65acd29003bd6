//! The chat in several processes, with a real Redis between them: one room, and nobody who is gone ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Demo, connect, has, reserved, reserved_for_a_server, run, until};

const CHAT: &str = env!("CARGO_BIN_EXE_chat");

/// A redis-server on a port of its own, which keeps nothing. It ends with its test.
struct Redis(Child);

impl Redis {
    fn start(port: u16, flags: &[&str]) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        command.args(flags).current_dir(env!("CARGO_TARGET_TMPDIR")).stdout(Stdio::null()).stderr(Stdio::null());
        let redis = Self(command.spawn().unwrap());
        until("the redis-server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        redis
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Redis {
    /// By SIGKILL, as with `kill -9`.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn port_of(addr: &str) -> u16 {
    addr.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A process that shares the room, and one who listens and speaks there.
struct Process {
    demo: Demo,
    guest: BufReader<TcpStream>,
    web: String,
}

impl Process {
    fn start(name: &str, url: &str) -> Self {
        let mut demo = Demo::start(CHAT, &["--addr", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--broker", url]);
        let line = demo.line();
        let words: Vec<&str> = line.split([' ', ';']).collect();
        let (web, tcp) = (words[2].to_owned(), words[4]);
        let mut guest = BufReader::new(connect(tcp));
        read(&mut guest);
        writeln!(guest.get_mut(), "{name}").unwrap();
        let mut process = Self { demo, guest, web };
        process.hears("welcome");
        process
    }

    fn say(&mut self, text: &str) {
        writeln!(self.guest.get_mut(), "{text}").unwrap();
    }

    /// Waits until the guest is told something with these words, and returns the line.
    #[track_caller]
    fn hears(&mut self, words: &str) -> String {
        std::iter::repeat_with(|| read(&mut self.guest)).find(|line| line.contains(words)).unwrap()
    }

    /// All lines that the guest is told until one with these words, without the room's own.
    #[track_caller]
    fn hears_until(&mut self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains(words)) {
            lines.extend(Some(read(&mut self.guest)).filter(|line| !line.starts_with('*')));
        }
        lines
    }

    /// Waits until the log has a line with these words, and returns the line.
    #[track_caller]
    fn logs(&mut self, words: &str) -> String {
        let next = || {
            let line = self.demo.line();
            assert!(!line.is_empty(), "the log ends before {words:?}");
            line
        };
        std::iter::repeat_with(next).find(|line| line.contains(words)).unwrap()
    }

    /// All that the room remembers.
    fn history(&self) -> String {
        let mut stream = connect(&self.web);
        write!(stream, "GET /poll?since=0 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.web).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn stop(self) -> String {
        self.demo.signal(Signal::TERM);
        let ended = self.demo.end();
        ended.assert_code(0);
        ended.stdout
    }
}

#[track_caller]
fn read(guest: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    guest.read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "the connection has ended");
    line.trim_end().to_owned()
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// Two processes that know of each other.
fn two(port: u16) -> [Process; 2] {
    let mut one = Process::start("ann", &url(port));
    one.logs("the broker is there, 1 process shares the room");
    let mut other = Process::start("bob", &url(port));
    other.logs("the broker is there, 2 processes share the room");
    one.logs("a process has come, 2 processes share the room");
    one.hears("* a process has come");
    [one, other]
}

fn has_redis() -> bool {
    has("redis-server", "a room that processes share")
}

#[test]
fn two_processes_share_one_room_and_each_word_is_heard_once() {
    if !has_redis() {
        return;
    }
    let (addr, _kept) = reserved_for_a_server();
    let port = port_of(&addr);
    let _redis = Redis::start(port, &[]);
    let [mut ann, mut bob] = two(port);
    for number in 0..20 {
        let line = format!("ann: from here, {number}");
        ann.say(&line[5..]);
        assert_eq!([bob.hears_until("from here"), ann.hears_until("from here")], [[line.clone()], [line]]);
    }
    bob.say("\u{1b}[2Jand \u{202e}back");
    for process in [&mut ann, &mut bob] {
        assert_eq!(process.hears_until("back"), ["bob: [2Jand back"]);
    }
    // A process that comes late has the same lines with the same ids.
    let mut cy = Process::start("cy", &url(port));
    cy.logs("3 processes share the room");
    until("the third process has read what was said", || cy.history().contains("and back"));
    assert_eq!(cy.history().matches("from here").count(), 20);
    assert_eq!(cy.history(), ann.history());
    for process in [ann, bob, cy] {
        let account = process.stop();
        assert!(account.contains("came, 21 lines were said, 0 lost their place\n"), "{account}");
    }
}

#[test]
fn a_process_that_is_killed_is_missed_and_the_rest_goes_on() {
    if !has_redis() {
        return;
    }
    let (addr, _kept) = reserved_for_a_server();
    let port = port_of(&addr);
    let _redis = Redis::start(port, &[]);
    let [mut ann, bob] = two(port);
    bob.demo.signal(Signal::KILL);
    ann.logs("a process has gone, 1 process shares the room");
    ann.hears("* a process has gone");
    ann.say("alone");
    assert_eq!(ann.hears_until("alone"), ["ann: alone"]);
    // Its next run hears what it has missed.
    let mut bob = Process::start("bob", &url(port));
    ann.logs("a process has come, 2 processes share the room");
    until("the new run has read what was said", || bob.history().contains("alone"));
    bob.say("back");
    assert_eq!(ann.hears_until("back"), ["bob: back"]);
    for process in [ann, bob] {
        process.stop();
    }
}

#[test]
fn a_redis_that_is_killed_is_missed_and_the_room_comes_back_together() {
    if !has_redis() {
        return;
    }
    let (addr, _kept) = reserved_for_a_server();
    let port = port_of(&addr);
    let redis = Redis::start(port, &[]);
    let [mut ann, mut bob] = two(port);
    ann.say("before");
    assert_eq!([ann.hears_until("before"), bob.hears_until("before")], [["ann: before"], ["ann: before"]]);
    drop(redis);
    for process in [&mut ann, &mut bob] {
        process.logs(&format!("broker lost: 127.0.0.1 port {port}"));
        process.hears("* the broker is away: only this process hears you");
    }
    // Each goes on alone, and its words wait.
    ann.say("a meanwhile");
    bob.say("b meanwhile");
    assert_eq!(ann.hears_until("meanwhile"), ["ann: a meanwhile"]);
    assert_eq!(bob.hears_until("meanwhile"), ["bob: b meanwhile"]);
    // The new one has forgotten all that the old one knew.
    let _redis = Redis::start(port, &[]);
    assert_eq!(ann.hears_until("meanwhile"), ["bob: b meanwhile"]);
    assert_eq!(bob.hears_until("meanwhile"), ["ann: a meanwhile"]);
    for process in [&mut ann, &mut bob] {
        // One line of the log has told of it, however often it was tried.
        let line = process.logs("broker ");
        assert!(line.contains("the broker is there") && !line.contains("did not"), "{line}");
    }
    ann.say("together");
    assert_eq!([ann.hears_until("together"), bob.hears_until("together")], [["ann: together"], ["ann: together"]]);
    for process in [ann, bob] {
        assert!(process.stop().contains("came, 4 lines were said"));
    }
}

#[test]
fn a_word_that_was_sent_twice_is_heard_once() {
    if !has_redis() {
        return;
    }
    let (addr, _kept) = reserved_for_a_server();
    let port = port_of(&addr);
    let redis = Redis::start(port, &[]);
    let [mut ann, mut bob] = two(port);
    // It takes what is sent, and answers too late.
    redis.signal(Signal::STOP);
    ann.say("once");
    ann.logs("no answer in 3 s");
    redis.signal(Signal::CONT);
    ann.logs("the broker is there");
    ann.say("the end");
    assert_eq!(bob.hears_until("the end"), ["ann: once", "ann: the end"]);
    // The stream has had it twice.
    let mut asks = connect(&format!("127.0.0.1:{port}"));
    asks.write_all(b"XLEN oneloop-chat\r\n").unwrap();
    let mut answer = String::new();
    BufReader::new(asks).read_line(&mut answer).unwrap();
    assert_eq!(answer, ":3\r\n");
    for process in [ann, bob] {
        process.stop();
    }
}

#[test]
fn a_broker_that_is_silent_or_no_redis_does_not_hold_the_room() {
    let (nobody, _kept) = reserved();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other_port = other.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    for (port, why) in [
        (silent.local_addr().unwrap().port(), "no answer in 3 s"),
        (other_port, "that is no Redis"),
        (port_of(&nobody), "refused"),
    ] {
        let began = Instant::now();
        let mut ann = Process::start("ann", &url(port));
        ann.say("anybody?");
        assert_eq!(ann.hears_until("anybody"), ["ann: anybody?"]);
        assert!(began.elapsed() < Duration::from_secs(20));
        let line = ann.logs("broker not reached");
        assert!(line.contains(why) && line.contains("the room goes on alone"), "{line}");
        // The outbox is bounded, and the account has the words that were lost.
        for number in 0..3 {
            for _ in 0..100 {
                let mut stream = connect(&ann.web);
                let head = format!("POST /say HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", ann.web);
                write!(stream, "{head}content-length: 1\r\n\r\n{number}").unwrap();
                stream.read_to_end(&mut Vec::new()).unwrap();
            }
        }
        let account = ann.stop();
        assert!(account.contains("so far 301 words of here did not reach the others"), "{account}");
    }
}

#[test]
fn a_password_is_asked_for_and_kept_out_of_the_log() {
    if !has_redis() {
        return;
    }
    let (addr, _kept) = reserved_for_a_server();
    let port = port_of(&addr);
    let _redis = Redis::start(port, &["--requirepass", "p@ss"]);
    let mut right = Process::start("ann", &format!("redis://:p%40ss@127.0.0.1:{port}/2"));
    assert!(!right.logs("1 process shares the room").contains("ss@"));
    let mut wrong = Process::start("bob", &format!("redis://:secret@127.0.0.1:{port}"));
    let line = wrong.logs("broker not reached");
    assert!(line.contains("WRONGPASS") && !line.contains("secret"), "{line}");
    assert!(Process::start("cy", &url(port)).logs("broker not reached").contains("NOAUTH"));
    for process in [right, wrong] {
        process.stop();
    }
}

#[test]
fn a_url_that_is_none_of_a_redis_is_refused_in_a_sentence() {
    for url in [
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "rediss://127.0.0.1",
        "redis://",
        "redis://h:0",
        "redis://h/x",
        "redis://h/-1",
        "redis://h?x=1",
        "redis:h",
        "",
    ] {
        run(CHAT, &["--broker", url]).assert_complains(2, &["--broker", "redis://127.0.0.1:6379"]);
    }
    run(CHAT, &["--broker", "redis://h:65536"]).assert_complains(2, &["--broker", "65535"]);
    run(CHAT, &["--room", "x"]).assert_complains(2, &["--broker"]);
}
