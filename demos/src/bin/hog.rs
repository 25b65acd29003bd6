//! A blocked loop: one task computes for two seconds, and nothing else can run meanwhile.
//!
//! ```text
//! ONELOOP_SEE=1 cargo run --release --bin hog -- --real
//! cargo run --release --bin hog
//! ```
//!
//! Watch: `ticker` wants to run ten times a second. While `hog` is in its poll, the ticks are
//! due and nobody fires them; then they come all at once. The diagnosis names the task that held the
//! loop up, and the line it waited at before. The page shows it too, and while it goes on: it is served
//! from a thread of its own.
//!
//! The way out: `task::spawn_blocking` for what blocks or computes for long, or a `yield_now().await`
//! now and then. With `--polite` the hog does its work in slices of a millisecond; why the ticks are late by
//! some sixty of them all the same, the demo `starvation` tells. It prints each late tick, and the latest.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oneloop::task::{Builder, yield_now};
use oneloop::time::{Instant, interval, sleep};
use oneloop_demos::{Stage, flags, say};

const TICK: Duration = Duration::from_millis(100);
/// How much the hog has to do.
const WORK: Duration = Duration::from_secs(2);
const SLICE: Duration = Duration::from_millis(1);

/// One task keeps the loop for two seconds, and all others wait.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stage: Stage,
    /// The hog gives way between slices of its work
    #[arg(long)]
    polite: bool,
}

fn main() -> ExitCode {
    let Args { stage, polite } = flags();
    stage.play(async |stage| scene(stage, polite).await)
}

async fn scene(stage: Stage, polite: bool) {
    let start = Instant::now();
    let ticker = Builder::new().name("ticker").spawn(tick(start));
    let hog = Builder::new().name("hog").spawn(async move {
        sleep(TICK * 3).await;
        say(start, "hog begins two seconds of work");
        if polite {
            for _ in 0..WORK.as_millis() / SLICE.as_millis() {
                stage.work(SLICE);
                yield_now().await;
            }
        } else {
            stage.work(WORK);
        }
        say(start, "hog is done");
    });
    hog.await.expect("the hog only works");
    let latest = ticker.await.expect("the ticker only ticks");
    say(start, format_args!("the latest tick was {} ms late", latest.as_millis()));
}

/// Ticks until a little after the hog is done, and returns how late the latest tick was.
async fn tick(start: Instant) -> Duration {
    let mut ticks = interval(TICK);
    let mut latest = Duration::ZERO;
    for _ in 0..27 {
        let due = ticks.tick().await;
        let late = due.elapsed();
        if late > latest + TICK {
            say(start, format_args!("tick: {} ms late", late.as_millis()));
        }
        latest = latest.max(late);
    }
    latest
}
