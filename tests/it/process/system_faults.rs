//! Processes of their own: what a runtime does when the system is short of something, interrupts,
//! forks or fails, none of which can be tried in a process that other tests live in.
//!
//! `strace`, if it is installed, makes the n-th call of a kind fail, for each n and one at a time,
//! under a small program of servers and clients.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_lite::future::poll_fn;
use futures_lite::{AsyncReadExt, AsyncWrite};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitStatus, waitpid};
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::{SignalKind, signal};
use oneloop::task::spawn_blocking;
use oneloop::time::{Instant as VirtualInstant, sleep, timeout};
use oneloop::{Handle, Runtime, spawn};

use crate::kit::sockets::{ANY_PORT, descriptors, half, on_a_thread, pair, reset, settle, soon, turns};
use crate::kit::support::{Folder, UNSEEN_BY_LEAK_SANITIZER, alone, alone_with, open_files};
use crate::kit::watch::{Watch, in_order, runtime};

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    alone(|| {
        for by_default_a_signal_kills in [false, true] {
            if by_default_a_signal_kills {
                sigpipe::reset();
            }
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
            let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
            assert_eq!(ignored >> 12 & 1 == 0, by_default_a_signal_kills, "of the 13th signal, SIGPIPE");
            runtime().block_on(async {
                for way in 0..5 {
                    let (mut here, there) = half();
                    reset(there);
                    while here.write(b"x").await.is_ok() {}
                    let error = match way {
                        0 => here.write(b"x").await.unwrap_err(),
                        1 => here.write_all(b"x").await.unwrap_err(),
                        2 => here.try_write(b"x").unwrap_err(),
                        3 => poll_fn(|cx| Pin::new(&mut here).poll_write(cx, b"x")).await.unwrap_err(),
                        _ => {
                            let slices = [IoSlice::new(b"x"), IoSlice::new(b"y")];
                            poll_fn(|cx| Pin::new(&mut here).poll_write_vectored(cx, &slices)).await.unwrap_err()
                        }
                    };
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "by way {way}");
                }
            });
        }
    });
}

/// Opens files until no descriptor is left.
fn hoard() -> Vec<File> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, soft.min(200), hard).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    hoard
}

/// The processor time that this process has used.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.try_into().unwrap())
}

#[test]
fn a_listener_without_descriptors_rests_and_recovers() {
    alone(|| {
        runtime().block_on(async {
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let addr = listener.local_addr().unwrap();
            let (old, mut to_old) = half();
            drop(spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.expect("a lack of descriptors is not the end");
                    stream.write_all(b"hi").await.unwrap();
                }
            }));
            turns(2).await;
            for round in 1..=2 {
                let mut files = hoard();
                files.pop();
                let mut client = std::net::TcpStream::connect(addr).unwrap();
                File::open("/dev/null").expect_err("the client took the last descriptor");
                let metrics = || Handle::current().metrics();
                let (before, cpu) = (metrics(), processor_time());
                sleep(Duration::from_secs(1)).await;
                let (after, cpu) = (metrics(), processor_time() - cpu);
                assert!(after.accept_retries > before.accept_retries, "round {round}");
                assert!(after.parks - before.parks < 40, "it spins: {} parks", after.parks - before.parks);
                assert!(cpu < Duration::from_millis(100), "it spins: {cpu:?} of processor time in a second");
                let mut quick = 0;
                for _ in 0..100 {
                    let before = Instant::now();
                    sleep(Duration::from_millis(10)).await;
                    to_old.write_all(b"x").unwrap();
                    assert_eq!(soon(old.read(&mut [0; 8])).await.unwrap(), 1);
                    old.write_all(b"y").await.unwrap();
                    to_old.read_exact(&mut [0]).unwrap();
                    quick += u32::from(before.elapsed() < Duration::from_millis(300));
                }
                // The listener's rests are of half a second by now, and others may hold up the machine now and then.
                assert!(quick >= 50, "{quick} of 100 were served in less than a rest");
                let (freed, retries) = (Instant::now(), metrics().accept_retries);
                drop(files);
                let greeted = on_a_thread(move || client.read_exact(&mut [0; 2]));
                greeted.await.unwrap();
                assert!(metrics().accept_retries <= retries + 1, "the first try succeeds");
                assert!(freed.elapsed() < Duration::from_secs(5), "it took {:?} to recover", freed.elapsed());
            }
        });
    });
}

