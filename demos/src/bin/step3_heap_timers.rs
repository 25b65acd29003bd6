//! Step 3 of 3: the loop keeps the time itself, in a heap of deadlines.
//!
//! ```text
//! cargo run --release --bin step3_heap_timers
//! ```
//!
//! The loop waits for a ready task, but no longer than until the next deadline: that makes it an
//! event loop. To cancel a timer is to forget its waker; its heap entry stays until its hour, a
//! tombstone. `main` cancels nearly every timer it sets, as servers do with their time limits.
//!
//! Watch the ends: all come at once. It prints how many tombstones are left, and a question that leads on.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The task of step 2, without the flag that makes ten wakes one poll.
struct Task {
    body: Mutex<Option<Body>>,
    ready: Sender<Arc<Task>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let _ = self.ready.clone().send(self);
    }
}

// The heap knows when, the map knows whom; an id that is in the heap alone was cancelled.
thread_local! {
    static HEAP: RefCell<BinaryHeap<Reverse<(Instant, u64)>>> = RefCell::default();
    static WAKERS: RefCell<HashMap<u64, Waker>> = RefCell::default();
    static LAST_ID: Cell<u64> = const { Cell::new(0) };
}

/// Wakes what is due, and says for how long there is nothing to do.
fn fire_due_timers() -> Duration {
    while let Some(Reverse((deadline, id))) = HEAP.with_borrow(|heap| heap.peek().copied()) {
        if deadline > Instant::now() {
            return deadline - Instant::now();
        }
        HEAP.with_borrow_mut(BinaryHeap::pop);
        if let Some(waker) = WAKERS.with_borrow_mut(|wakers| wakers.remove(&id)) {
            waker.wake(); // with the borrow over: waking is somebody else's code
        }
    }
    Duration::MAX
}

fn run(ready: &Receiver<Arc<Task>>) {
    loop {
        let task = match ready.recv_timeout(fire_due_timers()) {
            Ok(task) => task,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return, // nobody can wake anybody any more
        };
        let waker = Waker::from(Arc::clone(&task));
        let mut cx = Context::from_waker(&waker);
        let mut body = task.body.lock().unwrap();
        body.take_if(|future| future.as_mut().poll(&mut cx).is_ready());
    }
}

/// A deadline and its id in the heap. Dropping it is how a timer is cancelled.
struct Sleep(Instant, u64);

fn sleep(seconds: u64) -> Sleep {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    LAST_ID.set(LAST_ID.get() + 1);
    HEAP.with_borrow_mut(|heap| heap.push(Reverse((deadline, LAST_ID.get()))));
    Sleep(deadline, LAST_ID.get())
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 <= Instant::now() {
            return Poll::Ready(());
        }
        let _old = WAKERS.with_borrow_mut(|map| map.insert(self.1, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _waker = WAKERS.with_borrow_mut(|map| map.remove(&self.1));
    }
}

/// The text of `--help`.
const ABOUT: &str = "Step 3 of 3: timers without threads, on a heap.\n\n\
    It prints what the loop does and when. The source is its explanation: demos/src/bin/step3_heap_timers.rs";

fn main() {
    oneloop_demos::without_flags(env!("CARGO_BIN_NAME"), ABOUT);
    let (ready, queue) = mpsc::channel();
    let spawn = move |body: Body| {
        let (body, ready) = (Mutex::new(Some(body)), ready.clone());
        Arc::new(Task { body, ready }).wake();
    };
    let start = Instant::now();
    for n in 1..=10 {
        spawn(Box::pin(async move {
            sleep(1).await;
            println!("task {n:2} ends at {:.3} s", start.elapsed().as_secs_f64());
        }));
    }
    drop(spawn); // from here on only live tasks hold a sender
    (0..100_000).for_each(|_| drop(sleep(60)));
    run(&queue);
    println!(
        "\nOne thread, no helpers.\n\
        But {} cancelled timers are still in the heap,\n\
        setting one costs O(log n), and a wake pays for atomics\n\
        and a lock that it does not need.\n\
        Question: what if a timer knew its place,\n\
        and a waker were just a number?\n  \
        -> runtime/src/heart/wheel.rs and runtime/src/heart/key.rs\n\
        The same sleeps are in `sleepers`.",
        HEAP.with_borrow(BinaryHeap::len),
    );
}
