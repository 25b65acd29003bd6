//! The home of a loop: a runtime on the thread that turns it.
//!
//! A runtime never leaves its thread, and asyncio's loops may run on one thread today and on another tomorrow. So
//! a home can be left for another: the core knows all that is to be done, and tells it anew.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use oneloop::io::{Interest, SourceFd};
use oneloop::task::AbortHandle;
use oneloop::{Runtime, see};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use send_wrapper::SendWrapper;

use crate::bodies::{Drain, Later, Watcher};
use crate::core::{Core, Id, Queued, State, seconds};
use crate::told;

/// A runtime, and the descriptors that are registered with it.
pub(crate) struct Home {
    number: u64,
    sources: RefCell<BTreeMap<i32, Source>>,
    /// The descriptor that was read just now, how much that brought, and how much it could have brought.
    read: Cell<Option<(i32, usize, usize)>>,
    runtime: Runtime,
}

/// A descriptor, and the tasks that wait for it.
struct Source {
    fd: SourceFd,
    serial: u64,
    wants: [bool; 2],
    watchers: [Option<AbortHandle>; 2],
}

/// The loop that turns on this thread.
pub(crate) struct Turning {
    pub(crate) core: Py<Core>,
    pub(crate) home: Rc<Home>,
    process: u32,
}

thread_local! {
    static HOMES: RefCell<BTreeMap<u64, Rc<Home>>> = const { RefCell::new(BTreeMap::new()) };
    static TURNING: RefCell<Option<Rc<Turning>>> = const { RefCell::new(None) };
}

pub(crate) fn serial() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Whether this loop turns on this thread.
pub(crate) fn turns_here(slf: &Bound<'_, Core>) -> bool {
    TURNING.with_borrow(|turning| turning.as_ref().is_some_and(|turning| turning.core.is(slf)))
}

/// Whether a loop turns on this thread.
pub(crate) fn turns() -> bool {
    TURNING.try_with(|turning| turning.borrow().is_some()) == Ok(true)
}

/// The loop that turns here. Only what it polls asks.
pub(crate) fn with_loop<R>(f: impl FnOnce(&Bound<'_, Core>, &Home) -> R) -> R {
    let turning = TURNING.with_borrow(Clone::clone).expect("a loop's task is polled by its loop");
    Python::attach(|py| f(turning.core.bind(py), &turning.home))
}

/// Turns a loop on this thread.
pub(crate) fn run(slf: &Bound<'_, Core>, stopping: bool, writable: i32) -> PyResult<()> {
    // A forked child has its parent's.
    let process = std::process::id();
    if TURNING.with_borrow(|turning| turning.as_ref().is_some_and(|turning| turning.process == process)) {
        return Err(PyRuntimeError::new_err(
            "an event loop was run inside a running one: one thread runs one loop, so await the coroutine here",
        ));
    }
    let home = Home::of(slf)?;
    let core = slf.get();
    {
        let mut state = core.state();
        (state.beginning, state.batch_end) = (true, state.last_seq);
        state.stop_at = stopping.then_some(state.last_seq);
    }
    let turning = Rc::new(Turning { core: slf.clone().unbind(), home: Rc::clone(&home), process });
    let before = TURNING.replace(Some(turning));
    let turned = catch_unwind(AssertUnwindSafe(|| {
        let mut look = Look { writable, first_turn: None, is_behind: false, source: None, is_last: false };
        let turn = || home.runtime.block_on(poll_fn(|cx| root(slf, &home, &mut look, cx)));
        let _entered = home.runtime.enter();
        told::at(slf, turn);
    }));
    drop(TURNING.replace(before));
    let mut state = core.state();
    (state.root, state.stop_at) = (None, None);
    let raised = state.raised.take();
    drop(state);
    match (raised, turned) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(panic)) => {
            let text = panic.downcast_ref::<&str>().copied().map(String::from);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(PyRuntimeError::new_err(format!("oneloop panicked: {text}")))
        }
    }
}

/// The kernel gets one look in each run, whatever happens.
struct Look {
    /// A descriptor that can always be written: the kernel says so at once.
    writable: i32,
    first_turn: Option<u64>,
    /// Whether the tasks of the last batch stand in the queue before the root.
    is_behind: bool,
    source: Option<SourceFd>,
    /// Whether what the look has brought stands in the queue before the root.
    is_last: bool,
}

