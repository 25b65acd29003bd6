//! Stage 1: `block_on` and its parker.

use std::fs;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use crate::first::block_on;
use crate::trace;

/// hint: block_on
#[test]
fn it_returns_the_value_of_a_future_that_may_borrow() {
    let text = String::from("borrowed");
    let words = async { text.as_str() };
    assert_eq!(block_on(words), "borrowed");
}

/// hint: block_on
#[test]
fn a_wake_from_a_thread_has_the_future_polled_again() {
    let (mut polls, wakes) = (0, Arc::new(AtomicUsize::new(0)));
    block_on(poll_fn(|cx| {
        assert_eq!(polls, wakes.load(Ordering::SeqCst), "each poll but the first has a wake before it");
        polls += 1;
        if polls == 3 {
            return Poll::Ready(());
        }
        let (waker, wakes) = (cx.waker().clone(), Arc::clone(&wakes));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            wakes.fetch_add(1, Ordering::SeqCst);
            waker.wake();
        });
        Poll::Pending
    }));
}

/// The thread has a token of its own, and whatever runs in the poll may use it up: a channel does.
/// hint: park
#[test]
fn a_wake_during_the_poll_is_kept() {
    let mut polls = 0;
    block_on(poll_fn(|cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        thread::current().unpark();
        thread::park();
        Poll::Pending
    }));
}

/// hint: park
#[test]
fn a_return_of_the_threads_park_is_no_wake() {
    let (mut polls, woken) = (0, Arc::new(AtomicBool::new(false)));
    block_on(poll_fn(|cx| {
        polls += 1;
        if woken.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let (waker, thread, woken) = (cx.waker().clone(), thread::current(), Arc::clone(&woken));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            thread.unpark();
            thread::sleep(Duration::from_millis(50));
            woken.store(true, Ordering::SeqCst);
            waker.wake();
        });
        Poll::Pending
    }));
    assert_eq!(polls, 2, "the thread came back once without a wake, and once with one");
}

/// hint: park
#[test]
fn a_park_takes_no_processor_time() {
    let mut polls = 0;
    let before = processor_time();
    block_on(poll_fn(|cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(400));
            waker.wake();
        });
        Poll::Pending
    }));
    let spent = processor_time() - before;
    let rested = spent < Duration::from_millis(20);
    trace::seen(if rested { "the processor rested meanwhile" } else { "the processor was busy all the time" });
    assert!(rested, "400 ms of sleep took {spent:?} of the processor, more than 5 %");
}

/// The time that this thread has spent; nothing where the system does not tell.
fn processor_time() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0))
}
