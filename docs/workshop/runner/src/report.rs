//! `cargo stage test`, and what it says of a test that failed: the words, the last events, the wrong one, the hint.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::Said;
use crate::beside::{self, Beside};
use crate::events;
use crate::hints;
use crate::holes;
use crate::judge::judge;
use crate::learner::{Learner, advance};
use crate::run::{self, Verdict};
use crate::stages::{self, Stage};

/// How many of the last events are shown.
const LAST: usize = 20;
/// How many tests that fail are told of at length.
const AT_LENGTH: usize = 2;

/// Runs the tests, and tells what to do next unless that `goes_on` at once. Returns whether all of them passed.
fn run_tests(word: Option<&str>, goes_on: bool) -> Said<bool> {
    let (learner, stages) = (Learner::find()?, stages::all()?);
    let program = run::build(&learner.folder)?;
    let tests = run::tests(&program)?;
    let mut wanted: Vec<&String> = tests.iter().filter(|test| word.is_none_or(|word| test.contains(word))).collect();
    if let (true, Some(word)) = (wanted.is_empty(), word) {
        return Err(format!("no test has `{word}` in its name; `cargo stage test` alone runs all of them"));
    }
    wanted.sort_by_key(|test| place(&stages, test));
    let (mut failed, mut stage_told) = (Vec::new(), None);
    learner.remember("failed", "")?;
    let (mut to_see, mut beside, mut untrue) = (None, Beside::new(&learner, &stages), 0);
    for test in &wanted {
        let (stage, name) = test.split_once("::").unwrap_or(("", test));
        if stage_told.replace(stage) != Some(stage) {
            println!("{}", title(&stages, stage));
        }
        let recording = learner.recording(test);
        let ran = run::run(&program, test, &recording, run::limit(10))?;
        let sign = match ran.verdict {
            Verdict::Passed => "passes",
            Verdict::Failed(_) => "FAILS",
            Verdict::Hangs => "HANGS",
        };
        println!("  {sign:<6}  {}", name.replace('_', " "));
        if ran.verdict == Verdict::Passed {
            // Its values are right, and the page would show something else.
            if let Some(wrong) = judge(&events::read(&recording), stage_of(&stages, test)) {
                untrue += 1;
                if untrue <= AT_LENGTH {
                    println!("          yet its recording is wrong; look at your calls of `trace`: {wrong}");
                }
            }
        } else {
            // A test that polls by hand runs no loop, and so there is nothing to see of it.
            if to_see.is_none() && events::has_tasks(&recording) {
                to_see = Some(name.replace('_', " "));
                learner.remember("failed", test)?;
            }
            if failed.len() < AT_LENGTH {
                print!(
                    "{}",
                    explain(&stages, &learner.folder, test, &ran.verdict, &recording, || beside.recordings(test))?
                );
            }
            failed.push(test);
        }
    }
    conclude(wanted.len(), failed.len(), untrue);
    if let Some(name) = to_see {
        println!("See \"{name}\" on the page: `cargo stage see`");
    } else if !failed.is_empty() {
        println!("The tests that fail poll by hand, so the page has nothing to show of them.");
    } else if word.is_none() && !goes_on {
        let is_last = learner.stage() + 1 >= stages.len();
        let then = if is_last { "That was the last test." } else { "Then go on: `cargo stage next`." };
        println!("Look at your own loop: `cargo stage see`. {then}");
    }
    Ok(failed.is_empty())
}

/// Counts the tests that pass, and those of them whose recording is wrong.
fn conclude(all: usize, failed: usize, untrue: usize) {
    println!("\n{} of {all} tests pass", all - failed);
    if untrue > 0 {
        println!("{untrue} of these have a recording that is wrong: the page would show what your loop did not do.");
    }
    if failed > AT_LENGTH {
        println!("Only the first {AT_LENGTH} that fail are told of at length; mend them first.");
    }
}

/// The place of a test: the tests are told in the order in which they are written.
fn place(stages: &[Stage], test: &str) -> (usize, Option<usize>) {
    let (module, name) = test.split_once("::").unwrap_or(("", test));
    let Some(stage) = stages.iter().find(|stage| stage.module() == module) else { return (usize::MAX, None) };
    let files = stage.files("tests").unwrap_or_default();
    (stage.number, files.iter().find_map(|(_, text)| text.find(&format!("fn {name}("))))
}

/// The number of the stage that a test belongs to.
fn stage_of(stages: &[Stage], test: &str) -> usize {
    stages.iter().find(|stage| test.starts_with(&stage.module())).map_or(0, |stage| stage.number)
}

fn title(stages: &[Stage], module: &str) -> String {
    let stage = stages.iter().find(|stage| stage.module() == module);
    stage.map_or(module.to_owned(), |stage| format!("stage {}, {}", stage.number, stage.title))
}

/// Opens the line that names an event.
pub(crate) const WRONG: &str = "wrong: ";

