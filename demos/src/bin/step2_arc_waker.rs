//! Step 2 of 3: many tasks on one thread, each with a waker of its own.
//!
//! ```text
//! cargo run --release --bin step2_arc_waker
//! ```
//!
//! `block_on` has one future, so a wake need not say whom it is for. With many it must: here the
//! waker *is* the task, behind an `Arc`, and waking it puts it into the queue of ready tasks.
//!
//! ```text
//!     spawn --> [ ready queue ] --> poll --+--> Ready:   dropped, done
//!                     ^                    '--> Pending: a waker holds the task
//!                     |                              |
//!                     '------------ wake ------------'
//! ```
//!
//! The loop keeps no list of its tasks. A task lives as long as somebody can still wake it, and
//! when nobody can, the queue's last sender goes with it: `recv` fails, and the loop is over.
//! Pleasant, until a task keeps its own waker: then it stays for ever, and the loop with it.
//!
//! Watch how ten tasks sleep at once. It prints their starts and ends, and a question that leads on.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// `Waker` demands `Send + Sync`, so a task must be both: its future sits behind a lock that only
/// one thread ever takes, and must be `Send` although it never leaves that thread.
struct Task {
    /// `None` once it has returned `Ready`: a late wake must not poll it again.
    body: Mutex<Option<Body>>,
    /// In the queue already? Ten wakes before one poll are still one poll.
    queued: AtomicBool,
    ready: Sender<Arc<Task>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let ready = self.ready.clone();
            let _ = ready.send(self); // fails only when the loop has gone: nobody left to wake
        }
    }
}

/// Makes a task of a future and queues it for its first poll.
fn spawn(ready: &Sender<Arc<Task>>, future: impl Future<Output = ()> + Send + 'static) {
    let task = Arc::new(Task {
        body: Mutex::new(Some(Box::pin(future))),
        queued: AtomicBool::new(false),
        ready: ready.clone(),
    });
    task.wake();
}

/// Polls whatever is ready until no task is left. Returns the number of polls.
fn run(ready: &Receiver<Arc<Task>>) -> usize {
    let mut polls = 0;
    while let Ok(task) = ready.recv() {
        // Before the poll, not after: a wake in mid-poll has to queue the task again.
        task.queued.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&task)); // an atomic count up, and one down below
        let mut body = task.body.lock().unwrap();
        if let Some(future) = body.as_mut() {
            polls += 1;
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *body = None;
            }
        }
    }
    polls
}

/// Ready at a moment. Each poll that comes too early starts a thread that will wake the task:
/// with the waker of that very poll, as the task may have been polled with another one before.
struct SleepUntil(Instant);

impl Future for SleepUntil {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || {
            thread::sleep(left);
            waker.wake();
        });
        Poll::Pending
    }
}

/// The text of `--help`.
const ABOUT: &str = "Step 2 of 3: many tasks on one thread, each with a waker of its own.\n\n\
    It prints a trace of polls and wakes. The source is its explanation: demos/src/bin/step2_arc_waker.rs";

fn main() {
    oneloop_demos::without_flags(env!("CARGO_BIN_NAME"), ABOUT);
    let start = Instant::now();
    let (sender, ready) = mpsc::channel();
    for n in 1..=10 {
        spawn(&sender, async move {
            println!("task {n:2} starts");
            SleepUntil(Instant::now() + Duration::from_secs(1)).await;
            println!("task {n:2} ends");
        });
    }
    drop(sender); // from here on only live tasks hold one
    let polls = run(&ready);
    let seconds = start.elapsed().as_secs_f64();
    println!("\n10 tasks of one second each took {seconds:.3} s and {polls} polls.");
    println!("But each sleep cost a thread,\nand threads are what we wanted to do without.");
    println!("Question: can the loop itself tell the time\nwhile it waits?  -> step3_heap_timers");
}
