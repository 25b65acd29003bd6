//! Planted bugs: wrong versions of the rules that keep the runtime correct, each a line long, and the
//! test that each of them must turn red.
//!
//! ```text
//!     cargo run -p oneloop-planted              all of them, one at a time
//!     cargo run -p oneloop-planted -- --list    the table
//!     cargo run -p oneloop-planted -- inbox     those whose rule, file, sentence or test has this word
//! ```
//!
//! The project is copied into cargo's target folder, and the copy alone is damaged. A bug is killed when
//! its test fails, or hangs; it survives when the test passes. A survivor is a missing test.

mod bugs;
mod cargo;
#[path = "../command_line.rs"]
mod command_line;
mod tree;

use std::num::NonZero;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use bugs::{BUGS, Bug, LIBRARIES};
use cargo::{Cargo, Verdict};
use tree::Tree;

/// Plants wrong versions of the runtime's rules, one at a time, and sees each killed by its test.
#[derive(Parser)]
struct Arguments {
    /// Only bugs whose rule, file, sentence or test has one of these words; `rule 2` is written `rule-2`.
    words: Vec<String>,
    /// One in so many of those: a sample takes less time, and leaves out what needs libraries of others.
    #[arg(long, value_name = "N", default_value_t = NonZero::<usize>::MIN)]
    one_in: NonZero<usize>,
    /// Print the table, and plant nothing.
    #[arg(long)]
    list: bool,
}

impl Arguments {
    fn wants(&self, bug: &Bug) -> bool {
        if self.one_in.get() > 1 && bug.program() == LIBRARIES {
            return false;
        }
        let text = format!("rule-{} {} {} {}", bug.rule, bug.file, bug.what, bug.test);
        self.words.is_empty() || self.words.iter().any(|word| text.contains(word.as_str()))
    }
}

fn main() -> ExitCode {
    let arguments = command_line::read::<Arguments>();
    let chosen: Vec<&Bug> = BUGS.iter().filter(|bug| arguments.wants(bug)).step_by(arguments.one_in.get()).collect();
    if chosen.is_empty() {
        eprintln!("no planted bug has any of these words: {}; --list shows them all", arguments.words.join(", "));
        return ExitCode::from(2);
    }
    if arguments.list {
        for bug in chosen {
            println!("rule {:2}, {}: {}\n    {}", bug.rule, bug.file, bug.what, bug.test);
        }
        return ExitCode::SUCCESS;
    }
    match plant_all(&chosen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn plant_all(bugs: &[&Bug]) -> Result<(), String> {
    let began = Instant::now();
    let tree = Tree::copy()?;
    let cargo = Cargo::new(&tree);
    cargo.all_green(bugs)?;
    println!("all tests of the table pass where nothing is planted, after {} s", began.elapsed().as_secs());
    let (mut killed, mut holes) = (0, 0);
    for bug in bugs {
        let verdict = tree.with(bug, || cargo.test(bug))?;
        killed += usize::from(verdict.is_killed());
        holes += usize::from(verdict.is_a_hole());
        println!("{verdict:9} rule {:2}, {}: {}", bug.rule, bug.file, bug.what);
        if let Verdict::NotTried(why) = verdict {
            println!("{why}");
        }
    }
    println!("{killed} of {} killed, in {} s", bugs.len(), began.elapsed().as_secs());
    match holes {
        0 => Ok(()),
        some => Err(format!("{some} planted bugs were not killed: write the test that each of them is missing")),
    }
}
