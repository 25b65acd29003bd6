//! A crawler: 1,000 pages with at most 20 connections, limits per host, and retries with jitter. This answers asks.
//!
//! ```text
//! cargo run --release -p oneloop-web-demos --bin crawl
//! cargo run --release -p oneloop-web-demos --bin crawl -- --json | python3 -m json.tool
//! python3 -m http.server 8099 &  cargo run --release -p oneloop-web-demos --bin crawl -- --from http://127.0.0.1:8099/
//! ```
//!
//! Watch: a table of the hosts, live. The pages come from a server of its own, with five hosts that are slow
//! at times, answer 503 at times, and hang up at times. The last line says how many connections the server ever saw
//! at once; `ss -tn state established` shows them from outside.
//!
//! It prints the table, and the account: pages, bytes, tries, seconds. `--json` prints the account alone.
//!
//! Twenty workers, and each has one connection at most ([`work`]): so there is nothing to count. A worker stays with
//! its host while that has pages, and leaves a connection only once the other side has closed it too.

mod fetch;
mod frontier;
mod server;
mod show;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::task::{Builder, scope};
use oneloop::time::{Instant, interval, sleep};
use oneloop_demos::server::{some_seconds, stop_asked_for};
use oneloop_demos::{fail, finish_log, flags, print, seconds, while_shown, whole};

use fetch::{Connection, Outcome};
use frontier::{Frontier, Page};

/// A crawler that is polite: a bound on connections, on each host, and on retries. Ctrl-C ends it with its account.
#[derive(Parser, Clone)]
struct Args {
    /// The URL to begin at, such as http://127.0.0.1:8099/; without it, a server of its own has 1,000 pages to fetch
    #[arg(long, value_name = "URL", value_parser = frontier::beginning)]
    from: Option<(SocketAddr, String)>,
    /// How many pages to fetch at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole(1..=1_000_000_u32))]
    pages: u32,
    /// How many connections to have at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = whole(1..=1_000_u32))]
    connections: u32,
    /// How many of them may go to one host
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = whole(1..=1_000_u32))]
    per_host: u32,
    /// How often a page is tried before it counts as lost
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole(1..=20_u32))]
    tries: u32,
    /// How long one try may take, in seconds
    #[arg(long, value_name = "F", default_value = "10", value_parser = some_seconds)]
    patience: Duration,
    /// Stop by itself after this time, in seconds
    #[arg(long, value_name = "F", value_parser = seconds)]
    seconds: Option<Duration>,
    /// Print nothing but the account, as JSON
    #[arg(long)]
    json: bool,
    /// Print a line a second instead of the table, on a terminal too
    #[arg(long)]
    plain: bool,
}

/// Fetches pages until there are no more, by one connection at a time.
async fn work(frontier: &Rc<Frontier>, args: &Args) {
    let mut connection: Option<Connection> = None;
    while let Some(page) = frontier.next(connection.as_ref().map(Connection::host)).await {
        if connection.as_ref().is_none_or(|connection| connection.host() != page.host) {
            leave(connection.take()).await;
        }
        let outcome = fetch::fetch(&mut connection, &page, args.patience).await;
        match outcome {
            Outcome::Page { links, bytes } => frontier.found(&page, &links, bytes),
            Outcome::Missing => frontier.lost(&page, "404 or the like"),
            Outcome::TryAgain { .. } if page.tries >= args.tries => frontier.lost(&page, "too many tries"),
            Outcome::TryAgain { wait } => try_later(Rc::clone(frontier), page, wait),
        }
    }
    leave(connection).await;
}

async fn leave(connection: Option<Connection>) {
    if let Some(connection) = connection {
        connection.leave().await;
    }
}

/// Puts a page back after a while: twice as long each time, and a random part of it, so that pages that failed
/// together do not come back together.
fn try_later(frontier: Rc<Frontier>, page: Page, asked: Option<Duration>) {
    let most = Duration::from_millis(100) * 2_u32.pow(page.tries.min(6));
    let wait = asked.unwrap_or_default() + most.mul_f64(fastrand::f64());
    frontier.waits(&page);
    let name = format!("{} again", page.path);
    drop(Builder::new().name(name).spawn(async move {
        sleep(wait).await;
        frontier.again(page);
    }));
}

async fn crawl(args: Args) -> Result<bool, String> {
    let stop = stop_asked_for(args.seconds); // from here on it is heard
    let (served, (host, path)) = match &args.from {
        Some(from) => (None, from.clone()),
        None => {
            let served = server::start().await.map_err(|error| format!("cannot serve pages: {error}"))?;
            let first = (served.hosts[0], "/0".to_owned());
            (Some(served), first)
        }
    };
    let hosts = served.as_ref().map_or_else(|| vec![host], |served| served.hosts.clone());
    let frontier = Rc::new(Frontier::new(&hosts, args.per_host, args.pages));
    frontier.begin(host, path);
    let start = Instant::now();
    let mut show = show::Show::new(&args, std::io::stdout().is_terminal());
    let crawled = scope(async |workers| {
        for number in 1..=args.connections {
            let (frontier, args) = (&frontier, &args);
            workers.spawn_named(&format!("worker {number}"), work(frontier, args));
        }
    });
    let looks = async {
        let mut times = interval(show.period());
        loop {
            times.tick().await;
            show.draw(&frontier, start.elapsed());
        }
    };
    let whole = or(
        async {
            crawled.await.map_err(|error| error.to_string())?;
            Ok(true)
        },
        or(looks, async { stop.await.map(|()| false).map_err(|error| error.to_string()) }),
    );
    let is_whole = whole.await?;
    show.draw(&frontier, start.elapsed());
    print(show::account(&args, &frontier, served.as_deref(), start.elapsed(), is_whole));
    if is_whole {
        while_shown("the crawl is over").await.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?;
    }
    Ok(frontier.totals().lost == 0)
}

fn main() -> ExitCode {
    let args: Args = flags();
    match oneloop::Runtime::new().map(|runtime| runtime.block_on(crawl(args))) {
        Ok(Ok(_)) => {
            finish_log();
            ExitCode::SUCCESS
        }
        Ok(Err(problem)) => fail(problem),
        Err(error) => fail(format_args!("cannot start a runtime: {error}")),
    }
}
