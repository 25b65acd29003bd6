//! The page's model on its own, without a browser, beside the runtime's.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use oneloop::see::{Recording, Ring};
use serde_json::{Value, json};

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

#[test]
fn a_recording_of_87_megabytes_is_read_by_the_pages_model() {
    const TURNS: usize = 126_000;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("large.ndjson");
    let mut lines = std::io::BufWriter::new(fs::File::create(&file).expect("a file can be made"));
    let header = r#"{"oneloop":"events","version":1,"clock":"real","first":1,"dropped":0}"#;
    writeln!(lines, "{header}").expect("there is room on the disk");
    let mut number = 0;
    let mut write = |rest: &str| {
        number += 1;
        writeln!(lines, r#"{{"n":{number},"t":{number},"e":{rest}}}"#).expect("there is room on the disk");
    };
    let at = "a/rather/long/path/to/the/source/of/a/program/with/many/tasks.rs:123:45";
    write(&format!(r#""spawn","task":1,"slot":0,"by":"outside","name":"main","at":"{at}""#));
    for turn in 1..=TURNS {
        write(&format!(r#""turn_start","turn":{turn},"inbox":0"#));
        write(r#""poll_start","task":1"#);
        write(&format!(r#""timer_set","timer":{turn},"slot":0,"by":"task 1","deadline":{turn},"at":"{at}""#));
        write(&format!(r#""wait","task":1,"on":"timer {turn}","at":"{at}""#));
        write(r#""poll_end","task":1,"outcome":"pending""#);
        write(&format!(r#""timer_fired","timer":{turn},"late":0"#));
        write(&format!(r#""wake","task":1,"by":"timer {turn}","queued":true"#));
        write(&format!(r#""turn_end","turn":{turn},"polls":1"#));
    }
    drop(lines);
    assert!(fs::metadata(&file).expect("it is there").len() > 87_000_000);
    let Some(said) = model_says(&file, TURNS * 8 - 1) else { return };
    let [_, last] = &said[..] else { panic!("it says {} states", said.len()) };
    assert_eq!((&last[0]["t"], &last[0]["turn"]), (&json!(TURNS * 8), &json!(TURNS)));
}
