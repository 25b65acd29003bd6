//! The builder: what can be set before the first turn.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::Observer;
use crate::ground::pool::Limits;
use crate::heart::runtime::Runtime;
use crate::unentered::{Settings, Unentered};

/// Runs a future to its end on a new runtime, and then drops the runtime with every task that is still
/// on it. The counterpart of Python's `asyncio.run`.
///
/// The future need not be `Send` or `'static`: it may borrow from the caller.
///
/// # Panics
///
/// If the future panics; if a runtime is already running on this thread; or if the system refuses the
/// runtime its event queue. To handle the last, use [`Runtime::new`].
///
/// ```
/// let name = String::from("loop");
/// let greeting = oneloop::run(async { format!("hello, {name}") });
/// assert_eq!(greeting, "hello, loop");
/// ```
#[doc(alias("main", "asyncio.run"))]
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime = Runtime::new().unwrap_or_else(|error| panic!("oneloop::run could not make a runtime: {error}"));
    runtime.block_on(future)
}

/// Sets up a [`Runtime`]. Made by [`Runtime::builder`].
pub struct Builder {
    settings: Settings,
    observers: Vec<Rc<dyn Observer>>,
}

impl Runtime {
    /// A runtime with the real clock, tasks in the order in which they become ready, and no observer
    /// but those that the environment asks for: `ONELOOP_LOG=1` writes a line a turn to stderr, and
    /// `ONELOOP_SEE=1` shows the loop while it turns, as `see::serve` does. When the
    /// runtime or its process ends, `ONELOOP_RECORD=path` writes all that happened to a file, and
    /// `ONELOOP_TRACE=path` draws it for Perfetto.
    ///
    /// # Errors
    ///
    /// If the system refuses an event queue, as when no file descriptors are left.
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// A builder with the settings of [`Runtime::new`].
    pub fn builder() -> Builder {
        let settings = Settings {
            virtual_clock: false,
            seed: None,
            polls_per_turn: 64,
            blocking: Limits { threads: 64, jobs: 65_536 },
            diagnose: false,
            slow_poll: Duration::from_millis(100),
            around_park: None,
        };
        Builder { settings, observers: Vec::new() }
    }
}

impl Builder {
    /// Starts the runtime on a clock that stands still while anything can run. When nothing can, it jumps to the next
    /// deadline. So programs that only sleep take no time, and take it exactly.
    ///
    /// While something outside is awaited, the loop really waits, and the clock moves by the length of the wait. The
    /// loop cannot know when the other side will act. Outside are a socket, a child, a signal, a blocking job and the
    /// standard input. So are the pauses before another attempt to accept, or to reach a full Unix socket. A wake that
    /// is to come from another thread is not waited for: the clock may jump before it arrives.
    #[doc(alias("start_paused", "pause", "MockClock"))]
    pub fn virtual_clock(mut self) -> Self {
        self.settings.virtual_clock = true;
        self
    }

