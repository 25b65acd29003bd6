//! The fixtures of the demos' tests: a process that is started by its path, bounded in time by a watchdog, and
//! ended by its own id, also where its test fails.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod manners;
pub(crate) mod promises;
pub(crate) mod shown;

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use rustix::pipe::pipe;
use rustix::process::{Pid, Signal, kill_process};

/// No demo is asked for more than a few seconds here; the rest is for slow machines.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A process that ends with its test at the latest, also when the test fails.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }
}

impl Deref for Process {
    type Target = Child;
    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has been waited for is not asked again: its number may be another's by now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that cannot outlive its test, nor hang it.
pub(crate) struct Demo {
    pub(crate) child: Process,
    pub(crate) stdout: BufReader<ChildStdout>,
    /// Dropped when the process is over: the watchdog then lets go.
    pub(crate) over: Sender<()>,
}

/// Kills a process that takes too long. The sender that this returns is to be dropped when it is over.
fn watch(child: &Child, name: String) -> Sender<()> {
    let (over, still_running) = channel::<()>();
    let pid = Pid::from_child(child);
    thread::spawn(move || {
        if still_running.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("watchdog: {name} still runs after {LIMIT:?}, so it is killed");
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    over
}

/// How a process ended, and all it said that had not been read before.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Demo {
    pub(crate) fn start(program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Process::start(&mut command);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let over = watch(&child, format!("{program} {args:?}"));
        Self { child, stdout, over }
    }

    /// One line of its output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut complaints = self.child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            complaints.read_to_string(&mut text).unwrap();
            text
        });
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        let stderr = stderr.join().unwrap();
        let status = self.child.wait().unwrap();
        drop(self.over);
        Ended { status, stdout, stderr }
    }
}

pub(crate) fn run(program: &str, args: &[&str]) -> Ended {
    Demo::start(program, args).end()
}

impl Ended {
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        let Self { status, stdout, stderr } = self;
        assert_eq!(status.code(), Some(code), "{status}\nstdout:\n{stdout}\nstderr:\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }

    /// Asserts that it ended with `code` and one line of error, which names all of `words`.
    #[track_caller]
    pub(crate) fn assert_complains(&self, code: i32, words: &[&str]) {
        self.assert_code(code);
        let errors: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{}", self.stderr);
        for word in words {
            assert!(errors[0].contains(word), "{word:?} is not in: {}", errors[0]);
        }
    }
}

/// A process whose stdout and stderr are one pipe, which takes nothing any more once it has been stuffed.
pub(crate) struct Unread {
    pub(crate) child: Process,
    pub(crate) reader: BufReader<std::fs::File>,
    writer: OwnedFd,
    over: Sender<()>,
}

impl Unread {
    /// The pipe is full from the start.
    pub(crate) fn stuffed(command: Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        stuff(&writer);
        Self::on(reader, writer, command)
    }

    pub(crate) fn start(command: Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        Self::on(reader, writer, command)
    }

    fn on(reader: OwnedFd, writer: OwnedFd, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer.try_clone().unwrap());
        let child = Process::start(&mut command);
        let over = watch(&child, format!("{command:?}"));
        Self { child, reader: BufReader::new(reader.into()), writer, over }
    }

    /// The first line of a server: from the next on, nobody reads.
    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        stuff(&self.writer);
        line
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and reads nothing of what it says.
    pub(crate) fn end(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        drop(self.over);
        status
    }

    /// The rest of what it has said, read while it ends.
    pub(crate) fn rest(mut self) -> (ExitStatus, String) {
        drop(self.writer);
        let mut text = Vec::new();
        self.reader.read_to_end(&mut text).unwrap();
        let status = self.child.wait().unwrap();
        drop(self.over);
        (status, String::from_utf8_lossy(&text).trim_start_matches(STUFFING).to_owned())
    }
}

const STUFFING: char = '.';

/// Fills a pipe until it takes nothing more.
pub(crate) fn stuff(pipe: &OwnedFd) {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A pipe that has room has it for a page.
    while poll(&mut [PollFd::new(&pipe.as_fd(), PollFlags::OUT)], Some(&now)).unwrap() > 0 {
        rustix::io::write(pipe, &[STUFFING as u8; 4096]).unwrap();
    }
}

