//! The runtime: a core, and the loop that turns it. `block_on` is the loop, and `turn` is one turn.

use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::thread;

use crate::heart::core::Core;
use crate::heart::current::{Entered, REGISTRY, Turning};
use crate::heart::key::TaskKey;
use crate::heart::turn::{drain_inbox, fire_timers, park, poll_ready};
use crate::trace;

/// An executor for the thread that made it.
pub struct Runtime {
    core: Rc<Core>,
    polls_per_turn: usize,
}

impl Runtime {
    /// A runtime with nothing in it.
    pub fn new() -> Self {
        Self::with_clock(false)
    }

    /// A runtime whose clock jumps to the next deadline when nobody is ready.
    pub fn virtual_clock() -> Self {
        Self::with_clock(true)
    }

    fn with_clock(is_virtual: bool) -> Self {
        Self { core: Rc::new(Core::new(is_virtual)), polls_per_turn: 256 }
    }

    /// The same with another bound on a turn.
    pub fn polls_per_turn(mut self, polls_per_turn: usize) -> Self {
        self.polls_per_turn = polls_per_turn;
        self
    }

    /// How many turns there were.
    pub fn turns(&self) -> u64 {
        self.core.turns.get()
    }

    /// How many tasks there are.
    pub fn tasks(&self) -> usize {
        self.core.tasks.len()
    }

    /// How many timers and how many sockets there are.
    pub fn timers_and_sockets(&self) -> (usize, usize) {
        (self.core.timers.len(), self.core.reactor.len())
    }

    /// Runs a future to its end on this thread, and with it every task of this runtime.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let Some(_turning) = Turning::begin() else {
            panic!("block_on was called inside a running loop: one thread runs one loop, so .await the future here, or spawn it")
        };
        let _entered = Entered::new(&self.core);
        let mut root = pin!(future);
        let _main = Root::begin(&self.core, Location::caller());
        // stage: hole "the loop"
        loop {
            if let Some(output) = self.turn(root.as_mut()) {
                return output;
            }
        }
        // stage: end
    }

    /// One turn of the loop. Every step is bounded, so none can keep the others waiting for ever.
    fn turn<F: Future>(&self, root: Pin<&mut F>) -> Option<F::Output> {
        let core = &*self.core;
        core.turns.set(core.turns.get() + 1);
        trace::turn_start(core.turns.get(), core.incoming.len());
        drain_inbox(core);
        fire_timers(core);
        let (polls, output) = poll_ready(core, root, self.polls_per_turn);
        trace::nobody();
        if output.is_none() {
            park(core);
        }
        trace::turn_end(core.turns.get(), polls);
        output
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _entered = Entered::new(&self.core);
        REGISTRY.leave(self.core.number);
        for key in self.core.tasks.keys() {
            // Taken out first: a body is foreign code when it is dropped.
            drop(self.core.tasks.take(key));
            drop(self.core.tasks.forget(key));
        }
    }
}

/// The place of the future of `block_on` among the tasks.
struct Root<'a> {
    core: &'a Core,
    key: TaskKey,
}

impl<'a> Root<'a> {
    fn begin(core: &'a Core, at: &Location<'_>) -> Self {
        trace::enter(core.timers.shown());
        let key = core.tasks.insert(None);
        trace::spawn(key.0.serial, key.0.slot as usize, Some("main"), at);
        Self { core, key }
    }
}

impl Drop for Root<'_> {
    fn drop(&mut self) {
        self.core.tasks.end_root(self.key);
        trace::finish(self.key.0.serial, if thread::panicking() { "panicked" } else { "returned" });
        trace::leave();
    }
}
