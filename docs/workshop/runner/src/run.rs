//! Building a crate, and running each of its tests in a process of its own, under a watchdog.
//!
//! A wrong answer often hangs. So a test has a limit of time, and its process is ended then; the recording that it
//! wrote so far is still there.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::Said;

/// How a test ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Passed,
    /// It panicked, or its process died, with these words.
    Failed(String),
    Hangs,
}

/// Builds a learner's crate with cargo. Returns the program of its tests.
pub(crate) fn build(folder: &Path) -> Said<PathBuf> {
    cargo_test(folder, &mut Command::new(cargo()), Stdio::inherit())
}

/// Builds a crate with cargo in a target folder that it shares, and says nothing.
pub(crate) fn build_quietly(folder: &Path, target: &Path) -> Said<PathBuf> {
    cargo_test(folder, Command::new(cargo()).env("CARGO_TARGET_DIR", target), Stdio::null())
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn cargo_test(folder: &Path, cargo: &mut Command, words: Stdio) -> Said<PathBuf> {
    let output = cargo
        .args(["test", "--offline", "--quiet", "--no-run", "--message-format=json-render-diagnostics"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(words)
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let path = text.lines().rev().find_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    match path {
        Some(path) if output.status.success() => Ok(PathBuf::from(path.replace("\\\\", "\\"))),
        _ => Err("your crate does not build; the compiler's words are above".to_owned()),
    }
}

/// The names of a program's tests.
pub(crate) fn tests(program: &Path) -> Said<Vec<String>> {
    let output = Command::new(program).args(["--list", "--format", "terse"]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// The outcome of a test's run.
pub(crate) struct Ran {
    pub(crate) verdict: Verdict,
    pub(crate) printed: String,
    pub(crate) said: String,
}

/// Runs one test. It writes its recording to `recording`.
pub(crate) fn run(program: &Path, test: &str, recording: &Path, limit: Duration) -> Said<Ran> {
    if let Some(folder) = recording.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    }
    let _ = fs::remove_file(recording);
    let mut child = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env("STAGE_TRACE", recording)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    let (stdout, stderr) = (Reader::of(child.stdout.take()), Reader::of(child.stderr.take()));
    let status = wait(&mut child, limit);
    let (printed, said) = (stdout.text(), stderr.text());
    let verdict = match status {
        None => Verdict::Hangs,
        Some(true) => Verdict::Passed,
        Some(false) => Verdict::Failed(words(&said)),
    };
    Ok(Ran { verdict, printed, said })
}

/// How much of an output is kept from its beginning, and as much from its end. A test may print without end.
const KEPT: usize = 1 << 20;
/// How long an output may stay open when its process is over: a process that it started may hold it.
const LEFT_OPEN: Duration = Duration::from_secs(1);

/// Reads an output on a thread of its own.
struct Reader {
    kept: Arc<Mutex<Vec<u8>>>,
    thread: thread::JoinHandle<()>,
}

impl Reader {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&kept);
        let thread = thread::spawn(move || {
            let (Some(mut stream), mut chunk) = (stream, [0; 1 << 16]) else { return };
            while let Ok(count @ 1..) = stream.read(&mut chunk) {
                keep(&mut shared.lock().expect("nobody panics"), &chunk[..count]);
            }
        });
        Self { kept, thread }
    }

    /// All that was kept, once the output has ended or has been left open for too long.
    fn text(self) -> String {
        let began = Instant::now();
        while !self.thread.is_finished() && began.elapsed() < LEFT_OPEN {
            thread::sleep(Duration::from_millis(1));
        }
        String::from_utf8_lossy(&self.kept.lock().expect("nobody panics")).into_owned()
    }
}

/// Appends to what is kept of an output, and leaves the middle of a long one out.
fn keep(kept: &mut Vec<u8>, more: &[u8]) {
    kept.extend_from_slice(more);
    if kept.len() > 3 * KEPT {
        kept.drain(KEPT..kept.len() - KEPT);
    }
}

#[test]
fn the_beginning_and_the_end_of_a_long_output_are_kept() {
    let mut kept = b"begins".to_vec();
    (0..100).for_each(|_| keep(&mut kept, &[0; 1 << 16]));
    keep(&mut kept, b"ends");
    assert!(kept.starts_with(b"begins") && kept.ends_with(b"ends") && kept.len() <= 3 * KEPT);
}

/// Whether it succeeded; `None` if it had to be ended.
fn wait(child: &mut Child, limit: Duration) -> Option<bool> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if began.elapsed() < limit => thread::sleep(Duration::from_millis(3)),
            _ => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The words of the process when it panicked: the place and the text of its first panic.
fn words(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    let place =
        lines.next().and_then(|line| line.split_once("panicked at ")).map(|(_, place)| place.trim_end_matches(':'));
    let text: Vec<&str> =
        lines.take_while(|line| !line.starts_with("note: ") && !line.contains("panicked at")).collect();
    let text: Vec<&str> = text.into_iter().filter(|line| !line.is_empty()).take(4).collect();
    match place {
        Some(place) => format!("{} ({place})", text.join("; ")),
        None => format!("its process ended: {}", said.lines().last().unwrap_or("it said nothing")),
    }
}

/// How long a test may take.
pub(crate) fn limit(seconds: u64) -> Duration {
    let patience = std::env::var("ONELOOP_TEST_PATIENCE").ok().and_then(|text| text.parse().ok()).unwrap_or(1u64);
    Duration::from_secs(seconds * patience.max(1))
}
