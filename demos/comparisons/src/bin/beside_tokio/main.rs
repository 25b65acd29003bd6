//! Hello over HTTP, by oneloop and by tokio's current thread: one handler, one client, and the ratio.
//!
//! ```text
//! cargo run --release --manifest-path demos/comparisons/Cargo.toml --bin beside_tokio
//! cargo run --release --manifest-path demos/comparisons/Cargo.toml --bin beside_tokio -- --rounds 20 --connections 200
//! ```
//!
//! Watch: both servers are hyper with the same settings and the same [`hello`]; each has one thread. They are
//! asked in turns, so whatever else the machine does falls on both. The client is `wrk`, where it is installed.
//! A round alone says little on a busy machine: look at the last line, the median of all rounds and their spread.
//! It prints a row a round and `oneloop gives 1.14 times the answers`; Ctrl-C ends it with the rounds so far.
//! This answers Sanic: whether one loop is quick enough.

mod client;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use futures_util::future::{Either, select};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use oneloop::interop::hyper::{Io, Timer};
use oneloop::signal::stop_requested;
use oneloop_demos::{flags, whole};

use client::Client;

/// The handler, which both servers share.
async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello from a loop\n")))
}

/// The settings of hyper, which both servers share, but for the clock.
fn http(timer: impl hyper::rt::Timer + Send + Sync + 'static) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.half_close(true).max_buf_size(16 * 1024);
    http.timer(timer).header_read_timeout(Duration::from_secs(10));
    http
}

fn serve_by_oneloop(listener: TcpListener) -> io::Result<()> {
    oneloop::Runtime::new()?.block_on(async {
        let (listener, http) = (oneloop::net::TcpListener::from_std(listener)?, http(Timer));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            drop(oneloop::spawn(http.serve_connection(Io::new(stream), service_fn(hello))));
        }
    })
}

fn serve_by_tokio(listener: TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let (listener, http) = (tokio::net::TcpListener::from_std(listener)?, http(TokioTimer::new()));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            drop(tokio::task::spawn_local(http.serve_connection(TokioIo::new(stream), service_fn(hello))));
        }
    })
}

/// Hello over HTTP, by oneloop and by tokio's current thread, asked in turns. Ctrl-C ends it with its account.
#[derive(Parser)]
struct Args {
    /// How often each server is asked
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = whole(1..=1000_u16))]
    rounds: u16,
    /// How long each time, in whole seconds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1..=60_u16))]
    seconds: u16,
    /// How many connections ask at one time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = whole(1..=400_u16))]
    connections: u16,
    /// Print the figures as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Requests a second of oneloop, and of tokio.
type Round = [f64; 2];

fn main() -> ExitCode {
    let args = flags::<Args>();
    let asked = oneloop::Runtime::new()
        .map_err(|error| format!("cannot start a runtime: {error}"))
        .and_then(|runtime| runtime.block_on(compare(&args)));
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn compare(args: &Args) -> Result<(), String> {
    let stop = stop_requested(); // from here on, Ctrl-C is a request
    let addrs = [start("oneloop", serve_by_oneloop)?, start("tokio", serve_by_tokio)?];
    let client = Client::find(args.seconds, args.connections);
    client.answers_are_equal(addrs)?;
    if !args.json {
        println!("each is asked for {} s at a time, by {}", args.seconds, client.name());
        println!("over {} connections at one time", client.connections());
        println!("round   oneloop     tokio   ratio   (requests a second)");
    }
    let mut rounds: Vec<Round> = Vec::new();
    let all = async {
        for number in 0..args.rounds {
            // The two take turns in being first, too.
            let first = usize::from(number % 2);
            let mut round = [0.0; 2];
            for server in [first, 1 - first] {
                round[server] = client.ask(addrs[server]).await?;
            }
            rounds.push(round);
            if !args.json {
                println!("{:5} {:9.0} {:9.0} {:7.2}", number + 1, round[0], round[1], round[0] / round[1]);
            }
        }
        Ok(())
    };
    let asked = match select(Box::pin(all), Box::pin(stop)).await {
        Either::Left((asked, _)) => asked,
        Either::Right(_) => Ok(()),
    };
    account(args, &client, &rounds);
    asked
}

/// A server on a free port, by a thread of its own that ends with the program.
fn start(name: &str, serve: fn(TcpListener) -> io::Result<()>) -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    });
    let (addr, listener) = listener.map_err(|error| format!("cannot listen on loopback: {error}"))?;
    let complain = |error: io::Error| eprintln!("error: a server cannot go on: {error}");
    let named = thread::Builder::new().name(name.to_owned());
    let started = named.spawn(move || serve(listener).unwrap_or_else(complain));
    started.map(|_| addr).map_err(|error| format!("cannot start a thread: {error}"))
}

/// The median of all rounds. The machine's noise is in a round, and in its ratio, too.
fn account(args: &Args, client: &Client, rounds: &[Round]) {
    let (client, connections) = (client.name(), client.connections());
    let spread = |of: fn(&Round) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        let at = |place: usize| all.get(place).copied().unwrap_or(0.0);
        let last = all.len().saturating_sub(1);
        [at(0), (at(last / 2) + at(all.len() / 2)) / 2.0, at(last)]
    };
    let [[_, oneloop, _], [_, tokio, _]] = [spread(|round| round[0]), spread(|round| round[1])];
    let ([least, ratio, most], count) = (spread(|round| round[0] / round[1]), rounds.len());
    if args.json {
        println!(
            "{{\"client\":\"{client}\",\"rounds\":{count},\"connections\":{connections},\"oneloop_per_s\":{oneloop:.0},\
             \"tokio_per_s\":{tokio:.0},\"ratio\":{ratio:.3},\"ratio_min\":{least:.3},\"ratio_max\":{most:.3}}}"
        );
    } else if count == 0 {
        println!("stopped before the first round was over");
    } else {
        println!("oneloop gives {ratio:.2} times the answers of tokio's current");
        println!("thread: the median of {count} rounds, from {least:.2} to {most:.2}");
    }
}
