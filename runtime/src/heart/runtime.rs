//! The runtime: a core, and the loop that turns it.
//!
//! [`Runtime::block_on`] is the loop and [`Runtime::turn`] is one turn of it. All that runs on the loop's thread is
//! called from there, or by a future that is polled there. This file says in which order things happen, and how a
//! runtime begins and ends. It does none of the steps itself.
//!
//! *Foreign code* is a user's: a future's poll, a drop, a stored waker, an observer. It may call anything here, so no
//! store is borrowed while it runs.
//!
//! `core` is all that the loop has (`core.rs`). Calls named `observe…` report an event to those who watch the loop.
//! They do nothing where nobody watches: pass over them on a first reading.

use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Cause, Event, Finished, TaskId};
use crate::ground::failure::{Abort, Failure};
use crate::ground::foreign::without_panic;
use crate::ground::metrics::Metrics;
use crate::ground::pool::Abandoned;
use crate::handle::Handle;
use crate::heart::core::{Actor, Core};
use crate::heart::current::{Entered, REGISTRY, Turning};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::turn::{deliver_arrivals, drain_inbox, drop_task, fire_timers, park, poll_ready};

/// How often each loop at the end of a runtime goes round at most, to drop what was spawned during the round before.
const MOST_ROUNDS: usize = 1000;

/// An executor, its timers and its reactor, for the thread that made it.
///
/// Dropping it drops every task, whether it is over or not, and closes what the runtime opened.
/// Handles, sleeps and sockets that outlive their runtime are harmless; awaiting one panics.
pub struct Runtime {
    pub(crate) core: Rc<Core>,
    polls_per_turn: usize,
    is_shut_down: bool,
}

impl Runtime {
    /// A runtime of the core that the builder has put together.
    pub(crate) fn from_core(core: Rc<Core>, polls_per_turn: usize) -> Self {
        Self { core, polls_per_turn, is_shut_down: false }
    }

