//! Given: the core, which is the stores of a loop in one place.

use std::cell::Cell;
use std::panic::Location;

use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::reactor::Reactor;
use crate::heart::tasks::{Body, Tasks, Woken};
use crate::heart::timers::Timers;
use crate::trace;

/// The running loop.
pub(crate) struct Core {
    /// The runtime's number, as in every key of its stores.
    pub(crate) number: u32,
    pub(crate) tasks: Tasks,
    pub(crate) timers: Timers,
    pub(crate) reactor: Reactor,
    /// How many turns there were.
    pub(crate) turns: Cell<u64>,
    /// How much the task may still do in this poll.
    pub(crate) operations_left: Cell<u32>,
}

impl Core {
    pub(crate) fn new(number: u32, virtual_clock: bool) -> Self {
        let timers = Timers::new(number, virtual_clock);
        let reactor = Reactor::new(number).expect("the kernel gives an event queue");
        Self { number, tasks: Tasks::new(number), timers, reactor, turns: Cell::new(0), operations_left: Cell::new(0) }
    }

    /// Takes a task in, and tells.
    pub(crate) fn spawn(&self, body: Body, at: &Location<'_>) -> TaskKey {
        let key = self.tasks.insert(Some(body));
        trace::spawn(key.0.serial, key.0.slot as usize, None, at);
        key
    }

    /// Wakes a task by its word, and tells.
    pub(crate) fn wake(&self, word: WakeWord) {
        let serial = self.tasks.serial(word);
        match self.tasks.wake(word) {
            Woken::Stale => trace::stale_wake(),
            woken => trace::wake(serial, woken == Woken::Queued),
        }
    }
}
