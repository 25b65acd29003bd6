//! The core: all that one loop has. These are its stores, its inbox, those who observe it, its settings, and the cells
//! of the poll that is going on.
//!
//! The runtime owns it, and so does the thread-local of `current.rs` while the loop runs. No future, socket or
//! handle keeps a core alive. Each store stands for itself; what is done to one and told to the observers stands
//! in `tell.rs`.

use std::cell::Cell;
use std::sync::Arc;
use std::task::RawWakerVTable;

use crate::ground::annex::Annex;
use crate::ground::event::{Cause, Place, TaskId};
use crate::ground::metrics::Counters;
use crate::ground::observers::Observers;
use crate::ground::pool::Pool;
use crate::ground::sync::Consumer;
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
    /// Other threads share it, and send their messages here.
    pub(crate) inbox: Arc<Inbox<Message>>,
    /// The inbox's other end, from which this loop alone takes them.
    pub(crate) incoming: Consumer<Message>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) observers: Observers,
    /// The functions of this runtime's wakers.
    pub(crate) waker_table: &'static RawWakerVTable,
    pub(crate) actor: Cell<Actor>,
    /// How many waits for the outside the reactor does not know of: blocking jobs, the standard input, and attempts
    /// that pause. A virtual clock does not jump meanwhile.
    pub(crate) outside_waits: Cell<usize>,
    /// How much the task may still do in this poll.
    pub(crate) operations_left: Cell<u32>,
    /// Stands around each sleep in the kernel, and is foreign code.
    pub(crate) around_park: Option<AroundPark>,
    /// The line that the program says it is at, in place of a line of Rust.
    pub(crate) place: Cell<Option<Place>>,
    /// Room for later layers, of which the heart must not know.
    pub(crate) annex: Annex,
}

/// Calls what it is given, which is the sleep.
pub(crate) type AroundPark = Box<dyn Fn(&mut dyn FnMut()) + Send>;

/// The one who acts: the cause of all that happens meanwhile.
#[derive(Clone, Copy)]
pub(crate) enum Actor {
    /// The task that this word names is polled or dropped, and keeps its slot meanwhile.
    Task(WakeWord),
    Other(Cause),
}

impl Core {
    /// The cause of all that happens now.
    pub(crate) fn cause(&self) -> Cause {
        match self.actor.get() {
            Actor::Task(word) => self.tasks.named_by(word).map_or(Cause::Outside, |key| Cause::Task(TaskId(key))),
            Actor::Other(cause) => cause,
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
