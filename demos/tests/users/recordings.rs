//! The recorded runs in docs/recordings are those of the demos as they are.
//!
//! Each demo is run again, on its virtual clock, and has to leave the same recording, byte for byte. After
//! a change that is meant, make them anew, and look at the difference before you keep it:
//!
//! ```text
//! ONELOOP_UPDATE=1 cargo test -p oneloop-demos recordings::each_demo
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oneloop::see::{ChromeTrace, Recording};

const DEMOS: [(&str, &str); 6] = [
    ("deadlock", env!("CARGO_BIN_EXE_deadlock")),
    ("forgotten_waker", env!("CARGO_BIN_EXE_forgotten_waker")),
    ("hog", env!("CARGO_BIN_EXE_hog")),
    ("see_sleepers", env!("CARGO_BIN_EXE_see_sleepers")),
    ("self_wake", env!("CARGO_BIN_EXE_self_wake")),
    ("starvation", env!("CARGO_BIN_EXE_starvation")),
];

/// A page that opens a recording has to read all of it.
const LARGEST: usize = 200_000;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the demos live one folder below the top")
}

fn kept(name: &str) -> PathBuf {
    top().join("docs/recordings").join(name).with_extension("ndjson")
}

/// Runs a demo and returns the file that `variable` asks it for.
fn ask(name: &str, program: &str, variable: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.{variable}"));
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ONELOOP_")) {
        command.env_remove(variable);
    }
    let ran = command.env(variable, &path).stdin(Stdio::null()).output();
    let ran = ran.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    assert!(ran.status.success(), "{name} ended with {}: {}", ran.status, String::from_utf8_lossy(&ran.stderr));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name} left no file: {error}"))
}

#[test]
fn what_a_demo_says_that_the_diagnosis_finds_is_in_its_recording() {
    for (name, kinds) in [
        ("deadlock", &["everyone_waits"][..]),
        ("forgotten_waker", &["nobody_can_wake"]),
        ("hog", &["slow_poll"]),
        ("see_sleepers", &[]),
        ("self_wake", &["self_wake_storm"]),
        ("starvation", &["slow_poll"]),
    ] {
        let text = fs::read_to_string(kept(name)).unwrap_or_else(|error| panic!("{name} is not kept: {error}"));
        let found =
            |line: &str| Some(line.split_once("\"e\":\"finding\",\"kind\":\"")?.1.split('"').next()?.to_owned());
        assert_eq!(text.lines().filter_map(found).collect::<Vec<_>>(), kinds, "{name}");
    }
}

#[test]
fn each_demo_leaves_the_recording_that_is_kept_of_it() {
    let mut differ = Vec::new();
    for (name, program) in DEMOS {
        let (now, path) = (ask(name, program, "ONELOOP_RECORD"), kept(name));
        if std::env::var_os("ONELOOP_UPDATE").is_some() {
            fs::write(&path, &now).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        let before = fs::read_to_string(&path).unwrap_or_default();
        if now != before {
            let line = now.lines().zip(before.lines()).take_while(|(now, before)| now == before).count() + 1;
            differ.push(format!("docs/recordings/{name}.ndjson, from line {line} on"));
        }
    }
    assert!(
        differ.is_empty(),
        "the demos no longer run as they were recorded: {differ:#?}\n\
         if that is meant: ONELOOP_UPDATE=1 cargo test -p oneloop-demos recordings::each_demo"
    );
}

#[test]
fn every_recording_is_of_a_demo() {
    let files = fs::read_dir(top().join("docs/recordings")).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().unwrap()).collect();
    let expected: BTreeSet<_> = DEMOS.iter().map(|(name, _)| format!("{name}.ndjson")).collect();
    assert_eq!(files, expected);
}

#[test]
fn a_recording_is_small_and_whole_and_names_only_lines_of_this_project() {
    for (name, _) in DEMOS {
        let text = fs::read_to_string(kept(name)).unwrap();
        assert!(text.len() < LARGEST, "{name} has {} bytes", text.len());
        let recording = Recording::read(text.as_bytes()).unwrap();
        assert_eq!(recording.len() as usize, text.lines().count() - 1, "{name}");
        for place in text.split("\"at\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let mut parts = place.rsplitn(3, ':').skip(1);
            let line: usize = parts.next().unwrap().parse().unwrap();
            let file = parts.next().unwrap();
            let lines = fs::read_to_string(top().join(file)).map(|text| text.lines().count());
            let is_here = Path::new(file).is_relative() && lines.is_ok_and(|lines| line <= lines);
            assert!(is_here, "{name} names {place}, which is no line of this project");
        }
    }
}

#[test]
fn a_recorded_run_gives_the_same_chrome_trace_as_the_run_itself() {
    for (name, program) in DEMOS {
        let recording = Recording::read(fs::read(kept(name)).unwrap().as_slice()).unwrap();
        let trace = ChromeTrace::new();
        recording.replay(&trace);
        let mut replayed = Vec::new();
        trace.write_to(&mut replayed).unwrap();
        assert!(ask(name, program, "ONELOOP_TRACE").into_bytes() == replayed, "the traces of {name} differ");
    }
}
