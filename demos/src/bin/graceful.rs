//! A server that stops in order: nobody new comes in, whatever was begun is finished, and nobody can
//! hold it up for ever.
//!
//! ```text
//! cargo run --release --bin graceful                        press Ctrl-C once, or twice
//! cargo run --release --bin graceful -- --work 3 --grace 1  work that does not end in time is cut off
//! ```
//!
//! Watch: three clients ask, and each answer takes a while. After Ctrl-C no request begins any
//! more, but those that were begun are answered; then the last line is the account, and the exit code is
//! 0. A second Ctrl-C ends the process on the spot, with exit code 130. `kill` does what the first does.
//!
//! It prints each request, and at last `stopped in 0.4 s: 3 answered before, 3 after, 0 cut off`.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::task::{Builder, JoinHandle};
use oneloop::time::{Instant, sleep, timeout};
use oneloop_demos::server::cannot_listen;
use oneloop_demos::{Guest, Guests, address, end_of, flags, log, print, seconds, whole};
use rustix::process::{Signal, getpid, kill_process};

/// A server that stops in order, and three clients that keep it busy. Ctrl-C stops it.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// The address to listen on; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address)]
    addr: SocketAddr,
    /// How long an answer takes, in seconds
    #[arg(long, value_name = "F", default_value = "0.8", value_parser = seconds)]
    work: Duration,
    /// How long a stop waits for the answers that were begun, in seconds
    #[arg(long, value_name = "F", default_value = "2", value_parser = seconds)]
    grace: Duration,
    /// The most connections at a time; one more takes the place of the one that has been silent the longest
    #[arg(long, value_name = "N", default_value = "1000", value_parser = whole(4..=65_535_u16))]
    connections: u16,
    /// The seconds without a request or an answer after which a client is disconnected
    #[arg(long, value_name = "F", default_value = "60", value_parser = seconds)]
    idle: Duration,
    /// The seconds that a connection may last
    #[arg(long, value_name = "F", default_value = "3600", value_parser = seconds)]
    lifetime: Duration,
    /// Stop by itself after this time, in seconds, as if by `kill`
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
}

fn main() -> ExitCode {
    end_of(run(flags()))
}

/// The four steps of a stop are the last four paragraphs.
async fn run(args: Args) -> io::Result<()> {
    // First of all: from here on, a signal is a request and not the end.
    let stop = stop_requested();
    let cannot = |error: io::Error| io::Error::new(error.kind(), cannot_listen(&error, "--addr"));
    let listener = TcpListener::bind(args.addr).await.map_err(cannot)?;
    let addr = listener.local_addr()?;
    print(format_args!("listening on {addr}; Ctrl-C stops it"));
    for client in 1..=3 {
        drop(Builder::new().name(format!("client {client}")).spawn(ask_again_and_again(client, addr)));
    }
    if let Some(time) = args.seconds {
        drop(Builder::new().name("clock").spawn(ask_to_stop_after(time)));
    }

    let guests = Guests::at_most(args.connections.into());
    let mut server = Server { args, guests, counts: Rc::default(), connections: Vec::new() };
    let by = or(async { Err(server.accept(&listener).await) }, stop).await?;

    // 1. Nobody new: the kernel refuses newcomers now.
    drop(listener);

    // 2. Nothing new from those who are here: each connection awaits the stop too, between two requests.
    let (answered, began) = (server.counts.answered.get(), Instant::now());
    log(&format!("{by}: stopping, {} in flight; once more to stop at once", server.counts.in_flight.get()));

    // 3. Requests that were begun may finish, up to the deadline. The rest is cut off then.
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

/// A request in flight, until this is dropped: it was answered, or given up.
struct InFlight<'a>(&'a Cell<u32>);

impl<'a> InFlight<'a> {
    fn new(count: &'a Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

struct Server {
    args: Args,
    guests: Rc<Guests>,
    counts: Rc<Counts>,
    connections: Vec<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Accepts for ever; returns only if accepting has become impossible.
    async fn accept(&mut self, listener: &TcpListener) -> io::Error {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    self.connections.retain(|connection| !connection.is_finished());
                    let named = Builder::new().name(format!("answers {peer}"));
                    self.connections.push(named.spawn(self.receive(stream)));
                }
                Err(error) => return error,
            }
        }
    }

    /// A connection, which ends at its deadline at the latest.
    fn receive(&self, stream: TcpStream) -> impl Future<Output = io::Result<()>> + 'static {
        let (args, counts, guest) = (self.args, Rc::clone(&self.counts), self.guests.enter());
        let served = async move { serve(stream, args, &counts, &guest).await };
        async move { timeout(args.lifetime, served).await.unwrap_or(Ok(())) }
    }
}

/// Answers one client, until it goes or the server is to stop.
async fn serve(stream: TcpStream, args: Args, counts: &Counts, guest: &Guest) -> io::Result<()> {
    let mut request = [0; 64];
    loop {
        let asks = async { timeout(args.idle, stream.read(&mut request)).await.unwrap_or(Ok(0)) };
        let stops = async { stop_requested().await.map(|_| 0) };
        let gives_way = async {
            guest.has_to_go().await;
            Ok(0)
        };
        // The stop is looked at first: a client whose requests lie ready would be answered for ever.
        if or(stops, or(gives_way, asks)).await? == 0 {
            return Ok(());
        }
        guest.has_spoken();
        // In flight: from here to the answer, nothing but a deadline comes between.
        let _in_flight = InFlight::new(&counts.in_flight);
        sleep(args.work).await;
        timeout(args.idle, stream.write_all(b"done")).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
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
