//! A watchdog: a test that hangs fails, and says so.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs a test on a thread of its own and waits for it, two minutes at most: many times what it takes
/// on a slow machine.
pub(crate) fn watched(test: impl FnOnce() + Send + 'static) {
    const LIMIT: Duration = Duration::from_secs(120);
    let (ended, end) = channel::<()>();
    let running = thread::spawn(move || {
        let _ended = ended;
        test();
    });
    if end.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        panic!("the test is still running after {LIMIT:?}: it hangs, or explores too much");
    }
    if let Err(panic) = running.join() {
        resume_unwind(panic);
    }
}
