//! The lesson's program: many tasks sleep at the same time, and one thread waits for them all.
//!
//! ```text
//! cargo run --release --bin sleepers
//! cargo run --release --bin sleepers -- --tasks 100000 --quiet
//! cargo run --release --bin sleepers -- --seconds 3600 --virtual
//! ```
//!
//! Watch: every task starts before the first one ends, and the total is the time of one
//! sleep, not the sum of thirty. `sleepers.py`, beside the manifest of this package, is the same
//! program on asyncio; its lines are the same but for the times.
//!
//! It prints two lines a task, and `30 tasks slept 30.000 s in all, on one thread` after one second.
//! Ctrl-C ends it early, with how many have slept.

use std::future::pending;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures_lite::future::or;
use oneloop::Runtime;
use oneloop::signal::ctrl_c;
use oneloop::task::Builder;
use oneloop::time::{Instant, sleep};
use oneloop_demos::{counted, fail, finish_print, flags, say, seconds, while_shown, whole};

/// Many tasks sleep on one thread; together they take as long as one of them.
#[derive(Parser, Clone, Copy)]
struct Args {
    /// How many tasks
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = whole(1..=10_000_000_u32))]
    tasks: u32,
    /// How long each of them sleeps
    #[arg(long, value_name = "F", default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// On the virtual clock: the same output, without waiting for it
    #[arg(long = "virtual")]
    virtual_clock: bool,
    /// Print the total only
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let args: Args = flags();
    let mut builder = Runtime::builder();
    if args.virtual_clock {
        builder = builder.virtual_clock();
    }
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format_args!("cannot start a runtime: {error}")),
    };
    let over = if args.virtual_clock { "the virtual clock is through" } else { "all have slept" };
    let shown = runtime.block_on(async { if gather(args).await { while_shown(over).await } else { Ok(()) } });
    drop(runtime);
    if let Err(error) = shown {
        return fail(format_args!("cannot wait for Ctrl-C: {error}"));
    }
    finish_print();
    ExitCode::SUCCESS
}

/// Starts every task, then waits for all of them, or for Ctrl-C. Returns whether all have slept.
async fn gather(args: Args) -> bool {
    let start = Instant::now();
    let spawn = |n| Builder::new().name(format!("sleeper {n}")).spawn(sleeper(n, start, args));
    let tasks: Vec<_> = (1..=args.tasks).map(spawn).collect();
    let mut stop = pin!(async { if args.virtual_clock { pending().await } else { ctrl_c().await.is_ok() } });
    for (number, task) in (0..).zip(tasks) {
        let slept = async { task.await.is_err() };
        if or(slept, stop.as_mut()).await {
            say(start, format_args!("stopped: {number} of {} slept", counted(args.tasks, "task")));
            return false;
        }
    }
    let asleep = f64::from(args.tasks) * args.seconds.as_secs_f64();
    say(start, format_args!("{} slept {asleep:.3} s in all, on one thread", counted(args.tasks, "task")));
    true
}

/// One task: says that it starts, sleeps, says that it ends.
async fn sleeper(n: u32, start: Instant, args: Args) {
    let width = args.tasks.to_string().len();
    if !args.quiet {
        say(start, format_args!("task {n:width$} starts"));
    }
    sleep(args.seconds).await;
    if !args.quiet {
        say(start, format_args!("task {n:width$} ends"));
    }
}
