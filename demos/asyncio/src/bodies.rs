//! The bodies: what the runtime's tasks do for a Python loop. Each holds numbers, and no Python object.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use oneloop::event::Place;
use oneloop::io::Interest;
use oneloop::see::{self, ToldWait};
use oneloop::time::{Sleep, sleep};
use pyo3::prelude::*;

use crate::callback::Callback;
use crate::core::{Core, Id, ordered};
use crate::home::{turns, with_loop};
use crate::told;

/// A callback that runs once, as soon as it is its turn. It has a number.
pub(crate) struct Soon(pub(crate) u64);

impl Future for Soon {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_loop(|slf, _| run_in_turn(slf, self.0, cx.waker()))
    }
}

/// Runs a queued callback, if it is of a batch that still runs.
fn run_in_turn(slf: &Bound<'_, Core>, seq: u64, waker: &Waker) -> Poll<()> {
    let mut state = slf.get().state();
    if !state.told.contains_key(&seq) {
        return Poll::Ready(());
    }
    if !state.may_run(seq, waker) {
        return Poll::Pending;
    }
    let callback = state.told.remove(&seq).flatten();
    drop(state);
    if let Some(callback) = callback {
        callback.run(slf);
    }
    Poll::Ready(())
}

/// All callbacks that are queued, where nobody looks. It ends with the last of them.
pub(crate) struct Drain;

impl Drain {
    /// How many of them run in one poll. A turn has 64 polls, and then timers and the kernel have theirs.
    const IN_A_POLL: usize = 16;
}

impl Future for Drain {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_loop(|slf, _| {
            for _ in 0..Self::IN_A_POLL {
                let mut state = slf.get().state();
                state.take_in();
                let Some(&(seq, _)) = state.ready.front() else {
                    state.drains = false;
                    return Poll::Ready(());
                };
                if !state.may_run(seq, cx.waker()) {
                    return Poll::Pending;
                }
                let next = state.ready.pop_front();
                drop(state);
                if let Some((_, Some(callback))) = next {
                    callback.run(slf);
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

/// A callback that runs when its time has come.
pub(crate) struct Later {
    id: Id,
    sleep: Sleep,
    place: Option<Place>,
}

impl Later {
    pub(crate) fn new(id: Id, from_now: Duration, place: Option<Place>) -> Self {
        Self { id, sleep: sleep(from_now), place }
    }
}

impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let sleep = Pin::new(&mut this.sleep);
        match this.place {
            Some(place) => ready!(see::at(place, || sleep.poll(cx))),
            None => ready!(sleep.poll(cx)),
        }
        with_loop(|slf, _| run_when_due(slf, this.id, cx.waker()))
    }
}

/// Runs a timer's callback, unless one that is due before it is still to run: the runtime's timers of one tick fire
/// in no order, and asyncio's by their time.
fn run_when_due(slf: &Bound<'_, Core>, id: Id, waker: &Waker) -> Poll<()> {
    let core = slf.get();
    if core.holds(1, waker) {
        return Poll::Pending;
    }
    let mut state = core.state();
    let first = state.by_due.first_key_value().map(|(key, _)| *key);
    let Some(timer) = state.timers.get_mut(id) else { return Poll::Ready(()) };
    if first.is_some_and(|first| first < (ordered(timer.due), timer.seq)) {
        timer.held_back = Some(waker.clone());
        return Poll::Pending;
    }
    let (timer, next) = state.take_timer(id);
    drop(state);
    next.into_iter().for_each(Waker::wake);
    if let Callback::Handle(handle) = &timer.callback {
        let _asyncio_s_own = handle.setattr(slf.py(), "_scheduled", false);
    }
    timer.callback.run(slf);
    Poll::Ready(())
}

/// Calls the reader or the writer of a descriptor whenever it is ready.
pub(crate) struct Watcher {
    pub(crate) fd: i32,
    /// The number of the registration.
    pub(crate) serial: u64,
    /// 0 to read, 1 to write.
    pub(crate) way: usize,
    pub(crate) place: Option<Place>,
}

impl Watcher {
    pub(crate) fn interest(&self) -> Interest {
        if self.way == 0 { Interest::READABLE } else { Interest::WRITABLE }
    }
}

impl Future for Watcher {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_loop(|slf, home| {
            loop {
                if !ready!(home.poll_source(&self, cx)) {
                    return Poll::Ready(());
                }
                if slf.get().holds(1, cx.waker()) {
                    return Poll::Pending;
                }
                let watching = slf.get().state().watched.get(&self.fd).and_then(|watched| watched.way(self.way));
                let Some(watching) = watching else { return Poll::Ready(()) };
                home.forget_reads();
                told::run_watcher(slf, &self, &watching);
                home.ask_again(&self);
            }
        })
    }
}

/// An asyncio.Task: makes the step that is asked for, and says what it waits for.
pub(crate) struct Stepper {
    /// The address of the Python object.
    pub(crate) task: usize,
    /// The serial of the stepper, since addresses are used again.
    pub(crate) serial: u64,
    pub(crate) waits: Option<ToldWait>,
}

impl Future for Stepper {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        drop(self.waits.take());
        with_loop(|slf, _| {
            let step = {
                let mut state = slf.get().state();
                let Some(shown) = state.shown.get_mut(&self.task) else { return Poll::Ready(()) };
                shown.waker = Some(cx.waker().clone());
                shown.step.take()
            };
            let Some(seq) = step else { return Poll::Pending };
            if run_in_turn(slf, seq, cx.waker()).is_pending() {
                if let Some(shown) = slf.get().state().shown.get_mut(&self.task) {
                    shown.step = Some(seq);
                }
                return Poll::Pending;
            }
            match told::after_step(slf, self.task) {
                Some(waits) => {
                    self.waits = waits;
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }
        })
    }
}

impl Drop for Stepper {
    /// Somebody who watches may end a task: then the asyncio.Task is cancelled, and goes on in its own way.
    fn drop(&mut self) {
        if turns() {
            with_loop(|slf, _| told::cancelled(slf, self.task, self.serial));
        }
    }
}