#[test]
fn whatever_finds_no_descriptor_says_so_and_keeps_none() {
    alone(|| {
        drop(hoard());
        let before = descriptors();
        let mut built = 0;
        for free in 0..6 {
            let mut files = hoard();
            files.truncate(files.len() - free);
            match Runtime::new() {
                Ok(runtime) => {
                    built += 1;
                    drop(runtime);
                }
                Err(error) => assert_eq!(error.raw_os_error(), Some(nix::libc::EMFILE)),
            }
            drop(files);
            assert_eq!(descriptors(), before, "with {free} free");
        }
        assert!(0 < built && built < 6);
        let runtime = runtime();
        runtime.block_on(async {
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let files = hoard();
            for error in [
                TcpStream::connect(listener.local_addr().unwrap()).await.unwrap_err(),
                TcpListener::bind("127.0.0.1:0").await.unwrap_err(),
            ] {
                assert!(error.to_string().contains("127.0.0.1:"), "{error}");
                assert!(error.to_string().contains("os error 24"), "{error}");
            }
            drop(files);
            let (one, two) = pair().await;
            one.write_all(b"x").await.unwrap();
            assert_eq!(two.read(&mut [0; 8]).await.unwrap(), 1);
        });
        drop(runtime);
        assert_eq!(descriptors(), before);
    });
}

/// Some tests are about the calls that epoll makes. mio's poll(2) backend, on which this suite can run
/// too, makes others.
fn epoll_is_in_use() -> bool {
    let epoll = cfg!(target_os = "linux") && !cfg!(mio_unsupported_force_poll_poll);
    if !epoll {
        eprintln!("skipped: this is about epoll, which is not in use");
    }
    epoll
}

#[test]
fn a_storm_of_interruptions_hurts_neither_timers_nor_sockets() {
    if !epoll_is_in_use() {
        return;
    }
    alone(|| {
        let runtime = runtime();
        runtime.block_on(async {
            let (here, mut there) = half();
            settle(&here).await;
            // A process that is stopped and goes on finds its system calls interrupted.
            let storm =
                "n=0; while [ $n -lt 150 ]; do kill -STOP $0; sleep 0.001; kill -CONT $0 || exit; sleep 0.005; n=$((n+1)); done";
            let mut storm = Command::new("sh").args(["-c", storm, &std::process::id().to_string()]).spawn().unwrap();
            let (parks, mut naps) = (Handle::current().metrics().parks, 0);
            while storm.try_wait().unwrap().is_none() {
                naps += 1;
                let before = Instant::now();
                sleep(Duration::from_millis(50)).await;
                assert!(before.elapsed() >= Duration::from_millis(50), "a timer fired early");
                assert!(before.elapsed() < Duration::from_secs(2), "a timer fired {:?} late", before.elapsed());
                there.write_all(b"x").unwrap();
                assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap(), 1);
            }
            assert!(storm.wait().unwrap().success());
            let parks = Handle::current().metrics().parks - parks;
            assert!(parks > 2 * naps + 50, "only {parks} parks in {naps} naps: there was no storm");
        });
    });
}

/// Forks. Returns what `child` said, when it is over; the child does not return.
pub(crate) fn fork_and_wait(child: impl FnOnce()) -> WaitStatus {
    match fork::fork().expect("the system lets a process fork") {
        fork::Fork::Child => std::process::exit(i32::from(catch_unwind(AssertUnwindSafe(child)).is_err())),
        fork::Fork::Parent(pid) => waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap(),
    }
}

