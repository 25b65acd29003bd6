//! A thread that looks over the loop's shoulder, since a loop that is held up by a slow poll can say nothing
//! itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use crate::see::helper::Helper;
use crate::see::stderr::say;

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
    /// Dropped first: that is how the thread hears that it is over.
    _over: Sender<()>,
    _thread: Helper,
}

impl Watch {
    pub(super) fn new(poll: Arc<Mutex<Option<Poll>>>, slow_poll: Duration) -> std::io::Result<Self> {
        let (over, is_over) = bounded(0);
        let pause = (slow_poll / 4).max(Duration::from_millis(1));
        let watch = move || {
            while is_over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let slow = slow(&poll, slow_poll);
                slow.into_iter().for_each(|finding| report("", &finding));
            }
        };
        Ok(Self { _over: over, _thread: Helper::start("watch", watch)? })
    }
}

/// What there is to say of the poll that is going on. It is said when the loop can have the lock again.
fn slow(poll: &Mutex<Option<Poll>>, limit: Duration) -> Option<String> {
    let mut poll = lock(poll);
    let poll = poll.as_mut().filter(|poll| !poll.reported && poll.since.elapsed() > limit)?;
    poll.reported = true;
    Some(format!("{} has been running for {:.0?} and holds up the loop", poll.of, poll.since.elapsed()))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn report(indent: &str, finding: &str) {
    say(format!("oneloop: {indent}{finding}\n"));
}
