//! Told: what the page hears of a Python program. Everything here runs only while somebody looks.

use std::time::Duration;

use oneloop::event::{Place, TaskId, WaitsFor};
use oneloop::see::{self, ToldWait};
use oneloop::task::{AbortHandle, Builder};
use pyo3::intern;
use pyo3::prelude::*;

use crate::bodies::{Later, Soon, Stepper, Watcher};
use crate::callback::Watching;
use crate::core::{Core, Id, Shown};
use crate::home;

/// A name, and the line of the program that asked for it.
struct Described<'py> {
    name: String,
    place: Place,
    /// The asyncio.Task of which it is a step.
    task: Option<Bound<'py, PyAny>>,
    /// The future that it brings about.
    future: Option<Bound<'py, PyAny>>,
}

/// Python's words for a callback: its function and its arguments.
fn describe<'py>(slf: &Bound<'py, Core>, parts: [Bound<'py, PyAny>; 2], kind: &str) -> PyResult<Described<'py>> {
    let py = slf.py();
    type Answer<'py> = (String, String, u32, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>);
    let [function, args] = parts;
    let said = slf.call_method1(intern!(py, "_describe"), (function, args, kind))?;
    let (name, file, line, task, future): Answer<'py> = said.extract()?;
    Ok(Described { name, place: Place::new(&file, line), task, future })
}

/// Calls `f`, and while somebody looks gives the line of the program that is running as the place of what happens.
pub(crate) fn at<R>(slf: &Bound<'_, Core>, f: impl FnOnce() -> R) -> R {
    if !see::is_observed() {
        return f();
    }
    let said = slf.call_method0(intern!(slf.py(), "_caller")).and_then(|said| said.extract::<(String, u32)>());
    match said {
        Ok((file, line)) => see::at(Place::new(&file, line), f),
        Err(_) => f(),
    }
}

/// Queues a callback under its name; a step of an asyncio.Task becomes a poll of that task.
pub(crate) fn spawn_soon(slf: &Bound<'_, Core>, id: u64) {
    let py = slf.py();
    let callback = slf.get().state().told.get(&id).and_then(|callback| callback.as_ref().map(|it| it.clone_ref(py)));
    let described = callback.and_then(|callback| describe(slf, callback.parts(py).ok()?, "").ok());
    let Some(Described { name, place, task, future }) = described else { return drop(oneloop::spawn(Soon(id))) };
    let Some(task) = task else {
        let task = see::at(place, || Builder::new().name(name).spawn(Soon(id)));
        return resolves(slf, future, task.id());
    };
    let address = task.as_ptr().addr();
    let mut state = slf.get().state();
    if let Some(shown) = state.shown.get_mut(&address) {
        let is_the_same = shown.weak.bind(slf.py()).call0().is_ok_and(|alive| alive.is(&task));
        if is_the_same && shown.step.is_none() {
            shown.step = Some(id);
            let waker = shown.waker.clone();
            drop(state);
            return waker.into_iter().for_each(std::task::Waker::wake);
        }
        if is_the_same {
            // Two steps at once: the second stands in the queue for itself.
            drop(state);
            return see::at(place, || drop(Builder::new().name(name).spawn(Soon(id))));
        }
    }
    let before = state.shown.remove(&address);
    drop(state);
    // It was collected before its end, and nobody can step it any more.
    before.iter().for_each(|before| before.abort.abort());
    drop(before);
    let Ok(weak) = weak(&task) else { return drop(oneloop::spawn(Soon(id))) };
    let serial = home::serial();
    let stepper = Stepper { task: address, serial, waits: None };
    let spawned = see::at(place, || Builder::new().name(name).spawn(stepper));
    let (task, abort) = (spawned.id(), spawned.abort_handle());
    let shown = Shown { task, serial, abort, weak, waker: None, step: Some(id) };
    drop(spawned);
    slf.get().state().shown.insert(address, shown);
}

/// Sets a timer under the name of its callback.
pub(crate) fn spawn_later(slf: &Bound<'_, Core>, id: Id, from_now: Duration) -> AbortHandle {
    let py = slf.py();
    let callback = slf.get().state().timers.get(id).map(|timer| timer.callback.clone_ref(py));
    let described = callback.and_then(|callback| describe(slf, callback.parts(py).ok()?, "call_later ").ok());
    let Some(Described { name, place, future, .. }) = described else {
        return oneloop::spawn(Later::new(id, from_now, None)).abort_handle();
    };
    let task = see::at(place, || Builder::new().name(name).spawn(Later::new(id, from_now, Some(place))));
    resolves(slf, future, task.id());
    task.abort_handle()
}

/// Spawns the task of a descriptor's reader or writer, under the name of its callback if somebody looks.
pub(crate) fn spawn_watcher(slf: &Bound<'_, Core>, watcher: Watcher) -> AbortHandle {
    if !see::is_observed() {
        return oneloop::spawn(watcher).abort_handle();
    }
    let kind = format!("{} of fd {}: ", if watcher.way == 0 { "reader" } else { "writer" }, watcher.fd);
    let watching = slf.get().state().watched.get(&watcher.fd).and_then(|watched| watched.way(watcher.way));
    let parts = watching.and_then(|watching| watching.parts(slf.py()).ok());
    let Some(Described { name, place, future, .. }) = parts.and_then(|parts| describe(slf, parts, &kind).ok()) else {
        return oneloop::spawn(watcher).abort_handle();
    };
    let (fd, way) = (watcher.fd, watcher.way);
    let watcher = Watcher { place: Some(place), ..watcher };
    let task = see::at(place, || Builder::new().name(name).spawn(watcher));
    resolves(slf, future, task.id());
    if way == 0 {
        slf.get().state().readers.insert(fd, task.id());
    }
    task.abort_handle()
}

/// Notes that a task brings about the result of a future.
fn resolves(slf: &Bound<'_, Core>, future: Option<Bound<'_, PyAny>>, task: TaskId) {
    let py = slf.py();
    let Some(future) = future else { return };
    let Ok(weak) = weak(&future) else { return };
    let mut all = std::mem::take(&mut slf.get().state().resolvers);
    if all.len() >= 1024 {
        all.retain(|_, (_, weak)| weak.call0(py).is_ok_and(|future| !future.is_none(py)));
    }
    let before = all.insert(future.as_ptr().addr(), (task, weak));
    let newer = std::mem::replace(&mut slf.get().state().resolvers, all);
    drop((before, newer));
}

/// The task that brings about the result of a future, if that is known.
fn resolver(slf: &Bound<'_, Core>, future: &Bound<'_, PyAny>) -> Option<TaskId> {
    let (task, weak) = {
        let state = slf.get().state();
        let (task, weak) = state.resolvers.get(&future.as_ptr().addr())?;
        (*task, weak.clone_ref(slf.py()))
    };
    weak.bind(slf.py()).call0().is_ok_and(|alive| alive.is(future)).then_some(task)
}

fn weak(object: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    Ok(object.py().import("weakref")?.call_method1("ref", (object,))?.unbind())
}

/// Runs the callback of a descriptor. One that was cancelled is taken out, as asyncio does.
pub(crate) fn run_watcher(slf: &Bound<'_, Core>, watcher: &Watcher, watching: &Watching) {
    if watching.is_cancelled(slf.py()) {
        let remove = if watcher.way == 0 { "_remove_reader" } else { "_remove_writer" };
        if let Err(error) = slf.call_method1(remove, (watcher.fd,)) {
            slf.get().raise(error);
        }
        return;
    }
    watching.run(slf);
}

/// The task of an asyncio.Task was ended from outside: cancels the asyncio.Task.
pub(crate) fn cancelled(slf: &Bound<'_, Core>, address: usize, serial: u64) {
    let shown = {
        let mut state = slf.get().state();
        let is_it = state.shown.get(&address).is_some_and(|shown| shown.serial == serial);
        if is_it { state.shown.remove(&address) } else { None }
    };
    let Some(shown) = shown else { return };
    if let Some(step) = shown.step {
        drop(oneloop::spawn(Soon(step)));
    }
    if let Ok(task) = shown.weak.bind(slf.py()).call0() {
        if !task.is_none() {
            let _cancelled = task.call_method0(intern!(slf.py(), "cancel"));
        }
    }
}

/// The thing that an asyncio.Task waits for after a step; `None` if it is over.
pub(crate) fn after_step(slf: &Bound<'_, Core>, address: usize) -> Option<Option<ToldWait>> {
    let py = slf.py();
    let weak = slf.get().state().shown.get(&address).map(|shown| shown.weak.clone_ref(py))?;
    let task = weak.bind(py).call0().ok().filter(|task| !task.is_none());
    let is_over = task
        .as_ref()
        .is_none_or(|task| task.call_method0(intern!(py, "done")).is_ok_and(|done| done.is_truthy().unwrap_or(true)));
    if is_over {
        let before = slf.get().state().shown.remove(&address);
        drop(before);
        return None;
    }
    type Answer<'py> = Option<(Bound<'py, PyAny>, String, u32, Option<i32>)>;
    let said = slf.call_method1(intern!(py, "_awaits"), (task?,)).and_then(|said| said.extract::<Answer<'_>>());
    let Ok(Some((future, file, line, fd))) = said else { return Some(None) };
    let address = future.as_ptr().addr();
    let known = {
        let state = slf.get().state();
        let reader = fd.and_then(|fd| state.readers.get(&fd).copied());
        state.shown.get(&address).map(|shown| shown.task).or(reader)
    };
    let known = known.or_else(|| resolver(slf, &future));
    let on = known.map_or(WaitsFor::Other((address >> 4 & 0xff_ffff) as u64), WaitsFor::Join);
    Some(Some(see::wait(on, Place::new(&file, line))))
}
