//! Soak: what the runtime promises, in large numbers and over a long time, with accounts at the end.
//!
//! ```text
//!     cargo run --release -p oneloop-soak -- --help
//!     cargo run --release -p oneloop-soak -- wakes                     10^8 wakes from two threads
//!     cargo run --release -p oneloop-soak -- mixed --seconds 600       all at once, for ten minutes
//!     cargo run --release -p oneloop-soak -- all --part 100            each, at a hundredth of its size
//! ```
//!
//! Each prints a line with the figure as it was seen, and ends with 1 when a promise is broken.

mod accounts;
#[path = "../command_line.rs"]
mod command_line;
mod mixed;
mod sockets;
mod timers;
mod wakes;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

/// The outcome of a soak: the figures as seen, or what was broken.
type Seen = Result<String, String>;

/// Holds oneloop to its promises in large numbers and over a long time.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    soak: Soak,
    /// Divide the numbers and times by this.
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    part: u64,
}

#[derive(Subcommand, Clone, Copy, Debug)]
enum Soak {
    /// 10^8 wakes from two threads, which may fall together; the last is never lost.
    Wakes,
    /// 10^5 wakes, each timed to meet the loop on the edge of its park.
    Edge,
    /// 10^6 timers; none is early.
    Timers,
    /// 5,000 connections at once, a fifth of which are reset; every echo is right.
    Resets,
    /// 10^5 connections made and ended, one after the other; the accounts stay.
    Churn,
    /// A listener without descriptors for ten seconds: hardly any processor time, and it recovers.
    Descriptors,
    /// Ten seconds with nothing to do: no wake-up.
    Idle,
    /// Connections, resets, timers, blocking jobs, aborts, panics and wakes from other threads at once.
    Mixed {
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
    /// All of them, one after the other.
    All,
}

const EACH: [Soak; 8] = [
    Soak::Wakes,
    Soak::Edge,
    Soak::Timers,
    Soak::Resets,
    Soak::Churn,
    Soak::Idle,
    Soak::Mixed { seconds: 600 },
    // Last: it lowers the limit of descriptors for good.
    Soak::Descriptors,
];

fn run(soak: Soak, part: u64) -> Seen {
    let seconds = |seconds: u64| Duration::from_millis(seconds * 1000 / part).max(Duration::from_secs(1));
    match soak {
        Soak::Wakes => wakes::coalesced(100_000_000 / part),
        Soak::Edge => wakes::on_the_edge(100_000 / part),
        Soak::Timers => timers::none_early(1_000_000 / part),
        Soak::Resets => sockets::resets((5_000 / part).max(50)),
        Soak::Churn => sockets::churn(100_000 / part),
        Soak::Descriptors => sockets::without_descriptors(seconds(10)),
        Soak::Idle => timers::idle(seconds(10)),
        Soak::Mixed { seconds: asked } => mixed::mixed(seconds(asked)),
        Soak::All => unreachable!("taken apart before"),
    }
}

fn main() -> ExitCode {
    let Arguments { soak, part } = command_line::read::<Arguments>();
    let soaks = if matches!(soak, Soak::All) { EACH.to_vec() } else { vec![soak] };
    let mut broken = 0;
    for soak in soaks {
        let began = Instant::now();
        let (verdict, said) = match run(soak, part) {
            Ok(said) => ("holds", said),
            Err(said) => {
                broken += 1;
                ("BROKEN", said)
            }
        };
        let name = format!("{soak:?}").to_lowercase();
        let name = name.split(' ').next().unwrap_or_default();
        println!("{verdict}  {name}: {said}; {:.1} s", began.elapsed().as_secs_f64());
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
