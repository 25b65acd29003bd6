//! The same test on the solution: the first event in which a run parts from the solution's.
//!
//! Two runs of the solution may differ, as threads and the kernel go. So it runs twice, and only what both runs have in
//! common counts. Times count on a virtual clock alone, and places in a source never do.

use std::path::{Path, PathBuf};

use crate::Said;
use crate::events::{self, Event};
use crate::learner::Learner;
use crate::run;
use crate::stages::{Stage, read};
use crate::tree;

/// The recordings of two runs of the solution, for the tests of a learner. They are made when they are first asked for.
pub(crate) struct Beside<'a> {
    learner: &'a Learner,
    stages: &'a [Stage],
    program: Option<Option<PathBuf>>,
}

impl<'a> Beside<'a> {
    pub(crate) fn new(learner: &'a Learner, stages: &'a [Stage]) -> Self {
        Self { learner, stages, program: None }
    }

    /// Runs a test of the solution twice. Nothing if the solution cannot be built here.
    pub(crate) fn recordings(&mut self, test: &str) -> Vec<PathBuf> {
        let (learner, stages) = (self.learner, self.stages);
        let program = self.program.get_or_insert_with(|| build(learner, stages).ok());
        let Some(program) = program else { return Vec::new() };
        let folder = learner.folder.join(".stage/solution/recordings");
        let paths = two(&folder, test);
        for path in &paths {
            let _ = run::run(program, test, path, run::limit(10));
        }
        paths.to_vec()
    }
}

/// The paths of two recordings of a test of the solution.
pub(crate) fn two(folder: &Path, test: &str) -> [PathBuf; 2] {
    ["", ".again"].map(|which| folder.join(format!("{}{which}.ndjson", test.replace("::", "."))))
}

/// Builds the solution beside the learner's crate, with the libraries that are built already.
fn build(learner: &Learner, stages: &[Stage]) -> Said<PathBuf> {
    let folder = learner.folder.join(".stage/solution");
    tree::lay(&folder, &tree::solution(stages, learner.stage())?)?;
    let files =
        [("Cargo.toml", tree::manifest(learner.stage())), ("Cargo.lock", read(&learner.folder.join("Cargo.lock"))?)];
    tree::lay(&folder, &files.map(|(name, text)| (name.to_owned(), text)).into())?;
    run::build_quietly(&folder, &learner.folder.join("target"))
}

/// A run, as it is compared.
struct Run {
    events: Vec<Event>,
    lines: Vec<String>,
}

impl Run {
    fn read(path: &Path) -> Self {
        let text = read(path).unwrap_or_default();
        let is_virtual = text.lines().next().is_some_and(|header| header.contains("\"clock\":\"virtual\""));
        let events = events::parse(&text);
        let lines = events.iter().map(|event| event.told(is_virtual)).collect();
        Self { events, lines }
    }
}

/// The sentence about the event at which a run parts from both runs of the solution.
pub(crate) fn parts(yours: &Path, solutions: &[PathBuf]) -> Option<String> {
    let [one, two] = solutions else { return None };
    tell(&Run::read(yours), &Run::read(one), &Run::read(two))
}

fn tell(yours: &Run, one: &Run, two: &Run) -> Option<String> {
    let common = one.lines.iter().zip(&two.lines).take_while(|(one, two)| one == two).count();
    let same = yours.lines.iter().zip(&one.lines).take_while(|(yours, theirs)| yours == theirs).count();
    let theirs = one.lines.get(same).filter(|_| same < common)?;
    let Some(event) = yours.events.get(same) else {
        let last = yours.events.last()?.number;
        return Some(format!("your run ends with event {last}; the solution's goes on: {theirs}"));
    };
    // The test itself has failed in there.
    let panicked = event.kind == "poll_end" && event.get("outcome") == Some("panicked");
    let (n, line) = (event.number, &yours.lines[same]);
    (!panicked)
        .then(|| format!("event {n} is the first that the solution's run does not have: {line}; there it is: {theirs}"))
}

#[test]
fn a_run_parts_from_the_solutions_where_both_of_those_agree() {
    let run = |kinds: &[&str]| {
        let line = |(n, kind): (usize, &&str)| format!(r#"{{"n":{},"t":{n},"e":"{kind}"}}"#, n + 1);
        let events = events::parse(&kinds.iter().enumerate().map(line).collect::<Vec<_>>().join("\n"));
        Run { lines: events.iter().map(|event| event.told(false)).collect(), events }
    };
    let (one, two) = (run(&["a", "b", "c", "d"]), run(&["a", "b", "c", "e"]));
    let told = |kinds: &[&str]| tell(&run(kinds), &one, &two);
    let said = "event 2 is the first that the solution's run does not have: x; there it is: b";
    assert_eq!(told(&["a", "x"]).as_deref(), Some(said));
    assert_eq!(told(&["a", "b"]).as_deref(), Some("your run ends with event 2; the solution's goes on: c"));
    assert_eq!((told(&["a", "b", "c"]), told(&["a", "b", "c", "x"])), (None, None));
}
