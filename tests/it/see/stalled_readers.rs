//! Readers that stall: a stderr, a pipe or a file that takes nothing keeps no loop from turning, and no process
//! from ending.

use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo, pipe, write};
use oneloop::Runtime;
use oneloop::task::{Builder, yield_now};

use crate::kit::sockets::turns;
use crate::kit::support::{CAME_TO_ITS_END, Folder, UNSEEN_BY_LEAK_SANITIZER, child_command, is_inside};
use crate::kit::watch::Watch;

/// A pipe that has no room for one more byte, as its reader and its writer.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe().unwrap();
    set_flags(&writer, OFlag::O_NONBLOCK);
    while write(&writer, &[b'.'; 4096]).is_ok() {}
    while write(&writer, b".").is_ok() {}
    // The next writer is to wait.
    set_flags(&writer, OFlag::empty());
    (reader, writer)
}

/// A pipe that has a name. It is the parent's: its child knows it by its environment.
fn fifo(folder: &Folder) -> String {
    let path = folder.file("fifo");
    if !is_inside() {
        mkfifo(path.as_str(), Mode::S_IRWXU).unwrap();
    }
    path
}

fn set_flags(pipe: &OwnedFd, flags: OFlag) {
    fcntl(pipe.as_raw_fd(), FcntlArg::F_SETFL(flags)).unwrap();
}

/// Runs it with a stderr that nobody reads, and says how it ended.
#[track_caller]
fn unread(mut command: Command) -> ExitStatus {
    let (reader, writer) = full_pipe();
    command.stderr(Stdio::from(writer)).stdout(Stdio::null());
    let ended = ended(command);
    drop(reader);
    ended
}

/// Waits for the end of a process whose own watchdog may be waiting for a reader, too.
#[track_caller]
fn ended(mut command: Command) -> ExitStatus {
    let _watch = Watch::new(Duration::from_secs(30));
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it waits for somebody who reads");
        }
        sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn assert_came_to_its_end(status: ExitStatus) {
    assert_eq!(status.code(), Some(CAME_TO_ITS_END), "{status}");
}

#[test]
fn a_stderr_that_nobody_reads_keeps_no_runtime_from_ending() {
    assert_came_to_its_end(unread(child_command(&[], || {
        let runtime = Runtime::builder().diagnose(true).slow_poll(Duration::from_millis(1)).build().unwrap();
        runtime.block_on(async {
            oneloop::see::serve("127.0.0.1:0").unwrap();
            for _ in 0..20 {
                raise(Signal::SIGUSR1).unwrap();
                // A slow poll, of which the watching thread tells while it goes on.
                oneloop::spawn(async { sleep(Duration::from_millis(20)) }).await.unwrap();
            }
        });
        drop(runtime);
    })));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    assert_came_to_its_end(unread(child_command(&[("ONELOOP_LOG", "1")], || {
        oneloop::run(turns(5000));
    })));
}

#[test]
fn a_program_whose_words_nobody_reads_can_be_ended_by_a_signal() {
    let status = unread(child_command(&[("ONELOOP_LOG", "1"), ("ONELOOP_RECORD", "/dev/full")], || {
        oneloop::run(async {
            turns(2000).await;
            oneloop::task::spawn_blocking(|| kill(Pid::this(), Signal::SIGTERM).unwrap()).await.unwrap();
            pending::<()>().await;
        });
    }));
    assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "{status}");
}

#[test]
fn a_recording_on_a_full_disk_ends_although_stderr_stalls() {
    for variable in ["ONELOOP_RECORD", "ONELOOP_TRACE"] {
        let program = || {
            oneloop::run(yield_now());
        };
        assert_came_to_its_end(unread(child_command(&[(variable, "/dev/full")], program)));
    }
}

#[test]
fn a_recording_into_a_pipe_waits_for_no_reader() {
    let folder = Folder::new();
    let fifo = fifo(&folder);
    for (variable, has_a_reader) in [("ONELOOP_RECORD", false), ("ONELOOP_TRACE", false), ("ONELOOP_RECORD", true)] {
        // It reads nothing, and it is there: a pipe is opened by the first who comes without waiting.
        let options = std::fs::File::options().read(true).write(true).open(&fifo);
        let reader = has_a_reader.then(|| options.unwrap());
        let mut command = child_command(&[(variable, &fifo)], || {
            oneloop::run(async {
                for _ in 0..2000 {
                    yield_now().await;
                }
            });
        });
        let _watch = Watch::new(Duration::from_secs(30));
        let output = command.output().unwrap();
        assert_came_to_its_end(output.status);
        let said = String::from_utf8_lossy(&output.stderr);
        let why = if has_a_reader { "its reader takes nothing" } else { "nobody reads what is written there" };
        assert!(said.contains(variable) && said.contains(why), "{said}");
        drop(reader);
    }
}

