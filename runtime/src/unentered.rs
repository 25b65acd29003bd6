//! Unentered: a runtime before its first turn, on its way to its thread, and entered there without a turn.
//!
//! A runtime never leaves its thread, because its tasks need not be `Send`. Before it has any, there is nothing that
//! must stay: a kernel's queue, an inbox and settings, which go anywhere.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
#[cfg(not(feature = "see"))]
use std::task::RawWakerVTable;
use std::time::Duration;

use crate::ground::annex::Annex;
use crate::ground::event::{Cause, Observer};
use crate::ground::metrics::Counters;
use crate::ground::observers::Observers;
use crate::ground::pool::{Limits, Pool};
use crate::ground::queue::Consumer;
use crate::handle::Handle;
use crate::heart::budget::OPERATIONS_PER_POLL;
use crate::heart::core::{Actor, AroundPark, Core, Message};
use crate::heart::current::{Entered, REGISTRY, current, with_home};
use crate::heart::inbox::Inbox;
use crate::heart::reactor::Reactor;
use crate::heart::runtime::Runtime;
use crate::heart::tasks::Tasks;
use crate::heart::timers::Timers;
#[cfg(not(feature = "see"))]
use crate::heart::waker::PLAIN;
#[cfg(feature = "see")]
use crate::see::{asked_for, show_if_asked};

/// The settings of a runtime.
pub(crate) struct Settings {
    pub(crate) virtual_clock: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) polls_per_turn: usize,
    pub(crate) blocking: Limits,
    pub(crate) diagnose: bool,
    pub(crate) slow_poll: Duration,
    pub(crate) around_park: Option<AroundPark>,
}

/// A runtime that nobody has entered, to be moved to its thread. Made by
/// [`Builder::build_unentered`](crate::Builder::build_unentered).
///
/// Handles work already: what they spawn waits until the runtime runs.
///
/// ```
/// let unentered = oneloop::Runtime::builder().build_unentered()?;
/// let handle = unentered.handle();
/// let (tell, told) = std::sync::mpsc::channel();
/// handle.spawn(move || async move { tell.send(std::thread::current().id()).unwrap() }).unwrap();
/// let thread = std::thread::spawn(move || {
///     let runtime = unentered.into_runtime();
///     runtime.block_on(oneloop::task::yield_now());
///     std::thread::current().id()
/// });
/// assert_eq!(thread.join().unwrap(), told.recv().unwrap());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Unentered(Option<Parts>);

struct Parts {
    number: u32,
    reactor: Reactor,
    inbox: Arc<Inbox<Message>>,
    incoming: Consumer<Message>,
    counters: Arc<Counters>,
    settings: Settings,
}

impl Unentered {
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let (mut reactor, bell) = Reactor::new()?;
        let (inbox, incoming) = Inbox::new(bell);
        let number = REGISTRY.enter(&inbox).ok_or_else(|| {
            io::Error::other("this process has 65,535 oneloop runtimes, and no number is left for another")
        })?;
        reactor.runtime = number;
        Ok(Self(Some(Parts { number, reactor, inbox, incoming, counters: Arc::default(), settings })))
    }

    /// A handle to the runtime.
    pub fn handle(&self) -> Handle {
        let parts = self.0.as_ref().expect("an unentered runtime has its parts until it is made one");
        Handle::new(parts.number, Arc::clone(&parts.counters))
    }

    /// Makes it the runtime of this thread, which it does not leave any more.
    pub fn into_runtime(self) -> Runtime {
        self.observed_by(Vec::new())
    }

    pub(crate) fn observed_by(mut self, mut observers: Vec<Rc<dyn Observer>>) -> Runtime {
        let parts = self.0.take().expect("an unentered runtime has its parts until it is made one");
        let Parts { number, reactor, inbox, incoming, counters, settings } = parts;
        let (readers, waker_table) = asked_for(settings.diagnose, settings.slow_poll);
        observers.extend(readers);
        let core = Rc::new(Core {
            number,
            tasks: Tasks::new(number, settings.seed),
            timers: Timers::new(number, settings.virtual_clock),
            reactor,
            pool: Pool::new(settings.blocking),
            inbox,
            incoming,
            counters,
            observers: Observers::new(observers),
            waker_table,
            actor: Cell::new(Actor::Known(Cause::Outside)),
            outside_waits: Cell::new(0),
            // An observer may poll something before any task is polled.
            operations_left: Cell::new(OPERATIONS_PER_POLL),
            around_park: settings.around_park,
            place: Cell::new(None),
            annex: Annex::default(),
        });
        show_if_asked(&core);
        Runtime::from_core(core, settings.polls_per_turn)
    }
}

impl Drop for Unentered {
    fn drop(&mut self) {
        if let Some(parts) = self.0.take() {
            REGISTRY.leave(parts.number);
        }
    }
}

impl fmt::Debug for Unentered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unentered")
    }
}

impl Runtime {
    /// Makes this runtime the one of this thread without turning it, so that code outside `block_on` may spawn,
    /// make sleeps and register sockets. Nothing runs before the next [`block_on`](Self::block_on).
    ///
    /// # Panics
    ///
    /// In a forked child of the process that made the runtime.
    ///
    /// ```
    /// let runtime = oneloop::Runtime::new()?;
    /// let task = {
    ///     let _entered = runtime.enter();
    ///     oneloop::spawn(async { 6 * 7 })
    /// };
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn enter(&self) -> EnterGuard<'_> {
        self.expect_own_process("enter");
        if current().is_none() {
            self.core.renew_budget();
        }
        EnterGuard { number: self.core.number, _entered: Entered::new(&self.core), runtime: PhantomData }
    }
}

/// A runtime is the one of this thread until this is dropped: see [`Runtime::enter`](crate::Runtime::enter).
///
/// Hold none across an `.await`: the other tasks of the loop would find the wrong runtime.
#[must_use = "a runtime is left again when the guard is dropped"]
pub struct EnterGuard<'a> {
    number: u32,
    _entered: Entered,
    runtime: PhantomData<&'a Runtime>,
}

impl Drop for EnterGuard<'_> {
    fn drop(&mut self) {
        assert!(
            with_home(self.number, |_| ()).is_some() || std::thread::panicking(),
            "guards of Runtime::enter are dropped in the order of their making: drop the last one first"
        );
    }
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnterGuard(runtime {})", self.number)
    }
}

/// Without the feature `see` no reader of events is there to be asked for, and no loop is shown.
#[cfg(not(feature = "see"))]
fn asked_for(_diagnose: bool, _slow_poll: Duration) -> (Vec<Rc<dyn Observer>>, &'static RawWakerVTable) {
    (Vec::new(), &PLAIN)
}

#[cfg(not(feature = "see"))]
fn show_if_asked(_core: &Core) {}
