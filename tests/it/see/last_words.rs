//! The end of a process, of a server, and of a fork's parent: what was to be written is written, and signals
//! do again what they did before.

use std::cell::RefCell;
use std::fs::File;
use std::future::pending;
use std::io::BufReader;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc;

use nix::sys::signal::{Signal, raise};
use nix::sys::wait::WaitStatus;
use oneloop::net::UnixStream;
use oneloop::see::{Occasion, Recording, Ring, serve};
use oneloop::signal::{SignalKind, signal};
use oneloop::task::yield_now;

use crate::kit::support::{Folder, UNSEEN_BY_LEAK_SANITIZER, alone, alone_with, child, child_with};
use crate::kit::watch::{runtime, unobserved, watch};
use crate::process::system_faults::fork_and_wait;

/// How the program that is recorded is to end.
const HOW: &str = "ONELOOP_TEST_ENDS";

fn read(path: impl AsRef<Path>) -> Recording {
    Recording::read(BufReader::new(File::open(path).unwrap())).unwrap()
}

/// Sends it to this thread, which has handled it when this returns.
fn send(signal: Signal) {
    raise(signal).unwrap();
}

/// The runtime's words about itself on stderr.
fn lines(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().filter(|line| line.starts_with("oneloop: ONELOOP_")).map(String::from).collect()
}

#[test]
fn what_was_to_be_written_is_written_however_the_process_ends() {
    let folder = Folder::new();
    let (recording, trace) = (folder.file("recording"), folder.file("trace"));
    let signal = |signal: Signal| (Err(signal as i32), Occasion::Signal(signal as i32));
    for (how, (ends, occasion)) in [
        ("exit", (Ok(7), Occasion::Exit)),
        ("panic", (Ok(101), Occasion::RuntimeEnd)),
        ("leak", (Ok(42), Occasion::Exit)),
        ("SIGINT", signal(Signal::SIGINT)),
        ("SIGTERM", signal(Signal::SIGTERM)),
        ("SIGHUP", signal(Signal::SIGHUP)),
    ] {
        // A process that ends in the midst of everything leaves it all behind.
        let unseen = UNSEEN_BY_LEAK_SANITIZER;
        let variables = [(HOW, how), ("ONELOOP_RECORD", &*recording), ("ONELOOP_TRACE", &*trace), unseen];
        let output = child_with(&variables, || {
            let how = std::env::var(HOW).unwrap();
            let runtime = std::mem::ManuallyDrop::new(unobserved());
            runtime.block_on(async {
                yield_now().await;
                match &*how {
                    "exit" => std::process::exit(7),
                    "panic" => {}
                    "leak" => return,
                    signal => send(signal.parse().unwrap()),
                }
                if how != "panic" {
                    pending::<()>().await;
                }
            });
            if how == "panic" {
                let _runtime = std::mem::ManuallyDrop::into_inner(runtime);
                panic!("as asked for");
            }
        });
        let status = output.status.code().ok_or(output.status.signal().unwrap_or(0));
        assert_eq!(status, ends, "{how}: {}", String::from_utf8_lossy(&output.stderr));
        let recorded = read(&*recording);
        assert!((5..50).contains(&recorded.len()), "{how}: {} events", recorded.len());
        assert_eq!((recorded.cut_short(), recorded.occasion()), (None, Some(occasion)), "{how}");
        let trace: serde_json::Value = serde_json::from_reader(File::open(&*trace).unwrap()).unwrap();
        assert!(trace["traceEvents"].as_array().unwrap().len() > 5, "{how}");
    }
}

#[test]
fn a_signal_that_a_recorded_program_handles_itself_does_not_end_it() {
    let folder = Folder::new();
    let recording = folder.file("recording");
    let output = child_with(&[("ONELOOP_RECORD", &*recording)], || {
        unobserved().block_on(async {
            let mut interrupts = signal(SignalKind::interrupt()).unwrap();
            send(Signal::SIGINT);
            interrupts.recv().await.unwrap();
        });
        // Nobody was promised anything about this one, and nothing is to be written any more.
        send(Signal::SIGTERM);
    });
    assert_eq!(output.status.signal(), Some(Signal::SIGTERM as i32), "{}", String::from_utf8_lossy(&output.stderr));
    let recorded = read(&*recording);
    assert!(recorded.state_after(recorded.len()).tasks.is_empty(), "it was written at the runtime's end");
}

