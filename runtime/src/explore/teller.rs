//! The teller: what a search says on stderr while it goes on.
//!
//! A limit on time, a crash or a poll that never returns may end a search before its report. So the seed of a
//! failure is told when it is found, and what has been going on is told from time to time. The latter is a thread's,
//! because the thread that searches may hang. Nobody waits for that thread: it ends when it hears that the search did.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{REPLAY, Schedule, TIME_TO_CUT};
use crate::ground::signals;
use crate::ground::span::Span;

/// How often it is told what has been going on.
const PERIOD: Duration = Duration::from_secs(2);

/// The searches of this process, which may end in the midst of one.
static SEARCHES: Mutex<Vec<Weak<Mutex<Going>>>> = Mutex::new(Vec::new());

pub(super) struct Teller {
    going: Arc<Mutex<Going>>,
    /// The search is over when this is dropped.
    _searching: Sender<()>,
}

/// The state of the search.
struct Going {
    runs: u64,
    /// The schedule that runs, and since when.
    schedule: Schedule,
    since: Instant,
    /// The failing schedule that is being cut.
    found: Option<Schedule>,
}

impl Teller {
    pub(super) fn new() -> Self {
        let none = Schedule { seed: 0, picks: 0 };
        let going = Arc::new(Mutex::new(Going { runs: 0, schedule: none, since: Instant::now(), found: None }));
        static AT_EXIT: Once = Once::new();
        AT_EXIT.call_once(|| signals::at_exit(exits));
        lock(&SEARCHES).push(Arc::downgrade(&going));
        let (searching, over) = channel();
        let told = Arc::clone(&going);
        let tell = move || {
            while over.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let text = lock(&told).text();
                tell(text);
            }
        };
        // Without the thread the search is silent, and no worse.
        drop(thread::Builder::new().name("oneloop-explore".to_owned()).spawn(tell));
        Self { going, _searching: searching }
    }

    /// A run starts.
    pub(super) fn starts(&self, schedule: Schedule) {
        let mut going = lock(&self.going);
        (going.schedule, going.since) = (schedule, Instant::now());
        going.runs += 1;
    }

    /// A seed fails.
    pub(super) fn found(&self, schedule: Schedule, tried: u64, failure: &str) {
        let mut going = lock(&self.going);
        (going.runs, going.found) = (0, Some(schedule));
        drop(going);
        let first_line = failure.lines().next().unwrap_or_default();
        tell(format_args!(
            "seed {} fails (seeds tried: {tried}): {first_line}; {REPLAY}={schedule} runs it alone; a shorter schedule \
             is looked for, for {} at most",
            schedule.seed,
            Span(TIME_TO_CUT)
        ));
    }
}

/// The thread may keep the state for a moment longer; that is no search any more.
impl Drop for Teller {
    fn drop(&mut self) {
        let over = Arc::downgrade(&self.going);
        lock(&SEARCHES).retain(|search| !search.ptr_eq(&over));
    }
}

impl Going {
    fn text(&self) -> String {
        let Self { runs, schedule, since, found } = self;
        let running = Span(since.elapsed());
        match found {
            None => format!(
                "{runs} seeds tried, and none has failed; {REPLAY}={schedule} is the one that has been running for {running}"
            ),
            Some(found) => format!(
                "seed {} fails, as {REPLAY}={found} shows; looking for a shorter schedule: {runs} tried, and \
                 {REPLAY}={schedule} has been running for {running}",
                found.seed
            ),
        }
    }
}

/// A program that exits takes its search along.
extern "C" fn exits() {
    // A forked child may have a lock from a thread that it has not.
    let Ok(searches) = SEARCHES.try_lock() else { return };
    for going in searches.iter().filter_map(Weak::upgrade) {
        if let Ok(going) = going.try_lock() {
            tell(format_args!("the process exits in the midst of a search: {}", going.text()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says something on the process's own stderr: what a test prints is held back, and lost if the process is killed.
pub(super) fn tell(text: impl Display) {
    let line = format!("oneloop: explore: {text}\n");
    // If stderr is closed or full, there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
