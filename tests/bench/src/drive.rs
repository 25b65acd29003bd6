//! Running one workload in a child process of its own: plain, under callgrind, or under strace.
//!
//! Counts are differences of two sizes, so that start-up and shutdown cancel. Socket workloads get
//! their client as a second child, which nothing observes.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::work::{Job, Workload};

/// No run takes as long as this: what does, hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server prints this before its address.
pub const LISTENING: &str = "listening ";

/// The tool that watches the child.
#[derive(Clone, Copy, Debug)]
pub enum Under<'a> {
    /// Nobody.
    Nothing,
    /// callgrind, which writes its profile to the path.
    Callgrind(&'a Path),
    /// strace, which counts the system calls of all threads.
    Strace,
}

/// A finished child, and its last words.
pub struct Ran {
    /// The figures it printed.
    pub figures: BTreeMap<String, f64>,
    /// The report of the tool above it.
    pub log: String,
}

/// Whether a tool can be started.
#[must_use]
pub fn is_installed(tool: &str) -> bool {
    let status = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The instructions that one unit takes in user space.
///
/// # Errors
///
/// A sentence when a run fails or its report cannot be read.
pub fn instructions(runtime: &str, sizes: [Job; 2]) -> Result<f64, String> {
    let [small, large] = sizes;
    let count = |job| {
        let ran = run(runtime, job, Under::Callgrind(Path::new("/dev/null")))?;
        collected(&ran.log).ok_or_else(|| format!("callgrind reported no total:\n{}", ran.log))
    };
    Ok((count(large)? - count(small)?) / (large.units - small.units) as f64)
}

/// The total of callgrind's log: `==1== Collected : 123`.
fn collected(log: &str) -> Option<f64> {
    let (_, rest) = log.rsplit_once("Collected :")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The system calls that one unit takes, by name.
///
/// # Errors
///
/// A sentence when a run fails.
pub fn system_calls(runtime: &str, sizes: [Job; 2]) -> Result<BTreeMap<String, f64>, String> {
    let [small, large] = sizes;
    let before = strace_table(&run(runtime, small, Under::Strace)?.log);
    let mut calls = strace_table(&run(runtime, large, Under::Strace)?.log);
    for (name, count) in &mut calls {
        *count -= before.get(name).copied().unwrap_or(0.0);
        *count /= (large.units - small.units) as f64;
    }
    Ok(calls)
}

/// The table of `strace -c`: share, seconds, microseconds a call, calls, errors if any, name.
fn strace_table(log: &str) -> BTreeMap<String, f64> {
    let rows = log.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let name = *fields.last()?;
        let calls = fields.get(3)?.parse().ok()?;
        (fields.len() >= 5 && name != "total").then(|| (name.to_owned(), calls))
    });
    rows.collect()
}

/// Runs one job to its end, with its client when it has one.
///
/// # Errors
///
/// A sentence when the child cannot be started, fails, or does not end.
pub fn run(runtime: &str, job: Job, under: Under<'_>) -> Result<Ran, String> {
    let log = LogFile::new();
    let mut command = command(runtime, job, under, &log.0)?;
    // The report of a failed child goes into the error, not between the table's lines.
    let errors = LogFile::new();
    let stderr = fs::File::create(&errors.0).map_err(|error| format!("{}: {error}", errors.0.display()))?;
    let started = command.stdout(Stdio::piped()).stderr(stderr).spawn();
    let mut child = started.map_err(|error| cannot_start(&command, &error))?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let ended = attend(&mut child, stdout, job, think_ms(under));
    if ended.is_err() {
        // It is our own child and it did not end by itself; a second failure changes nothing.
        let _gone = child.kill();
        let _reaped = child.wait();
    }
    let figures = ended.map_err(|error| {
        let report = errors.read();
        let said = report.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("{} on {runtime}: {error}: {}", job.workload, said.trim())
    })?;
    Ok(Ran { figures, log: log.read() })
}

