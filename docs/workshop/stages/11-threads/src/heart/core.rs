//! Given: the core, which is the stores of a loop in one place.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

use crate::ground::sync::{Bell, Consumer};
use crate::heart::current::REGISTRY;
use crate::heart::inbox::Inbox;
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::reactor::Reactor;
use crate::heart::tasks::{Body, Tasks, Woken};
use crate::heart::timers::Timers;
use crate::trace;

/// A message of another thread to a loop.
pub(crate) enum Message {
    /// A wake, and the number of the thread it came from.
    Wake(WakeWord, u64),
    /// Something else to be done on the loop's thread, and the number of the thread that asks for it.
    Run(Box<dyn FnOnce(&Core) + Send>, u64),
}

/// The running loop.
pub(crate) struct Core {
    /// The runtime's number, as in every key of its stores.
    pub(crate) number: u32,
    pub(crate) tasks: Tasks,
    pub(crate) timers: Timers,
    pub(crate) reactor: Reactor,
    pub(crate) inbox: Arc<Inbox<Message>>,
    pub(crate) incoming: Consumer<Message>,
    /// How many turns there were.
    pub(crate) turns: Cell<u64>,
    /// How much the task may still do in this poll.
    pub(crate) operations_left: Cell<u32>,
}

impl Core {
    pub(crate) fn new(virtual_clock: bool) -> Self {
        let (mut reactor, bell) = Reactor::new().expect("the kernel gives an event queue");
        let (inbox, incoming) = Inbox::new(Bell::new(move || bell.wake()));
        let number = REGISTRY.enter(&inbox).expect("a process has at most 65,535 loops at a time");
        // Known only now, since the inbox wants the bell.
        reactor.runtime = number;
        Self {
            number,
            tasks: Tasks::new(number),
            timers: Timers::new(number, virtual_clock),
            reactor,
            inbox,
            incoming,
            turns: Cell::new(0),
            operations_left: Cell::new(0),
        }
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
