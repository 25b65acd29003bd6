//! Readers that stall: a server whose log nobody reads serves on, and can be ended; so can a program whose output
//! nobody takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;

use crate::support::{Unread, connect, run, together};
use crate::terminal::Stopped;
use rustix::process::Signal;

const CHAT: &str = env!("CARGO_BIN_EXE_chat");
const CRAWL: &str = env!("CARGO_BIN_EXE_crawl");
const DOWNLOADS: &str = env!("CARGO_BIN_EXE_downloads");
const HELLO: &str = env!("CARGO_BIN_EXE_hello_http");
const OTHERS: [&str; 4] = [
    env!("CARGO_BIN_EXE_gateway"),
    env!("CARGO_BIN_EXE_fetch"),
    env!("CARGO_BIN_EXE_fast"),
    env!("CARGO_BIN_EXE_twins"),
];

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

#[test]
fn a_web_server_whose_log_nobody_reads_serves_on_and_ends_by_a_signal() {
    let mut hello = Unread::start(command(HELLO, &["--addr", "127.0.0.1:0"]));
    let line = hello.first_line();
    let addr = line.split([' ', ';']).nth(2).unwrap();
    let mut client = BufReader::new(connect(addr));
    // More requests than lines that may wait.
    for number in 0..1200 {
        client.get_mut().write_all(b"GET /hello/you HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        while !answer.ends_with("hello you\n") {
            assert!(client.read_line(&mut answer).unwrap() > 0, "request {number}: {answer}");
        }
    }
    hello.signal(Signal::TERM);
    assert_eq!(hello.end().code(), Some(0));
}

#[test]
fn a_chat_whose_log_nobody_reads_lets_in_and_ends_by_a_signal() {
    let mut chat = Unread::start(command(CHAT, &["--addr", "127.0.0.1:0", "--tcp", "127.0.0.1:0"]));
    let line = chat.first_line();
    let addr = line.split([' ', ';']).nth(4).unwrap();
    let mut guests = Vec::new();
    for number in 0..20 {
        let mut guest = BufReader::new(connect(addr));
        let mut asked = String::new();
        guest.read_line(&mut asked).unwrap();
        assert_eq!(asked, "your name?\n");
        writeln!(guest.get_mut(), "guest {number}").unwrap();
        guest.read_line(&mut asked).unwrap();
        assert!(asked.contains("* welcome"), "{asked}");
        guests.push(guest);
    }
    chat.signal(Signal::TERM);
    assert_eq!(chat.end().code(), Some(0));
    let mut farewell = String::new();
    guests[0].read_to_string(&mut farewell).unwrap();
    assert!(farewell.contains("closed"), "{farewell}");
}

#[test]
fn downloads_come_to_their_end_while_nobody_reads() {
    let stopped = Unread::stuffed(command(DOWNLOADS, &[]));
    stopped.signal(Signal::TERM);
    // Too early for its handler, the signal ends it as it would any program.
    assert!(matches!(stopped.end().code(), None | Some(130)));
    assert_eq!(Unread::stuffed(command(DOWNLOADS, &["--at-once", "40"])).end().code(), Some(0));
}

#[test]
fn bars_and_tables_on_a_terminal_that_is_stopped_hold_nothing_up() {
    let runs = [
        (DOWNLOADS, &[][..], false, 0),
        (CRAWL, &[], false, 0),
        (DOWNLOADS, &["--at-once", "1"], true, 130),
        (CRAWL, &["--connections", "1"], true, 0),
    ];
    together(runs, |(program, args, is_stopped, code)| {
        let demo = Stopped::start(command(program, args));
        if is_stopped {
            std::thread::sleep(std::time::Duration::from_millis(600));
            demo.signal(Signal::INT);
        }
        assert_eq!(demo.end().code(), Some(code), "{program} {args:?}");
    });
}

#[test]
fn what_cannot_be_written_is_an_error_and_a_reader_that_has_gone_is_none() {
    for demo in [CHAT, HELLO, DOWNLOADS].iter().chain(&OTHERS) {
        run("bash", &["-c", &format!("{demo} --help >/dev/full")]).assert_complains(1, &["cannot write the output"]);
        run("bash", &["-c", &format!("{demo} --help | true; exit ${{PIPESTATUS[0]}}")]).assert_code(0);
    }
    let files = format!("{DOWNLOADS} --at-once 40");
    run("bash", &["-c", &format!("{files} >/dev/full")]).assert_complains(1, &["cannot write the output"]);
    run("bash", &["-c", &format!("{files} | head -1; exit ${{PIPESTATUS[0]}}")]).assert_code(0);
}
