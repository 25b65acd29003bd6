//! One program, three runtimes: the same source is compiled against oneloop, tokio and smol by one alias.
//!
//! ```text
//! cargo run --release --manifest-path demos/comparisons/Cargo.toml --bin one_source
//! ```
//!
//! Watch: [`program.rs`](program.rs) names no runtime. It asks `rt` for four things (spawn, sleep, a
//! listener, a connection), and `rt` is another module in each of the three. The transcripts must be equal
//! line by line; the table below them shows what the same work costs on each. This answers uvloop: another
//! loop under a program that does not change. It prints `23 lines, equal on all three`, and three times.

#![allow(clippy::duplicate_mod, reason = "one source, loaded once for each runtime, is the idea")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use oneloop_demos::{flags, whole};

/// The program, compiled once for each runtime.
macro_rules! on {
    ($name:ident) => {
        mod $name {
            mod rt;
            #[path = "../program.rs"]
            mod program;

            pub(crate) fn run(clients: usize, words: usize) -> Vec<String> {
                rt::run(program::program(clients, words))
            }
        }
    };
}

on!(oneloop);
on!(tokio);
on!(smol);

type Runner = fn(usize, usize) -> Vec<String>;

/// The three, in the order of the table.
const RUNTIMES: [(&str, Runner); 3] = [("oneloop", oneloop::run), ("tokio", tokio::run), ("smol", smol::run)];

/// One program on three runtimes: the transcripts are compared, and the times stand side by side.
#[derive(Parser)]
struct Args {
    /// How many clients talk to the server at one time
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole(1..=400_u16))]
    clients: u16,
    /// How many words each says
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = whole(1..=65_535_u16))]
    words: u16,
    /// How often each runtime runs the program; the quickest run counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole(1..=100_u8))]
    rounds: u8,
    /// Print the transcript too
    #[arg(long)]
    show: bool,
    /// Print one line of JSON in place of the table
    #[arg(long, conflicts_with = "show")]
    json: bool,
}

fn main() -> ExitCode {
    let args = flags::<Args>();
    let mut best = [Duration::MAX; RUNTIMES.len()];
    let mut transcripts = [const { Vec::new() }; RUNTIMES.len()];
    // In turns, so that whatever else the machine does falls on all three.
    for _ in 0..args.rounds {
        for (n, (_, run)) in RUNTIMES.iter().enumerate() {
            let start = Instant::now();
            transcripts[n] = run(args.clients.into(), args.words.into());
            best[n] = best[n].min(start.elapsed());
        }
    }
    if args.show {
        transcripts[0].iter().for_each(|line| println!("{line}"));
    }
    for ((name, _), transcript) in RUNTIMES.iter().zip(&transcripts) {
        if let Some(difference) = difference(&transcripts[0], transcript) {
            eprintln!("error: the transcripts of oneloop and {name} differ: {difference}");
            return ExitCode::FAILURE;
        }
    }
    if args.json {
        // Names of runtimes and numbers need no escapes.
        let ms =
            RUNTIMES.iter().zip(best).map(|((name, _), time)| format!("\"{name}\":{:.3}", time.as_secs_f64() * 1e3));
        let (lines, ms) = (transcripts[0].len(), ms.collect::<Vec<_>>().join(","));
        println!("{{\"lines\":{lines},\"rounds\":{},\"quickest_ms\":{{{ms}}}}}", args.rounds);
        return ExitCode::SUCCESS;
    }
    println!("{} lines, equal on all three; the quickest of {} runs:", transcripts[0].len(), args.rounds);
    for ((name, _), time) in RUNTIMES.iter().zip(best) {
        let ratio = time.as_secs_f64() / best[0].as_secs_f64();
        println!("  {name:8} {:8.1} ms  {ratio:5.2} times oneloop", time.as_secs_f64() * 1000.0);
    }
    ExitCode::SUCCESS
}

/// The first line that two transcripts do not share.
fn difference(one: &[String], other: &[String]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at))?;
    let [one, other] = [one, other].map(|lines| lines.get(at).map_or("nothing", String::as_str));
    Some(format!("line {} is {one:?} here and {other:?} there", at + 1))
}
