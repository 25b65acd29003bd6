//! The lesson's program, to be watched: thirty tasks sleep a second at the same time.
//!
//! ```text
//! ONELOOP_SEE=1 cargo run --release --bin see_sleepers -- --real
//! cargo run --release --bin see_sleepers
//! ```
//!
//! Watch, on the page that the first command names:
//! - turn 1: `main` spawns thirty tasks in one poll, and they stand in the ready queue;
//! - each is polled once, hangs its timer on the wheel, and waits; no thread waits with it;
//! - the loop parks, one second long: this is all the sleeping there is;
//! - the thirty timers fire in one turn. Each wakes its task, and each task is polled once more;
//! - `main` joined them in order, so the first that ends wakes it, and it finds all others over.
//!
//! docs/recordings/see_sleepers.ndjson is this run, for the page to play without a program. It prints two lines.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oneloop::task::Builder;
use oneloop::time::{Instant, sleep};
use oneloop_demos::{Stage, counted, flags, say, whole};

/// Thirty tasks sleep on one thread, to be watched while they do.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stage: Stage,
    /// How many tasks
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = whole(1..=100_000_u32))]
    tasks: u32,
}

fn main() -> ExitCode {
    let Args { stage, tasks } = flags();
    stage.play(async |_| gather(tasks).await)
}

async fn gather(tasks: u32) {
    let start = Instant::now();
    let spawn = |n| Builder::new().name(format!("sleeper {n}")).spawn(sleep(Duration::from_secs(1)));
    let sleepers: Vec<_> = (1..=tasks).map(spawn).collect();
    say(start, format_args!("{} spawned, and none has run yet", counted(tasks, "task")));
    for sleeper in sleepers {
        sleeper.await.expect("no sleeper panics or is aborted");
    }
    say(start, format_args!("{} slept a second each, on one thread", counted(tasks, "task")));
}
