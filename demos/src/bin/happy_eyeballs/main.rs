//! Two addresses race for a connection: the loser is cancelled, and leaves nothing. This answers trio.
//!
//! ```text
//! cargo run --release --bin happy_eyeballs
//! cargo run --release --bin happy_eyeballs -- --hours 240
//! ```
//!
//! Watch: the first address never answers, and costs a quarter of a second instead of minutes
//! (RFC 8305). [`race`] is all of it: a scope, whose end is the end of every attempt. Then a day of races
//! is run on the virtual clock, and one race is dropped wherever it can be; the last line is the account.
//!
//! Ctrl-C among many hours gives the account of those that were run.
//!
//! It prints the race, then `24 hours, 3871 races, in 0.1 s`, then `dropped at each of its 15 awaits`.
//! The runtime has this ready to use, as `oneloop::net::happy_eyeballs`.

use std::cell::{Cell, RefCell};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oneloop::task::scope;
use oneloop::time::timeout;
use oneloop_demos::{fail, finish_print, flags, is_shown, whole};

use crate::proof::CtrlC;

mod proof;
mod sockets;

/// How long an attempt is alone before the next begins beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// The first attempt that succeeds. All the others are cancelled, and are gone before this returns.
async fn race<A: Future<Output = io::Result<T>>, T>(attempts: Vec<A>) -> Result<T, Vec<io::Error>> {
    let (winner, failures) = (Cell::new(None), RefCell::new(Vec::new()));
    let ended = scope(async |s| {
        for (number, attempt) in (1..).zip(attempts) {
            let (winner, failures, others) = (&winner, &failures, s.canceller());
            let child = s.spawn_named(&format!("attempt {number}"), async move {
                match attempt.await {
                    Ok(connection) => {
                        winner.set(Some(connection));
                        others.cancel("another attempt was first");
                    }
                    Err(error) => failures.borrow_mut().push(error),
                }
            });
            // The next begins when this one has failed, or has had its head start.
            let _ = timeout(HEAD_START, child).await;
        }
    });
    // Nothing can fail here but the race itself: cancelled is how it ends when somebody has won.
    let _ = ended.await;
    winner.take().ok_or(failures.into_inner())
}

/// Happy eyeballs: a race of addresses in a scope, on real sockets and on the virtual clock.
#[derive(Parser)]
struct Args {
    /// How many hours of races to run on the virtual clock
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = whole(1..=10_000_u64))]
    hours: u64,
    /// The seed of the random numbers: the same seed, the same races
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX))]
    seed: u64,
}

fn main() -> ExitCode {
    let args: Args = flags();
    // Only the race on sockets takes long enough to be looked at. There, Ctrl-C is awaited on its own loop.
    let shown = if is_shown() { sockets::show() } else { sockets::show().and_then(|()| prove(&args)) };
    finish_print();
    shown.map_or_else(fail, |()| ExitCode::SUCCESS)
}

fn prove(args: &Args) -> Result<(), String> {
    proof::of_a_long_time(args.hours, args.seed, &CtrlC::heard_from_now_on())?;
    proof::of_every_await()
}
