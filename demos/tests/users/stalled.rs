//! Readers that stall: a demo whose output nobody takes goes on, and can be ended.

use std::fs::{read_to_string, remove_file};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::process::Command;

use crate::support::{Unread, together, until};
#[cfg(target_os = "linux")]
use crate::support::{connect, reserved_for_a_server};
use crate::terminal::Stopped;
use rustix::process::Signal;

const ECHO: &str = env!("CARGO_BIN_EXE_echo");
const GRACEFUL: &str = env!("CARGO_BIN_EXE_graceful");
const HOG: &str = env!("CARGO_BIN_EXE_hog");
const MULTIPLEX: &str = env!("CARGO_BIN_EXE_multiplex");
const SEE_SLEEPERS: &str = env!("CARGO_BIN_EXE_see_sleepers");
const SELF_WAKE: &str = env!("CARGO_BIN_EXE_self_wake");
const SLEEPERS: &str = env!("CARGO_BIN_EXE_sleepers");

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// The loop's own record says that its root has returned, while nobody reads what the demo prints. Then it is read.
#[test]
fn the_loop_of_a_demo_ends_while_nobody_reads_and_nothing_printed_is_lost() {
    let rows = [
        (SLEEPERS, &["--seconds", "0.1"][..], 61),
        (SLEEPERS, &["--tasks", "20000", "--virtual"], 40_001),
        (SEE_SLEEPERS, &["--real"], 2),
        (HOG, &["--polite"], 3),
        (SELF_WAKE, &[], 2),
    ];
    together(rows, |(program, args, lines)| {
        let name = format!("unread-{}-{lines}.ndjson", Path::new(program).file_name().unwrap().display());
        let record = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = remove_file(&record);
        let mut command = command(program, args);
        command.env("ONELOOP_RECORD", &record);
        let demo = Unread::stuffed(command);
        let root = "\"e\":\"finish\",\"task\":1,";
        until("the root is over", || read_to_string(&record).is_ok_and(|record| record.contains(root)));
        let (status, text) = demo.rest();
        assert_eq!(
            (status.code(), text.lines().filter(|line| line.starts_with('[')).count()),
            (Some(0), lines),
            "{text}"
        );
    });
}

/// A demo that hears signals, once the thread that writes for it has come to a stop.
#[cfg(target_os = "linux")]
fn stuck(program: &str, args: &[&str]) -> Unread {
    let demo = Unread::stuffed(command(program, args));
    let tasks = format!("/proc/{}/task", demo.child.id());
    let is_writing = |task: std::io::Result<std::fs::DirEntry>| {
        task.is_ok_and(|task| read_to_string(task.path().join("comm")).is_ok_and(|name| name == "stdout\n"))
    };
    until("a thread waits for the reader", || std::fs::read_dir(&tasks).unwrap().any(is_writing));
    demo
}

#[cfg(target_os = "linux")]
#[test]
fn a_demo_whose_output_nobody_reads_serves_on_and_ends_by_a_signal() {
    // Its first line is not read, so it is told its port.
    let (free, _kept) = reserved_for_a_server();
    for (program, args, serves) in [
        (MULTIPLEX, &["--seconds", "50", "--connections", "10", "--timers", "10"][..], false),
        (GRACEFUL, &["--work", "0.01"], false),
        (ECHO, &["--addr", &free], true),
    ] {
        let demo = stuck(program, args);
        // More connections than lines that may wait, and each has a line.
        for number in 0..if serves { 1100 } else { 0 } {
            let mut client = connect(&free);
            client.write_all(b"and back").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut back = String::new();
            client.read_to_string(&mut back).unwrap();
            assert_eq!(back, "and back", "connection {number}");
        }
        demo.signal(Signal::TERM);
        assert_eq!(demo.end().code(), Some(0), "{program}");
    }
}

#[test]
fn multiplex_comes_to_its_end_while_nobody_reads() {
    let args = ["--seconds", "1.5", "--connections", "10", "--timers", "10"];
    assert_eq!(Unread::stuffed(command(MULTIPLEX, &args)).end().code(), Some(0));
}

#[test]
fn the_board_of_multiplex_waits_for_no_terminal() {
    for args in [&["--seconds", "1"][..], &["--seconds", "50"]] {
        let stopped = Stopped::start(command(MULTIPLEX, &[args, &["--connections", "10", "--timers", "10"]].concat()));
        if args[1] == "50" {
            // A second Ctrl-C would end any process; the first ends this one with its account.
            std::thread::sleep(std::time::Duration::from_millis(600));
            stopped.signal(Signal::INT);
        }
        assert_eq!(stopped.end().code(), Some(0), "{args:?}");
    }
}
