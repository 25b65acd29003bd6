//! The watchdog, and the processes that a test starts: whatever becomes of the test, they end.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a test may take. A browser that starts on a busy machine takes its time.
const LIMIT: Duration = Duration::from_secs(120);
/// How long one step of it may.
pub(crate) const STEP: Duration = Duration::from_secs(40);

static STARTED: Mutex<Vec<Started>> = Mutex::new(Vec::new());

struct Started {
    child: Child,
    /// The folder it writes to, thrown away with it.
    folder: Option<TempDir>,
}

/// Ends the process, and all that it has started, unless it is dropped in time.
pub(crate) struct Watch {
    over: Option<Sender<()>>,
    dog: Option<thread::JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let (over, is_over) = channel();
        let dog = thread::spawn(move || {
            if is_over.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let _ = writeln!(std::io::stderr().lock(), "\n{test} is not over after {LIMIT:?}");
                started().drain(..).for_each(end);
                std::process::abort();
            }
        });
        Self { over: Some(over), dog: Some(dog) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(dog) = self.dog.take() {
            let _ = dog.join();
        }
    }
}

/// A process of a test's own.
pub(crate) struct Process {
    id: u32,
    pub(crate) stdin: Option<ChildStdin>,
    stderr: Receiver<String>,
}

impl Process {
    /// How long it and all that it started have used a processor, where `/proc` tells.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        let mut sum = 0;
        let mut family = vec![self.id];
        let mut all = Vec::new();
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // After the name in brackets come the state, the parent, and further on the ticks used.
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
            let fields: Vec<u64> = rest.split(' ').skip(1).map(|field| field.parse().unwrap_or(0)).collect();
            all.push((id, fields[0] as u32, fields[10] + fields[11]));
        }
        while let Some(one) = family.pop() {
            family.extend(all.iter().filter(|(_, parent, _)| *parent == one).map(|(id, ..)| *id));
            sum += all.iter().filter(|(id, ..)| *id == one).map(|(.., ticks)| ticks).sum::<u64>();
        }
        // A tick is a hundredth of a second.
        Some(Duration::from_millis(sum * 10))
    }

    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, None)
    }

    /// One with a folder of its own, which is gone when it has ended, however the test does.
    pub(crate) fn start_with(command: &mut Command, folder: Option<TempDir>) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (stdin, stderr, id) = (child.stdin.take(), child.stderr.take(), child.id());
        started().push(Started { child, folder });
        let (line, lines) = channel();
        // Read to the end, so that the process never waits for room to say something.
        thread::spawn(move || {
            for said in BufReader::new(stderr.expect("it is a pipe")).lines().map_while(Result::ok) {
                let _ = line.send(said);
            }
        });
        Self { id, stdin, stderr: lines }
    }

    /// The text behind `words` in the first line on stderr that has them.
    pub(crate) fn hears(&self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            let line = self.stderr.recv_timeout(STEP);
            let line = line.unwrap_or_else(|_| panic!("nobody said {words:?}, but:\n{}", said.join("\n")));
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
            said.push(line);
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ends(&self) {
        let mut all = started();
        let started = all.iter_mut().find(|started| started.child.id() == self.id).expect("it was started");
        let status = started.child.wait().expect("it can be waited for");
        assert!(status.success(), "it ended with {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut all = started();
        if let Some(at) = all.iter().position(|started| started.child.id() == self.id) {
            end(all.remove(at));
        }
    }
}

fn started() -> MutexGuard<'static, Vec<Started>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn end(Started { mut child, folder }: Started) {
    let _ = child.kill();
    let _ = child.wait();
    let Some(folder) = folder else { return };
    // Helpers that it has not taken along may write a last word.
    let until = Instant::now() + STEP;
    while std::fs::remove_dir_all(folder.path()).is_err() && folder.path().exists() && Instant::now() < until {
        thread::yield_now();
    }
}
