//! The current loop: how the code that runs on a thread finds it, and how other threads do.
//!
//! While a loop runs, one thread-local, `CURRENT`, points at its core. Every key that a user holds is turned into
//! something through that pointer. Another thread finds the loop's inbox by its number, in the `REGISTRY`.
//!
//! Four doors lead to a loop. The one that runs on this thread may be there, or must be. A key leads to the loop with its
//! number, which must run here, or may be on another thread:
//!
//! ```text
//!     current          the loop that runs here, if one does
//!     expect_current   the loop that runs here: a panic says that none does
//!     expect_home      the loop with this number, which must run here: a panic says where it was missed
//!     at_home          does something to the loop with this number: here, or by its inbox on its thread
//! ```
//!
//! The first three give a share, an `Rc`: foreign code may run while it is held. `with_current` and `with_home` are quick
//! looks for what tasks do all the time. They take no share, and nothing foreign may run meanwhile.

use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::LazyLock;

use crate::ground::registry::Registry;
use crate::ground::signals::forks;
use crate::heart::core::{Core, Message};
use crate::heart::inbox::Inbox;
use crate::trace::thread_number;

/// All inboxes of this process.
pub(crate) static REGISTRY: LazyLock<Registry<Inbox<Message>>> = LazyLock::new(Registry::new);

thread_local! {
    /// An [`Entered`] takes out again all that it puts here and into `BELOW`. So there is nothing to drop when the
    /// thread ends. A thread-local with something to drop asks, at each look, whether the thread is ending.
    static CURRENT: Cell<Option<ManuallyDrop<Rc<Core>>>> = const { Cell::new(None) };
    /// The cores that were entered before the current one, and are not left yet.
    static BELOW: Cell<ManuallyDrop<Vec<ManuallyDrop<Rc<Core>>>>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
    /// The process in which a loop turns, or ends, on this thread, by its count of forks. A forked child finds its
    /// parent's here, and may turn a loop of its own.
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
        // A user's guard may be dropped before one that was made later; then the later one's core stays current.
        let left = all.iter().rposition(|core| core.number == self.number).map(|place| all.remove(place));
        CURRENT.set(all.pop());
        if !all.is_empty() {
            BELOW.set(ManuallyDrop::new(all));
        }
        // Last, where no look is under way: this may be the last owner of a core.
        drop(left.map(ManuallyDrop::into_inner));
    }
}

/// Says that a loop turns on this thread, until it is dropped.
pub(crate) struct Turning {
    before: Option<u32>,
}

impl Turning {
    /// `None` if one does already, in this process.
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

/// The core of the loop that runs on this thread, if one does.
#[inline]
pub(crate) fn current() -> Option<Rc<Core>> {
    with_current(Rc::clone)
}

/// The core of the loop that runs on this thread, which must run one. `what` is the subject of the panic's sentence.
///
/// # Panics
///
/// If no loop runs on this thread.
#[inline]
#[track_caller]
pub(crate) fn expect_current(what: impl fmt::Display) -> Rc<Core> {
    // A closure would be the caller, and name this line.
    let Some(core) = current() else { no_loop(what) };
    core
}

#[cold]
#[track_caller]
pub(crate) fn no_loop(what: impl fmt::Display) -> ! {
    panic!("{what} needs a running oneloop runtime on this thread: call it inside oneloop::run or Runtime::block_on")
}

/// The core with this number, which must be the one that runs on this thread.
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

/// Looks at the current core without taking a share in it, which costs less. Nothing foreign may run in `look`: the
/// pointer is out of its place meanwhile, so code that came back here would find no loop.
#[inline(always)]
pub(crate) fn with_current<R>(look: impl FnOnce(&Rc<Core>) -> R) -> Option<R> {
    let core = InHand(CURRENT.take());
    core.0.as_deref().map(look)
}

/// The pointer, taken out of its place to be looked at. Its drop puts it back, after a panic too.
struct InHand(Option<ManuallyDrop<Rc<Core>>>);

impl Drop for InHand {
    #[inline(always)]
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Looks at the core with this number, if it is the current one. If not, `look` is dropped when the pointer is back
/// in its place: it may own something foreign.
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
        // A runtime that is gone meanwhile has nothing left to do it to.
        let _ = inbox.send(Message::Run(Box::new(f), thread_number()));
    }
}
