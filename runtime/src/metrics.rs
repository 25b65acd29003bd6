//! Metrics: what a runtime holds and has done, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a runtime holds, as of its last turn, and what it has done since it was built.
///
/// ```
/// let runtime = oneloop::Runtime::new()?;
/// runtime.block_on(async {
///     let metrics = oneloop::Handle::current().metrics();
///     assert_eq!(metrics.turns, 1);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Tasks that are not over. The future of `block_on` does not count.
    pub tasks: u64,
    /// Tasks in the ready queue.
    pub ready: u64,
    /// Timers that are pending.
    pub timers: u64,
    /// I/O sources that are registered.
    pub sources: u64,
    /// Blocking jobs that wait or run.
    pub blocking_jobs: u64,
    /// Threads of the blocking pool.
    pub blocking_threads: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Times the loop went to sleep.
    pub parks: u64,
    /// Wakes on the loop's own thread.
    pub wakes_local: u64,
    /// Wakes from elsewhere, by the inbox.
    pub wakes_remote: u64,
    /// Wakes of either kind that found their task gone.
    pub wakes_stale: u64,
    /// Times an `accept` was tried again after a passing failure, as when no file descriptors were left.
    pub accept_retries: u64,
}

/// The same, as the loop writes it. Only the loop does, so plain loads and stores are enough.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) tasks: Counter,
    pub(crate) ready: Counter,
    pub(crate) timers: Counter,
    pub(crate) sources: Counter,
    pub(crate) blocking_jobs: Counter,
    pub(crate) blocking_threads: Counter,
    pub(crate) turns: Counter,
    pub(crate) polls: Counter,
    pub(crate) parks: Counter,
    pub(crate) wakes_local: Counter,
    pub(crate) wakes_remote: Counter,
    pub(crate) wakes_stale: Counter,
    pub(crate) accept_retries: Counter,
}

#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.set(self.get() + n);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn read(&self) -> Metrics {
        Metrics {
            tasks: self.tasks.get(),
            ready: self.ready.get(),
            timers: self.timers.get(),
            sources: self.sources.get(),
            blocking_jobs: self.blocking_jobs.get(),
            blocking_threads: self.blocking_threads.get(),
            turns: self.turns.get(),
            polls: self.polls.get(),
            parks: self.parks.get(),
            wakes_local: self.wakes_local.get(),
            wakes_remote: self.wakes_remote.get(),
            wakes_stale: self.wakes_stale.get(),
            accept_retries: self.accept_retries.get(),
        }
    }
}
