//! Names that strangers chose, as people at a terminal get them: in tables, dumps and findings of a whole process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{ChildStderr, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oneloop::Runtime;
use oneloop::see::{dump, serve};
use oneloop::task::Builder;
use oneloop::time::sleep;

use crate::kit::support::{UNSEEN_BY_LEAK_SANITIZER, child_command};
use crate::kit::watch::Watch;

/// A page's caption was read as "go on.evil.png" with it.
const REORDERS: &str = "\u{202e}gnp.live\u{2066}";
const HEBREW: &str = "\u{5e9}\u{5dc}\u{5d5}\u{5dd} 12";
/// So are they shown: what reorders is an escape, and a script of its own stays within its isolate.
const SHOWN: [&str; 2] = ["\\u{202e}gnp.live\\u{2066}", "\u{2068}\u{5e9}\u{5dc}\u{5d5}\u{5dd} 12\u{2069}"];

/// A program with three names, each of a task that nobody can wake. It says where its page is, and dumps all it has.
fn strange_names() {
    let runtime = Runtime::builder().diagnose(true).build().unwrap();
    runtime.block_on(async {
        for name in ["x".repeat(65_536), REORDERS.to_owned(), HEBREW.to_owned()] {
            drop(Builder::new().name(name).spawn(std::future::pending::<()>()));
        }
        let server = serve("127.0.0.1:0").unwrap();
        sleep(Duration::from_millis(20)).await;
        eprintln!("{}", dump());
        eprintln!("it listens on {}", server.address());
        std::future::pending::<()>().await;
    });
}

/// Reads lines up to one that has this in it, and returns all of them.
#[track_caller]
fn until(stderr: &mut BufReader<ChildStderr>, part: &str) -> String {
    let mut said = String::new();
    while !said.lines().last().is_some_and(|line| line.contains(part)) {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{part:?} is not in {said}");
    }
    said
}

/// Asserts that a text has both names as a terminal may get them, and the long one cut.
#[track_caller]
fn assert_tame(what: &str, text: &str) {
    for shown in SHOWN {
        assert!(text.contains(shown), "{what}: {shown:?} is not in {text:?}");
    }
    assert!(!text.contains(['\u{202e}', '\u{2066}']), "{what} is reordered: {text:?}");
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(text.contains(&"x".repeat(60)) && longest < 500, "{what} has a line of {longest} bytes");
}

#[test]
fn strange_names_reach_a_terminal_tame_in_tables_dumps_and_findings() {
    // The closure's name is how the process finds this test.
    let mut command = child_command(&[UNSEEN_BY_LEAK_SANITIZER], || {
        strange_names();
    });
    let _watch = Watch::new(Duration::from_secs(30));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let said = until(&mut stderr, "it listens on ");
    let found: String =
        said.lines().filter(|line| line.contains("nobody can wake")).map(|line| format!("{line}\n")).collect();
    assert_tame("a finding", &found);
    let dumped: String =
        said.lines().filter(|line| !line.starts_with("oneloop: ")).fold(String::new(), |all, line| all + line + "\n");
    assert_tame("the dump", &dumped);

    // The thread that answers is there for the second signal too.
    for _ in 0..2 {
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGUSR1).unwrap();
        assert_tame("the table on a signal", &until(&mut stderr, "; tasks "));
    }
    let address = said.rsplit(' ').next().unwrap().trim();
    let mut monitor = TcpStream::connect(address).unwrap();
    monitor.write_all(b"ps\nwhy 2\nwhy 3\nwhy 4\nquit\n").unwrap();
    let mut answer = String::new();
    monitor.read_to_string(&mut answer).unwrap();
    assert_tame("the monitor", &answer);
    child.kill().unwrap();
    child.wait().unwrap();
}
