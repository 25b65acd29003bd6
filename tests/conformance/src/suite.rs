//! Running the checks: each in a process of its own, with a time limit.

use std::fmt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::adapter::Runtime;
use crate::checks::{self, Check};

/// A check that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);

/// By this variable a process is told which check it is to run, as in `oneloop a_sleep_of_zero_ends`.
const ONE: &str = "CONFORMANCE_RUNS_ONE";

/// The exit code of a check's process when the runtime holds it.
const HOLDS: i32 = 42;

/// How a check ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The runtime does what the check's name says.
    Holds,
    /// It does not, and what was said about it.
    Fails(String),
    /// The check did not end.
    Hangs,
    /// The process was ended by a signal, or by itself.
    Dies(String),
    /// The runtime does not have what the check needs.
    HasNot,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "yes",
            Self::Fails(_) => "no",
            Self::Hangs => "hangs",
            Self::Dies(_) => "dies",
            Self::HasNot => "-",
        })
    }
}

/// All checks, for one runtime.
pub struct Suite {
    /// The runtime's name.
    pub name: &'static str,
    checks: Vec<(Check, bool)>,
}

impl Suite {
    /// The suite for this runtime.
    #[must_use]
    pub fn of<R: Runtime>() -> Self {
        let has = |check: &Check| check.needs.is_none_or(|part| R::HAS.contains(&part));
        Self {
            name: R::NAME,
            checks: checks::all::<R>()
                .into_iter()
                .map(|c| {
                    let has = has(&c);
                    (c, has)
                })
                .collect(),
        }
    }

    /// The checks' names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.checks.iter().map(|(check, _)| check.name)
    }

    /// Runs the checks whose names are wanted, one after the other, and tells of each.
    pub fn run(
        &self,
        wanted: impl Fn(&str) -> bool,
        tell: impl Fn(&'static str, &Outcome),
    ) -> Vec<(&'static str, Outcome)> {
        let wanted = self.checks.iter().filter(|(check, _)| wanted(check.name));
        let ended = wanted.map(|(check, has)| {
            let outcome = if *has { in_a_process(self.name, check.name) } else { Outcome::HasNot };
            tell(check.name, &outcome);
            (check.name, outcome)
        });
        ended.collect()
    }
}

fn in_a_process(runtime: &str, check: &str) -> Outcome {
    let cannot = |error: std::io::Error| Outcome::Dies(format!("its process could not be run: {error}"));
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return cannot(error),
    };
    let spawned = Command::new(program)
        .env(ONE, format!("{runtime} {check}"))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return cannot(error),
    };
    let stderr = child.stderr.take().expect("it is piped");
    let reader = thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if began.elapsed() < LIMIT => sleep(Duration::from_millis(2)),
            _ => break None,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    let said = reader.join().unwrap_or_default();
    status.map_or(Outcome::Hangs, |status| outcome(status, &said))
}

fn outcome(status: ExitStatus, said: &str) -> Outcome {
    match status.code() {
        Some(HOLDS) => Outcome::Holds,
        Some(101) => Outcome::Fails(words_of_the_panic(said)),
        _ => Outcome::Dies(format!("{status}: {}", words_of_the_panic(said))),
    }
}

/// The words of a panicking process, in one line.
fn words_of_the_panic(said: &str) -> String {
    let told = said.lines().filter(|line| !line.starts_with("note: ") && !line.is_empty());
    told.skip_while(|line| !line.contains("panicked at")).skip(1).take(3).collect::<Vec<_>>().join(" ")
}

/// In the process of one check: runs it, and does not return.
pub fn run_one(suites: &[Suite]) {
    let Ok(one) = std::env::var(ONE) else { return };
    let (runtime, check) = one.split_once(' ').expect("a runtime and a check");
    let suite = suites.iter().find(|suite| suite.name == runtime).expect("the runtime is one of these");
    let (check, _) = suite.checks.iter().find(|(c, _)| c.name == check).expect("the check is one of these");
    (check.run)();
    std::process::exit(HOLDS);
}

/// The whole program of somebody's own runtime: runs all checks, or those that have one of the words
/// of the command line in their names, and says what came of each.
#[must_use]
pub fn main<R: Runtime>() -> ExitCode {
    let suites = [Suite::of::<R>()];
    run_one(&suites);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let outcomes = suites[0].run(wanted, |name, outcome| {
        println!("{:5}  {}", outcome.to_string(), name.replace('_', " "));
        if let Outcome::Fails(why) | Outcome::Dies(why) = outcome {
            println!("           {why}");
        }
    });
    let count = |kind: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| kind(outcome)).count();
    let (held, left_out) = (count(|o| *o == Outcome::Holds), count(|o| *o == Outcome::HasNot));
    println!("{}: {held} of {} hold, {left_out} left out", R::NAME, outcomes.len() - left_out);
    if held + left_out == outcomes.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