#[test]
fn a_signal_ignored_from_the_start_stays_ignored_in_children() {
    const INSIDE: &str = "ONELOOP_TEST_IGNORES";
    if std::env::var_os(INSIDE).is_some() {
        watch(|| {
            unobserved().block_on(async {
                send(Signal::SIGHUP);
                assert!(Command::new("sh").args(["-c", "kill -HUP $$"]).status().unwrap().success());
            });
        });
        return;
    }
    let (program, folder) = (std::env::current_exe().unwrap(), Folder::new());
    let recording = folder.file("recording");
    let test = "see::last_words::a_signal_ignored_from_the_start_stays_ignored_in_children";
    let ended = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(program)
        .args(["--exact", test])
        .envs([(INSIDE, "1"), ("ONELOOP_RECORD", &*recording)])
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[test]
fn a_file_that_cannot_be_written_is_one_line_at_the_build() {
    let program = || {
        let runtime = unobserved();
        eprintln!("oneloop: ONELOOP_ is built");
        runtime.block_on(yield_now());
    };
    for (variable, does) in [("ONELOOP_RECORD", "records "), ("ONELOOP_TRACE", "draws ")] {
        for (path, at_once, why) in [
            (
                "/nowhere/at/all",
                true,
                "nothing: cannot write to /nowhere/at/all: No such file or directory (os error 2)",
            ),
            ("/", true, "nothing: cannot write to /: Is a directory (os error 21)"),
            ("/dev/full", false, "is cut short: cannot write to /dev/full: No space left on device (os error 28)"),
        ] {
            let output = child_with(&[(variable, path)], program);
            let told = format!("oneloop: {variable} {}{why}", if at_once { does } else { "" });
            let (built, told) = (("oneloop: ONELOOP_ is built", at_once), (&*told, !at_once));
            let mut expected = [built, told];
            expected.sort_by_key(|(_, is_later)| *is_later);
            assert_eq!(lines(&output), expected.map(|(line, _)| line));
            assert_eq!(output.status.code(), Some(42));
        }
    }
}

#[test]
fn a_file_that_two_processes_wrote_holds_what_was_written_last() {
    let folder = Folder::new();
    let recording = folder.file("recording");
    let output = child_with(&[("ONELOOP_RECORD", &*recording)], || {
        unobserved().block_on(async {
            let path = std::env::var("ONELOOP_RECORD").unwrap();
            std::fs::write(path, "a line of somebody else\n".repeat(10_000)).unwrap();
        });
    });
    assert_eq!(output.status.code(), Some(42));
    assert!(read(&*recording).len() > 2);
}

#[test]
fn once_no_loop_is_shown_signals_do_what_they_did_before() {
    let output = child(|| {
        let (one, two) = (runtime(), runtime());
        one.block_on(async { serve("127.0.0.1:0").unwrap() });
        two.block_on(async { serve("127.0.0.1:0").unwrap() });
        drop(one);
        two.block_on(async { send(Signal::SIGQUIT) });
        drop(two);
        // And once more, from the beginning.
        let three = runtime();
        three.block_on(async { serve("127.0.0.1:0").unwrap() });
        three.block_on(async { send(Signal::SIGQUIT) });
        drop(three);
        eprintln!("shown no more");
        send(Signal::SIGQUIT);
        eprintln!("not reached");
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(Signal::SIGQUIT as i32), "{said}");
    assert!(said.matches("woken by").count() >= 2, "{said}");
    assert!(said.contains("shown no more") && !said.contains("not reached"), "{said}");
}

#[test]
fn who_listens_to_a_signal_keeps_it_when_the_loop_is_shown_no_more() {
    for listens_first in [true, false] {
        alone(|| {
            let _ = listens_first;
            let (shown, listening) = (runtime(), runtime());
            let listen = || listening.block_on(async { signal(SignalKind::quit()).unwrap() });
            let mut early = listens_first.then(listen);
            shown.block_on(async { serve("127.0.0.1:0").unwrap() });
            let mut quits = early.take().unwrap_or_else(listen);
            send(Signal::SIGQUIT);
            listening.block_on(quits.recv()).unwrap();
            drop(shown);
            send(Signal::SIGQUIT);
            listening.block_on(quits.recv()).unwrap();
        });
    }
}

/// A loop whose ring another thread has locked at the moment of the fork.
#[test]
fn a_forked_child_may_close_a_socket_inside_a_poll_of_a_shown_loop() {
    alone_with(&[UNSEEN_BY_LEAK_SANITIZER], || {
        let ring = Ring::new(100);
        let runtime = oneloop::Runtime::builder().observer(ring.clone()).build().unwrap();
        runtime.block_on(async {
            let sockets = RefCell::new(Some(UnixStream::pair().unwrap()));
            let (locked, is_locked) = mpsc::channel();
            let (unlock, may_unlock) = mpsc::channel::<()>();
            let looks = std::thread::spawn(move || {
                ring.with_state(|_| {
                    locked.send(()).unwrap();
                    may_unlock.recv().unwrap();
                });
            });
            is_locked.recv().unwrap();
            let ended = fork_and_wait(|| {
                nix::unistd::alarm::set(20);
                drop(sockets.take());
            });
            unlock.send(()).unwrap();
            looks.join().unwrap();
            assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
        });
    });
}
