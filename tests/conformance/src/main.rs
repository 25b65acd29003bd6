//! The comparison: the suite on each of these runtimes, as a table.

#[path = "../../command_line.rs"]
mod command_line;
mod page;

use std::process::ExitCode;
use std::thread;

use clap::Parser;
use oneloop_conformance::{Outcome, Suite, run_one, runtimes};

/// Runs the conformance suite on several runtimes and prints who passes what.
#[derive(Parser)]
struct Arguments {
    /// Only these runtimes, of oneloop, tokio, smol, step2 and step3.
    runtimes: Vec<String>,
    /// Only checks that have this word in their name.
    #[arg(long, default_value = "")]
    only: String,
    /// Write the table into docs/conformance.md.
    #[arg(long, conflicts_with_all = ["only", "runtimes"])]
    write: bool,
    /// Exit with 1 unless docs/conformance.md has these checks, and what oneloop does in each.
    #[arg(long, conflicts_with_all = ["only", "write"])]
    check: bool,
}

fn main() -> ExitCode {
    let suites = [
        Suite::of::<runtimes::Oneloop>(),
        Suite::of::<runtimes::Tokio>(),
        Suite::of::<runtimes::Smol>(),
        Suite::of::<runtimes::Step2>(),
        Suite::of::<runtimes::Step3>(),
    ];
    run_one(&suites);
    let arguments = command_line::read::<Arguments>();
    if let Some(unknown) = arguments.runtimes.iter().find(|name| suites.iter().all(|suite| suite.name != **name)) {
        let names: Vec<&str> = suites.iter().map(|suite| suite.name).collect();
        eprintln!("there is no runtime `{unknown}` here; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let chosen = suites
        .iter()
        .filter(|suite| arguments.runtimes.is_empty() || arguments.runtimes.iter().any(|name| name == suite.name));
    let table = page::Table::new(run_all(&chosen.collect::<Vec<_>>(), &arguments.only));
    print!("{}", table.markdown());
    for line in table.reasons() {
        println!("{line}");
    }
    let ended = match () {
        () if arguments.write => page::write(&table),
        () if arguments.check => page::check(&table),
        () => Ok(()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The outcomes, by runtime. Two runtimes at a time, so that one that waits costs no time.
fn run_all(suites: &[&Suite], only: &str) -> Vec<(&'static str, Vec<(&'static str, Outcome)>)> {
    let one = |suite: &Suite| (suite.name, suite.run(|name| name.contains(only), |_, _| ()));
    let mut all = Vec::new();
    for two in suites.chunks(2) {
        thread::scope(|scope| {
            let started: Vec<_> = two.iter().map(|suite| scope.spawn(|| one(suite))).collect();
            all.extend(started.into_iter().map(|thread| thread.join().expect("running checks does not panic")));
        });
    }
    all
}
