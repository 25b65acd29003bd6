//! Stage 2: leaf futures.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use crate::first::block_on;
use crate::leaf::{Event, yield_now};
use crate::trace;

/// A waker that counts its calls, in the place of a task: it has a number, and the trace is told of its polls and wakes.
struct Count {
    calls: AtomicUsize,
    task: u64,
}

impl Default for Count {
    fn default() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(trace::MAIN);
        Self { calls: AtomicUsize::new(0), task: LAST.fetch_add(1, Ordering::SeqCst) + 1 }
    }
}

impl Count {
    fn get(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        trace::wake(self.task, self.calls.fetch_add(1, Ordering::SeqCst) == 0);
    }
}

fn poll_with(future: Pin<&mut impl Future<Output = ()>>, count: &Arc<Count>) -> Poll<()> {
    let waker = Waker::from(Arc::clone(count));
    let polled = trace::polled(count.task, || future.poll(&mut Context::from_waker(&waker)));
    if polled.is_ready() {
        trace::finish(count.task, "returned");
    }
    polled
}

/// hint: yield_now
#[test]
fn yielding_is_one_pending_and_one_wake() {
    let count = Arc::new(Count::default());
    let mut yielding = pin!(yield_now());
    assert!(poll_with(yielding.as_mut(), &count).is_pending());
    assert_eq!(count.get(), 1, "who yields is ready again at once, and has to say so");
    assert!(poll_with(yielding, &count).is_ready());
    block_on(yield_now());
}

/// hint: wait
#[test]
fn a_waiting_future_is_polled_again_only_after_the_wake() {
    let event = Event::new();
    let setter = event.clone();
    let helper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        setter.set();
    });
    block_on(event.wait());
    assert!(event.is_set());
    helper.join().expect("it only sets the event");
}

/// hint: wait
#[test]
fn the_newest_waker_is_the_one_that_is_woken() {
    let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let event = Event::new();
    let mut wait = pin!(event.wait());
    assert!(poll_with(wait.as_mut(), &old).is_pending());
    // The old task has given the future away, and is over.
    trace::finish(old.task, "returned");
    assert!(poll_with(wait.as_mut(), &new).is_pending());
    assert_eq!(event.waiting(), 1, "one future waits, and it was polled twice");
    event.set();
    assert_eq!((old.get(), new.get()), (0, 1), "the future has moved to another task meanwhile");
    assert!(poll_with(wait, &new).is_ready());
}

/// hint: set
#[test]
fn a_wake_may_look_at_the_event_that_woke_it() {
    struct Looks(Event, Mutex<Vec<bool>>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            let look = || Poll::Ready(self.0.is_set());
            let Poll::Ready(is_set) = trace::polled(trace::MAIN + 1, look) else { return };
            trace::finish(trace::MAIN + 1, "returned");
            self.1.lock().expect("nobody panics").push(is_set);
        }
    }
    let event = Event::new();
    let looks = Arc::new(Looks(event.clone(), Mutex::default()));
    let mut wait = pin!(event.wait());
    let waker = Waker::from(Arc::clone(&looks));
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    event.set();
    assert_eq!(*looks.1.lock().expect("nobody panics"), [true]);
}

/// hint: wait
#[test]
fn a_waker_that_is_replaced_may_look_at_the_event() {
    struct Looks(Event, Arc<Mutex<Vec<bool>>>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            let is_set = self.0.is_set();
            self.1.lock().expect("nobody panics").push(is_set);
        }
    }
    let (event, looks) = (Event::new(), Arc::default());
    let mut wait = pin!(event.wait());
    let old = Waker::from(Arc::new(Looks(event.clone(), Arc::clone(&looks))));
    assert!(wait.as_mut().poll(&mut Context::from_waker(&old)).is_pending());
    // The event has the last share of it now.
    drop(old);
    assert!(poll_with(wait.as_mut(), &Arc::default()).is_pending());
    assert_eq!(*looks.lock().expect("nobody panics"), [false], "it is dropped in the second poll, and may look then");
}

/// hint: set
#[test]
fn all_who_wait_are_woken_once() {
    let counts: Vec<Arc<Count>> = (0..3).map(|_| Arc::default()).collect();
    let event = Event::new();
    let mut waits: Vec<_> = counts.iter().map(|_| Box::pin(event.wait())).collect();
    for (wait, count) in waits.iter_mut().zip(&counts) {
        assert!(poll_with(wait.as_mut(), count).is_pending());
    }
    event.set();
    event.set();
    assert_eq!(counts.iter().map(|count| count.get()).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(waits.iter_mut().zip(&counts).all(|(wait, count)| poll_with(wait.as_mut(), count).is_ready()));
}
