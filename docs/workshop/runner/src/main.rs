//! `cargo stage`: the workshop's own tool.
//!
//! A stage is a folder of `docs/workshop/stages`: a page, the files that a solution has from there on, tests,
//! hints, and wrong versions that the tests must kill. Regions of the solution are marked, and become holes in
//! the learner's crate. Read the modules in this order:
//!
//! ```text
//!     toml      the little of TOML that a stage.toml uses
//!     stages    what a stage has on disk
//!     holes     marked regions: taken out, filled, carried over
//!     tree      all files of a crate at a stage
//!     learner   the learner's crate, and what is remembered of it
//!     events    a recording, as the tests write it
//!     judge     what a recording says about a runtime; slots: about a slab alone
//!     run       building, and running each test in a process of its own
//!     beside    the same test on the solution: where two runs part
//!     report    what is said of a test that failed
//!     hints, diff, see, clinic, doctor, conformance   one command each
//!     patch, texts, schedule, same, check             what keeps the workshop honest
//! ```

mod beside;
mod check;
mod clinic;
mod conformance;
mod diff;
mod doctor;
mod events;
mod hints;
mod holes;
mod items;
mod judge;
mod learner;
mod loom;
mod patch;
mod report;
mod run;
mod same;
mod schedule;
mod see;
mod slots;
mod stages;
mod texts;
mod toml;
mod tree;

use std::process::ExitCode;

/// Everything that can go wrong is said in one sentence.
type Said<T> = Result<T, String>;

const USAGE: &str = "\
cargo stage                where you are, and what is next
cargo stage doctor         looks whether this machine has all that the workshop needs
cargo stage start [DIR]    makes your own crate in DIR, outside of git (../my-loop without one)
                           --record keeps your minutes for each stage in your crate, for you alone
cargo stage test [WORD]    builds it, and runs the tests of all stages so far, or those with WORD in their names
cargo stage watch          the same whenever you save a file
cargo stage hint [HOLE]    the next hint for a hole: a nudge, then its shape, then nearly the code
cargo stage see [TEST]     shows the last run of a test on the page: without a name, of the last that failed
cargo stage diff           your holes beside those of the solution
cargo stage next           brings the next stage, once all tests pass
cargo stage skip           takes the solution of this stage, and brings the next
cargo stage reset          empties the holes of this stage; what you wrote is kept in .stage/before
cargo stage clinic [CASE]  deals a sealed case: a recording; then `clinic source`, then `clinic answer`
cargo stage conformance    runs the conformance suite on your crate, and prints the table with your column;
                           a word after it takes the checks with that word in their names
cargo stage loom [WORD]    tries loom's models on your inbox, from stage 11 on
cargo stage check          holds the workshop itself to its rules
                           [--fresh] [--write] [--conformance] [--loom] [STAGE...]";

/// The sentence about words that a command cannot use, if there are any.
fn misuse(words: &[&str]) -> Option<String> {
    let (command, rest) = words.split_first()?;
    let alone = ["status", "doctor", "watch", "diff", "next", "skip", "reset"];
    if let (true, Some(word)) = (alone.contains(command), rest.first()) {
        return Some(format!("`{command}` stands alone, and `{word}` says nothing to it; try `cargo stage {command}`"));
    }
    match *command {
        "start" => learner::misuse(rest),
        "clinic" => clinic::misuse(rest),
        "check" => check::misuse(rest),
        _ => None,
    }
}

/// The words of a test's name, as the tool prints it or as it stands in the code.
fn name(words: &[&str]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" ").trim().replace(' ', "_"))
}

fn main() -> ExitCode {
    sigpipe::reset();
    say_so_on_a_full_disk();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(sentence) = misuse(&words) {
        eprintln!("cargo stage: {sentence}");
        return ExitCode::from(2);
    }
    let ended = match words.as_slice() {
        [] | ["status"] => learner::status(),
        ["doctor"] => doctor::doctor(),
        ["start", rest @ ..] => learner::start(rest),
        ["test", rest @ ..] => report::test(name(rest).as_deref()),
        ["watch"] => report::watch(),
        ["hint", rest @ ..] => hints::hint(&rest.join(" ")),
        ["see", rest @ ..] => see::see(name(rest).as_deref()),
        ["diff"] => diff::diff(),
        ["next"] => report::next(),
        ["skip"] => learner::skip(),
        ["reset"] => learner::reset(),
        ["clinic", rest @ ..] => clinic::clinic(rest),
        ["conformance", rest @ ..] => conformance::conformance(rest),
        ["loom", rest @ ..] => loom::loom(rest),
        ["check", rest @ ..] => check::check(rest),
        ["help" | "--help" | "-h", ..] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [unknown, ..] => {
            eprintln!("cargo stage: there is no command `{unknown}`; `cargo stage --help` lists them");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("cargo stage: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// A disk that is full is no error of this program's: its `println!` ends with a line, and not in a panic.
fn say_so_on_a_full_disk() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload().downcast_ref::<String>();
        if let Some(error) = said.and_then(|said| said.strip_prefix("failed printing to stdout: ")) {
            eprintln!("cargo stage: cannot write the output: {error}");
            std::process::exit(1);
        }
        others(info);
    }));
}
