//! The first loop: one future, and a parker that sleeps until somebody wakes it.

use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::trace::{self, MAIN};

/// The place where one thread sleeps, and where others wake it.
pub struct Parker {
    thread: Thread,
    /// Whether somebody has called `unpark` since the last `park` returned.
    token: AtomicBool,
}

impl Parker {
    /// A parker for the thread that calls this.
    pub fn new() -> Self {
        Self { thread: thread::current(), token: AtomicBool::new(false) }
    }

    /// Leaves the token, and wakes the thread if it sleeps.
    pub fn unpark(&self) {
        // stage: hole "unpark"
        self.token.store(true, Ordering::Release);
        self.thread.unpark();
        // stage: end
    }

    /// Takes the token. Sleeps while there is none.
    pub fn park(&self) {
        trace::parked(None, || {
            // stage: hole "park"
            while !self.token.swap(false, Ordering::Acquire) {
                thread::park();
            }
            // stage: end
        });
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        trace::wake(MAIN, !self.token.load(Ordering::Relaxed));
        self.unpark();
    }
}

/// Runs a future to its end on this thread.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = Arc::new(Parker::new());
    let waker = Waker::from(Arc::clone(&parker));
    let _main = Main::begin(Location::caller());
    // stage: hole "block_on"
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = trace::polled(MAIN, || future.as_mut().poll(&mut cx)) {
            return output;
        }
        parker.park();
    }
    // stage: end
}

/// Tells the trace when the future of `block_on` begins and ends.
struct Main;

impl Main {
    fn begin(at: &Location<'_>) -> Self {
        trace::enter(None);
        trace::spawn(MAIN, 0, Some("main"), at);
        Self
    }
}

impl Drop for Main {
    fn drop(&mut self) {
        trace::finish(MAIN, if thread::panicking() { "panicked" } else { "returned" });
        trace::leave();
    }
}
