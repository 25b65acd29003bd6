//! Programs in unusual places: without `/proc`, under a debugger, with a listener for a standard input, and with more
//! bytes to say than a system call takes.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use oneloop::net::{TcpListener, TcpStream};
use oneloop::see::{Recording, dump};
use oneloop::task::spawn_blocking;
use oneloop::time::sleep;
use oneloop::{Runtime, spawn};

use crate::kit::sockets::{ANY_PORT, half, on_a_loop, on_a_thread, soon};
use crate::kit::support::{CAME_TO_ITS_END, Folder, UNSEEN_BY_LEAK_SANITIZER, child_command, this_program};
use crate::kit::watch::Watch;

/// Whether this system lets a test have a `/proc` of its own, with nothing in it.
fn can_hide_proc() -> bool {
    let hides = without_proc("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !hides {
        println!("skipped: this needs unshare, and a system that lets it hide /proc");
    }
    hides
}

fn without_proc(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command.args(["mount -t tmpfs none /proc && exec \"$0\" \"$@\"", program]);
    command
}

#[test]
fn a_program_without_proc_runs_is_diagnosed_and_recorded() {
    let folder = Folder::new();
    let recording = folder.file("recording");
    let inside = child_command(&[], || {
        assert!(std::fs::read_dir("/proc").unwrap().next().is_none());
        let runtime = Runtime::builder().diagnose(true).build().unwrap();
        runtime.block_on(async {
            let (here, mut there) = half();
            let lost = spawn(std::future::pending::<()>());
            there.write_all(b"news").unwrap();
            assert_eq!(here.read(&mut [0; 8]).await.unwrap(), 4);
            let server = oneloop::see::serve("127.0.0.1:0").unwrap();
            sleep(Duration::from_millis(20)).await;
            let answer = on_a_thread(move || {
                let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
                stream.write_all(b"ps\nkernel\nquit\n").unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                answer
            });
            assert!(answer.await.contains("task"), "{}", dump());
            lost.abort();
        });
    });
    if !can_hide_proc() {
        return;
    }
    let _watch = Watch::new(Duration::from_secs(40));
    let mut command = without_proc(this_program().get_program().to_str().unwrap());
    command.args(inside.get_args());
    for (name, value) in inside.get_envs() {
        command.env(name, value.unwrap());
    }
    let (leaks, off) = UNSEEN_BY_LEAK_SANITIZER;
    let output = command.env("ONELOOP_RECORD", &*recording).env(leaks, off).output().unwrap();
    assert_eq!(output.status.code(), Some(CAME_TO_ITS_END), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(Recording::read(&*std::fs::read(&*recording).unwrap()).unwrap().len() > 10);
}

/// Attaches a debugger to a process for a moment, and leaves it. Says whether the system lets it.
fn debug_for_a_moment(process: u32) -> bool {
    let mut debugger = Command::new("gdb");
    debugger.args(["--batch", "--nx", "-iex", "set auto-load off", "-iex", "set debuginfod enabled off"]);
    debugger.args(["-ex", "info threads", "-ex", "shell sleep 0.1", "-ex", "detach", "-p", &process.to_string()]);
    let said =
        debugger.stdin(Stdio::null()).output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let has_stopped_it = said.is_ok_and(|said| said.contains("detached]"));
    if !has_stopped_it {
        println!("skipped: this needs gdb, and a system that lets it attach to this program's children");
    }
    has_stopped_it
}

#[test]
fn a_program_that_is_debugged_for_a_moment_loses_no_byte_and_no_timer() {
    const ADDRESS: &str = "ONELOOP_TEST_TALKS_TO";
    let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = child_command(&[(ADDRESS, &address)], || {
        on_a_loop(async {
            let address = std::env::var(ADDRESS).unwrap().parse::<std::net::SocketAddr>().unwrap();
            let stream = TcpStream::connect(address).await.unwrap();
            let naps = spawn(async {
                for _ in 0..40 {
                    sleep(Duration::from_millis(10)).await;
                }
            });
            let mut byte = [0];
            while stream.read(&mut byte).await.unwrap() > 0 {
                // Some of these are due while the debugger has the program.
                sleep(Duration::from_millis(50)).await;
                assert_eq!(spawn_blocking(move || byte).await.unwrap(), byte);
                stream.write_all(&byte).await.unwrap();
            }
            naps.await.unwrap();
        });
    });
    let _watch = Watch::new(Duration::from_secs(60));
    let mut child = command.spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    for byte in 0..3 {
        stream.write_all(&[byte]).unwrap();
        let is_debugged = debug_for_a_moment(child.id());
        let mut answer = [u8::MAX];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [byte]);
        if !is_debugged {
            break;
        }
    }
    drop(stream);
    assert_eq!(child.wait().unwrap().code(), Some(CAME_TO_ITS_END));
}

/// As inetd(8) starts its servers: the listener is the standard input. The connection that was made before is served.
#[test]
fn a_listener_that_a_program_inherits_serves_there() {
    let listener = std::net::TcpListener::bind(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = std::net::TcpStream::connect(address).unwrap();
    client.write_all(b"and back").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut command = child_command(&[], || {
        on_a_loop(async {
            let inherited = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
            let listener = TcpListener::from_std(inherited.into()).unwrap();
            let (stream, _) = soon(listener.accept()).await.unwrap();
            let mut buffer = [0; 64];
            let length = soon(stream.read(&mut buffer)).await.unwrap();
            stream.write_all(&buffer[..length]).await.unwrap();
        });
    });
    let _watch = Watch::new(Duration::from_secs(40));
    let mut child = command.stdin(OwnedFd::from(listener)).spawn().unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!((answer.as_str(), child.wait().unwrap().code()), ("and back", Some(CAME_TO_ITS_END)));
}

/// Linux takes at most 2,147,479,552 bytes in a write. The bytes are zeros of which the system keeps one page.
#[test]
fn a_write_of_more_bytes_than_a_system_call_takes_arrives_whole() {
    const BYTES: usize = 2_200_000_000;
    on_a_loop(async {
        let (here, mut there) = half();
        let read = on_a_thread(move || {
            let (mut buffer, mut all) = (vec![0; 1 << 20], 0);
            loop {
                match there.read(&mut buffer).unwrap() {
                    0 => return all,
                    length => all += length,
                }
            }
        });
        let here: TcpStream = here;
        here.write_all(&vec![0; BYTES]).await.unwrap();
        here.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read.await, BYTES);
    });
}
