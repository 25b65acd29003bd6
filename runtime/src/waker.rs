//! The waker: one number, and the two roads a wake can take.
//!
//! A `Waker` is a data pointer and a table of four functions. Ours keeps a [`WakeWord`] where the
//! pointer would be and points at nothing: cloning it copies a number, dropping it does nothing, and
//! no count is kept, because a waker owns nothing that could be freed.
//!
//! ```text
//!     wake ----> is this word's runtime running on this thread?
//!                  yes: Tasks::wake, a flag and a push                     (an optimisation)
//!                  no:  Registry -> Inbox::send -> the loop's next drain   (always right)
//! ```

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::context::{Message, REGISTRY, current, thread_number, with_current};
use crate::key::{TaskKey, WakeWord};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The waker of a task.
#[allow(unsafe_code, reason = "a waker is made of raw parts")]
#[inline]
pub(crate) fn waker_of(task: TaskKey) -> Waker {
    let WakeWord(word) = WakeWord::new(task);
    // SAFETY: the four functions keep RawWaker's contract trivially. None of them follows the data
    // pointer, which is a number; clone returns the same number with the same table; and since nothing
    // is owned, wake has nothing to consume and drop nothing to free, on any thread, at any time.
    unsafe { Waker::new(ptr::without_provenance(word), &VTABLE) }
}

/// The number in one of our wakers; `None` if the waker is somebody else's.
pub(crate) fn word_of(waker: &Waker) -> Option<WakeWord> {
    ptr::eq(waker.vtable(), &VTABLE).then(|| WakeWord(waker.data().addr()))
}

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    let word = WakeWord(data.addr());
    let done = with_current(|core| {
        // An observer is foreign code, so an observed wake takes the way round.
        let here = core.number as u16 == word.runtime() && core.observers.is_empty();
        if here {
            core.counters.wakes_local.add(1);
            core.wake(word, core.cause.get());
        }
        here
    });
    if done != Some(true) {
        wake_the_long_way(word);
    }
}

#[cold]
fn wake_the_long_way(word: WakeWord) {
    match current() {
        Some(core) if core.number as u16 == word.runtime() => {
            core.counters.wakes_local.add(1);
            core.wake(word, core.cause.get());
        }
        _ => {
            if let Some(inbox) = REGISTRY.hint(word.runtime()) {
                // A runtime that is gone meanwhile has no task to wake.
                let _ = inbox.send(Message::Wake(word, thread_number()));
            }
        }
    }
}

fn drop_nothing(_: *const ()) {}
