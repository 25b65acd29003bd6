//! Hello over HTTP by one loop a core, which can be replaced by a newer one without a failed request.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin fast -- --loops 2       in one terminal
//! curl http://127.0.0.1:8080/                                            in another, again and again
//! kill -HUP PID                                                          in a third, with the number that it printed
//! ```
//!
//! Watch: each answer names its loop and its process. The kernel deals connections out to the loops, as each
//! has a listener of its own on the same port (SO_REUSEPORT); they share nothing else. At SIGHUP a new process starts
//! from the same file and inherits the listeners. When it is ready, the old one takes nobody new, and answers each
//! guest once more with `connection: close`. So nobody is refused: connections that no process has taken yet wait in
//! the listeners, which are never closed. If the new process does not come up, the old one goes on.
//!
//! It prints: `hello from loop 1 of process 4711`. This answers Sanic: its workers, and its restarts.

mod heir;

use std::cell::Cell;
use std::convert::Infallible;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};
use clap::Parser;
use futures_lite::future::or;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use oneloop::Runtime;
use oneloop::interop::hyper::{Io, Timer};
use oneloop::signal::{SignalKind, signal};
use oneloop::task::spawn_blocking;
use oneloop::time::sleep;
use oneloop_demos::server::{cannot_listen, stop_asked_for};
use oneloop_demos::{Patient, fail, finish_log, flags, log, print, whole};
use oneloop_web_demos::house::{Guest, House, Limits, why_refused};
use oneloop_web_demos::slowly::AnyError;

/// One loop: a runtime, a listener, and guests that no other loop knows of.
fn turn(number: usize, listener: TcpListener, limits: Limits, stop: &Receiver<Infallible>) -> Result<u64, String> {
    let runtime = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
    let answered = Rc::new(Cell::new(0));
    let served = runtime.block_on(async {
        // No copy of it is kept here: once the loop takes nobody new, the kernel is to refuse them.
        let listener = oneloop::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
        let stopped = async {
            let _ = stop.recv().await;
            Ok(())
        };
        let connection = |guest| talk(guest, number, Rc::clone(&answered));
        House::new(limits).live_quietly(listener, stopped, connection).await
    });
    served.map(|_| answered.get())
}

async fn talk(guest: Guest, number: usize, answered: Rc<Cell<u64>>) -> Result<(), AnyError> {
    let Guest { stream, limits, ear, stop, .. } = guest;
    let answer = service_fn(|request| {
        ear.is_heard();
        answered.set(answered.get() + 1);
        let (ear, stop) = (Rc::clone(&ear), stop.clone());
        async move {
            let mut response = answer(&request, number).await;
            if stop.is_closed() {
                // A guest that hears so asks no more here, and loses nothing.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            ear.falls_silent();
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.half_close(true).timer(Timer).header_read_timeout(limits.head).max_buf_size(16 * 1024);
    let stream = Io::new(Patient::new(stream, limits.patience));
    pin!(http.serve_connection(stream, answer)).await.map_err(Into::into)
}

async fn answer(request: &Request<Incoming>, number: usize) -> Response<String> {
    let (status, text) = match (why_refused(request), request.uri().path()) {
        (Some(why), _) => (StatusCode::BAD_REQUEST, why.to_owned()),
        (None, "/slow") => {
            sleep(Duration::from_millis(500)).await;
            (StatusCode::OK, "half a second later\n".to_owned())
        }
        (None, "/") => (StatusCode::OK, format!("hello from loop {number} of process {}\n", std::process::id())),
        (None, _) => (StatusCode::NOT_FOUND, "there is / and /slow\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

/// Hello over HTTP by many loops. Ctrl-C stops it gracefully; SIGHUP puts a new process in its place.
#[derive(Parser, Clone)]
struct Args {
    #[command(flatten)]
    limits: Limits,
    /// How many loops, each on a thread of its own; without it, one for each core
    #[arg(long, value_name = "N", value_parser = whole(1..=64_u16))]
    loops: Option<u16>,
}

fn main() -> ExitCode {
    // Its path is asked for now: later the file may be another one.
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let args: Args = flags();
    match run(&args, &program) {
        Ok(()) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Err(problem) => fail(problem),
    }
}

fn run(args: &Args, program: &Path) -> Result<(), String> {
    let loops = args.loops.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let (listeners, testator) = match heir::inherit().map_err(|error| format!("cannot inherit: {error}"))? {
        Some((listeners, testator)) => (listeners, Some(testator)),
        None => (heir::listen(args.limits.addr, loops).map_err(|error| cannot_listen(&error, "--addr"))?, None),
    };
    let addr = listeners[0].local_addr().map_err(|error| error.to_string())?;
    let (stopping, stop) = bounded(1);
    let turns: Vec<_> = listeners
        .iter()
        .enumerate()
        .map(|(number, listener)| {
            let (listener, limits, stop) = (listener.try_clone(), args.limits.clone(), stop.clone());
            let named = thread::Builder::new().name(format!("loop {number}"));
            named.spawn(move || turn(number, listener.map_err(|error| error.to_string())?, limits, &stop))
        })
        .collect();
    let (process, loops) = (std::process::id(), listeners.len());
    let is_ready = || {
        print(format_args!("listening on {addr}; {loops} loops in process {process}; try: curl http://{addr}/"));
        if let Some(testator) = testator {
            testator.tell_ready();
        }
    };
    let control = Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
    control.block_on(wait(args, program, listeners, stopping, is_ready))?;
    let mut answered = 0;
    for turn in turns {
        let turn = turn.map_err(|error| format!("cannot start a thread: {error}"))?;
        answered += turn.join().map_err(|_| "a loop panicked")??;
    }
    log(&format!("process {process} answered {answered} requests, and is over"));
    Ok(())
}

/// Waits for the stop, or for an heir that is ready. The loops stop when this drops its end of their channel.
async fn wait(
    args: &Args,
    program: &Path,
    listeners: Vec<TcpListener>,
    _stopping: Sender<Infallible>,
    is_ready: impl FnOnce(),
) -> Result<(), String> {
    let listeners = Rc::new(listeners);
    let mut restarts = signal(SignalKind::hangup()).map_err(|error| format!("cannot hear SIGHUP: {error}"))?;
    let mut stop = pin!(stop_asked_for(args.limits.seconds));
    is_ready(); // both signals are heard by now
    loop {
        let asked = or(async { stop.as_mut().await.map(|()| true) }, async { Ok(restarts.recv().await.is_none()) });
        if asked.await.map_err(|error| format!("cannot go on: {error}"))? {
            return Ok(());
        }
        let clones: Result<Vec<_>, _> = listeners.iter().map(TcpListener::try_clone).collect();
        let (clones, program) = (clones.map_err(|error| error.to_string())?, program.to_path_buf());
        let handed_over = spawn_blocking(move || heir::hand_over(&program, &clones)).await;
        match handed_over.map_err(|error| error.to_string())? {
            Ok(heir) => {
                log(&format!("process {heir} has taken over"));
                return Ok(());
            }
            Err(error) => log(&format!("no process has taken over, so this one goes on: {error}")),
        }
    }
}
