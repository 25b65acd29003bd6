//! A server's log: lines on stdout, written by a thread of their own, so that a reader who stalls
//! stops nobody but that thread.
//!
//! A pipe that nobody reads is full after a few hundred lines, and who writes to it then waits. On the
//! loop's thread that would be the end of all clients. So lines wait in a queue with an upper bound, and
//! those that find no room are left out and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How many lines may wait.
const ROOM: usize = 1000;
/// How long the end of a program waits for whoever reads.
const AT_THE_END: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Queue {
    lines: VecDeque<String>,
    left_out: usize,
    is_writing: bool,
    has_a_thread: bool,
}

static QUEUE: Mutex<Option<Queue>> = Mutex::new(None);
static PUT: Condvar = Condvar::new();
static WRITTEN: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Option<Queue>> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a line to stdout, soon. It never waits for whoever reads there.
pub fn log(line: &str) {
    let mut guard = queue();
    let queue = guard.get_or_insert_default();
    if !queue.has_a_thread {
        queue.has_a_thread = thread::Builder::new().name("log".to_owned()).spawn(write).is_ok();
    }
    if queue.lines.len() >= ROOM {
        queue.left_out += 1;
        return;
    }
    if queue.left_out > 0 {
        queue.lines.push_back(format!("{} lines were left out here, as nobody read them", queue.left_out));
        queue.left_out = 0;
    }
    queue.lines.push_back(line.to_owned());
    PUT.notify_one();
}

/// Waits until all lines are written, but for a second at most. To be called when a program ends.
pub fn finish_log() {
    let is_busy = |queue: &mut Option<Queue>| queue.as_ref().is_some_and(|q| q.is_writing || !q.lines.is_empty());
    let _ = WRITTEN.wait_timeout_while(queue(), AT_THE_END, is_busy);
}

/// The thread that writes. The queue is free while it does.
fn write() {
    loop {
        let is_empty = |queue: &mut Option<Queue>| queue.as_ref().is_none_or(|queue| queue.lines.is_empty());
        let mut guard = PUT.wait_while(queue(), is_empty).unwrap_or_else(PoisonError::into_inner);
        let Some((queue, line)) = guard.as_mut().and_then(|queue| queue.lines.pop_front().map(|line| (queue, line)))
        else {
            continue;
        };
        queue.is_writing = true;
        drop(guard);
        // Where stdout is closed there is nobody to tell.
        let _ = writeln!(io::stdout(), "{line}");
        queue_is_idle();
    }
}

fn queue_is_idle() {
    if let Some(queue) = queue().as_mut() {
        queue.is_writing = false;
    }
    WRITTEN.notify_all();
}
