//! Peeking: what a dump, a diagnosis or an event asks of a waker and of the timers. No turn needs it.

use std::ops::Range;
use std::panic::Location;
use std::ptr;
use std::task::Waker;
use std::time::Duration;

use crate::heart::core::Core;
use crate::heart::key::{Key, TaskKey, TimerKey, WakeWord};
use crate::heart::timers::Timers;
use crate::heart::waker::{COUNTING, PLAIN};

/// The number in one of our wakers; `None` if another crate made the waker.
pub(crate) fn word_of(waker: &Waker) -> Option<WakeWord> {
    let table = waker.vtable();
    let ours = ptr::eq(table, &PLAIN) || COUNTING.get().is_some_and(|counting| ptr::eq(table, counting));
    ours.then(|| WakeWord(waker.data().addr()))
}

/// The task that a waker wakes, if it is one of this runtime's and still there.
pub(crate) fn task_of(core: &Core, waker: &Waker) -> Option<TaskKey> {
    word_of(waker).and_then(|word| core.tasks.named_by(word))
}

/// The task that waits by a waker: the one that it names. Behind another crate's waker, such as a
/// combinator's, it is the task that is being polled. Another runtime's waker names no task of this one.
pub(crate) fn waiter_of(core: &Core, waker: &Waker) -> Option<TaskKey> {
    if word_of(waker).is_some() { task_of(core, waker) } else { core.current_task() }
}

impl Timers {
    /// How many slots there are, and the serial of the newest timer.
    pub(crate) fn extent(&self) -> (usize, u64) {
        self.wheel.borrow().extent()
    }

    /// Every waker in these slots, with the line that set its timer, visited by `look`, which must not be foreign code.
    pub(crate) fn each_waiter(
        &self,
        slots: Range<usize>,
        mut look: impl FnMut(TimerKey, Duration, &Waker, &'static Location<'static>),
    ) {
        for ((slot, serial), tick, pending) in self.wheel.borrow().iter_in(slots) {
            let key = TimerKey(Key { runtime: self.runtime, slot, serial });
            look(key, Duration::from_millis(tick), &pending.waker, pending.at);
        }
    }
}
