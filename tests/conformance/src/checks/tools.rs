//! The tools that the checks are made of.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::adapter::Runtime;

/// Runs a future to its end and gives its output.
pub(super) fn run<R: Runtime, T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let slot = Arc::new(Mutex::new(None));
    let there = Arc::clone(&slot);
    R::run(async move {
        let output = future.await;
        *lock(&there) = Some(output);
    });
    lock(&slot).take().expect("run returned before its future was over")
}

/// The lock of a mutex, also after a panic under it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A count that many may add to.
#[derive(Clone, Default)]
pub(super) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Adds one when it is dropped.
    pub(super) fn at_drop(&self) -> impl Send + Sync + use<> {
        let count = self.clone();
        OnDrop(Some(move || count.add()))
    }

    /// The future, with its polls counted.
    pub(super) fn polls<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let count = self.clone();
        async move {
            let mut future = std::pin::pin!(future);
            poll_fn(|cx| {
                count.add();
                future.as_mut().poll(cx)
            })
            .await
        }
    }
}

/// Runs a closure when it is dropped.
pub(super) struct OnDrop<F: FnOnce()>(pub(super) Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// The things that happened, in order.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<usize>>>);

impl Notes {
    pub(super) fn add(&self, note: usize) {
        lock(&self.0).push(note);
    }

    pub(super) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// A place where tasks leave their wakers for others to find.
#[derive(Clone, Default)]
pub(super) struct Wakers(Arc<Mutex<Vec<Waker>>>);

impl Wakers {
    /// Leaves the waker of the task that awaits this, and waits for one wake.
    pub(super) fn one_wake(&self) -> impl Future<Output = ()> + Send + use<> {
        let wakers = self.clone();
        let mut waits = true;
        poll_fn(move |cx| {
            if std::mem::take(&mut waits) {
                lock(&wakers.0).push(cx.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
    }

    pub(super) fn take(&self) -> Vec<Waker> {
        std::mem::take(&mut *lock(&self.0))
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// A message for one task, from anywhere.
pub(super) struct Cell<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Clone for Cell<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Cell<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new((None, None))))
    }

    pub(super) fn put(&self, value: T) {
        let waker = {
            let mut cell = lock(&self.0);
            cell.0 = Some(value);
            cell.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) async fn take(&self) -> T {
        poll_fn(|cx| {
            let mut cell = lock(&self.0);
            cell.1 = Some(cx.waker().clone());
            cell.0.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Lets the others run once.
pub(super) fn yield_now() -> impl Future<Output = ()> + Send {
    let mut yielded = false;
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Lets the others run for some rounds.
pub(super) async fn rounds(rounds: usize) {
    for _ in 0..rounds {
        yield_now().await;
    }
}

/// Lets the others run until something holds. A runtime that never gets there hangs, and is ended from
/// outside.
pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        yield_now().await;
    }
}

/// Spawns a task, and gives a way to wait for its output.
pub(super) fn task<R: Runtime, T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send + 'static {
    let cell = Cell::new();
    let there = cell.clone();
    R::spawn(async move { there.put(future.await) });
    async move { cell.take().await }
}

/// Two futures, of which the first that is ready counts and the other is given up.
pub(super) async fn either<T>(one: impl Future<Output = T> + Send, other: impl Future<Output = T> + Send) -> T {
    futures_lite::future::or(one, other).await
}

/// The processor time that this process has used.
pub(super) fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next().and_then(|nanos| nanos.parse().ok()));
    Duration::from_nanos(nanos.unwrap_or(0))
}
