//! Leaf futures: the ones that `async fn` cannot write, because they decide what to do with the waker.

use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::heart::budget::ready_within_budget;
use crate::trace;

/// Lets the others run: pending once, and woken at once.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // stage: hole "yield_now"
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
        // stage: end
    }
}

/// Something that happens once: any number of futures wait for it, and anybody may set it, on any thread.
#[derive(Clone)]
pub struct Event {
    number: u64,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    is_set: bool,
    /// The futures that wait: the number of each, and the waker that it was polled with last.
    waiting: Vec<(u64, Waker)>,
    last_wait: u64,
}

impl Event {
    /// An event that has not happened.
    pub fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        Self { number, shared: Arc::default() }
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).is_set
    }

    /// Says that it has happened, and wakes all who wait for it.
    pub fn set(&self) {
        trace::event_set(self.number);
        // stage: hole "set"
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.is_set = true;
        let waiting = std::mem::take(&mut shared.waiting);
        // A waker is somebody else's code: no lock is held while it runs.
        drop(shared);
        for (_, waker) in waiting {
            waker.wake();
        }
        // stage: end
    }

    /// Waits until it has happened.
    #[track_caller]
    pub fn wait(&self) -> Wait {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.last_wait += 1;
        Wait { event: self.clone(), number: shared.last_wait, at: Location::caller() }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).waiting.len()
    }
}

/// The future of [`Event::wait`].
pub struct Wait {
    event: Event,
    number: u64,
    at: &'static Location<'static>,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A waker is foreign code: it is cloned before the lock is taken.
        let newest = cx.waker().clone();
        let mut shared = self.event.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_set {
            drop(shared);
            // It is ready as often as it is asked, so it costs a part of the share.
            return ready_within_budget(cx);
        }
        trace::wait(&format!("event {}", self.event.number), self.at);
        // stage: hole "wait"
        let before = match shared.waiting.iter_mut().find(|(number, _)| *number == self.number) {
            Some((_, waker)) => Some(std::mem::replace(waker, newest)),
            None => {
                shared.waiting.push((self.number, newest));
                None
            }
        };
        // The waker that was left before is foreign code, too: no lock is held when it is dropped.
        drop(shared);
        drop(before);
        Poll::Pending
        // stage: end
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut shared = self.event.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // stage: hole "drop of a Wait"
        let place = shared.waiting.iter().position(|(number, _)| *number == self.number);
        let left = place.map(|place| shared.waiting.swap_remove(place));
        // A waker is foreign when it is dropped, too.
        drop(shared);
        drop(left);
        // stage: end
    }
}
