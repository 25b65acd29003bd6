//! An echo at its terminal: the flags, the address, the stop, and the log. Each problem is told in one line.

use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::{ExitCode, exit};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::Runtime;
use oneloop::net::TcpListener;
use oneloop::signal::stop_requested;
use oneloop::time::sleep;

/// An echo server on one thread, for `nc`. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone, Copy)]
pub(crate) struct Args {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:7000", value_parser = address)]
    pub(crate) addr: SocketAddr,
    /// Stop by itself after this time
    #[arg(long, value_name = "F", value_parser = seconds)]
    pub(crate) seconds: Option<Duration>,
    /// How long a stop waits for those who are still connected, in seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = seconds)]
    pub(crate) grace: Duration,
    /// The seconds without a byte in either direction after which a client is disconnected
    #[arg(long, value_name = "F", default_value = "300", value_parser = seconds)]
    pub(crate) idle: Duration,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value = "10000", value_parser = places)]
    pub(crate) connections: usize,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "86400", value_parser = seconds)]
    pub(crate) lifetime: Duration,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.rsplit_once(':').map_or("", |(_, port)| port);
    if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_err() {
        return Err(format!("the port {port} is too large: ports go up to 65535"));
    }
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:7000".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=31_536_000.0).contains(seconds));
    let seconds = seconds.ok_or("expected seconds from 0 to 31536000, such as 10 or 0.5")?;
    Ok(Duration::from_secs_f64(seconds))
}

fn places(text: &str) -> Result<usize, String> {
    let places = text.parse().ok().filter(|places| (1..=100_000).contains(places));
    places.ok_or_else(|| "expected a whole number from 1 to 100000".to_owned())
}

/// Reads the flags. A wrong one is told in one line: clap's own complaint, without the usage and the tips below it.
fn flags() -> Args {
    let said = match Args::try_parse() {
        Ok(args) => return args,
        Err(said) => said,
    };
    let text = said.to_string();
    if said.use_stderr() {
        let complaint = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        end(2, &format!("{complaint}; --help says more"));
    }
    print(text.trim_end());
    exit(0)
}

/// Writes what the program was asked for. It ends where nobody takes that, in silence if the reader has gone.
fn print(text: &str) {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(error) => end(1, &format!("error: cannot write the output: {error}")),
    }
}

fn end(code: i32, complaint: &str) -> ! {
    let _ = writeln!(io::stderr(), "{complaint}");
    exit(code)
}

/// Runs the server that the flags ask for. A problem is one line.
pub(crate) fn run<F: Future<Output = Result<(), String>>>(serve: impl FnOnce(Args) -> F) -> ExitCode {
    let server = serve(flags());
    let runtime = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"));
    match runtime.and_then(|runtime| runtime.block_on(server)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => end(1, &format!("error: {problem}")),
    }
}

/// Listens, or says why it cannot, and the way out.
pub(crate) async fn listen(addr: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(addr).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => "another program has this port",
            ErrorKind::AddrNotAvailable => "this machine does not have that address",
            ErrorKind::PermissionDenied => "ports below 1024 need privileges",
            _ => "another one may do",
        };
        format!("{error}; {why}: try --addr 127.0.0.1:0")
    })
}

/// Resolves when a signal or the clock asks for the stop. Signals are heard from the call on.
pub(crate) fn stop_asked_for(time: Option<Duration>) -> impl Future<Output = io::Result<()>> {
    let interrupted = stop_requested();
    let after = async move {
        match time {
            Some(time) => sleep(time).await,
            None => pending().await,
        }
        Ok(())
    };
    or(async { interrupted.await.map(drop) }, after)
}

/// A log that is written by a thread of its own: a reader who stalls holds up nobody, and costs the lines that find
/// no room.
pub(crate) struct Log {
    lines: SyncSender<String>,
    all_written: Receiver<()>,
}

impl Log {
    pub(crate) fn open(first: String) -> Result<Self, String> {
        let ((lines, to_write), (over, all_written)) = (sync_channel::<String>(1000), channel());
        let write = move || {
            print(&first);
            for line in to_write {
                // Nobody can be told of a log where stdout is closed.
                let _ = writeln!(io::stdout(), "{line}");
            }
            drop(over);
        };
        let thread = thread::Builder::new().name("stdout".to_owned()).spawn(write);
        thread.map_err(|error| format!("cannot start the thread of the log: {error}"))?;
        Ok(Self { lines, all_written })
    }

    pub(crate) fn say(&self, line: String) {
        let _ = self.lines.try_send(line);
    }

    /// Waits for the reader of the last lines, but for a second at most.
    pub(crate) fn close(self) {
        drop(self.lines);
        let _ = self.all_written.recv_timeout(Duration::from_secs(1));
    }
}
