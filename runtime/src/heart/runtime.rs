//! The runtime: a core, and the loop that turns it.
//!
//! [`Runtime::block_on`] is the loop and [`Runtime::turn`] is one turn of it; everything else in the
//! crate is called from there, or by a future that is polled from there. This file says what comes
//! after what, and how a runtime begins and ends. It does none of the steps itself.

use std::io;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Cause, Event, Finished, Observer, TaskId};
use crate::ground::foreign::without_panic;
use crate::ground::metrics::Metrics;
use crate::ground::observers::Observers;
use crate::ground::pool::{Abandoned, Limits, Pool};
use crate::handle::Handle;
use crate::heart::context::{Busy, Core, Entered, REGISTRY, current};
use crate::heart::inbox::Inbox;
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::poll::{drop_task, poll_root, poll_tasks};
use crate::heart::reactor::Reactor;
use crate::heart::tasks::{Abort, Tasks};
use crate::heart::timers::Timers;
use crate::heart::turn::{drain_inbox, fire_timers, park, wake_left_over};
use crate::see::{self, show_if_asked};

/// How often the end of a runtime goes through what was spawned meanwhile.
const MOST_ROUNDS: usize = 1000;

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
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    let runtime = Runtime::new().unwrap_or_else(|error| panic!("oneloop::run could not make a runtime: {error}"));
    runtime.block_on(future)
}

/// An executor, its timers and its reactor, for the thread that made it.
///
/// Dropping it drops every task, whether it is over or not, and closes what the runtime opened.
/// Handles, sleeps and sockets that outlive their runtime are harmless; awaiting one panics.
pub struct Runtime {
    core: Rc<Core>,
    polls_per_turn: usize,
    is_shut_down: bool,
}

/// Sets up a [`Runtime`]. Made by [`Runtime::builder`].
pub struct Builder {
    virtual_clock: bool,
    seed: Option<u64>,
    polls_per_turn: usize,
    blocking: Limits,
    diagnose: bool,
    slow_poll: Duration,
    observers: Vec<Rc<dyn Observer>>,
}