/// Waits for something that a process is about to do.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let latest = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < latest, "after {LIMIT:?} it is not so: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A connection to a demo that listens there.
pub(crate) fn connect(addr: &str) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// An address on loopback at which nobody listens, and the socket that keeps it so: it never listens itself, and the
/// kernel gives its port to nobody else. Two tests at once cannot have the same.
pub(crate) fn reserved() -> (String, OwnedFd) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    // On no account a child's: the port would be kept for as long as the child lives.
    fcntl_setfd(&socket, FdFlags::CLOEXEC).unwrap();
    set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
    (addr.to_string(), socket)
}

/// An address for a server that has to be told one, and the socket that keeps it for the server, also while the server
/// starts again. On Linux, a server listens beside such a socket; elsewhere it cannot, and the port is let go here.
pub(crate) fn reserved_for_a_server() -> (String, Option<OwnedFd>) {
    let (addr, kept) = reserved();
    (addr, cfg!(target_os = "linux").then_some(kept))
}

/// Waits until the other side has read all that was written to it, which is when a server begins. The kernel's table
/// of sockets says so; on a system without one, a moment has to do.
#[track_caller]
pub(crate) fn until_read(stream: &TcpStream) {
    let (here, there) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    if queues(here, there).is_none() {
        return thread::sleep(Duration::from_millis(500));
    }
    until("the other side has it", || queues(here, there).is_some_and(|(unsent, _)| unsent == 0));
    until("the other side has read it", || queues(there, here).is_some_and(|(_, unread)| unread == 0));
}

/// How many bytes a socket has that its peer does not have yet, and how many that nobody has read.
fn queues(socket: SocketAddr, peer: SocketAddr) -> Option<(u64, u64)> {
    let name = |addr: SocketAddr| match addr {
        SocketAddr::V4(addr) => format!("{:08X}:{:04X}", u32::from_ne_bytes(addr.ip().octets()), addr.port()),
        SocketAddr::V6(_) => panic!("the demos are asked on IPv4"),
    };
    let ends = format!(" {} {} ", name(socket), name(peer));
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let (_, rest) = table.lines().find_map(|line| line.split_once(&ends))?;
    let (unsent, unread) = rest.split(' ').nth(1)?.split_once(':')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(unsent)?, number(unread)?))
}

/// Waits until a process has a handler for a signal, which would end it before that.
#[track_caller]
pub(crate) fn until_handled(child: &Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let text = std::fs::read_to_string(&status).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    if caught().is_some() {
        let bit = 1 << (signal.as_raw() - 1);
        until("it has a handler for the signal", || caught().is_none_or(|caught| caught & bit != 0));
    }
}

/// Does something with each of these, all at once, where most of it is waiting. The first failure fails the test.
pub(crate) fn together<T: Send>(all: impl IntoIterator<Item = T>, each: impl Fn(T) + Sync) {
    let each = &each;
    thread::scope(|scope| {
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || each(one))).collect();
        for thread in threads {
            if let Err(failure) = thread.join() {
                resume_unwind(failure);
            }
        }
    });
}

/// How long the threads of a process have waited for a core that others had, where Linux tells: the machine's part in
/// how late they are.
pub(crate) fn waited_for_a_core(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let accounts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    let waited = |account: String| account.split(' ').nth(1)?.parse::<u64>().ok();
    Duration::from_nanos(accounts.filter_map(waited).sum())
}

/// Whether a test with a browser is asked for, as by `bash .ci/run browser`, and there is one. If not, says what is
/// skipped.
pub(crate) fn has_a_browser(skipped: &str) -> bool {
    let is_asked_for = std::env::var("ONELOOP_BROWSER").is_ok_and(|wish| wish == "required");
    if !is_asked_for {
        eprintln!("skipped, as it takes a browser; `bash .ci/run browser` asks for it: {skipped}");
    }
    is_asked_for && has("chromium", skipped)
}

/// Whether python3 has the library that some clients are made of. If not, says what is skipped.
pub(crate) fn has_websockets(skipped: &str) -> bool {
    let can = Command::new("python3").args(["-c", "import websockets"]).stderr(Stdio::null()).status();
    let there = can.is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped, as python3 has no websockets here: {skipped}");
    }
    there
}

/// Whether a program is installed that a test wants as its client. If not, says what is skipped.
pub(crate) fn has(program: &str, skipped: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("skipped, as there is no {program} here: {skipped}");
    }
    there
}
