//! A thread that looks over the loop's shoulder, since a loop that is held up by a slow poll can say nothing
//! itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

/// A poll, from its start.
pub(super) struct Poll {
    pub(super) of: String,
    /// For the watching thread, which cannot read the runtime's clock.
    pub(super) since: Instant,
    /// By the runtime's clock.
    pub(super) started: Duration,
    pub(super) reported: bool,
}

/// The thread that watches, which ends with this.
pub(super) struct Watch {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn new(poll: Arc<Mutex<Option<Poll>>>, slow_poll: Duration) -> std::io::Result<Self> {
        let (over, is_over) = bounded(0);
        let pause = (slow_poll / 4).max(Duration::from_millis(1));
        let watch = move || {
            while is_over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                report_if_slow(&poll, slow_poll);
            }
        };
        let thread = thread::Builder::new().name(String::from("oneloop-watch")).spawn(watch)?;
        Ok(Self { over: Some(over), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.over.take());
        // It does not panic.
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn report_if_slow(poll: &Mutex<Option<Poll>>, limit: Duration) {
    let mut poll = lock(poll);
    if let Some(poll) = poll.as_mut().filter(|poll| !poll.reported && poll.since.elapsed() > limit) {
        poll.reported = true;
        report("", &format!("{} has been running for {:.0?} and holds up the loop", poll.of, poll.since.elapsed()));
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn report(indent: &str, finding: &str) {
    use std::io::Write as _;
    // Where stderr is closed or full there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "oneloop: {indent}{finding}");
}