/// Explains a test that did not pass, in lines that are indented. If its recording breaks no rule, it is compared with
/// those of the solution.
pub(crate) fn explain(
    stages: &[Stage],
    crate_folder: &Path,
    test: &str,
    verdict: &Verdict,
    recording: &Path,
    solutions: impl FnOnce() -> Vec<PathBuf>,
) -> Said<String> {
    let mut lines = Vec::new();
    match verdict {
        Verdict::Passed => return Ok(String::new()),
        Verdict::Hangs => lines.push("it did not end, and was ended".to_owned()),
        Verdict::Failed(words) => lines.push(words.clone()),
    }
    let is_empty = matches!(verdict, Verdict::Failed(words) if words.contains("not yet implemented: stage "));
    let mut wrong = None;
    if !is_empty {
        let events = events::read(recording);
        if !events.is_empty() {
            lines.push(format!("the last of {} events:", events.len()));
            lines.extend(events[events.len().saturating_sub(LAST)..].iter().map(|event| format!("  {event}")));
        }
        let number = stage_of(stages, test);
        let parts = || if events.is_empty() { None } else { beside::parts(recording, &solutions()) };
        wrong = judge(&events, number).or_else(parts);
        lines.push(wrong.as_ref().map_or_else(|| nothing_wrong(&events), |wrong| format!("{WRONG}{wrong}")));
    }
    let fitting = hints::for_test(stages, test, &wrong.unwrap_or_default())?.filter(|_| !is_empty);
    let blamed = blamed(crate_folder, verdict).filter(|_| !is_empty);
    match (blamed, fitting) {
        // It says itself which of the learner's lines it is.
        (Some(Blamed::Hole(hole)), _) => {
            let nudge = hints::nudge(stages, &hole)?.unwrap_or_default();
            lines.push(format!("hint for \"{hole}\", where it panicked: {nudge}"));
        }
        (blamed, fitting) => {
            if let Some(Blamed::Given(path, holes)) = blamed {
                let is_told = fitting.as_ref().is_some_and(|(hole, _)| holes.contains(hole));
                if !is_told {
                    lines.push(format!(
                        "it panicked in {path}, in what is given; look at what you wrote there: {}",
                        holes.join(", ")
                    ));
                }
            }
            lines.extend(fitting.map(|(hole, nudge)| format!("hint for \"{hole}\": {nudge}")));
        }
    }
    Ok(lines.iter().map(|line| format!("          {line}\n")).collect())
}

/// The words for a test whose events break no rule.
fn nothing_wrong(events: &[events::Event]) -> String {
    let at = |kind: &str, outcome: Option<&str>| {
        let is =
            |event: &&events::Event| event.kind == kind && outcome.is_none_or(|is| event.get("outcome") == Some(is));
        events.iter().rev().find(is).map(|event| event.number)
    };
    match (at("poll_end", Some("panicked")), events.last()) {
        (_, None) => "no event to name: this test runs no loop, and looks at the values themselves".to_owned(),
        (Some(end), _) => {
            format!("no event breaks a rule of its own: the test saw it in the poll that ended at event {end}")
        }
        (None, Some(last)) => format!("no event breaks a rule of its own: the test saw it after event {}", last.number),
    }
}

/// The place in the learner's crate at which a test panicked.
#[derive(Debug, PartialEq)]
enum Blamed {
    Hole(String),
    /// A file and its holes: the line itself is given.
    Given(String, Vec<String>),
}

fn blamed(crate_folder: &Path, verdict: &Verdict) -> Option<Blamed> {
    let Verdict::Failed(words) = verdict else { return None };
    let (path, line) = place_in_source(words)?;
    let text = fs::read_to_string(crate_folder.join(path)).ok()?;
    match holes::at_line(&text, line) {
        Some(hole) => Some(Blamed::Hole(hole)),
        None => {
            let holes: Vec<String> = holes::holes(&text).ok()?.into_iter().map(|(name, _)| name).collect();
            (!holes.is_empty()).then(|| Blamed::Given(path.to_owned(), holes))
        }
    }
}

/// The file and the line of a panic, if that is in `src/`.
fn place_in_source(words: &str) -> Option<(&str, usize)> {
    let place = words.rsplit_once('(')?.1.trim_end_matches(')');
    let mut parts = place.rsplitn(3, ':');
    let (_column, line, path) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    (path.starts_with("src/") && !path.contains("..")).then_some((path, line))
}

#[test]
fn a_panic_in_the_learners_own_lines_is_told_from_one_in_a_test() {
    assert_eq!(place_in_source("it overflowed (src/heart/ready.rs:58:9)"), Some(("src/heart/ready.rs", 58)));
    assert_eq!(place_in_source("left: 1; right: 2 (src/../tests/stage_01.rs:7:5)"), None);
    assert_eq!(place_in_source("its process ended: abort"), None);
}

/// `cargo stage test`.
pub(crate) fn test(word: Option<&str>) -> Said<()> {
    if run_tests(word, false)? { Ok(()) } else { Err("not yet".to_owned()) }
}

/// `cargo stage next`.
pub(crate) fn next() -> Said<()> {
    if !run_tests(None, true)? {
        return Err("this stage is not through; `cargo stage skip` takes its solution".to_owned());
    }
    advance(&Learner::find()?, &stages::all()?)
}

/// `cargo stage watch`: the tests, whenever a file has changed.
pub(crate) fn watch() -> Said<()> {
    let source = Learner::find()?.folder.join("src");
    let mut seen = None;
    loop {
        let newest = newest(&source);
        if seen != Some(newest) {
            seen = Some(newest);
            println!("\n--- cargo stage watch; Ctrl-C ends it ---");
            if let Err(sentence) = test(None) {
                println!("{sentence}");
            }
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let times = entries.map(|entry| match entry.path() {
        path if path.is_dir() => newest(&path),
        _ => entry.metadata().ok()?.modified().ok(),
    });
    times.max().flatten()
}
