//! Step 1 of 3: `block_on`, a whole runtime for one future on one screen.
//!
//! ```text
//! cargo run --release --bin step1_block_on
//! ```
//!
//! A future is a value that can be asked "done yet?". The one who asks hands over a [`Waker`], and a
//! future that answers `Pending` has promised to call it when asking again is worth the while.
//! This promise is all there is between an `async fn` and a machine that does not spin:
//!
//! ```text
//!                  poll: "done yet?"
//!     block_on  ----------------------->  the future
//!        |      <-----------------------      |
//!        |       Pending: "I kept your        |  hands the waker to the one
//!      park       waker, go and sleep"        v  who knows when to go on
//!        ^                             (here: a thread
//!        '---------- wake ------------  that sleeps)
//! ```
//!
//! Watch the trace that it prints: two polls, one park, and nothing at all in between.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// A wake of this runtime: ring, so that the one thread asks again.
struct Bell {
    /// Set before the unpark and cleared before the poll. A wake that comes *during* a poll finds
    /// nobody parked; the flag remembers it. `unpark` alone would nearly do, but its token belongs
    /// to the whole thread: a future that blocks on a std channel inside `poll` may use it up.
    rung: AtomicBool,
    thread: Thread,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs one future to its end on the calling thread: poll, park, poll again.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future); // it may point into itself, so it must not move any more
    let rung = AtomicBool::new(false);
    let thread = thread::current();
    let bell = Arc::new(Bell { rung, thread });
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        println!("loop:    poll");
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            println!("loop:    ready");
            return output;
        }
        println!("loop:    pending, so I park");
        while !bell.rung.swap(false, Ordering::Acquire) {
            thread::park(); // may return for no reason at all: hence the loop
        }
    }
}

/// The state that a [`Sleep`] and its helper thread share.
#[derive(Default)]
struct Shared {
    over: bool,
    waker: Option<Waker>,
}

/// A leaf future, the kind that `async fn` cannot write: ready when its thread says so.
struct Sleep(Arc<Mutex<Shared>>);

/// Starts the clock at once, on a thread of its own.
fn sleep(duration: Duration) -> Sleep {
    let shared = Arc::new(Mutex::new(Shared::default()));
    let theirs = Arc::clone(&shared);
    thread::spawn(move || {
        thread::sleep(duration);
        println!("helper:  time is up, wake");
        let mut shared = theirs.lock().unwrap();
        shared.over = true;
        let waker = shared.waker.take();
        drop(shared); // a waker is somebody else's code: never call it with a lock held
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    Sleep(shared)
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.0.lock().unwrap();
        if shared.over {
            return Poll::Ready(());
        }
        // Look first, then leave the waker, both under one lock: otherwise time could run out
        // between the two, with nobody left to wake. Always the newest waker: futures move.
        shared.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The text of `--help`.
const ABOUT: &str = "Step 1 of 3: `block_on`, a whole runtime for one future.\n\n\
    It prints a trace: two polls, one park, and nothing in between. The source is its explanation: demos/src/bin/step1_block_on.rs";

fn main() {
    oneloop_demos::without_flags(env!("CARGO_BIN_NAME"), ABOUT);
    let answer = block_on(async {
        println!("future:  before the await");
        sleep(Duration::from_millis(500)).await;
        println!("future:  after the await");
        6 * 7
    });
    println!("main:    {answer}\n");
    println!("The thread was free for half a second,\nand nobody else could use it.");
    println!("Question: how can another future run while this one waits?\n  -> step2_arc_waker");
}