/// Talks over both connections, one of which a task echoes.
async fn talk(here: &TcpStream, there: &mut std::net::TcpStream, to_task: &mut std::net::TcpStream) {
    for _ in 0..10 {
        there.write_all(b"x").unwrap();
        assert_eq!(soon(here.read(&mut [0; 8])).await.unwrap(), 1);
        to_task.write_all(b"x").unwrap();
        turns(3).await;
        to_task.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn a_forked_child_may_drop_all_it_inherited_without_disturbing_its_parent() {
    alone_with(&[UNSEEN_BY_LEAK_SANITIZER], || {
        let runtime = runtime();
        let ((here, mut there), (task_end, mut to_task)) = runtime.block_on(async { (half(), half()) });
        // Each child takes what it drops; its parent, which does not, keeps it.
        let mut here = Some(here);
        runtime.block_on(async {
            drop(spawn(async move {
                while soon(task_end.read(&mut [0; 8])).await.unwrap() > 0 {
                    task_end.write_all(b"y").await.unwrap();
                }
            }));
            talk(here.as_ref().unwrap(), &mut there, &mut to_task).await;
            // In the midst of a poll.
            let inside = fork_and_wait(|| drop(here.take()));
            assert!(matches!(inside, WaitStatus::Exited(_, 0)), "{inside:?}");
            talk(here.as_ref().unwrap(), &mut there, &mut to_task).await;
        });
        // Between two runs. The child's own runtime is a new one.
        let mut runtime = Some(runtime);
        let outside = fork_and_wait(|| {
            let inherited = runtime.take().unwrap();
            catch_unwind(AssertUnwindSafe(|| inherited.block_on(async {}))).expect_err("the loop is the parent's");
            drop(here.take());
            drop(inherited);
            let own = Runtime::new().unwrap();
            let (sent, read) = own.block_on(async {
                let (one, two) = pair().await;
                (one.write(b"x").await, two.read(&mut [0; 8]).await)
            });
            assert_eq!((sent.unwrap(), read.unwrap()), (1, 1));
        });
        assert!(matches!(outside, WaitStatus::Exited(_, 0)), "{outside:?}");
        runtime.unwrap().block_on(talk(here.as_ref().unwrap(), &mut there, &mut to_task));
    });
}

/// The variable that tells the test below to be the program that the sweeps trace.
const TRACED: &str = "ONELOOP_TEST_TRACED";

/// How many reads the thread of that program makes first, of nothing that counts. strace numbers the calls of
/// each thread, and tells those of the program from those by which it is loaded by their number alone.
const READS_BEFORE: usize = 100;

/// The standard input of that program.
const STANDARD_INPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// The file by which strace knows a loop's bell.
const BELL: &str = "anon_inode:[eventfd]";

/// One client: three round trips, and the end.
async fn client(addr: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1000];
    for n in 0..3 {
        stream.write_all(&[n; 1000]).await?;
        (&mut &stream).read_exact(&mut buffer).await?;
        assert_eq!(buffer, [n; 1000]);
    }
    stream.shutdown(Shutdown::Write)?;
    match stream.read(&mut buffer).await? {
        0 => Ok(()),
        more => panic!("{more} bytes too many"),
    }
}

/// A server, three clients one after the other, and a wake from another thread. Says how many of the
/// clients were served; an error means that there was no server.
fn echo_program() -> io::Result<usize> {
    let runtime = Runtime::new()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(ANY_PORT).await?;
        let addr = listener.local_addr()?;
        let server = spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    println!("an accept failed");
                    continue;
                };
                drop(spawn(async move {
                    stream.set_nodelay(true).unwrap();
                    let mut buffer = [0; 700];
                    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                        if stream.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                }));
            }
        });
        let mut served = 0;
        for _ in 0..3 {
            served += usize::from(client(addr).await.is_ok());
        }
        the_rest_of_what_a_program_does().await;
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        while runtime.metrics().tasks > 0 {
            turns(1).await;
        }
        io::Result::Ok(served)
    })?;
    assert_eq!(runtime.metrics().sources, 0);
    println!("{} accepts were tried again", runtime.metrics().accept_retries);
    Ok(served)
}