fn command(runtime: &str, job: Job, under: Under<'_>, log: &Path) -> Result<Command, String> {
    let mut command = match under {
        Under::Nothing => Command::new(this_program()?),
        Under::Callgrind(profile) => {
            let mut command = Command::new("valgrind");
            command.arg("--tool=callgrind");
            command.arg(option("--callgrind-out-file=", profile));
            command.arg(option("--log-file=", log));
            command.arg(this_program()?);
            command
        }
        Under::Strace => {
            let mut command = Command::new("strace");
            command.args(["-c", "-f", "-o"]).arg(log);
            command.arg(this_program()?);
            command
        }
    };
    command.args(["counts", runtime, job.workload.name()]);
    command.args([job.units.to_string(), job.extra.to_string()]);
    Ok(command)
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

fn this_program() -> Result<PathBuf, String> {
    env::current_exe().map_err(|error| format!("cannot find this program to run it again: {error}"))
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => format!("{program} is not installed: install it, or leave its rows out"),
        _ => format!("cannot start {program}: {error}"),
    }
}

/// strace slows a server so much that the next request is always there before it is asked for. A
/// client that thinks in between finds the server parked, as it is without strace.
fn think_ms(under: Under<'_>) -> u64 {
    match under {
        Under::Strace => 1,
        Under::Nothing | Under::Callgrind(_) => 0,
    }
}

/// Reads what the child prints, starts its client when it listens, and waits for both.
fn attend(child: &mut Child, stdout: ChildStdout, job: Job, think_ms: u64) -> Result<BTreeMap<String, f64>, String> {
    let deadline = Instant::now() + PATIENCE;
    let lines = read_lines(stdout);
    let mut figures = BTreeMap::new();
    let mut client = None;
    let printed = loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(address) = line.strip_prefix(LISTENING) {
                    client = Some(start_client(address, job, think_ms)?);
                } else if let Some((name, value)) = line.split_once(' ') {
                    let value = value.parse().map_err(|_| format!("`{line}` is not a figure"))?;
                    figures.insert(name.to_owned(), value);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break Ok(figures),
            Err(RecvTimeoutError::Timeout) => break Err(too_long()),
        }
    };
    let ended = printed.and_then(|figures| wait_until(child, deadline).map(|()| figures));
    let Some(mut client) = client else { return ended };
    let client_deadline = if ended.is_ok() { deadline } else { Instant::now() + Duration::from_secs(1) };
    let client_ended = wait_until(&mut client, client_deadline);
    if client_ended.is_err() {
        let _gone = client.kill();
        let _reaped = client.wait();
    }
    let figures = ended?;
    client_ended.map_err(|error| format!("its client: {error}"))?;
    Ok(figures)
}

/// Lines of a child as they come, so that the reader can also stop waiting.
fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn start_client(address: &str, job: Job, think_ms: u64) -> Result<Child, String> {
    let mut command = Command::new(this_program()?);
    command.arg("client");
    if job.workload == Workload::Echo {
        command.args(["echo", address]);
        command.args([job.extra, job.units, think_ms].map(|number| number.to_string()));
    } else {
        command.args(["hold", address, &job.units.to_string()]);
    }
    command.spawn().map_err(|error| cannot_start(&command, &error))
}

fn wait_until(child: &mut Child, deadline: Instant) -> Result<(), String> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("it ended with {status}")),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) => return Err(too_long()),
            Err(error) => return Err(format!("it cannot be waited for: {error}")),
        }
    }
}

fn too_long() -> String {
    format!("it did not end in {} s", PATIENCE.as_secs())
}

/// A file for a tool's report, removed in the end.
struct LogFile(PathBuf);

impl LogFile {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oneloop-bench-{}-{count}.log", std::process::id());
        Self(env::temp_dir().join(name))
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        // It may never have been written.
        let _removed = fs::remove_file(&self.0);
    }
}
