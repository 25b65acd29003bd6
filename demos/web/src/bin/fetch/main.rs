//! A client with one core and two fronts: `await` it, or call it from a program that has no loop.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin fetch                        calls an app of its own, without a socket
//! cargo run --release -p oneloop-web-demos --bin fetch -- http://127.0.0.1:8080/ http://127.0.0.1:8080/slow
//! cargo run --release -p oneloop-web-demos --bin fetch -- --blocking --body https://example.org/
//! ```
//!
//! Watch: all URLs are fetched at once by the async front, and one after the other by `--blocking`, with the
//! same answers. Each wait has a deadline of its own (`--pool`, `--connect`, `--write`, `--read`), and all of them
//! together have `--total`; the error says which one it was. Redirects and decoded bytes are capped.
//!
//! It prints: `200 24 bytes 0.003 s http://127.0.0.1:8080/`. This answers httpx.

mod client;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::get;
use clap::Parser;
use oneloop::Runtime;
use oneloop::task::Builder;
use oneloop::time::Instant;
use oneloop_demos::{complain, fail, finish_print, flags, print, while_shown};

use crate::client::{Answer, Ask, Client, Failure, Settings};

/// The blocking front: the same client, and a loop that turns while a call waits, and at no other time.
struct Blocking {
    client: Client,
    // Dropped last: it closes the connections that the client has kept.
    runtime: Runtime,
}

impl Blocking {
    fn new(client: Client) -> io::Result<Self> {
        Ok(Self { client, runtime: Runtime::new()? })
    }

    fn send(&self, ask: Ask) -> Result<Answer, Failure> {
        self.runtime.block_on(self.client.send(ask))
    }
}

/// A client by HTTP and HTTPS, with a deadline for each wait.
#[derive(Parser, Clone)]
struct Args {
    /// The URLs to fetch; without any, an app in this program is called
    #[arg(value_parser = url)]
    urls: Vec<String>,
    /// Call the client as a program would that has no loop: one URL after the other
    #[arg(long)]
    blocking: bool,
    /// Write what came to stdout, and the account to stderr
    #[arg(long)]
    body: bool,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
    /// Trust the certificates in this file of PEM, and not those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Reads an argument that is a URL to fetch.
fn url(text: &str) -> Result<String, String> {
    Ask::get(text).map(|_| text.to_owned()).map_err(|failure| failure.to_string())
}

fn main() -> ExitCode {
    let args: Args = flags();
    let code = match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => return fail(problem),
    };
    finish_print();
    code
}

/// Whether all could be fetched.
fn run(args: &Args) -> Result<bool, String> {
    let client = || match args.urls.is_empty() {
        true => Client::of_app(args.settings.clone(), app()),
        false => Client::new(args.settings.clone(), args.ca.clone()),
    };
    let own = ["http://app/hello/you", "http://app/old", "http://app/nowhere"].map(str::to_owned);
    let urls = if args.urls.is_empty() { own.to_vec() } else { args.urls.clone() };
    let cannot = |error: io::Error| format!("cannot start a runtime: {error}");
    if args.blocking {
        let front = Blocking::new(client()).map_err(cannot)?;
        let fetch = |url: &String| {
            let start = Instant::now();
            let came = Ask::get(url).and_then(|ask| front.send(ask));
            account(args, url, start.elapsed(), came)
        };
        // Each is fetched, whatever came of the one before.
        let all_well = urls.iter().map(fetch).filter(|well| !well).count() == 0;
        return front.runtime.block_on(stays()).map(|()| all_well);
    }
    let runtime = Runtime::new().map_err(cannot)?;
    runtime.block_on(async {
        let all_well = fetch_all(args, client(), urls).await;
        stays().await.map(|()| all_well)
    })
}

/// For as long as somebody looks, if the loop is shown.
async fn stays() -> Result<(), String> {
    while_shown("it is over").await.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

/// All at once, by one client.
async fn fetch_all(args: &Args, client: Client, urls: Vec<String>) -> bool {
    let client = Rc::new(client);
    let fetch = |url: String| {
        let client = Rc::clone(&client);
        let start = Instant::now();
        Builder::new().name(&url).spawn(async move {
            let came = async { client.send(Ask::get(&url)?).await }.await;
            (url, start.elapsed(), came)
        })
    };
    let mut all_well = true;
    // All are spawned before the first is awaited.
    for task in urls.into_iter().map(fetch).collect::<Vec<_>>() {
        match task.await {
            Ok((url, took, came)) => all_well &= account(args, &url, took, came),
            Err(error) => complain(format_args!("error: {error}")),
        }
    }
    all_well
}

/// Says what came of a URL, and returns whether that was an answer.
fn account(args: &Args, url: &str, took: Duration, came: Result<Answer, Failure>) -> bool {
    let answer = match came {
        Ok(answer) => answer,
        Err(failure) => {
            complain(format_args!("error: {url}: {failure}"));
            return false;
        }
    };
    let (status, length, seconds) = (answer.status.as_u16(), answer.body.len(), took.as_secs_f64());
    let line = if args.json {
        let (end, hops) = (answer.url.as_str(), answer.hops);
        serde_json::json!({ "url": url, "status": status, "bytes": length, "seconds": seconds, "hops": hops, "end": end })
            .to_string()
    } else if answer.hops > 0 {
        format!("{status} {length} bytes {seconds:.3} s {url} -> {}", answer.url)
    } else {
        format!("{status} {length} bytes {seconds:.3} s {url}")
    };
    if args.body {
        complain(line);
        if let Err(error) = io::stdout().write_all(&answer.body).and_then(|()| io::stdout().flush()) {
            complain(format_args!("error: cannot write the output: {error}"));
            return false;
        }
    } else {
        print(line);
    }
    true
}

/// An app to be called without a socket.
fn app() -> Router {
    Router::new()
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("hello {name}\n")))
        .route("/old", get(async || Redirect::permanent("/hello/again")))
}