/// A blocking job, with a wake from its thread; a signal; a child; the standard input. Each may be refused,
/// in words.
async fn the_rest_of_what_a_program_does() {
    match spawn_blocking(|| std::thread::sleep(Duration::from_millis(5))).await {
        Ok(()) => {}
        Err(error) if error.is_refused() => println!("a job was refused: {error}"),
        Err(error) => panic!("{error}"),
    }
    match signal(SignalKind::user_defined1()) {
        Ok(mut told) => {
            // It waits already, so the pipe is read.
            let heard = spawn(async move { told.recv().await });
            turns(1).await;
            nix::sys::signal::raise(nix::sys::signal::SIGUSR1).unwrap();
            heard.await.unwrap();
        }
        Err(error) => println!("no signal: {error}"),
    }
    match oneloop::process::Command::new("sh").arg("-c").arg("echo said").output().await {
        Ok(output) if output.status.success() => assert_eq!(output.stdout, b"said\n"),
        Ok(output) => println!("the child ended with {}", output.status),
        Err(error) => println!("no child: {error}"),
    }
    // The standard input may be a person if nobody traces.
    if std::env::var_os(TRACED).is_some() {
        let mut lines = oneloop::io::stdin().lines();
        loop {
            match lines.next_line().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => break println!("no standard input: {error}"),
            }
        }
    }
}

#[test]
fn the_program_of_the_sweeps_serves_everybody_where_nothing_fails() {
    if std::env::var_os(TRACED).is_some() {
        let _watch = Watch::new(Duration::from_secs(8));
        // So many reads the threads of the test program do not make while it is loaded.
        let mut zeros = File::open("/dev/zero").unwrap();
        (0..READS_BEFORE).for_each(|_| zeros.read_exact(&mut [0]).unwrap());
        drop(zeros);
        let before = open_files();
        let outcome = echo_program();
        // The thread that reads the standard input may hold the bell that it has just rung.
        let (over, soon) = (Instant::now(), Duration::from_secs(5));
        while open_files() != before && over.elapsed() < soon {
            std::thread::yield_now();
        }
        assert_eq!(open_files(), before, "a descriptor was left behind");
        match outcome {
            Ok(served) => println!("{served} were served"),
            Err(error) => println!("no server: {error}"),
        }
        // Not by returning: what the harness does from here on is not to be tried.
        std::process::exit(0);
    }
    alone(|| assert_eq!(echo_program().unwrap(), 3));
}

/// Whether `strace` is here and may trace.
fn can_trace() -> bool {
    let can = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let can = can.is_ok_and(|status| status.success());
    if !can {
        println!("skipped: this needs strace, and a system that lets it trace");
    }
    can
}

/// Runs the program under strace, which makes some of these calls fail: `when` says which, as in `3` or
/// `1+2`. With a file, only calls on that are meant. Returns what the program said, and how many calls were
/// made to fail.
fn traced(call: &str, file: Option<&str>, error: &str, when: &str) -> (String, usize) {
    let folder = Folder::new();
    let log = folder.file("strace");
    let output = Command::new("strace")
        .args(["-f", "-qq", "--seccomp-bpf", "-o"])
        .arg(&log)
        .args(file.iter().flat_map(|file| ["-P", file]))
        .args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when={when}")])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::system_faults::the_program_of_the_sweeps_serves_everybody_where_nothing_fails",
            "--nocapture",
        ])
        .envs([(TRACED, "1"), UNSEEN_BY_LEAK_SANITIZER])
        .stdin(File::open(STANDARD_INPUT).unwrap())
        .output()
        .unwrap();
    let failures = std::fs::read_to_string(&log).unwrap().matches("(INJECTED)").count();
    let (said, cried) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{call}, {error}, {when}: {}\n{said}\n{cried}", output.status);
    (said.into_owned(), failures)
}

/// Makes the n-th of these calls fail, for every n that there is. One failure may cost one client, or
/// the whole server where it hits its foundations, and no more. Returns what the programs said.
fn sweep(call: &str, error: &str) -> String {
    sweep_from(1, call, None, error)
}

/// The same, for calls of which the test program itself makes the first; with a file, for those on that.
fn sweep_from(first: usize, call: &str, file: Option<&str>, error: &str) -> String {
    let mut all = String::new();
    if !can_trace() {
        return all;
    }
    for n in first..first + 60 {
        let (said, failures) = traced(call, file, error, &n.to_string());
        if failures == 0 {
            assert!(n > first, "the program makes no {call} at all");
            return all;
        }
        let fine = ["3 were served", "2 were served", "no server: "].iter().any(|fine| said.contains(fine));
        assert!(fine, "{call} number {n} failed with {error}:\n{said}");
        all += &said;
    }
    panic!("the program makes more {call}s than were tried");
}

