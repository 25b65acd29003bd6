//! The break-it lab: programs that somebody believed in, each with the line to mend and the test that tells.
//!
//! ```text
//! cargo run -p oneloop-lab                    lists them
//! cargo run -p oneloop-lab -- 3               runs the third as it is, and its test
//! cargo run -p oneloop-lab -- 3 --mended      runs it with the line mended
//! ```
//!
//! A program stands once in its file. Its line to mend is written in `broken! { .. }`, and the mended line in
//! `mended! { .. }`. Each of the two macros gives what is in it, or nothing: so one file is both programs.

// The programs are there twice, by two pairs of macros, and do what one should not do.
#![allow(clippy::await_holding_refcell_ref, clippy::duplicate_mod, clippy::needless_pass_by_value)]
#![allow(unreachable_pub, unused)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use oneloop::Runtime;
use oneloop::see::Ring;
use oneloop_demos::{is_shown, while_shown};

macro_rules! broken {
    ($($code:tt)*) => { $($code)* };
}
macro_rules! mended {
    ($($code:tt)*) => {};
}
#[path = "programs.rs"]
mod broken;

macro_rules! broken {
    ($($code:tt)*) => {};
}
macro_rules! mended {
    ($($code:tt)*) => { $($code)* };
}
#[path = "programs.rs"]
mod mended;

/// A program, as broken or as mended.
struct Program {
    file: &'static str,
    /// The text of its file.
    source: &'static str,
    /// Runs it, and gives the test of what came of it.
    run: fn(&Runtime) -> Box<dyn FnOnce()>,
    /// As what it is dealt in the clinic.
    case: Option<Case>,
}

struct Case {
    number: u8,
    level: u8,
    title: &'static str,
}

impl Program {
    /// The sentence that somebody believed, with its number.
    fn says(&self) -> &str {
        self.source.lines().next().unwrap_or_default().trim_start_matches("//! ")
    }
}

/// Runs a program of the break-it lab, and the test that tells whether it does what its author believed.
#[derive(Parser)]
#[command(name = "lab")]
struct Args {
    /// Which one; without a number they are listed
    number: Option<usize>,
    /// With the line mended
    #[arg(long)]
    mended: bool,
    /// Records the run without a diagnosis, as the clinic deals it
    #[arg(long, value_name = "FILE", hide = true)]
    quietly: Option<PathBuf>,
    /// Lists the cases of the clinic: a case, its level, its title and its file, separated by tabs
    #[arg(long, hide = true)]
    cases: bool,
}

fn main() -> ExitCode {
    let args = oneloop_demos::flags::<Args>();
    if args.cases {
        for program in broken::PROGRAMS {
            if let Some(Case { number, level, title }) = program.case {
                println!("{number}\t{level}\t{title}\t{}", program.file);
            }
        }
        return ExitCode::SUCCESS;
    }
    let Some(number) = args.number else {
        broken::PROGRAMS.iter().for_each(|program| println!("{}", program.says()));
        return ExitCode::SUCCESS;
    };
    let programs = if args.mended { mended::PROGRAMS } else { broken::PROGRAMS };
    let Some(program) = number.checked_sub(1).and_then(|at| programs.get(at)) else {
        eprintln!("error: there is no program {number}; they go from 1 to {}", programs.len());
        return ExitCode::from(2);
    };
    play(program, args.quietly).unwrap_or_else(|error| {
        eprintln!("error: cannot run {}: {error}", program.file);
        ExitCode::FAILURE
    })
}

/// Runs the program on the virtual clock, and its test. A loop that is shown then stays until Ctrl-C. The recording is
/// written when the runtime has gone.
fn play(program: &Program, quietly: Option<PathBuf>) -> std::io::Result<ExitCode> {
    let ring = Ring::new(100_000);
    let builder = Runtime::builder().virtual_clock();
    let builder = if quietly.is_some() { builder.observer(ring.clone()) } else { builder };
    let runtime = builder.build()?;
    let test = (program.run)(&runtime);
    let code = judge(program, test);
    if is_shown() {
        runtime.block_on(while_shown("the virtual clock is through"))?;
    }
    drop(runtime);
    if let Some(path) = quietly {
        ring.write_to(std::fs::File::create(path)?)?;
    }
    Ok(code)
}

fn judge(program: &Program, test: Box<dyn FnOnce()>) -> ExitCode {
    println!("{}", program.says());
    if catch_unwind(AssertUnwindSafe(test)).is_ok() {
        println!("the test passes");
        return ExitCode::SUCCESS;
    }
    println!("the test fails; the lines broken! and mended! of docs/workshop/lab/{} say why", program.file);
    ExitCode::FAILURE
}
