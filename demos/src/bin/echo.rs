//! An echo server to talk to with `nc`: what goes in comes back.
//!
//! ```text
//! cargo run --release --bin echo        in one terminal,
//! nc 127.0.0.1 7000                     in as many others as you like
//! ```
//!
//! What to watch: one line a connection, when it is over; all of them on one thread. Ctrl-C stops
//! it in order: nobody new is let in, whoever is connected may finish for a while, and the last
//! line is the account. `ONELOOP_LOG=1` before the command shows the loop turning for each byte.

use std::cell::Cell;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::net::{TcpListener, TcpStream};
use oneloop::signal::stop_requested;
use oneloop::task::JoinHandle;
use oneloop::time::{Instant, sleep, timeout};
use oneloop_demos::{address, fail, files_allowed, finish_log, log, seconds};

/// An echo server on one thread, for `nc`. Ctrl-C stops it gracefully, a second one at once.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// Where to listen; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:7000", value_parser = address)]
    addr: SocketAddr,
    /// Stop by itself after this time
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
    /// How long a stop waits for those who are still connected, in seconds
    #[arg(long, value_name = "F", default_value = "5", value_parser = seconds)]
    grace: Duration,
    /// Hang up on whoever neither sends nor reads for so many seconds
    #[arg(long, value_name = "F", default_value = "300", value_parser = seconds)]
    idle: Duration,
    /// How many may be connected at a time; one more, and whoever has been silent the longest is hung up on
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Hang up on everybody after so many seconds
    #[arg(long, value_name = "F", default_value = "86400", value_parser = seconds)]
    lifetime: Duration,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match oneloop::Runtime::new().map(|runtime| runtime.block_on(serve(args))) {
        Ok(Ok(())) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Ok(Err(problem)) => fail(problem),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}

/// The server's whole life: listen, serve until the stop, let the rest finish, account.
async fn serve(args: Args) -> Result<(), String> {
    let listener = TcpListener::bind(args.addr).await;
    let listener = listener.map_err(|error| cannot_listen(&error))?;
    let interrupted = stop_requested(); // listens from here on
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(&format!("listening on {addr}; try: nc {} {}", addr.ip(), addr.port()));

    let mut server = Server { most: room_for(args.connections), ..Server::default() };
    let stop = or(async { interrupted.await.map(drop) }, async {
        after(args.seconds).await;
        Ok(())
    });
    let stopped = or(server.accept(&listener, args), stop).await;
    stopped.map_err(|error| format!("cannot go on: {error}"))?;

    drop(listener); // from here on the kernel refuses whoever comes
    server.finish(args.grace).await;
    Ok(())
}

/// What the server knows about its connections.
#[derive(Default)]
struct Server {
    served: u64,
    bytes: Rc<Cell<usize>>,
    open: Vec<Client>,
    /// How many may be connected at a time.
    most: usize,
}

/// Somebody who is connected.
struct Client {
    task: JoinHandle<()>,
    /// When it last sent something.
    spoke: Rc<Cell<Instant>>,
}

impl Server {
    /// Accepts for ever; returns only if accepting has become impossible.
    async fn accept(&mut self, listener: &TcpListener, args: Args) -> io::Result<()> {
        loop {
            let (stream, peer) = listener.accept().await?;
            self.served += 1;
            if self.open.len() == self.open.capacity() || self.open.len() >= self.most {
                // Before the list grows, forget who has gone: it never gets much longer than the
                // number of connections there were at one time.
                self.forget_who_has_gone();
            }
            if self.open.len() >= self.most {
                self.hang_up_on_the_most_silent();
            }
            let (bytes, spoke) = (Rc::clone(&self.bytes), Rc::new(Cell::new(Instant::now())));
            let task = oneloop::spawn(connection(stream, peer, bytes, Rc::clone(&spoke), args));
            self.open.push(Client { task, spoke });
        }
    }

