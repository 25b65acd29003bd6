//! The page's model on its own, without a browser, beside the runtime's.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use oneloop::see::{Recording, Ring};
use serde_json::Value;

use crate::program::record;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runtime/src/see/serve/page/model");
const TELLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model.js");
pub(crate) const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recordings");

/// The model's account of a recording, or nothing where node is not there.
fn model_says(recording: &Path, step: usize) -> Option<Vec<Value>> {
    let mut node = Command::new("node");
    let Ok(said) = node.args([TELLER, MODEL]).arg(recording).arg(step.to_string()).output() else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr().lock(), "{test} is skipped: no node is here");
        return None;
    };
    assert!(said.status.success(), "the model fails: {}", String::from_utf8_lossy(&said.stderr));
    let lines = String::from_utf8(said.stdout).expect("it prints text");
    Some(lines.lines().map(|line| serde_json::from_str(line).expect("it prints JSON")).collect())
}

/// The model's state is the runtime's, after every `step` events.
fn agrees(recording: &Path, step: usize) {
    let Some(said) = model_says(recording, step) else { return };
    let text = fs::read_to_string(recording).expect("a recording is text");
    let whole = Recording::read(text.as_bytes()).expect("it is a recording");
    assert_eq!(said.len(), (1..whole.len()).step_by(step).count());
    for (n, said) in (1..whole.len()).step_by(step).zip(said) {
        let said = said.as_array().expect("an array").iter().cloned();
        assert_eq!(sorted(said), sorted(facts_after(&whole, n)), "{}: after event {n}", recording.display());
    }
}

/// The runtime's facts after `n` events of a recording.
pub(crate) fn facts_after(recording: &Recording, n: usize) -> impl Iterator<Item = Value> {
    // A ring that has lost the first n events begins with the state after them.
    let ring = Ring::new(recording.len() - n);
    recording.replay(&ring);
    let mut lines = Vec::new();
    ring.write_to(&mut lines).expect("there is room in memory");
    let lines = String::from_utf8(lines).expect("a recording is text");
    let lines = lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
    lines.filter(|line: &Value| line["fact"].is_string()).collect::<Vec<_>>().into_iter()
}

/// In an order of their own, each with its keys in order.
pub(crate) fn sorted(facts: impl Iterator<Item = Value>) -> Vec<String> {
    let mut facts: Vec<String> = facts.map(|fact| fact.to_string()).collect();
    facts.sort_unstable();
    facts
}

#[test]
fn the_model_agrees_with_the_runtime_on_every_kept_recording() {
    for file in fs::read_dir(RECORDINGS).expect("the recordings are there") {
        agrees(&file.expect("a folder can be listed").path(), 41);
    }
}

#[test]
fn the_model_equals_the_runtime_after_every_event_of_a_program() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("varied");
    record("varied", &file);
    agrees(&file, 1);
}