    /// Runs a future to its end on this thread, and with it every task of this runtime.
    ///
    /// Tasks that are unfinished when the future ends stay where they are, and go on in the next call. The future
    /// itself stays on the caller's stack: it may borrow, and it need not be `Send`.
    ///
    /// # Panics
    ///
    /// If the future panics; if a runtime is already running on this thread; or in a forked child of
    /// the process that made the runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let Some(_turning) = Turning::begin() else {
            panic!(
                "block_on was called inside a running oneloop runtime: one thread runs one loop, \
                 so .await the future here, or spawn it"
            )
        };
        self.expect_own_process("block_on");
        // From here on, keys that are used on this thread are looked up in this core. Several cores may be entered at a
        // time, one inside the other (see `Runtime::enter`); only one of them turns.
        let _entered = Entered::new(&self.core);
        // The root future is a task too. Its slot is 0, and its body stays here.
        let mut root = pin!(future);
        let mut root_slot = RootSlot::new(&self.core, Location::caller());
        // If a waker panicked in the last block_on, events of the kernel may be left from there, still to be delivered.
        deliver_arrivals(&self.core);
        // The loop.
        let output = loop {
            if let Some(output) = self.turn(root.as_mut(), WakeWord::new(root_slot.key)) {
                break output;
            }
        };
        root_slot.outcome = Finished::Returned;
        drop(root_slot);
        self.core.let_observers_panic();
        output
    }

    /// One turn of the loop. Each step handles a limited number of messages, timers, polls or events, so none starves
    /// the others. Only `park` may wait, and only while no task is ready.
    fn turn<F: Future>(&self, root: Pin<&mut F>, root_word: WakeWord) -> Option<F::Output> {
        let core = &*self.core;
        core.counters.turns.add(1);
        let turn = core.counters.turns.get();
        core.observe_between_steps(|| Event::TurnStart { turn, inbox: core.incoming.len() });
        drain_inbox(core);
        fire_timers(core);
        let (polls, output) = poll_ready(core, root, root_word, self.polls_per_turn);
        // Other threads read the sizes from here while the loop sleeps.
        core.publish_sizes();
        if output.is_none() {
            park(core);
        }
        core.observe(|| Event::TurnEnd { turn, polls });
        output
    }

    /// Drops the runtime, but waits no longer than `limit` for blocking jobs that have started. Returns
    /// those that it left behind: their threads go on, and their results are dropped.
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
            self.core.observers.abandon();
        }
        // `Turning::begin` gives `None` inside the `block_on` of another runtime. No `block_on` can start here in
        // either case.
        let (_turning, _entered) = (Turning::begin(), Entered::new(&self.core));
        // The inbox is hidden first, so that no new sender finds it while it is emptied.
        REGISTRY.hide(self.core.number);
        self.drop_tasks();
        let abandoned = self.core.pool.close(limit);
        // Results of jobs that ended meanwhile are in the inbox, and are dropped on this thread. Then the wakers that
        // timers and sources still hold are dropped. One may be foreign, and its drop may spawn: hence the rounds.
        for _round in 0..MOST_ROUNDS {
            self.drop_tasks();
            let mut wakers = self.core.timers.take_wakers();
            self.core.reactor.take_wakers(&mut wakers);
            if wakers.is_empty() {
                break;
            }
            wakers.into_iter().for_each(|waker| without_panic(|| drop(waker)));
        }
        REGISTRY.leave(self.core.number);
        // The panic hook has printed an observer's panic, and nobody is left to pass it to. The payload is forgotten,
        // since its drop may panic.
        std::mem::forget(self.core.observers.take_panic());
        abandoned
    }

    /// Drops every task, and then the outcomes that nobody joined. Each of these drops may spawn a task, which is dropped
    /// in the next round. The number of rounds is limited.
    fn drop_tasks(&self) {
        let core = &*self.core;
        for _round in 0..MOST_ROUNDS {
            drain_inbox(core);
            let mut dropped = 0;
            for key in core.tasks.keys() {
                let Some(body) = core.tasks.take(key) else { continue };
                // The waker of a joiner may be foreign, and panic.
                without_panic(|| {
                    drop_task(core, WakeWord::new(key), body, Box::new(Failure::Aborted(Abort::Shutdown)));
                });
                dropped += 1;
            }
            core.actor.set(Actor::Known(Cause::Outside));
            // No handle will take these outcomes any more.
            for key in core.tasks.keys().filter(|key| core.tasks.is_over(*key)) {
                without_panic(|| drop(core.tasks.detach(key)));
                dropped += 1;
            }
            if dropped == 0 {
                break;
            }
        }
    }

    #[track_caller]
    pub(crate) fn expect_own_process(&self, what: &str) {
        assert!(
            !self.core.reactor.is_foreign_process(),
            "{what} was called in a forked child: a loop cannot be shared with the parent process, \
             so make a new Runtime after the fork"
        );
    }

    /// A handle to this runtime for other threads.
    pub fn handle(&self) -> Handle {
        Handle::of(&self.core)
    }

    /// All that the runtime holds and has done, as of now.
    pub fn metrics(&self) -> Metrics {
        self.core.publish_sizes();
        self.core.counters.read()
    }
}

/// The root future's slot, for as long as `block_on` runs.
struct RootSlot<'a> {
    core: &'a Core,
    key: TaskKey,
    /// `Panicked`, until the future is known to have returned.
    outcome: Finished,
}

impl<'a> RootSlot<'a> {
    fn new(core: &'a Core, at: &'static Location<'static>) -> Self {
        // If the last root panicked, an observer's panic may be left over. The root's panic was reported, so this one
        // is forgotten.
        std::mem::forget(core.observers.take_panic());
        let key = core.tasks.start_root(at);
        // A place that the program set before `block_on` (`see::at`) counts for the root alone, so it is taken.
        let place = core.place.take().unwrap_or(at.into());
        core.observe(|| Event::Spawn { task: TaskId(key), by: Cause::Outside, name: Some("main"), at: place });
        Self { core, key, outcome: Finished::Panicked }
    }
}

impl Drop for RootSlot<'_> {
    fn drop(&mut self) {
        self.core.actor.set(Actor::Known(Cause::Outside));
        self.core.tasks.end_root();
        // Events of one poll share a reading of the clock. After a panic, the event below must not reuse an old one.
        self.core.observers.reading.forget();
        self.core.observe(|| Event::Finish { task: TaskId(self.key), outcome: self.outcome });
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _none = self.shut_down(None);
    }
}
