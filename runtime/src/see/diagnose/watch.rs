//! A thread that looks over the loop's shoulder, since a loop that is held up by a slow poll can say nothing
//! itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::ground::event::TaskId;
use crate::ground::span::Span;
use crate::see::diagnose::names::{Known, Names};
use crate::see::helper::Helper;
use crate::see::stderr::say;

/// A poll, from its start.
pub(super) struct Poll {
    pub(super) task: TaskId,
    /// For the watching thread, which cannot read the runtime's clock.
    pub(super) since: Instant,
    pub(super) reported: bool,
}

/// The thread that watches, which ends with this.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: Helper,
}

impl Watch {
    pub(super) fn new(poll: Arc<Mutex<Option<Poll>>>, names: Arc<Names>, slow_poll: Duration) -> std::io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let pause = (slow_poll / 4).max(Duration::from_millis(1));
        let watch = move || {
            loop {
                thread::park_timeout(pause);
                if over.load(Ordering::Acquire) {
                    break;
                }
                if let Some((of, lasts)) = slow(&poll, &names, slow_poll) {
                    report("", &format!("{of} has been running for {} and holds up the loop", Span(lasts)));
                }
            }
        };
        Ok(Self { is_over, thread: Helper::start("watch", watch)? })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// The task whose poll goes on for longer than the limit, and for how long. It is asked for by its name while the
/// poll cannot end, and told when the loop can have both locks again.
fn slow(poll: &Mutex<Option<Poll>>, names: &Names, limit: Duration) -> Option<(Known, Duration)> {
    let mut poll = lock(poll);
    let poll = poll.as_mut().filter(|poll| !poll.reported && poll.since.elapsed() > limit)?;
    poll.reported = true;
    Some((names.known(poll.task), poll.since.elapsed()))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn report(indent: &str, finding: &str) {
    say(format!("oneloop: {indent}{finding}\n"));
}
