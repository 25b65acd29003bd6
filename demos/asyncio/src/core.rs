//! The core: the Python objects of one event loop, and what is to become of them.
//!
//! All of them live in one slab and one table, which the garbage collector may look through. Tasks of the runtime
//! hold numbers. So an unclosed loop with pending callbacks is collected like any other object.
//!
//! The lock is never held while Python code may run: not for a call, and not for the drop of an object. All that
//! is to be dropped leaves the lock first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use oneloop::event::TaskId;
use oneloop::task::AbortHandle;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use slab::Slab;

use crate::callback::{Call, Callback, Watching};
use crate::handle::{Handle, TimerHandle, slowly};
use crate::home;
use crate::told;

/// The place of a timer in the slab.
pub(crate) type Id = usize;

/// A callback that is to run once, and its number in the order of all. A cancelled one keeps its place.
pub(crate) type Queued = (u64, Option<Callback>);

/// The state of a Python event loop. `EventLoop` inherits it.
#[pyclass(frozen, subclass, weakref, module = "oneloop._oneloop")]
pub(crate) struct Core {
    state: Mutex<State>,
    /// No two loops of a process have the same.
    pub(crate) number: u64,
    /// Whether asyncio's own code is to look at each call: in debug mode, and once the loop is closed.
    is_slow: AtomicBool,
    clock: OnceLock<Clock>,
    /// For handles, which must not keep the loop alive.
    weak: PyOnceLock<Py<PyWeakrefReference>>,
}

/// A reading of the loop's clock, and its instant.
struct Clock {
    at: Instant,
    showed: f64,
}

/// A callback that waits for its time.
pub(crate) struct Timer {
    pub(crate) callback: Callback,
    /// When it was set, in the order of all.
    pub(crate) seq: u64,
    /// The deadline, by the loop's clock.
    pub(crate) due: f64,
    /// The handle that ends its task.
    pub(crate) abort: Option<AbortHandle>,
    /// Set for a timer that is due while an earlier one of the same tick is still to run.
    pub(crate) held_back: Option<Waker>,
}

/// The callbacks of one descriptor.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) reader: Option<Arc<Watching>>,
    pub(crate) writer: Option<Arc<Watching>>,
}

impl Watched {
    /// The reader's callback, or the writer's.
    pub(crate) fn way(&self, way: usize) -> Option<Arc<Watching>> {
        if way == 0 { self.reader.clone() } else { self.writer.clone() }
    }
}

/// An asyncio.Task that has a task of its own, because somebody looks.
pub(crate) struct Shown {
    pub(crate) task: TaskId,
    pub(crate) serial: u64,
    pub(crate) abort: AbortHandle,
    pub(crate) weak: Py<PyAny>,
    pub(crate) waker: Option<Waker>,
    /// The step that is to be made.
    pub(crate) step: Option<u64>,
}

/// All of it.
#[derive(Default)]
pub(crate) struct State {
    /// Callbacks in their order, which one task runs by turns, because nobody looks.
    pub(crate) ready: VecDeque<Queued>,
    /// Whether that task is there.
    pub(crate) drains: bool,
    pub(crate) watched: BTreeMap<i32, Watched>,
    /// Callbacks that have a task each, because somebody looks.
    pub(crate) told: BTreeMap<u64, Option<Callback>>,
    /// The callbacks queued where the loop does not turn, in their order: before it runs, or on another thread.
    pub(crate) outside: VecDeque<Queued>,
    /// The timers set there.
    pub(crate) set_outside: Vec<Id>,
    pub(crate) timers: Slab<Timer>,
    /// Timers by when they are due, and then by when they were set.
    pub(crate) by_due: BTreeMap<(u64, u64), Id>,
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

