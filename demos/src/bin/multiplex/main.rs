//! Thousands of sockets and timers on one thread.
//!
//! ```text
//! cargo run --release
//! cargo run --release -- --connections 10000 --seconds 30
//! cargo run --release -- --connections 10000 --two-processes --unruly 20
//! ```
//!
//! One thread serves echo, is all of its clients, and runs 10,000 timers beside them; each byte
//! that comes back and each timer is checked. Watch `threads 1`; how many polls a turn
//! makes and how few turns there are; and that the timers are no later for all the talking. With
//! `--two-processes` the server has one of its own, and says what a connection costs it; `--unruly`
//! clients reset connections and close them by half, and still nothing is lost.
//!
//! It prints a board or a line a second, then a summary, and `ok` if every byte came back and no timer was early.
//! This answers all of them: in each, one thread has many sockets and many timers.
//!
//! To read: [`talk`] is the sockets and [`ticks`] the timers, both as one would write them
//! for any runtime. The rest is for looking at it: [`tally`] counts, [`record`] samples, [`board`]
//! and [`report`] show.

mod talk;
mod ticks;
mod tally;
mod record;
mod server;
mod board;
mod report;
mod process;
mod text;

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::Handle;
use oneloop::net::TcpListener;
use oneloop::signal::stop_requested;
use oneloop::task::{Builder, JoinHandle};
use oneloop::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use oneloop_demos::{address, fail, finish_log, flags, is_shown, print, seconds, whole};

use crate::board::Board;
use crate::record::{Plan, Record};
use crate::report::{Lines, Run};
use crate::tally::Tally;

/// How much longer than the board the clients go on, so that its last frame has them all.
const ENCORE: Duration = Duration::from_millis(50);
/// How long clients may take to finish their last sentence and hang up.
const GOODBYE: Duration = Duration::from_secs(10);

/// Thousands of sockets and timers on one thread, live: an echo server, its clients, and timers. Ctrl-C ends it early,
/// with its account.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// How many clients talk to the echo server, up to 10000
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(1..=10_000_u64))]
    connections: u64,
    /// How many timers run beside them, up to 100000
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = whole(0..=100_000_u32))]
    timers: u32,
    /// For how many seconds they talk, once all are connected: 10, or up to an hour where ONELOOP_SEE shows them
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
    /// Talk to an echo server that runs already, on this machine, such as the demo `echo`
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    to: Option<SocketAddr>,
    /// Serve in a process of its own, and say what a connection costs there
    #[arg(long, conflicts_with = "to")]
    two_processes: bool,
    /// How many of a hundred clients reset connections and close them by half, at random
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole(0..=100_u8))]
    unruly: u8,
    /// Be that process: say an address, and answer each line with an account
    #[arg(long, hide = true)]
    serve: bool,
    /// The seed of the random numbers: the same seed, the same messages and pauses
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX))]
    seed: u64,
    /// Print a line a second instead of the board, on a terminal too
    #[arg(long)]
    plain: bool,
    /// Print the account alone, as one line of JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Ten seconds are enough to read the board, but not to look at the page.
    fn length(&self) -> Duration {
        self.seconds.unwrap_or(Duration::from_secs(if is_shown() { 3600 } else { 10 }))
    }

    /// Whether the server is another process.
    fn is_apart(&self) -> bool {
        self.to.is_some() || self.two_processes
    }
}

/// Thousands of connections are a present only to oneself.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let addr = address(text)?;
    if addr.ip().is_loopback() {
        Ok(addr)
    } else {
        Err("expected an address of this machine, such as 127.0.0.1:7000".to_owned())
    }
}

fn main() -> ExitCode {
    let mut args: Args = flags();
    let is_alone = args.is_apart() || args.serve;
    let (sockets, reason) = if is_alone { (1, "one file") } else { (2, "two files") };
    match process::make_room(args.connections, sockets) {
        0 => return fail("the limit on open files leaves no room for a connection; raise it, as with: ulimit -n 4096"),
        room if room < args.connections => {
            eprintln!("note: {room} connections instead of {}, as each takes {reason} here and the", args.connections);
            eprintln!("      hard limit on open files (ulimit -Hn) allows no more; an administrator can raise it");
            args.connections = room;
        }
        _ => {}
    }
    let ran = oneloop::Runtime::new()
        .map(|runtime| if args.serve { runtime.block_on(server::run()) } else { runtime.block_on(run(args)) });
    finish_log();
    match ran {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(problem)) => fail(problem),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}

