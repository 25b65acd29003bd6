//! The page's model on its own, without a browser, beside the runtime's.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use oneloop::see::{Recording, Ring};
use serde_json::{Value, json};

use crate::program::record;

#[path = "../../../runtime/src/ground/span.rs"]
mod span;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runtime/src/see/serve/page/model");
const SPANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spans.js");
const TELLER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model.js");
pub(crate) const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recordings");

/// The lines that a program prints under node, or nothing where node is not there.
fn node_says(program: &str, file: &Path, args: impl IntoIterator<Item = String>) -> Option<Vec<String>> {
    let Ok(said) = Command::new("node").arg(program).arg(file).args(args).output() else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr().lock(), "{test} is skipped: no node is here");
        return None;
    };
    assert!(said.status.success(), "{program} fails: {}", String::from_utf8_lossy(&said.stderr));
    Some(String::from_utf8(said.stdout).expect("it prints text").lines().map(String::from).collect())
}

/// The model's account of a recording.
fn model_says(recording: &Path, step: usize) -> Option<Vec<Value>> {
    let recording = recording.to_str().expect("the path is text").to_owned();
    let lines = node_says(TELLER, Path::new(MODEL), [recording, step.to_string()])?;
    Some(lines.iter().map(|line| serde_json::from_str(line).expect("it prints JSON")).collect())
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
fn the_page_and_the_terminal_say_a_duration_alike() {
    const EACH: [(u64, &str); 26] = [
        (0, "0 s"),
        (1, "1 ns"),
        (870, "870 ns"),
        (999, "999 ns"),
        (1000, "1 µs"),
        (1004, "1 µs"),
        (1005, "1.01 µs"),
        (8600, "8.6 µs"),
        (93_149, "93.1 µs"),
        (93_150, "93.2 µs"),
        (100_499, "100 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (10_000_000, "10 ms"),
        (199_000_000, "199 ms"),
        (999_999_999, "1 s"),
        (1_500_000_000, "1.5 s"),
        (1_050_000_000, "1.05 s"),
        (59_949_999_999, "59.9 s"),
        (119_999_999_999, "120 s"),
        (120_000_000_000, "2 min 0 s"),
        (125_900_000_000, "2 min 5 s"),
        (7_199_999_000_000, "119 min 59 s"),
        (7_200_000_000_000, "2 h"),
        (3 * 86_400_000_000_000, "3 days"),
        (4 * 31_557_600_000_000_000, "4 years"),
    ];
    for (nanos, text) in EACH {
        assert_eq!(span::Span(Duration::from_nanos(nanos)).to_string(), text);
    }
    assert_eq!(span::Span(Duration::MAX).to_string(), "584542046090 years");
    // Every rounding, up to the largest number that the page has exactly.
    let powers = (0..16).flat_map(|power| [1, 5, 994, 995, 9995].map(|digits| digits * 10_u64.pow(power)));
    let around = powers.flat_map(|n| [n.saturating_sub(1), n, n + 1]).filter(|n| *n < 1 << 53);
    let all: Vec<u64> = EACH.iter().map(|(nanos, _)| *nanos).chain(around).collect();
    let file = Path::new(MODEL).join("words.js");
    let Some(said) = node_says(SPANS, &file, all.iter().map(u64::to_string)) else { return };
    assert_eq!(said.len(), all.len());
    for (nanos, said) in all.into_iter().zip(said) {
        assert_eq!(said.replace('\u{a0}', " "), span::Span(Duration::from_nanos(nanos)).to_string(), "{nanos} ns");
    }
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