#[test]
fn a_recording_into_a_pipe_that_is_read_is_whole() {
    let folder = Folder::new();
    let fifo = fifo(&folder);
    let mut command = child_command(&[("ONELOOP_RECORD", &fifo)], || {
        oneloop::run(async {
            for _ in 0..2000 {
                yield_now().await;
            }
        });
    });
    let _watch = Watch::new(Duration::from_secs(30));
    let path = fifo.clone();
    // Opened for both, so that the child finds a reader in either order.
    let mut pipe = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let reader = std::thread::spawn(move || {
        let (mut read, mut bytes) = (Vec::new(), [0; 4096]);
        while !read.ends_with(b"the end\n") {
            let length = pipe.read(&mut bytes).unwrap();
            read.extend_from_slice(&bytes[..length]);
        }
        read.truncate(read.len() - "the end\n".len());
        read
    });
    assert_came_to_its_end(child.wait().unwrap());
    std::fs::File::options().write(true).open(&path).unwrap().write_all(b"the end\n").unwrap();
    let recording = oneloop::see::Recording::read(&*reader.join().unwrap()).unwrap();
    assert!(recording.len() > 6000, "{} events", recording.len());
}

#[test]
fn words_for_which_there_was_no_room_are_counted() {
    let (reader, writer) = full_pipe();
    let mut command = child_command(&[("ONELOOP_LOG", "1")], || {
        oneloop::run(async {
            turns(5000).await;
            println!("the queue is full");
            // The other side reads now, and until the end.
            std::io::stdin().read_line(&mut String::new()).unwrap();
            turns(1).await;
        });
    });
    let _watch = Watch::new(Duration::from_secs(30));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(writer)).spawn().unwrap();
    drop(command);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "the queue is full"));
    let mut said = String::new();
    let mut reader = std::fs::File::from(reader);
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    reader.read_to_string(&mut said).unwrap();
    assert_came_to_its_end(child.wait().unwrap());
    let note = said.lines().find(|line| line.contains("messages were left out here")).expect("they are counted");
    let count: u64 = note.split_whitespace().nth(1).unwrap().parse().unwrap();
    let written = said.lines().filter(|line| line.trim_start_matches('.').starts_with("turn ")).count() as u64;
    assert!((5000..5020).contains(&(count + written)), "{count} and {written}");
    assert!(said.len() < 300_000, "{} bytes were kept for nobody", said.len());
}

#[test]
fn what_is_said_in_time_stands_where_it_was_said() {
    let is_in_place = |said: &str| {
        let places: Vec<_> =
            said.lines().filter(|line| line.starts_with("turn ") || line.starts_with("the ")).collect();
        let own = places.iter().position(|line| *line == "the program").expect("it was said");
        let goes_on = places[own + 1..].iter().any(|line| line.starts_with("turn "));
        own > 0 && goes_on && places.last() == Some(&"the end")
    };
    let mut said = String::new();
    // A busy machine may keep the thread that writes from a core for longer than the loop waits for a line.
    let is_ever_in_place = (0..3).any(|_| {
        let output = crate::kit::support::child_with(&[("ONELOOP_LOG", "1")], || {
            let runtime = Runtime::builder().diagnose(true).build().unwrap();
            runtime.block_on(async {
                let _kept = Builder::new().name("forgotten").spawn(pending::<()>());
                turns(1).await;
                eprintln!("the program");
                turns(1).await;
            });
            eprintln!("the end");
        });
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        is_in_place(&said)
    });
    assert!(is_ever_in_place, "{said}");
}

#[test]
fn a_forked_child_may_speak_although_its_parent_s_reader_stalls() {
    let status = unread(child_command(&[("ONELOOP_LOG", "1"), UNSEEN_BY_LEAK_SANITIZER], || {
        oneloop::run(turns(2000));
        let ended = crate::process::system_faults::fork_and_wait(|| oneloop::run(yield_now()));
        assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)), "{ended:?}");
    }));
    assert_came_to_its_end(status);
}
