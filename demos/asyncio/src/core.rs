//! The core: the Python objects of one event loop, and what is to become of them.
//!
//! All of them live in one slab and one table, which the garbage collector may look through. Tasks of the runtime
//! hold numbers. So an unclosed loop with pending callbacks is collected like any other object.
//!
//! The lock is never held while Python code may run: not for a call, and not for the drop of an object. All that
//! is to be dropped leaves the lock first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use oneloop::event::TaskId;
use oneloop::see;
use oneloop::task::AbortHandle;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit, intern};
use slab::Slab;

use crate::handle::{Handle, TimerHandle, slowly};
use crate::home;
use crate::told;

/// The place of a callback in the slab.
pub(crate) type Id = usize;

/// The state of a Python event loop. `EventLoop` inherits it.
#[pyclass(frozen, subclass, weakref, module = "oneloop._oneloop")]
pub(crate) struct Core {
    state: Mutex<State>,
    /// No two loops of a process have the same.
    pub(crate) number: u64,
    /// Whether asyncio's own code is to look at each call: in debug mode, and once the loop is closed.
    is_slow: AtomicBool,
    clock: OnceLock<Clock>,
}

/// A reading of the loop's clock, and its instant.
struct Clock {
    at: Instant,
    showed: f64,
}

/// One callback that waits.
pub(crate) struct Entry {
    pub(crate) handle: Py<PyAny>,
    /// When it was queued, in the order of all.
    pub(crate) seq: u64,
    /// A timer's deadline, by the loop's clock.
    pub(crate) due: Option<f64>,
    /// The handle that ends the task of a timer.
    pub(crate) abort: Option<AbortHandle>,
    /// Set for a timer that is due while an earlier one of the same tick is still to run.
    pub(crate) held_back: Option<Waker>,
}

/// The callbacks of one descriptor.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) reader: Option<Py<PyAny>>,
    pub(crate) writer: Option<Py<PyAny>>,
}

/// An asyncio.Task that has a task of its own, because somebody looks.
pub(crate) struct Shown {
    pub(crate) task: TaskId,
    pub(crate) serial: u64,
    pub(crate) abort: AbortHandle,
    pub(crate) weak: Py<PyAny>,
    pub(crate) waker: Option<Waker>,
    /// The step that is to be made.
    pub(crate) step: Option<Id>,
}

/// All of it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) entries: Slab<Entry>,
    /// Callbacks that one task runs by turns, each with its number, because nobody looks.
    pub(crate) ready: VecDeque<(u64, Py<PyAny>)>,
    /// Whether that task is there.
    pub(crate) drains: bool,
    pub(crate) watched: BTreeMap<i32, Watched>,
    /// Timers by when they are due, and then by when they were set.
    pub(crate) timers: BTreeMap<(u64, u64), Id>,
    /// The callbacks queued where the loop does not turn: before it runs, or on another thread.
    pub(crate) outside: VecDeque<Id>,
    /// Those that are queued and must wait for the next run: callbacks, then timers and descriptors.
    pub(crate) held: [Vec<Waker>; 2],
    pub(crate) last_seq: u64,
    /// The last callback of the batch that runs: those that it queues itself are of the next.
    pub(crate) batch_end: u64,
    /// At stop(), the last callback that still runs.
    pub(crate) stop_at: Option<u64>,
    /// The exception that leaves the run.
    pub(crate) raised: Option<PyErr>,
    /// Whether the root of the run is still to be polled for the first time. The held callbacks come first then.
    pub(crate) beginning: bool,
    pub(crate) root: Option<Waker>,
    /// The number of the home that knows of all the timers and descriptors.
    pub(crate) home: u64,
    pub(crate) shown: HashMap<usize, Shown>,
    /// Which task brings about the result of a future, by the future's address; with a weak reference to it, because
    /// addresses are used again.
    pub(crate) resolvers: HashMap<usize, (TaskId, Py<PyAny>)>,
    /// The tasks that read descriptors, as far as somebody looks.
    pub(crate) readers: BTreeMap<i32, TaskId>,
}

