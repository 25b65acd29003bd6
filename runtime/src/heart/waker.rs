//! The waker: one 64-bit word, and the two ways of a wake to the loop that the word names.
//!
//! A `Waker` is a data pointer and a table of four functions. Ours keeps a [`WakeWord`] where the
//! pointer would be and points at nothing: cloning it copies a number, and dropping it does nothing.
//! A waker owns nothing that could be freed, so a loop need not count how many there are.
//!
//! ```text
//!     wake ----> is this word's runtime running on this thread?
//!                  yes: Tasks::wake, a flag and a push                     (an optimisation)
//!                  no:  Registry -> Inbox::send -> the loop's next drain   (always right)
//! ```

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::OnceLock;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::ground::event::thread_number;
use crate::heart::core::{Core, Message};
use crate::heart::current::{REGISTRY, current, with_current};
use crate::heart::key::WakeWord;
use crate::heart::tasks::Woken;

/// The four functions of a waker.
pub(crate) static PLAIN: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop_nothing);

/// The other table, for a loop that is diagnosed: its functions count how many wakers of a task are kept.
/// `see/diagnose/counted.rs` sets it.
pub(crate) static COUNTING: OnceLock<RawWakerVTable> = OnceLock::new();

/// The waker of a task. It is lent for one poll, and never dropped.
#[allow(unsafe_code, reason = "a waker is made of raw parts")]
#[inline]
pub(crate) fn waker_of(core: &Core, WakeWord(word): WakeWord) -> ManuallyDrop<Waker> {
    // SAFETY: the functions of both tables keep RawWaker's contract. None of them follows the data pointer, which is
    // a number. Each table's clone returns the same number with its own table. Nothing is owned, so wake has nothing
    // to consume and drop nothing to free, on any thread, at any time.
    ManuallyDrop::new(unsafe { Waker::new(ptr::without_provenance(word), core.waker_table) })
}

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &PLAIN)
}

/// Queues the task, on whichever thread this is called.
pub(crate) fn wake(data: *const ()) {
    let word = WakeWord(data.addr());
    let here = with_current(|core| {
        if core.number as u16 != word.runtime() {
            return None;
        }
        core.counters.wakes_local.add(1);
        Some((core.queue(word), core.is_observed()))
    });
    match here.flatten() {
        Some((_, false)) => {}
        Some((woken, true)) => tell_woken(word, woken),
        None => wake_by_inbox(word),
    }
}

/// The word of a waker that is one of this loop's own. To wake it or to drop it runs no foreign code.
#[inline]
pub(crate) fn own_word(core: &Core, waker: &Waker) -> Option<WakeWord> {
    let word = WakeWord(waker.data().addr());
    (ptr::eq(waker.vtable(), &PLAIN) && word.runtime() == core.number as u16).then_some(word)
}

/// Tells the observers of a wake. They are foreign code, so they are told outside `with_current`.
#[cold]
fn tell_woken(word: WakeWord, woken: Woken) {
    if let Some(core) = current() {
        core.tell_woken(word, woken, core.cause());
    }
}

#[cold]
fn wake_by_inbox(word: WakeWord) {
    if let Some(inbox) = REGISTRY.hint(word.runtime()) {
        // If the runtime is gone by now, it has no task to wake.
        let _ = inbox.send(Message::Wake(word, thread_number()));
    }
}

fn drop_nothing(_: *const ()) {}
