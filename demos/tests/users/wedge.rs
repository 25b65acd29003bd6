//! The monitor as its guests meet it while the loop is wedged: it answers, names task and line, and ends a task.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Demo, connect, has, run};

const WEDGE: &str = env!("CARGO_BIN_EXE_wedge");

/// A loop that is wedged by now, for so long, and the address of its monitor.
fn wedged(seconds: &str, more: &[&str]) -> (Demo, String) {
    let args = ["--addr", "127.0.0.1:0", "--free", "0.1", "--wedge", seconds];
    let mut demo = Demo::start(WEDGE, &[&args, more].concat());
    let line = demo.line();
    let addr = line.split([' ', ';']).nth(4).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
    let line = demo.line();
    assert!(line.starts_with("wedged for "), "{line}");
    (demo, addr)
}

/// The number of the task of this name in an answer to `ps`.
fn number(table: &str, name: &str) -> String {
    let line = table.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name} in:\n{table}"));
    line.split_whitespace().next().unwrap().to_owned()
}

fn ask(monitor: &mut BufReader<TcpStream>, question: &str, until: &str) -> String {
    writeln!(monitor.get_mut(), "{question}").unwrap();
    let mut answer = String::new();
    while !answer.lines().any(|line| line.contains(until)) {
        assert!(monitor.read_line(&mut answer).unwrap() > 0, "{answer}");
    }
    // Each answer is sent as a whole: what follows in it is here too.
    let rest = String::from_utf8_lossy(monitor.buffer()).into_owned();
    monitor.consume(rest.len());
    answer + &rest
}

#[test]
fn the_monitor_names_who_wedges_the_loop_and_ends_a_task() {
    let began = Instant::now();
    let (mut demo, addr) = wedged("8", &[]);
    let mut monitor = BufReader::new(connect(&addr));
    let mut table = String::new();
    // A poll has to take a while before it is called long.
    while !table.contains("in one poll") {
        table = ask(&mut monitor, "ps", "turn ");
        std::thread::sleep(Duration::from_millis(50));
    }
    let culprit = table.lines().last().unwrap_or_default();
    assert!(culprit.contains("\"blocker\"") && culprit.contains("wedge.rs:"), "{table}");
    let (blocker, reader) = (number(&table, "blocker"), number(&table, "reader 2"));
    let place = ask(&mut monitor, &format!("where {blocker}"), "spawned by");
    assert!(place.contains("blocker") && place.contains("wedge.rs:"), "{place}");
    let told = ask(&mut monitor, &format!("cancel {reader}"), "cancelled");
    assert!(told.contains("reader 2") && told.contains("when the loop is back") && told.contains("blocker"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(8), "all of it was answered while the loop was wedged");
    assert!(demo.line().starts_with("free again, after "));
    let mut next = demo.line();
    while next.starts_with("tick") {
        next = demo.line();
    }
    assert_eq!(next, "reader 2: its destructor has run\n");
    demo.signal(Signal::KILL);
    drop(demo.end());
}

#[test]
fn nc_is_answered_while_the_loop_is_wedged() {
    if !has("nc", "the monitor by nc") {
        return;
    }
    let (demo, addr) = wedged("20", &[]);
    let (host, port) = addr.rsplit_once(':').unwrap();
    let began = Instant::now();
    let ask_by_nc = || {
        let mut nc = Command::new("nc");
        let mut nc = nc.args([host, port]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        nc.stdin.take().unwrap().write_all(b"ps\nquit\n").unwrap();
        let mut said = String::new();
        nc.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        nc.wait().unwrap();
        said
    };
    let said = std::iter::repeat_with(ask_by_nc).find(|said| said.contains("in one poll")).unwrap();
    assert!(said.contains("\"blocker\"") && began.elapsed() < Duration::from_secs(20), "{said}");
    demo.signal(Signal::KILL);
    drop(demo.end());
}

#[test]
fn a_polite_blocker_holds_up_nobody_and_a_stop_is_heard() {
    let (mut demo, addr) = wedged("50", &["--polite"]);
    assert_eq!(demo.line(), "tick 1\n");
    let mut monitor = BufReader::new(connect(&addr));
    let table = ask(&mut monitor, "ps", "reader 3");
    let told = ask(&mut monitor, &format!("cancel {}", number(&table, "reader 1")), "cancelled");
    assert!(told.contains("when its turn comes"), "{told}");
    while demo.line() != "reader 1: its destructor has run\n" {}
    demo.signal(Signal::KILL);
    drop(demo.end());
    let ended = run(WEDGE, &["--addr", "127.0.0.1:0", "--seconds", "0.1"]);
    ended.assert_code(0);
    assert!(
        ended.stdout.contains("stopped: 0 ticks, 0 calls that blocked, 0 of 3 readers ended\n"),
        "{}",
        ended.stdout
    );
    run(WEDGE, &["--addr", &format!("192.0.2.1:{}", 1)]).assert_complains(1, &["192.0.2.1"]);
    run(WEDGE, &["--wedge", "0"]).assert_complains(2, &["--wedge"]);
    let help = run(WEDGE, &["--help"]);
    assert!(help.stdout.contains("--polite"), "{}", help.stdout);
}