impl Core {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An exception leaves the loop: nothing more runs before it has.
    pub(crate) fn raise(&self, error: PyErr) {
        let mut state = self.state();
        let another = if state.raised.is_none() { state.raised.replace(error) } else { Some(error) };
        let root = state.root.clone();
        drop(state);
        drop(another);
        root.into_iter().for_each(Waker::wake);
    }

    /// The time of the loop's clock; `None` where asyncio's own code is to be asked.
    fn now(&self) -> Option<f64> {
        let clock = self.clock.get().filter(|_| !self.is_slow.load(Ordering::Relaxed))?;
        Some(clock.showed + clock.at.elapsed().as_secs_f64())
    }

    fn timer<'py>(
        &self,
        slf: &Bound<'py, Self>,
        due: f64,
        from_now: f64,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let handle = Handle::new(slf, callback, args, context)?;
        let timer = Bound::new(slf.py(), TimerHandle::new(due, handle))?;
        let queued = timer.clone().into_any().unbind();
        // A deadline that is past is no deadline.
        if from_now > 0.0 {
            TimerHandle::is_at(&timer, Self::insert(slf, queued, Some((due, from_now))));
        } else {
            Self::insert(slf, queued, None);
        }
        Ok(timer.into_any().unbind())
    }

    /// Takes a handle in: a timer that is due at a time, so many seconds from now, or a callback.
    fn insert(slf: &Bound<'_, Self>, handle: Py<PyAny>, due: Option<(f64, f64)>) -> Id {
        let mut state = slf.get().state();
        let id = state.insert(handle, due.map(|(due, _)| due));
        if home::turns_here(slf) {
            drop(state);
            match due {
                Some((_, from_now)) => home::spawn_later(slf, id, seconds(from_now)),
                None => home::spawn_soon(slf, id),
            }
            return id;
        }
        state.outside.push_back(id);
        let root = state.root.clone();
        drop(state);
        root.into_iter().for_each(Waker::wake);
        id
    }

    pub(crate) fn not_later(slf: &Bound<'_, Self>, id: Id, handle: &Bound<'_, PyAny>) {
        let mut state = slf.get().state();
        if !state.entries.get(id).is_some_and(|entry| entry.handle.is(handle)) {
            return;
        }
        let (entry, next) = state.take_timer(id);
        drop(state);
        next.into_iter().for_each(Waker::wake);
        if let Some(abort) = entry.as_ref().and_then(|entry| entry.abort.as_ref()) {
            told::at(slf, || abort.abort());
        }
    }

    /// Whether nothing may run now. Then the waker is kept for the next run.
    pub(crate) fn holds(&self, kind: usize, waker: &Waker) -> bool {
        let mut state = self.state();
        let holds = state.beginning || state.raised.is_some();
        if holds {
            state.held[kind].push(waker.clone());
        }
        holds
    }
}

impl State {
    /// Whether the callback of this number must wait for the next run. Then the waker is kept for that. If not, and
    /// it is the first of a new batch, the batch is all that is queued by now.
    pub(crate) fn may_run(&mut self, seq: u64, waker: &Waker) -> bool {
        if self.beginning || self.raised.is_some() || self.stop_at.is_some_and(|last| seq > last) {
            self.held[0].push(waker.clone());
            return false;
        }
        if seq > self.batch_end {
            self.batch_end = self.last_seq;
        }
        true
    }

    fn insert(&mut self, handle: Py<PyAny>, due: Option<f64>) -> Id {
        self.last_seq += 1;
        let seq = self.last_seq;
        let id = self.keep(seq, handle, due);
        if let Some(due) = due {
            self.timers.insert((ordered(due), seq), id);
        }
        id
    }

    /// Gives a handle a place in the slab.
    pub(crate) fn keep(&mut self, seq: u64, handle: Py<PyAny>, due: Option<f64>) -> Id {
        self.entries.insert(Entry { handle, seq, due, abort: None, held_back: None })
    }

