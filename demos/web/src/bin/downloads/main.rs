//! Forty files at once: fetched eight at a time, hashed by other threads, and the loop answers meanwhile.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin downloads
//! mkdir files; cargo run --release -p oneloop-web-demos --bin downloads -- --to files > SHA256SUMS
//! ```
//!
//! Watch: a bar for each file that is on its way; they come from a server in the same program, which
//! gives each its own speed. The last line says how late a ticker was that runs beside it all: hashing does
//! not hold up the loop. Into a file it prints what `sha256sum` prints, so `sha256sum --check` can have its say.
//! Ctrl-C gives the account so far. This answers asyncio: `gather`, `Semaphore` and `to_thread`.

mod bars;
mod http;
mod server;
mod show;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_lock::Semaphore;
use clap::Parser;
use futures_lite::future::or;
use oneloop::signal::stop_requested;
use oneloop::task::{Builder, JoinHandle, spawn_blocking};
use oneloop::time::{Instant, interval};
use oneloop_demos::{complain, fail, finish_log, flags, seconds, while_shown, whole};
use sha2::{Digest, Sha256};

use crate::bars::Bar;
use crate::http::Server;
use crate::show::{File, Show};

/// Fetches all files of the list, so many at a time, and hands each on as soon as it is there.
async fn fetch_all(from: &Rc<Server>, list: Vec<String>, args: &Args, show: &Rc<Show>) -> Vec<Result<File, String>> {
    let places = Arc::new(Semaphore::new(args.at_once.into()));
    let fetch = |name: String| -> JoinHandle<Result<File, String>> {
        let (places, from, show, args) = (Arc::clone(&places), Rc::clone(from), Rc::clone(show), args.clone());
        let task = Builder::new().name(&name);
        task.spawn(async move {
            let _place = places.acquire().await;
            let began = Instant::now();
            let bar = show.begin(&name);
            let progress = |length, sofar| bar.iter().for_each(|bar: &Bar| bar.at(length, sofar));
            let bytes = from.get(&name, args.limit, progress).await?;
            let (length, to) = (bytes.len(), args.to.clone());
            // Hashing and writing take their time. They take it on another thread.
            let named = name.clone();
            let hashed = spawn_blocking(move || hash_and_keep(&named, &bytes, to.as_deref()));
            let sum = hashed.await.map_err(|error| error.to_string())??;
            let file = File { name, length, sum, took: began.elapsed() };
            show.file(&file);
            Ok(file)
        })
    };
    let mut files = Vec::new();
    // All are spawned before the first is awaited.
    for task in list.into_iter().map(fetch).collect::<Vec<_>>() {
        files.push(task.await.unwrap_or_else(|error| Err(error.to_string())));
    }
    files
}

fn hash_and_keep(name: &str, bytes: &[u8], to: Option<&Path>) -> Result<String, String> {
    if let Some(folder) = to {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Forty files at once, eight at a time, hashed beside the loop. Ctrl-C gives the account so far.
#[derive(Parser, Clone)]
struct Args {
    /// How many files are on their way at one time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = whole(1..=256_u16))]
    at_once: u16,
    /// Keep the files in this folder, which must exist
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Fetch from this server instead: its file SHA256SUMS names the files, as `sha256sum *` writes it
    #[arg(long, value_name = "ADDR", value_parser = oneloop_demos::address)]
    from: Option<std::net::SocketAddr>,
    /// Give up on a file that takes longer than so many seconds
    #[arg(long, value_name = "F", default_value = "60", value_parser = seconds)]
    limit: Duration,
    /// Print a line of JSON a file, and one with the account
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args: Args = flags();
    if let Some(folder) = args.to.as_ref().filter(|folder| !folder.is_dir()) {
        return fail(format_args!("there is no folder {}; make it first, or name another with --to", folder.display()));
    }
    let ran = oneloop::Runtime::new().map(|runtime| runtime.block_on(run(args)));
    finish_log();
    match ran {
        Ok(Ok(code)) => code,
        Ok(Err(problem)) => fail(problem),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}

async fn run(args: Args) -> Result<ExitCode, String> {
    let stop = stop_requested(); // from here on it is heard
    let addr = match args.from {
        Some(addr) => addr,
        None => server::start().await.map_err(|error| format!("cannot listen on loopback: {error}"))?,
    };
    let server = Rc::new(Server::at(addr));
    let show = Rc::new(Show::new(args.json));
    let lateness = Rc::new(Cell::new(Duration::ZERO));
    let ticker = Builder::new().name("ticker").spawn(tick(Rc::clone(&lateness)));

    let all = async {
        let list = server.list(args.limit).await?;
        show.expect(list.len());
        let names = list.iter().map(|(_, name)| name.clone()).collect();
        let files = fetch_all(&server, names, &args, &show).await;
        Ok(Some((list, files)))
    };
    let stopped = async {
        let _ = stop.await;
        Ok(None)
    };
    let came: Result<_, String> = or(all, stopped).await;
    ticker.abort();
    let problems = match &came {
        Ok(Some((list, files))) => list.iter().zip(files).filter_map(|(listed, file)| wrong(listed, file)).collect(),
        Ok(None) => vec!["stopped before all files were there".to_owned()],
        Err(problem) => vec![problem.clone()],
    };
    show.account(lateness.get());
    for problem in &problems {
        complain(format_args!("error: {problem}"));
    }
    if !matches!(came, Ok(None)) {
        while_shown("it is over").await.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?;
    }
    Ok(match came {
        Ok(None) => ExitCode::from(130),
        _ if problems.is_empty() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The complaint about a file that has not come, or is another than the list says.
fn wrong((sum, name): &(String, String), file: &Result<File, String>) -> Option<String> {
    match file {
        Ok(file) if file.sum == *sum => None,
        Ok(file) => Some(format!("{name}: its sha256 is {}, but the server's list says {sum}", file.sum)),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

/// Ticks a hundred times a second, and notes how late the latest tick was.
async fn tick(late: Rc<Cell<Duration>>) {
    let mut ticks = interval(Duration::from_millis(10));
    loop {
        let due = ticks.tick().await;
        late.set(late.get().max(due.elapsed()));
    }
}
