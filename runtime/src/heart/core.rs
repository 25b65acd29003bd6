//! The core: all that one loop has. These are its stores, its inbox, those who observe it, its settings, and the cells
//! of the poll that is going on.
//!
//! The runtime owns it, and so does the thread-local of `current.rs` while the loop runs. No future, socket or
//! handle keeps a core alive. No store knows another, and none knows the observers: `tell.rs` joins them.

use std::cell::Cell;
use std::sync::Arc;
use std::task::RawWakerVTable;

use crate::ground::annex::Annex;
use crate::ground::event::{Cause, Place, TaskId};
use crate::ground::metrics::Counters;
use crate::ground::observers::Observers;
use crate::ground::pool::Pool;
use crate::ground::queue::Consumer;
use crate::heart::inbox::Inbox;
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::reactor::Reactor;
use crate::heart::tasks::Tasks;
use crate::heart::timers::Timers;

/// A message of another thread to a loop.
pub(crate) enum Message {
    /// A wake, and the number of the thread it came from.
    Wake(WakeWord, u64),
    /// Something else to be done on the loop's thread, and the number of the thread that asks for it.
    Run(Box<dyn FnOnce(&Core) + Send>, u64),
}

/// All that one loop has.
pub(crate) struct Core {
    /// The runtime's number, as in every key of its stores.
    pub(crate) number: u32,
    pub(crate) tasks: Tasks,
    pub(crate) timers: Timers,
    pub(crate) reactor: Reactor,
    pub(crate) pool: Pool,
    /// Shared with other threads, which send their messages into it.
    pub(crate) inbox: Arc<Inbox<Message>>,
    /// The inbox's other end: from it, this loop alone takes the messages.
    pub(crate) incoming: Consumer<Message>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) observers: Observers,
    /// The functions of this runtime's wakers.
    pub(crate) waker_table: &'static RawWakerVTable,
    /// The task, timer, source or thread for which code runs now.
    pub(crate) actor: Cell<Actor>,
    /// How many waits for the outside are unknown to the reactor: blocking jobs, the standard input, and pauses between
    /// attempts (`net/backoff.rs`). A virtual clock does not jump meanwhile.
    pub(crate) outside_waits: Cell<usize>,
    /// How much the task may still do in this poll.
    pub(crate) operations_left: Cell<u32>,
    /// The user's hook that is called around each sleep in the kernel, if there is one.
    pub(crate) around_park: Option<AroundPark>,
    /// The line of a program in another language (`see::at`), which events name in place of a line of Rust.
    pub(crate) place: Cell<Option<Place>>,
    /// Room for later layers, of which the heart must not know.
    pub(crate) annex: Annex,
}

/// A function that is given the sleep as a closure, and must call it. Only the first call sleeps.
pub(crate) type AroundPark = Box<dyn Fn(&mut dyn FnMut()) + Send>;

/// For whom code runs now. Events name it as their cause.
#[derive(Clone, Copy)]
pub(crate) enum Actor {
    /// The task that this word names: it is being polled or dropped, and keeps its slot meanwhile.
    Word(WakeWord),
    /// A cause whose key is known: a timer, a source or a thread, or a task whose key was looked up.
    Known(Cause),
}

impl Core {
    /// The cause of all that happens now.
    pub(crate) fn cause(&self) -> Cause {
        match self.actor.get() {
            Actor::Word(word) => self.tasks.named_by(word).map_or(Cause::Outside, |key| Cause::Task(TaskId(key))),
            Actor::Known(cause) => cause,
        }
    }

    /// The key of the task that is being polled or dropped.
    pub(crate) fn current_task(&self) -> Option<TaskKey> {
        match self.cause() {
            Cause::Task(TaskId(key)) => Some(key),
            _ => None,
        }
    }
}
