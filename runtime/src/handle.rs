//! The handle: a runtime, seen from any thread.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::ground::event::thread_number;
use crate::ground::metrics::{Counters, Metrics};
use crate::heart::core::{Core, Message};
use crate::heart::current::{REGISTRY, expect_current};

/// A way to reach a runtime from any thread. It does not keep the runtime alive.
#[derive(Clone)]
pub struct Handle {
    number: u32,
    counters: Arc<Counters>,
}

impl Handle {
    /// The handle of the runtime that runs on this thread.
    ///
    /// # Panics
    ///
    /// If none does.
    #[track_caller]
    pub fn current() -> Self {
        Self::of(&expect_current("Handle::current"))
    }

    pub(crate) fn of(core: &Core) -> Self {
        Self::new(core.number, Arc::clone(&core.counters))
    }

    pub(crate) fn new(number: u32, counters: Arc<Counters>) -> Self {
        Self { number, counters }
    }

    /// Spawns a task on the runtime's own thread. The closure crosses threads. The future that it makes there need
    /// not be `Send`. The task is detached: to learn of its result, let it send one.
    ///
    /// # Errors
    ///
    /// If the runtime has been dropped, or is about to be: then the closure is dropped here. A closure that
    /// was accepted may still be dropped without being called, if the runtime ends first.
    ///
    /// ```
    /// let (tell, told) = std::sync::mpsc::channel();
    /// oneloop::run(async {
    ///     let handle = oneloop::Handle::current();
    ///     std::thread::spawn(move || {
    ///         handle.spawn(move || async move { tell.send(std::thread::current().id()) }).unwrap();
    ///     });
    ///     let ran_on = loop {
    ///         match told.try_recv() {
    ///             Ok(thread) => break thread,
    ///             Err(_) => oneloop::task::yield_now().await,
    ///         }
    ///     };
    ///     assert_eq!(ran_on, std::thread::current().id());
    /// });
    /// ```
    #[doc(alias("call_soon_threadsafe", "from_thread"))]
    #[track_caller]
    pub fn spawn<M, F>(&self, make: M) -> Result<(), RuntimeGone>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: 'static> + 'static,
    {
        let at = Location::caller();
        let spawn = move |core: &Core| {
            let task = core.spawn(async move { make().await }, None, at);
            drop(core.tasks.detach(task));
        };
        let inbox = REGISTRY.exact(self.number).ok_or(RuntimeGone(()))?;
        inbox.send(Message::Run(Box::new(spawn), thread_number())).map_err(|_| RuntimeGone(()))
    }

    /// All that the runtime holds, as of its last turn, and has done. A loop that is blocked cannot count.
    pub fn metrics(&self) -> Metrics {
        self.counters.read()
    }
}

impl Core {
    /// Writes down the stores' sizes, for other threads to read.
    pub(crate) fn publish_sizes(&self) {
        let sizes = &self.counters;
        sizes.tasks.set(self.tasks.live() as u64);
        sizes.ready.set(self.tasks.ready() as u64);
        sizes.timers.set(self.timers.len() as u64);
        sizes.sources.set(self.reactor.len() as u64);
        if self.outside_waits.get() > 0 || sizes.blocking_threads.get() > 0 {
            sizes.blocking_jobs.set(self.pool.jobs() as u64);
            sizes.blocking_threads.set(self.pool.threads() as u64);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle(runtime {})", self.number)
    }
}

/// The runtime that was to take something in has been dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuntimeGone(());

impl fmt::Display for RuntimeGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the oneloop runtime has been dropped, so nothing can be spawned on it")
    }
}

impl std::error::Error for RuntimeGone {}