    fn forget_who_has_gone(&mut self) {
        self.open.retain(|client| !client.task.is_finished());
    }

    /// Nobody keeps a newcomer out by saying nothing. A server with no bound on its guests runs out of memory.
    fn hang_up_on_the_most_silent(&mut self) {
        let silent = (0..self.open.len()).min_by_key(|index| self.open[*index].spoke.get());
        if let Some(silent) = silent {
            self.open.swap_remove(silent).task.abort();
            log(&format!("{} are connected, so who was silent the longest has to go", self.most));
        }
    }

    /// Gives the rest some time to finish, and says how it all went.
    async fn finish(&mut self, grace: Duration) {
        self.forget_who_has_gone();
        if !self.open.is_empty() {
            log(&format!("stopping; {} connected, with {grace:?} to finish", self.open.len()));
        }
        let everybody = async {
            for client in &mut self.open {
                let _ = (&mut client.task).await;
            }
        };
        let _ = timeout(grace, everybody).await;
        self.forget_who_has_gone();
        let (served, bytes, cut) = (self.served, self.bytes.get(), self.open.len());
        log(&format!("stopped: {served} connections, {bytes} bytes echoed, {cut} cut off"));
    }
}

/// One client, from hello to goodbye, and its line in the log.
async fn connection(stream: TcpStream, peer: SocketAddr, total: Rc<Cell<usize>>, spoke: Rc<Cell<Instant>>, args: Args) {
    let start = Instant::now();
    let echoed = Cell::new(0);
    let count = |bytes: usize| {
        echoed.set(echoed.get() + bytes);
        total.set(total.get() + bytes);
        spoke.set(Instant::now());
    };
    let end = match timeout(args.lifetime, converse(&stream, args.idle, count)).await {
        Ok(Ok(())) => "closed by the client".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its time was up".to_owned(),
    };
    let (bytes, seconds) = (echoed.get(), start.elapsed().as_secs_f64());
    log(&format!("{peer}: {bytes} bytes echoed in {seconds:.1} s; {end}"));
}

/// Sends back what comes in until the client has no more to say.
async fn converse(stream: &TcpStream, idle: Duration, count: impl Fn(usize)) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = within(idle, stream.read(&mut buffer)).await?;
        if length == 0 {
            // The client sends no more but may well be reading still, as `nc -N` does. All it sent
            // has gone back already, so now this side can say the same. One that has gone for good
            // does not hear it, which is no error.
            let _ = stream.shutdown(Shutdown::Write);
            return Ok(());
        }
        within(idle, stream.write_all(&buffer[..length])).await?;
        count(length);
    }
}

/// An operation that may take so long, and the error it ends in if it takes longer.
async fn within<T>(limit: Duration, operation: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let too_late = |_| Err(io::Error::new(ErrorKind::TimedOut, "idle for too long"));
    timeout(limit, operation).await.unwrap_or_else(too_late)
}

/// How many of `wanted` connections there are files for. At the limit, nobody new could even be accepted.
fn room_for(wanted: u32) -> usize {
    /// The standard three, the event queue, the listener, a log, and some room.
    const SPARE: u64 = 16;
    let allowed = files_allowed().saturating_sub(SPARE).max(1);
    usize::try_from(allowed.min(wanted.into())).unwrap_or(usize::MAX)
}

/// Resolves after the time that was asked for, or never if none was.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}

/// What is wrong with the address, and the way out.
fn cannot_listen(error: &io::Error) -> String {
    let way_out = match error.kind() {
        ErrorKind::AddrInUse => "another program has this port: stop it, or choose another port with --addr",
        ErrorKind::AddrNotAvailable => "this machine does not have that address: try --addr 127.0.0.1:7000",
        ErrorKind::PermissionDenied => "ports below 1024 need privileges: try --addr 127.0.0.1:7000",
        _ => "try another address with --addr",
    };
    format!("{error}; {way_out}")
}
