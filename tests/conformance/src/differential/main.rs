//! The differential: the same programs on tokio's current-thread runtime and on oneloop.
//!
//! Each program writes down what it sees: bytes, outputs, kinds of errors, orders that both promise, times
//! on a virtual clock. The two must write down the same, line by line, but for the differences
//! listed in `differences.rs`, each with its reason. `docs/from-tokio.md` is made of that list.

#[path = "../../../command_line.rs"]
mod command_line;
mod differences;
mod on_oneloop;
mod on_tokio;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use differences::{DIFFERENCES, page};

/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// A program's own account, line by line: `what: how`.
type Seen = Vec<String>;

/// Runs the same programs on tokio and on oneloop, and compares what they see.
#[derive(Parser)]
struct Arguments {
    /// Print what every program saw.
    #[arg(long)]
    show: bool,
    /// Write the listed differences into docs/from-tokio.md.
    #[arg(long)]
    write: bool,
}

fn main() -> ExitCode {
    let arguments = command_line::read::<Arguments>();
    // Several programs panic on purpose.
    std::panic::set_hook(Box::new(|_| ()));
    let ended = compare(arguments.show).and_then(|()| if arguments.write { write() } else { check() });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(show: bool) -> Result<(), String> {
    let (mut lines, mut listed, mut wrong) = (0, Vec::new(), Vec::new());
    for ((name, here), (_, there)) in on_oneloop::programs::PROGRAMS.iter().zip(on_tokio::programs::PROGRAMS) {
        let (here, there) = (in_time(name, *here)?, in_time(name, *there)?);
        if show {
            println!("{name}:");
            here.iter().for_each(|line| println!("    {line}"));
        }
        if here.len() != there.len() {
            wrong.push(format!("{name}: oneloop saw {here:#?}, tokio {there:#?}"));
            continue;
        }
        lines += here.len();
        for (here, there) in here.iter().zip(&there).filter(|(here, there)| here != there) {
            let place = DIFFERENCES.iter().position(|known| known.oneloop == here && known.tokio == there);
            match place {
                Some(place) => listed.push(place),
                None => wrong.push(format!("{name}:\n    oneloop: {here}\n    tokio:   {there}")),
            }
        }
    }
    for (place, known) in DIFFERENCES.iter().enumerate() {
        if !listed.contains(&place) {
            wrong.push(format!("listed, and not seen: oneloop: {}, tokio: {}", known.oneloop, known.tokio));
        }
    }
    println!(
        "{} programs, {lines} lines: {} the same, {} different as listed",
        on_oneloop::programs::PROGRAMS.len(),
        lines - listed.len(),
        listed.len()
    );
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Runs a program on a thread of its own, for as long as is reasonable.
fn in_time(name: &str, program: fn() -> Seen) -> Result<Seen, String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(program()));
    told.recv_timeout(LIMIT).map_err(|_| format!("{name} panicked, or is not over after {LIMIT:?}"))
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/from-tokio.md")
}

fn write() -> Result<(), String> {
    fs::write(path(), page()).map_err(|error| format!("docs/from-tokio.md cannot be written: {error}"))
}

fn check() -> Result<(), String> {
    if fs::read_to_string(path()).is_ok_and(|text| text == page()) {
        return Ok(());
    }
    Err("docs/from-tokio.md is out of step with the differences; make it again with\n    \
         cargo run --manifest-path tests/conformance/Cargo.toml --bin differential -- --write"
        .into())
}