#[test]
fn no_failure_to_make_a_socket_hangs_leaks_or_spreads() {
    sweep("socket", "EMFILE");
    sweep("socket", "ENOBUFS");
    sweep("connect", "ENETUNREACH");
    // No port is left.
    sweep("connect", "EADDRNOTAVAIL");
    sweep("bind", "EACCES");
    sweep("listen", "EADDRINUSE");
}

#[test]
fn no_failure_of_the_event_queue_hangs_leaks_or_spreads() {
    if !epoll_is_in_use() {
        return;
    }
    sweep("epoll_create1", "EMFILE");
    sweep("eventfd2", "ENFILE");
    sweep("epoll_ctl", "ENOSPC");
}

#[test]
fn no_failure_to_deregister_hangs_leaks_or_spreads() {
    if !epoll_is_in_use() {
        return;
    }
    sweep("epoll_ctl", "EBADF");
    sweep("epoll_ctl", "ENOENT");
}

#[test]
fn no_failure_to_receive_hangs_leaks_or_spreads() {
    sweep("recvfrom", "ECONNRESET");
    sweep("recvfrom", "ENOMEM");
}

#[test]
fn no_failure_to_send_hangs_leaks_or_spreads() {
    sweep("sendto", "ENOBUFS");
    sweep("sendto", "EPIPE");
}

#[test]
fn no_failure_to_start_a_thread_hangs_leaks_or_spreads() {
    // The first is the watchdog's.
    let said = sweep_from(2, "clone3", None, "EAGAIN");
    assert!(said.is_empty() || said.contains("a job was refused: "), "{said}");
}

#[test]
fn no_failure_to_make_a_pipe_hangs_leaks_or_spreads() {
    let said = sweep("pipe2", "EMFILE");
    assert!(said.is_empty() || said.contains("no child: "), "{said}");
}

#[test]
fn no_failure_to_ring_the_bell_hangs_leaks_or_spreads() {
    if epoll_is_in_use() {
        sweep_from(1, "write", Some(BELL), "EAGAIN");
    }
}

#[test]
fn no_failure_to_read_a_pipe_hangs_leaks_or_spreads() {
    // mio's poll(2) reads its own bell, as often as that is rung.
    if !epoll_is_in_use() {
        return;
    }
    let said = sweep_from(READS_BEFORE + 1, "read", None, "EIO");
    assert!(said.is_empty() || said.contains("no child: ") && !said.contains("2 were served"), "{said}");
}

#[test]
fn no_failure_to_read_the_standard_input_hangs_leaks_or_spreads() {
    let said = sweep_from(1, "read", Some(STANDARD_INPUT), "EIO");
    assert!(said.is_empty() || said.contains("no standard input: ") && !said.contains("2 were served"), "{said}");
}

#[test]
fn no_failure_to_accept_hangs_leaks_or_spreads() {
    for error in ["EMFILE", "ENOMEM"] {
        let said = sweep("accept4", error);
        assert!(!said.contains("an accept failed") && !said.contains("2 were served"), "{said}");
    }
}

#[test]
fn a_listener_goes_on_whatever_becomes_of_every_second_connection() {
    if !can_trace() {
        return;
    }
    for error in ["ECONNABORTED", "EPROTO", "ENETDOWN", "EHOSTUNREACH", "EPERM", "EINTR"] {
        let (said, failures) = traced("accept4", None, error, "1+2");
        assert!(failures > 0 && said.contains("3 were served"), "{error}: {said}");
        let retries = if error == "EINTR" { 0 } else { failures };
        assert!(said.contains(&format!("{retries} accepts were tried again")), "{error}: {said}");
    }
}

#[test]
fn calls_that_are_interrupted_again_and_again_are_made_again() {
    if !epoll_is_in_use() {
        return;
    }
    if !can_trace() {
        return;
    }
    let pipes = format!("{}+2", READS_BEFORE + 1);
    for (call, file, when) in [
        ("recvfrom", None, "1+2"),
        ("sendto", None, "1+2"),
        ("accept4", None, "1+2"),
        ("epoll_wait", None, "1+2"),
        ("read", None, pipes.as_str()),
        ("read", Some(STANDARD_INPUT), "1+2"),
        ("write", Some(BELL), "1+2"),
    ] {
        let (said, failures) = traced(call, file, "EINTR", when);
        let all_well = said.contains("3 were served") && !said.contains("no ");
        assert!(failures > 0 && all_well, "{call}, {file:?}: {said}");
    }
}