    /// Whether asyncio's own code is to look at each call.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    fn handle(slf: &Bound<'_, Self>, seq: u64) -> PyResult<Handle> {
        let weak = slf.get().weak.get_or_try_init(slf.py(), || PyWeakrefReference::new(slf).map(Bound::unbind))?;
        Ok(Handle::new(weak.clone_ref(slf.py()), seq))
    }

    /// Takes a callback in that is due at a time, so many seconds from now.
    fn timer<'py>(slf: &Bound<'py, Self>, due: f64, from_now: f64, call: Call) -> PyResult<Bound<'py, PyAny>> {
        let callback = Callback::Call(call);
        // A deadline that is past is no deadline.
        let seq = if from_now > 0.0 { Self::set(slf, callback, due, from_now) } else { Self::queue(slf, callback) };
        Ok(Bound::new(slf.py(), TimerHandle::new(due, Self::handle(slf, seq)?))?.into_any())
    }

    /// Queues a callback. Returns its number in the order of all.
    fn queue(slf: &Bound<'_, Self>, callback: Callback) -> u64 {
        let mut state = slf.get().state();
        let seq = state.next_seq();
        if home::turns_here(slf) {
            home::spawn_soon(slf, state, (seq, Some(callback)));
            return seq;
        }
        state.outside.push_back((seq, Some(callback)));
        let root = state.root.clone();
        drop(state);
        root.into_iter().for_each(Waker::wake);
        seq
    }

    /// Sets a timer. Returns its number in the order of all.
    fn set(slf: &Bound<'_, Self>, callback: Callback, due: f64, from_now: f64) -> u64 {
        let mut state = slf.get().state();
        let seq = state.next_seq();
        let id = state.timers.insert(Timer { callback, seq, due, abort: None, held_back: None });
        state.by_due.insert((ordered(due), seq), id);
        if home::turns_here(slf) {
            drop(state);
            home::spawn_later(slf, id, seconds(from_now));
            return seq;
        }
        state.set_outside.push(id);
        let root = state.root.clone();
        drop(state);
        root.into_iter().for_each(Waker::wake);
        seq
    }

    /// Takes back what was queued under a number, or set for a time, if it still waits.
    pub(crate) fn cancel(slf: &Bound<'_, Self>, seq: u64, when: Option<f64>) {
        let mut state = slf.get().state();
        let Some(id) = when.and_then(|when| state.by_due.get(&(ordered(when), seq)).copied()) else {
            let taken = state.queued(seq).and_then(Option::take);
            drop(state);
            return drop(taken);
        };
        let (timer, next) = state.take_timer(id);
        drop(state);
        next.into_iter().for_each(Waker::wake);
        if let Some(abort) = &timer.abort {
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

    fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    /// The place of a callback that is queued.
    fn queued(&mut self, seq: u64) -> Option<&mut Option<Callback>> {
        for queue in [&mut self.ready, &mut self.outside] {
            if let Ok(at) = queue.binary_search_by_key(&seq, |(seq, _)| *seq) {
                return Some(&mut queue[at].1);
            }
        }
        self.told.get_mut(&seq)
    }

    /// The call that waits under a number, or for a time.
    pub(crate) fn find(&mut self, seq: u64, when: Option<f64>) -> Option<&Call> {
        let timer = when.and_then(|when| self.by_due.get(&(ordered(when), seq)).copied());
        let callback = match timer {
            Some(id) => &self.timers[id].callback,
            None => self.queued(seq)?.as_ref()?,
        };
        if let Callback::Call(call) = callback { Some(call) } else { None }
    }

    /// Whether a timer waits for its time.
    pub(crate) fn is_set(&self, seq: u64, when: f64) -> bool {
        self.by_due.contains_key(&(ordered(when), seq))
    }

    /// A new home begins with all that is to be done, in its order. Returns what is left of the old one.
    pub(crate) fn settle(&mut self, home: u64) -> HashMap<usize, Shown> {
        self.home = home;
        self.held = [Vec::new(), Vec::new()];
        self.readers.clear();
        self.outside.extend(std::mem::take(&mut self.told));
        self.outside.make_contiguous().sort_by_key(|(seq, _)| *seq);
        self.set_outside = self.timers.iter().map(|(id, _)| id).collect();
        let timers = &self.timers;
        self.set_outside.sort_unstable_by_key(|id| timers[*id].seq);
        self.drains = false;
        std::mem::take(&mut self.shown)
    }

    /// Takes in what was queued elsewhere, where nobody looks. All that is queued here does so first: then each queue
    /// stays in the order of all, and the second follows the first.
    pub(crate) fn take_in(&mut self) {
        if !self.outside.is_empty() {
            self.ready.append(&mut self.outside);
        }
    }

    /// Takes a timer out. A timer that waited for it to run first may go on.
    pub(crate) fn take_timer(&mut self, id: Id) -> (Timer, Option<Waker>) {
        let timer = self.timers.remove(id);
        self.by_due.remove(&(ordered(timer.due), timer.seq));
        let next = self.by_due.values().next().copied();
        (timer, next.and_then(|next| self.timers[next].held_back.take()))
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
            weak: PyOnceLock::new(),
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
        if slf.get().is_slow() {
            return slowly(slf, "_call_soon_slowly", None, callback, args, context);
        }
        let seq = Self::queue(slf, Callback::Call(Call::new(callback, args, context)?));
        Ok(Bound::new(slf.py(), Self::handle(slf, seq)?)?.into_any().unbind())
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
            (Some(now), Ok(delay)) => {
                Self::timer(slf, now + delay, delay, Call::new(callback, args, context)?).map(Bound::unbind)
            }
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
            (Some(now), Ok(due)) => {
                Self::timer(slf, due, due - now, Call::new(callback, args, context)?).map(Bound::unbind)
            }
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

    /// Queues a handle of asyncio's.
    fn _soon(slf: &Bound<'_, Self>, handle: Py<PyAny>) -> u64 {
        Self::queue(slf, Callback::Handle(handle))
    }

    /// Sets a timer of asyncio's that is due at `due`, so many seconds `from_now`. Returns its number.
    fn _later(slf: &Bound<'_, Self>, handle: Py<PyAny>, due: f64, from_now: f64) -> u64 {
        Self::set(slf, Callback::Handle(handle), due, from_now)
    }

    /// Takes back a timer, which was cancelled.
    fn _not_later(slf: &Bound<'_, Self>, due: f64, seq: u64) {
        Self::cancel(slf, seq, Some(due));
    }

    /// The callbacks of a descriptor that can be read, and that can be written.
    fn _watch<'py>(
        slf: &Bound<'py, Self>,
        fd: i32,
        reader: Option<Bound<'py, PyAny>>,
        writer: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let known = slf.get().state().watched.get(&fd).map(|watched| [0, 1].map(|way| watched.way(way)));
        let known = known.into_iter().flatten().flatten().collect::<Vec<_>>();
        let watching = |handle: Bound<'py, PyAny>| match known.iter().find(|known| known.is_of(&handle)) {
            Some(known) => Ok(Arc::clone(known)),
            None => Watching::new(handle).map(Arc::new),
        };
        let (reader, writer) = (reader.map(watching).transpose()?, writer.map(watching).transpose()?);
        let watched = Watched { reader, writer };
        let before = slf.get().state().watched.insert(fd, watched);
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
        let queued = state.ready.iter().chain(&state.outside).map(|(_, callback)| callback);
        queued.chain(state.told.values()).flatten().try_for_each(|callback| callback.visit(&visit))?;
        state.timers.iter().try_for_each(|(_, timer)| timer.callback.visit(&visit))?;
        let watched = state.watched.values().flat_map(|watched| [&watched.reader, &watched.writer]);
        watched.flatten().try_for_each(|watching| watching.visit(&visit))?;
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

/// Whether Python says yes.
pub(crate) fn is_true(answer: PyResult<Bound<'_, PyAny>>) -> bool {
    answer.and_then(|answer| answer.is_truthy()).unwrap_or(false)
}