impl Runtime {
    /// A runtime with the real clock, tasks in the order in which they become ready, and no observer
    /// but those that the environment asks for: `ONELOOP_LOG=1` writes a line a turn to stderr, and
    /// `ONELOOP_SEE=1` shows the loop while it turns, as [`see::serve`](crate::see::serve) does. When the
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
        Builder {
            virtual_clock: false,
            seed: None,
            polls_per_turn: 64,
            blocking: Limits { threads: 64, jobs: 65_536 },
            diagnose: false,
            slow_poll: Duration::from_millis(100),
            observers: Vec::new(),
        }
    }

    /// Runs a future to its end on this thread, and with it every task of this runtime.
    ///
    /// Tasks that are not over when the future is stay where they are, and go on in the next call. The
    /// future itself stays on the caller's stack: it may borrow, and it need not be `Send`.
    ///
    /// # Panics
    ///
    /// If the future panics; if a runtime is already running on this thread; or in a forked child of
    /// the process that made the runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(
            current().is_none(),
            "block_on was called inside a running oneloop runtime: one thread runs one loop, \
             so .await the future here, or spawn it"
        );
        assert!(
            !self.core.reactor.is_foreign_process(),
            "block_on was called in a forked child: a loop cannot be shared with the parent process, \
             so make a new Runtime after the fork"
        );
        let _entered = Entered::new(&self.core);
        let mut root = pin!(future);
        let mut root_slot = RootSlot::new(&self.core, Location::caller());
        wake_left_over(&self.core);
        let output = loop {
            if let Some(output) = self.turn(root.as_mut(), root_slot.key) {
                break output;
            }
        };
        root_slot.outcome = Finished::Returned;
        drop(root_slot);
        self.core.let_observers_panic();
        output
    }

    /// One turn of the loop. Every step is bounded, so none can keep the others waiting for ever.
    fn turn<F: Future>(&self, root: Pin<&mut F>, root_key: TaskKey) -> Option<F::Output> {
        let core = &*self.core;
        core.counters.turns.add(1);
        let turn = core.counters.turns.get();
        core.observe(|| Event::TurnStart { turn, inbox: core.incoming.len() });
        drain_inbox(core);
        fire_timers(core);
        let (polls, output) = self.poll_ready(root, root_key);
        core.publish_sizes();
        if output.is_none() {
            park(core);
        }
        core.observe_between_steps(|| Event::TurnEnd { turn, polls });
        output
    }

    /// Polls what is ready, in order, at most `polls_per_turn` times.
    fn poll_ready<F: Future>(&self, mut root: Pin<&mut F>, root_key: TaskKey) -> (usize, Option<F::Output>) {
        let core = &*self.core;
        core.polls_planned.set(self.polls_per_turn);
        core.polls_left.set(self.polls_per_turn);
        let mut output = None;
        while output.is_none() && poll_tasks(core) {
            output = poll_root(core, root.as_mut(), root_key);
        }
        let polls = core.polls_planned.get() - core.polls_left.take();
        core.counters.polls.add(polls as u64);
        core.busy.set(Busy::With(Cause::Outside));
        (polls, output)
    }

    /// Drops the runtime, but waits no longer than `limit` for blocking jobs that have started. Returns
    /// those that it left behind: their threads go on, and nobody hears of their results.
    pub fn shutdown_timeout(mut self, limit: Duration) -> Abandoned {
        self.shut_down(Some(limit))
    }

    /// Drops everything, with the runtime entered and no borrow alive, since foreign code runs at every
    /// step.
    fn shut_down(&mut self, limit: Option<Duration>) -> Abandoned {
        if std::mem::replace(&mut self.is_shut_down, true) {
            return Abandoned::default();
        }
        if self.core.reactor.is_foreign_process() {
            self.core.abandon_observers();
        }
        let _entered = Entered::new(&self.core);
        // First of all, lest other threads send faster than is dropped here.
        REGISTRY.leave(self.core.number);
        self.drop_tasks();
        let abandoned = self.core.pool.close(limit);
        // The results of jobs that have ended meanwhile are dropped here, and not on their threads. And the
        // last wakers may be foreign: what is dropped with them may spawn.
        for _round in 0..MOST_ROUNDS {
            self.drop_tasks();
            let wakers = self.core.timers.take_wakers().into_iter().chain(self.core.reactor.take_wakers());
            if wakers.map(|waker| without_panic(|| drop(waker))).count() == 0 {
                break;
            }
        }
        // The panic hook has told of it, and nobody is left to hear more.
        std::mem::forget(self.core.observers.take_panic());
        abandoned
    }

    /// Drops every task, and then what nobody joined. A task may spawn another when it is dropped; that
    /// is dropped in the next round, but not for ever.
    fn drop_tasks(&self) {
        let core = &*self.core;
        for _round in 0..MOST_ROUNDS {
            drain_inbox(core);
            let mut dropped = 0;
            for key in core.tasks.keys() {
                let Some(body) = core.tasks.take(key) else { continue };
                // Whoever joins it may be foreign, and panic when woken.
                without_panic(|| drop_task(core, WakeWord::new(key), body, Box::new(Abort::Shutdown)));
                dropped += 1;
            }
            core.busy.set(Busy::With(Cause::Outside));
            for key in core.tasks.keys().filter(|key| core.tasks.is_over(*key)) {
                without_panic(|| drop(core.tasks.detach(key)));
            }
            if dropped == 0 {
                break;
            }
        }
    }

    /// A handle to this runtime for other threads.
    pub fn handle(&self) -> Handle {
        Handle::of(&self.core)
    }

    /// What the runtime holds and has done, as of now.
    pub fn metrics(&self) -> Metrics {
        self.core.publish_sizes();
        self.core.counters.read()
    }
}

impl Builder {
    /// Starts the runtime on a clock that stands still while anything can run, and jumps to the next
    /// deadline when nothing can: programs that only sleep take no time, and take it exactly.
    ///
    /// While something outside is awaited the wait is real, since the loop cannot know what the other side is
    /// up to, and the clock moves by what was really waited: for a socket, a child, a signal, a blocking job, the
    /// standard input, and in the pauses before another attempt to accept, or to reach a full Unix socket. A wake that is to come from another
    /// thread is not waited for: the clock may jump before it arrives.
    #[doc(alias("start_paused", "pause", "MockClock"))]
    pub fn virtual_clock(mut self) -> Self {
        self.virtual_clock = true;
        self
    }