#[test]
fn a_bell_that_is_full_is_rung_all_the_same() {
    if !epoll_is_in_use() {
        return;
    }
    if can_trace() {
        let (said, failures) = traced("write", Some(BELL), "EAGAIN", "1");
        // The first of each thread.
        assert!(failures >= 1 && said.contains("3 were served"), "{failures}: {said}");
    }
}

#[test]
fn the_virtual_clock_does_not_jump_while_a_listener_rests() {
    alone(|| {
        let runtime = in_order();
        runtime.block_on(async {
            let (start, hour) = (VirtualInstant::now(), Duration::from_secs(3600));
            let listener = TcpListener::bind(ANY_PORT).await.unwrap();
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (files, handle) = (hoard(), Handle::current());
            let frees = std::thread::spawn(move || {
                while handle.metrics().parks < 3 {
                    std::thread::yield_now();
                }
                drop(files);
            });
            let really = Instant::now();
            timeout(hour, listener.accept()).await.unwrap().unwrap();
            assert!(start.elapsed() <= really.elapsed(), "{:?} have passed", start.elapsed());
            frees.join().unwrap();
            drop(client);
            let waited = start.elapsed();
            sleep(hour).await;
            assert_eq!((start.elapsed() - waited).as_secs(), hour.as_secs(), "nobody rests any more");
        });
    });
}

/// Runs this in a process of one thread, in which no SIGCHLD is heard. Should it hang, SIGALRM ends it.
fn where_no_child_is_heard_of(body: impl FnOnce()) {
    let status = fork_and_wait(|| {
        nix::unistd::alarm::set(15);
        let mut no_news = SigSet::empty();
        no_news.add(Signal::SIGCHLD);
        no_news.thread_block().unwrap();
        body();
    });
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[test]
fn a_childs_end_is_heard_although_its_signal_is_blocked() {
    alone_with(&[UNSEEN_BY_LEAK_SANITIZER], || {
        where_no_child_is_heard_of(|| {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(async {
                let mut naps = oneloop::process::Command::new("sleep");
                let before = Instant::now();
                assert!(naps.arg("0.2").status().await.unwrap().success());
                assert!(before.elapsed() < Duration::from_secs(5), "it was heard {:?} later", before.elapsed());
                let many: Vec<_> = (0..5).map(|_| spawn(naps.status())).collect();
                for child in many {
                    assert!(child.await.unwrap().unwrap().success());
                }
                assert!(naps.output().await.unwrap().status.success());
                let mut killed = naps.arg("100").spawn().unwrap();
                killed.kill().await.unwrap();
            });
            assert_eq!((runtime.metrics().timers, runtime.metrics().tasks), (0, 0), "nobody looks any more");
        });
    });
}

#[test]
fn a_dropped_child_leaves_no_zombie_although_its_signal_is_blocked() {
    alone_with(&[UNSEEN_BY_LEAK_SANITIZER], || {
        where_no_child_is_heard_of(|| {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(async {
                let child = oneloop::process::Command::new("sleep").arg("0.2").spawn().unwrap();
                let process = child.id().unwrap();
                drop(child);
                // A zombie has a directory too.
                while std::path::Path::new(&format!("/proc/{process}")).exists() {
                    sleep(Duration::from_millis(10)).await;
                }
            });
        });
    });
}

#[test]
fn the_virtual_clock_hears_a_childs_end_without_its_signal() {
    alone_with(&[UNSEEN_BY_LEAK_SANITIZER], || {
        where_no_child_is_heard_of(|| {
            let runtime = Runtime::builder().virtual_clock().build().unwrap();
            runtime.block_on(async {
                let hour = Duration::from_secs(3600);
                let start = VirtualInstant::now();
                let status = oneloop::process::Command::new("sleep").arg("0.2").status();
                assert!(timeout(hour, status).await.unwrap().unwrap().success());
                assert!(start.elapsed() < Duration::from_secs(60), "{:?} passed", start.elapsed());
            });
        });
    });
}
