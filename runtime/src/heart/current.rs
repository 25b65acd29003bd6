//! The current loop: how the code that runs on a thread finds it, and how other threads do.
//!
//! While a loop is entered, one thread-local, `CURRENT`, points at its core. Every key that a user holds is looked up
//! through that pointer. Another thread finds the loop's inbox by the runtime's number, in the `REGISTRY`.
//!
//! Six functions find a loop. A key's *home* is the loop of the runtime that it came from:
//!
//! ```text
//!     current          the loop that is entered on this thread, or `None`
//!     expect_current   the loop that is entered on this thread, or a panic
//!     expect_home      the loop with this number, which must be entered on this thread, or a panic
//!     at_home          calls a function with the loop of this number: here, or through the inbox on its thread
//!     with_current     calls a function with the loop that is entered on this thread, if one is
//!     with_home        calls a function with the loop of this number, if that is entered on this thread
//! ```
//!
//! The first three return an `Rc` of the core, and foreign code may run while it is held. The last two are cheaper, for
//! what tasks do all the time. They clone no `Rc`, and no foreign code may run in the closure.

use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::LazyLock;

use crate::ground::event::thread_number;
use crate::ground::registry::Registry;
use crate::ground::signals::forks;
use crate::heart::core::{Core, Message};
use crate::heart::inbox::Inbox;

/// All inboxes of this process.
pub(crate) static REGISTRY: LazyLock<Registry<Inbox<Message>>> = LazyLock::new(Registry::new);

thread_local! {
    /// The core that is entered on this thread. An [`Entered`] puts it here and takes it out, so nothing is left
    /// to drop when the thread ends. `ManuallyDrop` says so to the compiler. A thread-local with a destructor would
    /// check at each access whether the thread is ending.
    static CURRENT: Cell<Option<ManuallyDrop<Rc<Core>>>> = const { Cell::new(None) };
    /// The cores that were entered before the current one, and are not left yet.
    static BELOW: Cell<ManuallyDrop<Vec<ManuallyDrop<Rc<Core>>>>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
    /// Set while a loop turns on this thread, or is shut down. It is the process, told by its count of forks. A forked
    /// child has a higher count, so it may turn a loop of its own.
    static TURNS_IN: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Makes a core the current one until the guard is dropped. Then the one that was entered before it is current again.
pub(crate) struct Entered {
    number: u32,
}

impl Entered {
    pub(crate) fn new(core: &Rc<Core>) -> Self {
        if let Some(before) = CURRENT.replace(Some(ManuallyDrop::new(Rc::clone(core)))) {
            let mut below = BELOW.take();
            below.push(before);
            BELOW.set(below);
        }
        Self { number: core.number }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut all = ManuallyDrop::into_inner(BELOW.take());
        all.extend(CURRENT.take());
        // A user may drop an older guard before a newer one. Then the newer one's core stays the current one.
        let left = all.iter().rposition(|core| core.number == self.number).map(|place| all.remove(place));
        CURRENT.set(all.pop());
        if !all.is_empty() {
            BELOW.set(ManuallyDrop::new(all));
        }
        // This may be the last `Rc` of a core, whose drop may run foreign code. So it is dropped last, when `CURRENT`
        // and `BELOW` are in order again.
        drop(left.map(ManuallyDrop::into_inner));
    }
}

/// A guard: while it lives, no other loop may turn on this thread.
pub(crate) struct Turning {
    before: Option<u32>,
}

impl Turning {
    /// `None` if a loop turns on this thread already, in this process.
    pub(crate) fn begin() -> Option<Self> {
        let process = Some(forks());
        if TURNS_IN.get() == process { None } else { Some(Self { before: TURNS_IN.replace(process) }) }
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        TURNS_IN.set(self.before);
    }
}

/// The core of the loop that is entered on this thread, if one is.
#[inline]
pub(crate) fn current() -> Option<Rc<Core>> {
    with_current(Rc::clone)
}

/// The core of the loop that is entered on this thread: there must be one. `what` is the subject of the panic's
/// sentence.
///
/// # Panics
///
/// If no loop is entered on this thread.
#[inline]
#[track_caller]
pub(crate) fn expect_current(what: impl fmt::Display) -> Rc<Core> {
    // No closure here (`unwrap_or_else`): the panic would name the closure's line, and not the caller's.
    let Some(core) = current() else { no_loop(what) };
    core
}

#[cold]
#[track_caller]
pub(crate) fn no_loop(what: impl fmt::Display) -> ! {
    panic!("{what} needs a running oneloop runtime on this thread: call it inside oneloop::run or Runtime::block_on")
}

/// The core with this number, which must be the one that is entered on this thread.
///
/// # Panics
///
/// If it is not.
#[inline(always)]
#[track_caller]
pub(crate) fn expect_home(number: u32, did: &str) -> Rc<Core> {
    let Some(core) = current().filter(|core| core.number == number) else { not_at_home(number, did) };
    core
}

#[cold]
#[track_caller]
pub(crate) fn not_at_home(number: u32, did: &str) -> ! {
    let here = if current().is_some() { "inside another runtime" } else { "where no runtime is running" };
    let gone = if REGISTRY.exact(number).is_none() { " (which has been dropped)" } else { "" };
    panic!(
        "{did} {here}: it belongs to the oneloop runtime it was created in{gone}, \
         so use it on that runtime's thread, inside its block_on; RUST_BACKTRACE=1 shows the line that did"
    )
}

/// Looks at the current core without cloning its `Rc`, which costs less. No foreign code may run in `look`: `CURRENT`
/// is empty meanwhile, so code that asks for the current loop would find none.
#[inline(always)]
pub(crate) fn with_current<R>(look: impl FnOnce(&Rc<Core>) -> R) -> Option<R> {
    let core = InHand(CURRENT.take());
    core.0.as_deref().map(look)
}

/// The pointer, taken out of `CURRENT`. Its drop puts it back, after a panic too.
struct InHand(Option<ManuallyDrop<Rc<Core>>>);

impl Drop for InHand {
    #[inline(always)]
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Looks at the core with this number, if it is the current one. If not, `look` is dropped when the pointer is back in
/// `CURRENT`, because it may own something foreign.
#[inline(always)]
pub(crate) fn with_home<R>(number: u32, look: impl FnOnce(&Core) -> R) -> Option<R> {
    let mut look = Some(look);
    with_current(|core| if core.number == number { look.take().map(|look| look(core)) } else { None }).flatten()
}

/// Does something on the thread of the runtime with this number: at once if that is running here,
/// else by its inbox. If the runtime is gone, `f` is dropped.
#[inline]
pub(crate) fn at_home(number: u32, f: impl FnOnce(&Core) + Send + 'static) {
    match current() {
        Some(core) if core.number == number => f(&core),
        _ => send_home(number, f),
    }
}

#[cold]
fn send_home(number: u32, f: impl FnOnce(&Core) + Send + 'static) {
    if let Some(inbox) = REGISTRY.exact(number) {
        // If the runtime has been dropped meanwhile, `f` comes back here and is dropped.
        let _ = inbox.send(Message::Run(Box::new(f), thread_number()));
    }
}
