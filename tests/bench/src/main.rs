//! The command line: the whole comparison, one figure of it, or the guard over oneloop's counts.

#[path = "../../command_line.rs"]
mod command_line;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use oneloop_bench::table::Table;
use oneloop_bench::work::{Job, Workload};
use oneloop_bench::{client, drive, events, growth, guard, peers};

/// oneloop beside other runtimes: the same work, the same machine, the same run.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure every workload on every runtime and print the table.
    All {
        #[command(flatten)]
        selection: Selection,
    },
    /// Measure these workloads only.
    Only {
        #[arg(required = true)]
        workloads: Vec<Workload>,
        #[command(flatten)]
        selection: Selection,
    },
    /// Measure what one more task, timer, request and connection costs among up to a million, and draw it.
    Growth {
        /// The picture's path.
        #[arg(long, default_value = "growth.svg")]
        out: PathBuf,
        /// The largest number of tasks and timers.
        #[arg(long, default_value_t = 1_000_000)]
        most: u64,
    },
    /// Compare oneloop's instruction counts with the committed limits; exit 1 when one is above.
    Guard,
    /// Print what an event costs while a ring keeps the last ones.
    Events,
    /// Leave a callgrind profile of one workload, for callgrind_annotate.
    Profile {
        #[command(flatten)]
        job: JobArguments,
        /// The profile's path.
        #[arg(long, default_value = "callgrind.out.bench")]
        out: PathBuf,
    },
    /// Run one workload on one runtime and nothing else; servers wait for `client`.
    Counts {
        #[command(flatten)]
        job: JobArguments,
    },
    /// The other end of the socket workloads.
    #[command(subcommand)]
    Client(Client),
}

#[derive(clap::Args)]
struct Selection {
    /// Runtimes to measure, separated by commas; without it all of them.
    #[arg(long, value_delimiter = ',', value_parser = parse_runtime)]
    on: Vec<&'static str>,
    /// Interleaved runs behind each figure of time or memory.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=101))]
    runs: u32,
}

#[derive(clap::Args)]
struct JobArguments {
    /// The runtime's name.
    #[arg(value_parser = parse_runtime)]
    runtime: &'static str,
    /// The workload's name.
    workload: Workload,
    /// How many times it is done.
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    units: u64,
    /// Waiting tasks for spawn_join and pending sleeps for sleep_drop (0 if not given), connections for
    /// echo (100 if not given).
    extra: Option<u64>,
}

impl JobArguments {
    fn job(&self) -> Job {
        let default = if self.workload == Workload::Echo { 100 } else { 0 };
        Job { workload: self.workload, units: self.units, extra: self.extra.unwrap_or(default) }
    }
}

#[derive(Subcommand)]
enum Client {
    /// Send requests over some connections and check each reply.
    Echo {
        server: SocketAddr,
        connections: u64,
        requests: u64,
        /// Milliseconds to wait before each round of requests.
        #[arg(default_value_t = 0)]
        think_ms: u64,
    },
    /// Hold silent connections until the server closes.
    Hold { server: SocketAddr, connections: u64 },
}

fn parse_runtime(name: &str) -> Result<&'static str, String> {
    let known = peers::NAMES.into_iter().chain([peers::oneloop::WITH_RING]).find(|known| *known == name);
    known.ok_or_else(|| peers::unknown(name))
}

fn main() -> ExitCode {
    let ended = match command_line::read::<Arguments>().command {
        Command::All { selection } => compare(&Workload::ALL, &selection),
        Command::Only { workloads, selection } => compare(&workloads, &selection),
        Command::Growth { out, most } => growth::show(&out, most),
        Command::Guard => guard::check(),
        Command::Events => events::print(),
        Command::Profile { job, out } => profile(&job, &out),
        Command::Counts { job } => counts(&job),
        Command::Client(Client::Echo { server, connections, requests, think_ms }) => {
            client::echo(server, connections, requests, Duration::from_millis(think_ms))
                .map_err(|error| format!("client of {server}: {error}"))
        }
        Command::Client(Client::Hold { server, connections }) => {
            client::hold(server, connections).map_err(|error| format!("client of {server}: {error}"))
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(workloads: &[Workload], selection: &Selection) -> Result<(), String> {
    let runtimes = if selection.on.is_empty() { peers::NAMES.to_vec() } else { selection.on.clone() };
    let mut table = Table::new(runtimes, selection.runs as usize);
    for workload in workloads {
        table.measure(*workload);
    }
    print!("{}", table.markdown());
    Ok(())
}

fn profile(job: &JobArguments, out: &std::path::Path) -> Result<(), String> {
    drive::run(job.runtime, job.job(), drive::Under::Callgrind(out))?;
    println!("callgrind_annotate {}", out.display());
    Ok(())
}

fn counts(job: &JobArguments) -> Result<(), String> {
    let announce = |address| println!("{}{address}", drive::LISTENING);
    let figures = peers::run(job.runtime, job.job(), &announce)?;
    for (name, value) in figures {
        println!("{name} {value}");
    }
    Ok(())
}