    /// A new home begins with all that is to be done, in its order. Returns what is left of the old one.
    pub(crate) fn settle(&mut self, home: u64) -> HashMap<usize, Shown> {
        self.home = home;
        self.held = [Vec::new(), Vec::new()];
        self.readers.clear();
        for (seq, handle) in std::mem::take(&mut self.ready) {
            self.keep(seq, handle, None);
        }
        let mut all: Vec<(u64, Id)> = self.entries.iter().map(|(id, entry)| (entry.seq, id)).collect();
        all.sort_unstable();
        self.outside = all.into_iter().map(|(_, id)| id).collect();
        self.drains = false;
        std::mem::take(&mut self.shown)
    }

    /// Takes a timer out. A timer that waited for it to run first may go on.
    pub(crate) fn take_timer(&mut self, id: Id) -> (Option<Entry>, Option<Waker>) {
        let Some(due) = self.entries.get(id).and_then(|entry| entry.due) else { return (None, None) };
        let entry = self.entries.remove(id);
        self.timers.remove(&(ordered(due), entry.seq));
        let next = self.timers.values().next().copied();
        (Some(entry), next.and_then(|next| self.entries[next].held_back.take()))
    }
}

/// A number whose order is that of the seconds.
pub(crate) fn ordered(seconds: f64) -> u64 {
    let bits = seconds.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[pymethods]
impl Core {
    #[new]
    #[pyo3(signature = (*_args, **_named))]
    fn new(_args: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            state: Mutex::default(),
            is_slow: AtomicBool::new(true),
            clock: OnceLock::new(),
        }
    }

    /// Calls a callback as soon as it is its turn.
    #[pyo3(signature = (callback, *args, context = None))]
    fn call_soon<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        if slf.get().is_slow.load(Ordering::Relaxed) {
            return slowly(slf, "_call_soon_slowly", None, callback, args, context);
        }
        let handle = Bound::new(slf.py(), Handle::new(slf, callback, args, context)?)?;
        Self::_soon(slf, handle.clone().into_any().unbind());
        Ok(handle.into_any().unbind())
    }

    /// Calls a callback when so many seconds have passed.
    #[pyo3(signature = (delay, callback, *args, context = None))]
    fn call_later<'py>(
        slf: &Bound<'py, Self>,
        delay: &Bound<'py, PyAny>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        match (slf.get().now(), delay.extract::<f64>()) {
            (Some(now), Ok(delay)) => slf.get().timer(slf, now + delay, delay, callback, args, context),
            _ => slowly(slf, "_call_later_slowly", Some(delay), callback, args, context),
        }
    }

    /// Calls a callback when the loop's clock shows `when`.
    #[pyo3(signature = (when, callback, *args, context = None))]
    fn call_at<'py>(
        slf: &Bound<'py, Self>,
        when: &Bound<'py, PyAny>,
        callback: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        context: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        match (slf.get().now(), when.extract::<f64>()) {
            (Some(now), Ok(due)) => slf.get().timer(slf, due, due - now, callback, args, context),
            _ => slowly(slf, "_call_at_slowly", Some(when), callback, args, context),
        }
    }

    /// Whether asyncio's own code is to look at each call. The clock is given where it is the system's.
    fn _be_slow(&self, is_slow: bool, clock: Option<f64>) {
        if let Some(showed) = clock {
            self.clock.get_or_init(|| Clock { at: Instant::now(), showed });
        }
        self.is_slow.store(is_slow, Ordering::Relaxed);
    }

    /// Queues a handle.
    fn _soon(slf: &Bound<'_, Self>, handle: Py<PyAny>) {
        if home::turns_here(slf) && !see::is_observed() {
            let mut state = slf.get().state();
            state.last_seq += 1;
            let seq = state.last_seq;
            return home::queue(state, seq, handle);
        }
        Self::insert(slf, handle, None);
    }

    /// Sets a timer that is due at `due`, so many seconds `from_now`. Returns its number.
    fn _later(slf: &Bound<'_, Self>, handle: Py<PyAny>, due: f64, from_now: f64) -> Id {
        Self::insert(slf, handle, Some((due, from_now)))
    }

    /// Takes back a timer, which was cancelled, if it is still the one of this handle.
    fn _not_later(slf: &Bound<'_, Self>, id: Id, handle: &Bound<'_, PyAny>) {
        Self::not_later(slf, id, handle);
    }

    /// The callbacks of a descriptor that can be read, and that can be written.
    fn _watch(slf: &Bound<'_, Self>, fd: i32, reader: Option<Py<PyAny>>, writer: Option<Py<PyAny>>) -> PyResult<()> {
        let before = slf.get().state().watched.insert(fd, Watched { reader, writer });
        drop(before);
        Ok(home::watch(slf, fd)?)
    }

    /// Nobody is called for it any more.
    fn _unwatch(slf: &Bound<'_, Self>, fd: i32) {
        let before = slf.get().state().watched.remove(&fd);
        home::unwatch(slf, fd);
        drop(before);
    }

    /// Turns the loop until it is stopped, or an exception leaves it. `writable` is a descriptor that always is.
    fn _turn(slf: &Bound<'_, Self>, stopping: bool, writable: i32) -> PyResult<()> {
        home::run(slf, stopping, writable)
    }

    /// Lets the batch that runs come to its end, and then the run.
    fn _stop(&self) {
        let mut state = self.state();
        let end = state.batch_end;
        state.stop_at.get_or_insert(end);
        let root = state.root.clone();
        drop(state);
        root.into_iter().for_each(Waker::wake);
    }

    /// Wakes the loop, from any thread.
    fn _wake(&self) {
        let root = self.state().root.clone();
        root.into_iter().for_each(Waker::wake);
    }

    /// Forgets everything.
    fn _shut(slf: &Bound<'_, Self>) {
        let all = std::mem::take(&mut *slf.get().state());
        home::leave(slf.get().number);
        drop(all);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // It is in use only where Python code cannot run, so nobody misses what is not visited now.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        state.entries.iter().try_for_each(|(_, entry)| visit.call(&entry.handle))?;
        state.ready.iter().try_for_each(|(_, handle)| visit.call(handle))?;
        for watched in state.watched.values() {
            visit.call(&watched.reader)?;
            visit.call(&watched.writer)?;
        }
        state.resolvers.values().try_for_each(|(_, weak)| visit.call(weak))?;
        state.shown.values().try_for_each(|shown| visit.call(&shown.weak))
    }

    fn __clear__(&self) {
        let all = std::mem::take(&mut *self.state());
        drop(all);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        home::leave(self.number);
    }
}

/// A span as Python has it: what has passed is none, and what is too long is for ever.
pub(crate) fn seconds(seconds: f64) -> Duration {
    if seconds > 0.0 { Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX) } else { Duration::ZERO }
}

/// Runs a handle, unless it was cancelled. An exception that leaves it leaves the loop.
pub(crate) fn run_handle(slf: &Bound<'_, Core>, handle: &Bound<'_, PyAny>) {
    let (py, is_slow) = (slf.py(), slf.get().is_slow.load(Ordering::Relaxed));
    let ran = match handle.cast::<Handle>() {
        Ok(handle) if !is_slow => Handle::run(handle, slf),
        Err(_) if !is_slow && !is_true(handle.getattr(intern!(py, "_cancelled"))) => {
            handle.call_method0(intern!(py, "_run")).map(drop)
        }
        _ => slf.call_method1(intern!(py, "_run_handle"), (handle,)).map(drop),
    };
    if let Err(error) = ran {
        slf.get().raise(error);
    }
}

/// Whether Python says yes.
pub(crate) fn is_true(answer: PyResult<Bound<'_, PyAny>>) -> bool {
    answer.and_then(|answer| answer.is_truthy()).unwrap_or(false)
}
