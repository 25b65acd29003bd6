//! A server that stops in order: nobody new comes in, whatever was begun is finished, and nobody can
//! hold it up for ever.
//!
//! ```text
//! cargo run --release --bin graceful                        press Ctrl-C once, or twice
//! cargo run --release --bin graceful -- --work 3 --grace 1  work that does not end in time is cut off
//! ```
//!
//! What to watch: three clients ask, and each answer takes a while. After Ctrl-C no request begins any
//! more, but those that were begun are answered; then the last line is the account, and the exit code is
//! 0. A second Ctrl-C ends the process on the spot, with exit code 130. `kill` does what the first does.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::spawn;
use oneloop::task::JoinHandle;
use oneloop::time::{Instant, sleep, timeout};
use oneloop_demos::{address, fail, finish_log, flags, log, seconds};
use rustix::process::{Signal, getpid, kill_process};

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(60);

/// A server that stops in order, and three clients that keep it busy. Ctrl-C stops it.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    addr: SocketAddr,
    /// How long an answer takes, in seconds
    #[arg(long, value_name = "F", default_value = "0.8", value_parser = seconds)]
    work: Duration,
    /// How long a stop waits for the answers that were begun, in seconds
    #[arg(long, value_name = "F", default_value = "2", value_parser = seconds)]
    grace: Duration,
    /// Stop by itself after this time, in seconds, as if by `kill`
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
}

fn main() -> ExitCode {
    let args: Args = flags();
    match oneloop::Runtime::new().map(|runtime| runtime.block_on(run(args))) {
        Ok(Ok(())) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => fail(error),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}

/// The four steps of a stop are the last four paragraphs.
async fn run(args: Args) -> io::Result<()> {
    // First of all: from here on, a signal is a request and not the end.
    let stop = stop_requested();
    let listener = TcpListener::bind(args.addr).await?;
    let addr = listener.local_addr()?;
    log(&format!("listening on {addr}; Ctrl-C stops it"));
    for client in 1..=3 {
        drop(spawn(ask_again_and_again(client, addr)));
    }
    if let Some(time) = args.seconds {
        drop(spawn(ask_to_stop_after(time)));
    }

    let mut server = Server { work: args.work, counts: Rc::default(), connections: Vec::new() };
    let by = or(async { Err(server.accept(&listener).await) }, stop).await?;

    // 1. Nobody new: the kernel refuses whoever comes now.
    drop(listener);

    // 2. Nothing new from those who are here: each connection awaits the stop too, between two requests.
    let (answered, began) = (server.counts.answered.get(), Instant::now());
    log(&format!("{by}: stopping, {} in flight; once more to stop at once", server.counts.in_flight.get()));

    // 3. What was begun may finish, up to the deadline. What is left then is cut off.
    let all_gone = async {
        for connection in &mut server.connections {
            let _ = connection.await;
        }
    };
    let _ = timeout(args.grace, all_gone).await;

    // 4. The account.
    let (finished, cut) = (server.counts.answered.get() - answered, server.counts.in_flight.get());
    let took = began.elapsed().as_secs_f64();
    log(&format!("stopped in {took:.1} s: {answered} answered before, {finished} after, {cut} cut off"));
    Ok(())
}

#[derive(Default)]
struct Counts {
    in_flight: Cell<u32>,
    answered: Cell<u32>,
}

struct Server {
    work: Duration,
    counts: Rc<Counts>,
    connections: Vec<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Accepts for ever; returns only if accepting has become impossible.
    async fn accept(&mut self, listener: &TcpListener) -> io::Error {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    self.connections.retain(|connection| !connection.is_finished());
                    self.connections.push(spawn(serve(stream, self.work, Rc::clone(&self.counts))));
                }
                Err(error) => return error,
            }
        }
    }
}

/// Answers one client, until it goes or the server is to stop.
async fn serve(stream: TcpStream, work: Duration, counts: Rc<Counts>) -> io::Result<()> {
    let mut request = [0; 64];
    loop {
        let asks = async { timeout(IDLE, stream.read(&mut request)).await.unwrap_or(Ok(0)) };
        let stops = async { stop_requested().await.map(|_| 0) };
        if or(asks, stops).await? == 0 {
            return Ok(());
        }
        // In flight: from here to the answer, nothing but the deadline comes between.
        counts.in_flight.set(counts.in_flight.get() + 1);
        sleep(work).await;
        let answered = stream.write_all(b"done").await;
        counts.in_flight.set(counts.in_flight.get() - 1);
        answered?;
        counts.answered.set(counts.answered.get() + 1);
    }
}

/// A client, until the server closes the connection.
async fn ask_again_and_again(client: u32, addr: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(addr).await?;
    let mut answer = [0; 64];
    for number in 1.. {
        sleep(Duration::from_millis(fastrand::u64(50..500))).await;
        log(&format!("client {client} asks, {number}"));
        stream.write_all(b"do it").await?;
        if stream.read(&mut answer).await? == 0 {
            break;
        }
        log(&format!("client {client} is answered, {number}"));
    }
    Ok(())
}

async fn ask_to_stop_after(time: Duration) {
    sleep(time).await;
    if let Err(error) = kill_process(getpid(), Signal::TERM) {
        log(&format!("cannot send a signal to this process: {error}"));
    }
}
