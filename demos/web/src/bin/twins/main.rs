//! Twins: one set of handlers, served by threads and by a loop, and what waiting costs in both.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin twins                       200 slow requests to each, side by side
//! cargo run --release -p oneloop-web-demos --bin twins -- --serve threads    one of them, to be asked by curl
//! cargo run --release -p oneloop-web-demos --bin twins -- --serve loop
//! curl http://127.0.0.1:8080/hello/you        curl -d 'some words' http://127.0.0.1:8080/length
//! ```
//!
//! Watch: the handlers below are written once. On a thread, each `await` in them blocks; on the loop it lets
//! the others go on. Answers and times are the same. The threads and the memory are not. Ctrl-C or SIGTERM lets what
//! is being answered finish, in both.
//!
//! It prints what follows, for example; the second thread of the loop writes its log:
//!
//! ```text
//! 200 slow requests       threads        loop
//! seconds                    1.03        1.02
//! threads at most             203           2
//! MB of memory               24.0         7.3
//! ```
//!
//! This answers Quart, the twin of Flask.

mod cost;
mod on_loop;
mod on_threads;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use oneloop_demos::{fail, finish_log, finish_print, flags, whole};
use oneloop_web_demos::house::{Limits, why_refused};

/// How long a body may be, in bytes.
const BODY_MAX: usize = 64 * 1024;

/// The thing that a handler cannot do by itself: waiting is not the same on a thread and on a loop.
trait World {
    async fn wait(&self, time: Duration);
}

/// The handlers.
async fn answer(request: Request<Incoming>, world: &impl World) -> Response<String> {
    if let Some(why) = why_refused(&request) {
        return text(StatusCode::BAD_REQUEST, why);
    }
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/") => text(StatusCode::OK, "there is /hello/NAME, /slow, and POST to /length\n"),
        (&Method::GET, "/slow") => {
            world.wait(Duration::from_secs(1)).await;
            text(StatusCode::OK, "a second later\n")
        }
        (&Method::POST, "/length") => match Limited::new(request.into_body(), BODY_MAX).collect().await {
            Ok(body) => text(StatusCode::OK, format!("{} bytes\n", body.to_bytes().len())),
            Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has {BODY_MAX} bytes at most\n")),
        },
        (&Method::GET, path) => match path.strip_prefix("/hello/") {
            Some(name) if !name.is_empty() => text(StatusCode::OK, format!("hello {name}\n")),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here by that name\n"),
        },
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "not by this method\n"),
    }
}

fn text(status: StatusCode, text: impl Into<String>) -> Response<String> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

/// Which of the twins.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Twin {
    /// A thread for each connection
    Threads,
    /// One thread for all
    Loop,
}

/// One set of handlers on threads and on a loop. Without --serve, it compares what slow requests cost in both.
#[derive(Parser, Clone)]
struct Args {
    /// Serve by one of them
    #[arg(long, value_name = "TWIN")]
    serve: Option<Twin>,
    /// How many slow requests to compare by
    #[arg(long, value_name = "N", default_value = "200", value_parser = whole(1..=1000_u16))]
    requests: u16,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: Limits,
}

fn main() -> ExitCode {
    let args: Args = flags();
    let done = match args.serve {
        Some(Twin::Threads) => on_threads::serve(&args.limits),
        Some(Twin::Loop) => on_loop::serve(args.limits),
        None => cost::compare(args.requests, args.json),
    };
    finish_log();
    finish_print();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(problem),
    }
}
