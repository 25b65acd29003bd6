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

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::heart::core::{Core, Message};
use crate::heart::current::{REGISTRY, current, thread_number};
use crate::heart::key::{TaskKey, WakeWord};

/// The functions of a waker.
pub(crate) static PLAIN: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The same for a runtime that is diagnosed, where every waker that somebody keeps is counted: a task
/// that waits and has none left can never be woken.
pub(crate) static COUNTED: RawWakerVTable = RawWakerVTable::new(clone_counted, wake_counted, wake, drop_counted);

/// The waker of a task, to be lent for a poll and not to be given away: it is not counted.
#[allow(unsafe_code, reason = "a waker is made of raw parts")]
#[inline]
pub(crate) fn waker_of(core: &Core, WakeWord(word): WakeWord) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of both tables keep RawWaker's contract. None of them follows the data
    // pointer, which is a number; clone returns the same number with the same table; and since nothing
    // is owned, wake has nothing to consume and drop nothing to free, on any thread, at any time.
    ManuallyDrop::new(unsafe { Waker::new(ptr::without_provenance(word), core.waker_table) })
}

/// The number in one of our wakers; `None` if the waker is somebody else's.
pub(crate) fn word_of(waker: &Waker) -> Option<WakeWord> {
    let ours = ptr::eq(waker.vtable(), &PLAIN) || ptr::eq(waker.vtable(), &COUNTED);
    ours.then(|| WakeWord(waker.data().addr()))
}

/// The task that a waker wakes, if it is one of this runtime's and still there.
pub(crate) fn task_of(core: &Core, waker: &Waker) -> Option<TaskKey> {
    word_of(waker).and_then(|word| core.tasks.named_by(word))
}

/// The task that waits by a waker: the one that it names. Behind somebody else's, such as a combinator's, is the
/// task that is being polled; behind another runtime's is none of this one's.
pub(crate) fn waiter_of(core: &Core, waker: &Waker) -> Option<TaskKey> {
    if word_of(waker).is_some() { task_of(core, waker) } else { core.current_task() }
}

/// How many wakers of each task are kept; and by runtime the tasks whose last one went, until they are taken.
struct Kept {
    counts: BTreeMap<usize, usize>,
    bereft: BTreeMap<u16, BTreeSet<usize>>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { counts: BTreeMap::new(), bereft: BTreeMap::new() });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many wakers of this task are kept by anybody, in a runtime that is diagnosed.
pub(crate) fn kept_wakers(task: TaskKey) -> usize {
    kept().counts.get(&WakeWord::new(task).0).copied().unwrap_or(0)
}

/// Takes the tasks of a runtime whose last waker went since the last time. Whoever counts takes them every turn.
pub(crate) fn take_bereft(runtime: u32) -> impl Iterator<Item = WakeWord> {
    let words = kept().bereft.remove(&(runtime as u16)).unwrap_or_default();
    words.into_iter().map(WakeWord)
}

#[cfg(test)]
pub(crate) fn bereft(runtime: u32) -> usize {
    kept().bereft.get(&(runtime as u16)).map_or(0, BTreeSet::len)
}

fn clone_counted(data: *const ()) -> RawWaker {
    *kept().counts.entry(data.addr()).or_default() += 1;
    RawWaker::new(data, &COUNTED)
}

fn wake_counted(data: *const ()) {
    wake(data);
    drop_counted(data);
}

fn drop_counted(data: *const ()) {
    let mut kept = kept();
    let left = kept.counts.get(&data.addr()).map_or(0, |count| count - 1);
    if left > 0 {
        kept.counts.insert(data.addr(), left);
    } else {
        kept.counts.remove(&data.addr());
        // Nobody takes those of a runtime that is gone.
        let runtime = WakeWord(data.addr()).runtime();
        if REGISTRY.hint(runtime).is_some() {
            kept.bereft.entry(runtime).or_default().insert(data.addr());
        }
    }
}

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &PLAIN)
}

fn wake(data: *const ()) {
    let word = WakeWord(data.addr());
    match current() {
        Some(core) if core.number as u16 == word.runtime() => {
            core.counters.wakes_local.add(1);
            core.wake(word, || core.cause());
        }
        _ => wake_by_inbox(word),
    }
}

#[cold]
fn wake_by_inbox(word: WakeWord) {
    if let Some(inbox) = REGISTRY.hint(word.runtime()) {
        // A runtime that is gone meanwhile has no task to wake.
        let _ = inbox.send(Message::Wake(word, thread_number()));
    }
}

fn drop_nothing(_: *const ()) {}