    /// Picks among ready tasks by a generator that starts from this seed, instead of in order. The same seed, with
    /// the virtual clock, gives the same run; another seed gives another of the possible runs.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// How many polls a turn makes at most before it looks at the timers and the kernel: 64, unless set
    /// here. Fewer mean a quicker answer to events while many tasks are ready, more mean less overhead.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn polls_per_turn(mut self, polls: usize) -> Self {
        assert!(polls > 0, "polls_per_turn must be at least 1: a turn without polls gets nothing done");
        self.settings.polls_per_turn = polls;
        self
    }

    /// How many threads [`spawn_blocking`](crate::task::spawn_blocking) may use: 64, unless set here.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "max_blocking_threads must be at least 1: no job would ever run");
        self.settings.blocking.threads = threads;
        self
    }

    /// How many blocking jobs may wait or run at a time before further ones are refused: 65,536, unless
    /// set here.
    pub fn max_blocking_jobs(mut self, jobs: usize) -> Self {
        self.settings.blocking.jobs = jobs;
        self
    }

    /// Looks for what keeps programs from going on, and reports it on stderr, a finding a line:
    ///
    /// - a task that waits and that *nobody can wake*: no waker of it is left anywhere;
    /// - a loop about to sleep for ever, with who waits for whom;
    /// - a poll that takes longer than [`slow_poll`](Self::slow_poll), while it is still going on and
    ///   when it is over;
    /// - a task that alone wakes itself in 200 polls in a row, for longer than `slow_poll`, unless it
    ///   [yields](crate::task::yield_now);
    /// - 16 timers or more that fire in one turn, each late by more than `slow_poll`.
    ///
    /// Observers are told of them too, as [`Event::Finding`](crate::ground::event::Event::Finding).
    ///
    /// For this, wakers are counted, and a thread watches the loop. `ONELOOP_DIAGNOSE=1` does the same
    /// for every runtime of a program.
    #[doc(alias("set_debug"))]
    #[cfg(feature = "see")]
    pub fn diagnose(mut self, diagnose: bool) -> Self {
        self.settings.diagnose = diagnose;
        self
    }

    /// From how long on [`diagnose`](Self::diagnose) calls a poll slow: 100 ms, unless set here.
    #[cfg(feature = "see")]
    pub fn slow_poll(mut self, limit: Duration) -> Self {
        self.settings.slow_poll = limit;
        self
    }

    /// Calls `sleep_around` each time the loop is about to sleep in the kernel; what it is given is the sleep.
    ///
    /// It is for a lock that a sleeping loop must not hold, as an interpreter's is. Only the first call sleeps. No store
    /// of the runtime is borrowed meanwhile: it may spawn, wake and set timers, and then the sleep is as short as they
    /// ask. The last hook counts. A look at the kernel without a sleep, as while tasks are ready, is none, and neither is
    /// the virtual clock's jump.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let sleeps = Arc::new(AtomicU32::new(0));
    /// let counted = Arc::clone(&sleeps);
    /// let runtime = oneloop::Runtime::builder()
    ///     .around_park(move |sleep| {
    ///         // A lock is let go of here,
    ///         sleep();
    ///         // and taken again here.
    ///         counted.fetch_add(1, Ordering::Relaxed);
    ///     })
    ///     .build()?;
    /// runtime.block_on(async { oneloop::time::sleep(std::time::Duration::from_millis(1)).await });
    /// assert!(sleeps.load(Ordering::Relaxed) > 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn around_park(mut self, sleep_around: impl Fn(&mut dyn FnMut()) + Send + 'static) -> Self {
        self.settings.around_park = Some(Box::new(sleep_around));
        self
    }

    /// Calls `f` each time the loop is about to sleep in the kernel: see [`around_park`](Self::around_park).
    /// Hooks that were given before go on.
    pub fn on_thread_park(self, f: impl Fn() + Send + 'static) -> Self {
        self.within_park(f, || {})
    }

    /// Calls `f` each time the loop has slept in the kernel: see [`around_park`](Self::around_park). Nobody
    /// whom the kernel's events wake has run yet. Hooks that were given before go on.
    pub fn on_thread_unpark(self, f: impl Fn() + Send + 'static) -> Self {
        self.within_park(|| {}, f)
    }

    fn within_park(mut self, before: impl Fn() + Send + 'static, after: impl Fn() + Send + 'static) -> Self {
        let outer = self.settings.around_park.take();
        self.around_park(move |sleep| {
            let mut all = || {
                before();
                sleep();
                after();
            };
            match &outer {
                Some(outer) => outer(&mut all),
                None => all(),
            }
        })
    }

    /// Adds an observer, which is told of every [`Event`](crate::ground::event::Event).
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Rc::new(observer));
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// If the system refuses an event queue, as when no file descriptors are left; or if the process
    /// has 65,535 runtimes already.
    pub fn build(self) -> io::Result<Runtime> {
        Ok(Unentered::new(self.settings)?.observed_by(self.observers))
    }

    /// Makes a runtime that may still be moved to the thread that it is to run on.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    ///
    /// # Panics
    ///
    /// If an observer was given: it could not move. Attach it on the thread, by `see::attach`.
    #[track_caller]
    pub fn build_unentered(self) -> io::Result<Unentered> {
        assert!(
            self.observers.is_empty(),
            "build_unentered was called on a builder with an observer, which cannot move to another thread: \
             attach it there, by see::attach"
        );
        Unentered::new(self.settings)
    }
}