/// The whole run. Returns whether every echo was right and no timer early.
async fn run(args: Args) -> Result<bool, String> {
    let stop = stop_requested(); // from here on, Ctrl-C is a request
    let mut stop = pin!(async { drop(stop.await) });
    let tally = Rc::new(Tally::default());
    let (to, mut server) = serve(args, &tally).await?;
    let plan = Plan { connections: args.connections, timers: args.timers, length: args.length() };
    let mut view = View::new(Record::new(plan, Rc::clone(&tally)), args);

    let start = Instant::now();
    let connected = async { Some(talk::connect(to, args.connections, args.is_apart(), &tally).await) };
    let connected = view
        .beside(or(connected, async {
            stop.as_mut().await;
            None
        }))
        .await;
    let Some(streams) = connected else {
        print(format_args!("stopped while connecting: {} of {} were", tally.counts().connected, args.connections));
        return Ok(true);
    };
    // If the server of ours went first, its reason is the reason.
    let streams = streams.map_err(|error| tally.first_problem().unwrap_or_else(|| cannot_connect(&error)))?;
    let connecting = start.elapsed();

    ticks::start(args.timers, args.seed, &tally);
    let end = Instant::now() + args.length();
    let clients = talk::start_clients(streams, end + ENCORE, args.seed, args.unruly.into(), &tally);
    view.record.begin();
    let stopped = or(
        async {
            sleep_until(end).await;
            false
        },
        async {
            stop.as_mut().await;
            true
        },
    );
    let stopped = view.beside(stopped).await;
    view.show();
    let whole = view.record.whole();
    let told = ask(&mut server).await?;

    let start = Instant::now();
    if !stopped && timeout(GOODBYE, finish(clients, &tally)).await.is_err() {
        tally.lost(unanswered());
    }
    let leaving = (!stopped).then(|| start.elapsed());
    if let Some(last) = ask(&mut server).await? {
        tally.server_saw(last.resets, last.lost);
    }
    let (counts, usage, first_problem) = (tally.counts(), process::usage(), tally.first_problem());
    let run = Run { plan, whole, counts, usage, connecting, leaving, first_problem, server: told };
    if args.json {
        run.print_json();
    } else {
        run.print_summary();
    }
    Ok(counts.faultless())
}

/// The address that the clients connect to: of a server that runs already, of a process of ours, or of this one.
async fn serve(args: Args, tally: &Rc<Tally>) -> Result<(SocketAddr, Option<server::Process>), String> {
    if let Some(addr) = args.to {
        return Ok((addr, None));
    }
    if args.two_processes {
        let server = server::Process::start().await.map_err(|error| format!("cannot start a server: {error}"))?;
        return Ok((server.addr, Some(server)));
    }
    let addr = start_server(tally).await.map_err(|error| error.to_string())?;
    Ok((addr, None))
}

/// The server's words of itself, if it has a process of its own.
async fn ask(server: &mut Option<server::Process>) -> Result<Option<server::Account>, String> {
    match server {
        Some(server) => server.account().await.map(Some).map_err(|error| format!("the server is gone: {error}")),
        None => Ok(None),
    }
}

/// Why an echo is still awaited so long after the end.
fn unanswered() -> String {
    let late = format!("{} s after the end somebody was still waiting for an echo", GOODBYE.as_secs());
    match Handle::current().metrics().accept_retries {
        0 => late,
        refused => format!(
            "the system refused to accept {refused} times, as it does where a sandbox forbids accept4 or where files run \
             out; so {late}"
        ),
    }
}

async fn start_server(tally: &Rc<Tally>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let addr = listener.local_addr()?;
    // Detached: it serves until the runtime goes.
    drop(Builder::new().name("server").spawn(talk::serve(listener, Rc::clone(tally))));
    Ok(addr)
}

/// Waits for every client. The timers need no such care: the runtime drops them when it goes.
async fn finish(clients: Vec<JoinHandle<()>>, tally: &Tally) {
    for client in clients {
        if let Err(error) = client.await {
            tally.lost(error.to_string());
        }
    }
}

fn cannot_connect(error: &io::Error) -> String {
    let way_out = match error.kind() {
        io::ErrorKind::ConnectionRefused => "start a server there first: cargo run --release --bin echo",
        io::ErrorKind::TimedOut => "is that an echo server? try: cargo run --release --bin echo",
        io::ErrorKind::AddrNotAvailable => "no ports are left: try again in a minute, or with fewer --connections",
        _ => "try fewer --connections",
    };
    format!("{error}; {way_out}")
}

/// The view while the loop works: the board on a terminal, lines elsewhere.
struct View {
    record: Record,
    board: Option<Board>,
    lines: Option<Lines>,
}

impl View {
    fn new(record: Record, args: Args) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let board = (io::stdout().is_terminal() && !args.plain && !args.json && !dumb).then(Board::new);
        Self { record, board, lines: (!args.json).then(Lines::default) }
    }

    fn show(&mut self) {
        self.record.sample();
        match (&mut self.board, &mut self.lines) {
            (Some(board), _) => board.draw(&self.record),
            (None, Some(lines)) => lines.print(&self.record),
            (None, None) => {}
        }
    }

    /// Awaits `work`, and shows how things stand until it is over.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let show = async {
            // The board is there at once; a line needs a second to speak of.
            let (first, period) = if self.board.is_some() { (0, 250) } else { (1_000, 1_000) };
            let first = Instant::now() + Duration::from_millis(first);
            let mut ticks = interval_at(first, Duration::from_millis(period));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                self.show();
            }
        };
        or(work, show).await
    }
}