impl Look {
    /// Ready when the kernel has been looked at, and what it said has been acted on.
    fn poll(&mut self, home: &Home, cx: &mut Context<'_>) -> Poll<()> {
        let has_looked = self.first_turn.is_some_and(|first| home.runtime.metrics().turns > first);
        if self.is_last || (has_looked && self.source.is_none()) {
            return Poll::Ready(());
        }
        if self.source.is_none() {
            self.source = SourceFd::new(self.writable, false, true).ok();
        }
        if let Some(source) = &self.source {
            ready!(source.poll_ready(cx, Interest::WRITABLE));
        }
        (self.source, self.is_last) = (None, true);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The root of a run: takes in what other threads have queued, and ends when the loop is to stop.
fn root(slf: &Bound<'_, Core>, home: &Home, look: &mut Look, cx: &mut Context<'_>) -> Poll<()> {
    let core = slf.get();
    let mut state = core.state();
    state.root = Some(cx.waker().clone());
    if state.raised.is_some() {
        return Poll::Ready(());
    }
    if let Some(last) = state.stop_at.filter(|_| !state.beginning) {
        // The batch comes to its end first, with what other threads have added to it.
        take_in(slf, state);
        let is_behind = std::mem::replace(&mut look.is_behind, true);
        if !is_behind || core.state().ready.front().is_some_and(|(seq, _)| *seq <= last) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        return told::at(slf, || look.poll(home, cx));
    }
    look.first_turn.get_or_insert(home.runtime.metrics().turns);
    state.beginning = false;
    let [callbacks, others] = std::mem::take(&mut state.held);
    let set_outside = std::mem::take(&mut state.set_outside);
    let stops = state.stop_at.is_some();
    drop(state);
    callbacks.into_iter().for_each(Waker::wake);
    take_in(slf, core.state());
    for id in set_outside {
        let due = core.state().timers.get(id).map(|timer| timer.due);
        if let Some(due) = due {
            spawn_later(slf, id, until(slf, due));
        }
    }
    others.into_iter().for_each(Waker::wake);
    if stops {
        cx.waker().wake_by_ref();
    }
    Poll::Pending
}

/// How long it is until `due`, by the loop's own clock.
fn until(slf: &Bound<'_, Core>, due: f64) -> Duration {
    let now = slf.call_method0("time").and_then(|now| now.extract::<f64>());
    seconds(due - now.unwrap_or(due))
}

/// Queues a callback of the loop that turns here, behind what other threads have queued by now. A home never changes in
/// whether somebody looks: a Python program is looked at from its start, or not at all.
pub(crate) fn spawn_soon(slf: &Bound<'_, Core>, mut state: MutexGuard<'_, State>, queued: Queued) {
    if see::is_observed() {
        state.outside.push_back(queued);
        return take_in(slf, state);
    }
    state.take_in();
    state.ready.push_back(queued);
    drain(state);
}

/// Takes in what was queued while the loop did not turn, or by another thread, and what an earlier home has left.
fn take_in(slf: &Bound<'_, Core>, mut state: MutexGuard<'_, State>) {
    if see::is_observed() {
        let outside = std::mem::take(&mut state.outside);
        let numbers: Vec<u64> = outside.iter().map(|(seq, _)| *seq).collect();
        state.told.extend(outside);
        drop(state);
        return numbers.into_iter().for_each(|seq| told::spawn_soon(slf, seq));
    }
    state.take_in();
    if !state.ready.is_empty() {
        drain(state);
    }
}

/// Lets the task run that runs all that is queued.
fn drain(mut state: MutexGuard<'_, State>) {
    let drains = std::mem::replace(&mut state.drains, true);
    drop(state);
    if !drains {
        drop(oneloop::spawn(Drain));
    }
}

/// Sets a timer of the loop that turns here.
pub(crate) fn spawn_later(slf: &Bound<'_, Core>, id: Id, from_now: Duration) {
    let task = if see::is_observed() {
        told::spawn_later(slf, id, from_now)
    } else {
        oneloop::spawn(Later::new(id, from_now, None)).abort_handle()
    };
    if let Some(timer) = slf.get().state().timers.get_mut(id) {
        timer.abort = Some(task);
    }
}

/// Registers a descriptor, or what is to be heard of it, with the loop that turns here. A loop that does not is told
/// when it does.
pub(crate) fn watch(slf: &Bound<'_, Core>, fd: i32) -> io::Result<()> {
    if !turns_here(slf) {
        // The descriptor may be another file by now.
        unwatch(slf, fd);
        return Ok(());
    }
    let turning = TURNING.with_borrow(Clone::clone).expect("a loop turns here");
    turning.home.watch(slf, fd)
}

/// Deregisters a descriptor, if it is registered on this thread.
pub(crate) fn unwatch(slf: &Bound<'_, Core>, fd: i32) {
    let number = slf.get().number;
    let home = HOMES.try_with(|homes| homes.borrow().get(&number).cloned()).ok().flatten();
    if let Some(home) = home {
        let _entered = home.runtime.enter();
        told::at(slf, || home.unwatch(fd));
    }
}

/// A descriptor of the loop that turns here was read: it brought so much, where it could have brought `most`.
pub(crate) fn has_read(fd: i32, length: usize, most: usize) {
    TURNING.with_borrow(|turning| turning.iter().for_each(|turning| turning.home.read.set(Some((fd, length, most)))));
}

/// Ends the home of a loop on this thread.
pub(crate) fn leave(number: u64) {
    let home = HOMES.try_with(|homes| homes.borrow_mut().remove(&number));
    drop(home);
}

impl Home {
    /// The home of a loop on this thread, which knows of everything.
    fn of(slf: &Bound<'_, Core>) -> io::Result<Rc<Self>> {
        let core = slf.get();
        let known = HOMES.with_borrow(|homes| homes.get(&core.number).cloned());
        let here = known.filter(|home| home.number == core.state().home);
        let home = match here {
            Some(home) => home,
            None => {
                leave(core.number);
                let runtime = Runtime::builder().around_park(sleep_without_the_interpreter).build()?;
                let home =
                    Rc::new(Self { number: serial(), sources: RefCell::default(), read: Cell::default(), runtime });
                HOMES.with_borrow_mut(|homes| homes.insert(core.number, Rc::clone(&home)));
                let left = core.state().settle(home.number);
                drop(left);
                home
            }
        };
        let _entered = home.runtime.enter();
        let missing: Vec<i32> = {
            let (state, sources) = (core.state(), home.sources.borrow());
            state.watched.keys().copied().filter(|fd| !sources.contains_key(fd)).collect()
        };
        for fd in missing {
            home.watch(slf, fd)?;
        }
        drop(_entered);
        Ok(home)
    }

    fn watch(&self, slf: &Bound<'_, Core>, fd: i32) -> io::Result<()> {
        let wants = match slf.get().state().watched.get(&fd) {
            Some(watched) => [watched.reader.is_some(), watched.writer.is_some()],
            None => return Ok(()),
        };
        let mut sources = self.sources.borrow_mut();
        match sources.get_mut(&fd) {
            Some(source) if source.wants == wants => {}
            Some(source) => {
                // A direction that is added later may have been latched long ago: the kernel is asked again.
                source.fd.ask_again(wants[0], wants[1])?;
                source.wants = wants;
            }
            None => {
                drop(sources);
                let new = told::at(slf, || SourceFd::new(fd, wants[0], wants[1]))?;
                let source = Source { fd: new, serial: serial(), wants, watchers: [None, None] };
                sources = self.sources.borrow_mut();
                sources.insert(fd, source);
            }
        }
        let source = sources.get_mut(&fd).expect("it was registered above");
        let (serial, watchers) = (source.serial, std::mem::take(&mut source.watchers));
        drop(sources);
        let mut now = [None, None];
        for (way, watcher) in watchers.into_iter().enumerate() {
            now[way] = match watcher {
                Some(watcher) if wants[way] => Some(watcher),
                Some(watcher) => {
                    told::at(slf, || watcher.abort());
                    None
                }
                None if wants[way] => Some(told::spawn_watcher(slf, Watcher { fd, serial, way, place: None })),
                None => None,
            };
        }
        if let Some(source) = self.sources.borrow_mut().get_mut(&fd) {
            source.watchers = now;
        }
        Ok(())
    }

    fn unwatch(&self, fd: i32) {
        let source = self.sources.borrow_mut().remove(&fd);
        if let Some(Source { fd, watchers, .. }) = source {
            drop(fd);
            watchers.into_iter().flatten().for_each(|watcher| watcher.abort());
        }
    }

    /// Whether a registration is still there, and ready as far as the kernel has said.
    pub(crate) fn poll_source(&self, watcher: &Watcher, cx: &mut Context<'_>) -> Poll<bool> {
        let sources = self.sources.borrow();
        match sources.get(&watcher.fd).filter(|source| source.serial == watcher.serial) {
            Some(source) => {
                let mut poll = || source.fd.poll_ready(cx, watcher.interest()).map(|()| true);
                match watcher.place {
                    Some(place) => see::at(place, poll),
                    None => poll(),
                }
            }
            None => Poll::Ready(false),
        }
    }

    /// All that is read from here on is of the callback that is about to run.
    pub(crate) fn forget_reads(&self) {
        self.read.set(None);
    }

    /// Asks the kernel whether a descriptor is still ready: asyncio's are reported for as long as they are. The kernel
    /// need not be asked where a read has shown it.
    pub(crate) fn ask_again(&self, watcher: &Watcher) {
        let read = self.read.take().filter(|(fd, moved, most)| *fd == watcher.fd && moved < most);
        if let (Some((fd, moved, most)), 0) = (read, watcher.way) {
            let sources = self.sources.borrow();
            if let Some(source) = sources.get(&fd).filter(|source| source.serial == watcher.serial) {
                source.fd.moved(Interest::READABLE, moved, most);
            }
            return;
        }
        if let Some(source) = self.sources.borrow_mut().get_mut(&watcher.fd) {
            if source.serial == watcher.serial {
                // It fails where somebody has closed the descriptor. asyncio hears nothing of that either.
                let _closed = source.fd.ask_again(source.wants[0], source.wants[1]);
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let sources = std::mem::take(&mut *self.sources.borrow_mut());
        // In a forked child the kernel's queue is the parent's.
        let entered = catch_unwind(AssertUnwindSafe(|| self.runtime.enter()));
        drop(sources);
        drop(entered);
    }
}

/// Gives up the interpreter's lock while the loop sleeps, and lets Python handle its signals afterwards.
fn sleep_without_the_interpreter(sleep: &mut dyn FnMut()) {
    let Some(turning) = TURNING.with_borrow(Clone::clone) else { return sleep() };
    Python::attach(|py| {
        let sleep = SendWrapper::new(sleep);
        py.detach(move || sleep.take()());
        if let Err(error) = py.check_signals() {
            turning.core.get().raise(error);
        }
    });
}
