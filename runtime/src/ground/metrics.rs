//! Metrics: what a runtime holds and has done, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// One list, from which both are made: the numbers as they are read, and as the loop writes them.
macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The sizes of what a runtime holds, as of its last turn, and counts of what it has done since it was built.
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
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The numbers as the loop writes them. Only the loop does, so plain loads and stores are enough.
        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Metrics {
                Metrics { $($name: self.$name.get(),)* }
            }
        }
    };
}

metrics! {
    /// Tasks that are not over. The future of `block_on` does not count.
    tasks,
    /// Tasks in the ready queue.
    ready,
    /// Timers that are pending.
    timers,
    /// I/O sources that are registered.
    sources,
    /// Blocking jobs that wait or run.
    blocking_jobs,
    /// Threads of the blocking pool.
    blocking_threads,
    /// Turns of the loop.
    turns,
    /// Polls of tasks.
    polls,
    /// Times the loop went to sleep.
    parks,
    /// Wakes on the loop's own thread.
    wakes_local,
    /// Wakes from elsewhere, by the inbox.
    wakes_remote,
    /// Wakes of either kind that found their task gone.
    wakes_stale,
    /// Times an `accept` was tried again after a passing failure, as when no file descriptors were left.
    accept_retries,
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