    /// Picks among ready tasks by a generator that starts from this seed, instead of in order. The same
    /// seed, with the virtual clock, gives the same run; another seed, another of the possible runs.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many polls a turn makes at most before it looks at the timers and the kernel: 64, unless set
    /// here. Fewer mean a quicker answer to events while many tasks are ready, more mean less overhead.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn polls_per_turn(mut self, polls: usize) -> Self {
        assert!(polls > 0, "polls_per_turn must be at least 1: a turn without polls gets nothing done");
        self.polls_per_turn = polls;
        self
    }

    /// How many threads [`spawn_blocking`](crate::task::spawn_blocking) may use: 64, unless set here.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        assert!(threads > 0, "max_blocking_threads must be at least 1: no job would ever run");
        self.blocking.threads = threads;
        self
    }

    /// How many blocking jobs may wait or run at a time before further ones are refused: 65,536, unless
    /// set here.
    pub fn max_blocking_jobs(mut self, jobs: usize) -> Self {
        self.blocking.jobs = jobs;
        self
    }

    /// Looks for what keeps programs from going on, and reports it on stderr, a finding a line:
    ///
    /// - a task that waits and that *nobody can wake*: no waker of it is left anywhere;
    /// - a loop about to sleep for ever, with who waits for whom;
    /// - a poll that takes longer than [`slow_poll`](Self::slow_poll), while it is still going on and
    ///   when it is over;
    /// - a task that wakes itself in 200 polls on end, and nobody else does, for longer than that, unless it
    ///   [yields](crate::task::yield_now);
    /// - 16 timers or more that fire in one turn, each late by more than that.
    ///
    /// Observers are told of them too, as [`Event::Finding`](crate::ground::event::Event::Finding).
    ///
    /// For this, wakers are counted, and a thread watches the loop. `ONELOOP_DIAGNOSE=1` does the same
    /// for every runtime of a program.
    pub fn diagnose(mut self, diagnose: bool) -> Self {
        self.diagnose = diagnose;
        self
    }

    /// From how long on [`diagnose`](Self::diagnose) calls a poll slow: 100 ms, unless set here.
    pub fn slow_poll(mut self, limit: Duration) -> Self {
        self.slow_poll = limit;
        self
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
    pub fn build(mut self) -> io::Result<Runtime> {
        let (readers, waker_table) = see::asked_for(self.diagnose, self.slow_poll);
        self.observers.extend(readers);
        let (reactor, bell) = Reactor::new()?;
        let inbox = Inbox::new(bell);
        let number = REGISTRY.enter(&inbox.0).ok_or_else(|| {
            io::Error::other("this process has 65,535 oneloop runtimes, and no number is left for another")
        })?;
        let tasks = Tasks::new(number, self.seed);
        let timers = Timers::new(number, self.virtual_clock);
        let stores = (tasks, timers, reactor.belongs_to(number), Pool::new(self.blocking));
        let core = Rc::new(Core::new(number, stores, inbox, Observers::new(self.observers), waker_table));
        // An observer may poll something before any task is polled.
        core.renew_budget();
        show_if_asked(&core);
        Ok(Runtime { core, polls_per_turn: self.polls_per_turn, is_shut_down: false })
    }
}

/// The root future's slot, for as long as `block_on` runs.
struct RootSlot<'a> {
    core: &'a Core,
    key: TaskKey,
    /// That it has panicked, until it is known to have returned.
    outcome: Finished,
}

impl<'a> RootSlot<'a> {
    fn new(core: &'a Core, at: &'static Location<'static>) -> Self {
        // Of an observer that panicked while the last root did, say. One panic was enough.
        std::mem::forget(core.observers.take_panic());
        let key = core.tasks.start_root(at);
        core.observe(|| Event::Spawn { task: TaskId(key), by: Cause::Outside, name: Some("main"), at: at.into() });
        Self { core, key, outcome: Finished::Panicked }
    }
}

impl Drop for RootSlot<'_> {
    fn drop(&mut self) {
        self.core.busy.set(Busy::With(Cause::Outside));
        self.core.tasks.end_root();
        self.core.observe(|| Event::Finish { task: TaskId(self.key), outcome: self.outcome });
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _none = self.shut_down(None);
    }
}
