//! The output of a scope's child, and the handle that waits for it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::heart::budget::ready_within_budget;

/// Waits for a child of a [`scope`](crate::task::scope()) and gives its output.
///
/// There is no error to handle: when the child fails, the scope ends, and with it the future that waits here.
///
/// # Panics
///
/// When polled again after it gave the output. If it was taken out of the scope, also when polled after the scope
/// ended without that output.
///
/// # Cancel safety
///
/// Dropping it loses the output. To wait for a while only, await `&mut handle`.
pub struct ScopedJoinHandle<T> {
    state: Rc<RefCell<State<T>>>,
    /// Whether the scope is over: then no output comes any more.
    closed: Rc<Cell<bool>>,
}

enum State<T> {
    Waiting(Option<Waker>),
    Here(T),
    Taken,
}

/// The child's end of it.
pub(crate) struct Output<T>(Rc<RefCell<State<T>>>);

impl<T> Output<T> {
    pub(crate) fn new(closed: &Rc<Cell<bool>>) -> (Self, ScopedJoinHandle<T>) {
        let state = Rc::new(RefCell::new(State::Waiting(None)));
        (Self(Rc::clone(&state)), ScopedJoinHandle { state, closed: Rc::clone(closed) })
    }

    pub(crate) fn give(self, output: T) {
        let before = self.0.replace(State::Here(output));
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> Drop for Output<T> {
    /// Without an output, a handle that waits outside the scope is to hear that there will be none.
    fn drop(&mut self) {
        let waiting = match &mut *self.0.borrow_mut() {
            State::Waiting(waker) => waker.take(),
            State::Here(_) | State::Taken => None,
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<T> ScopedJoinHandle<T> {
    /// Whether the child has returned.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.state.borrow(), State::Waiting(_))
    }
}

impl<T> Drop for ScopedJoinHandle<T> {
    /// One who waits no more takes its waker along.
    fn drop(&mut self) {
        let waiting = match &mut *self.state.borrow_mut() {
            State::Waiting(waker) => waker.take(),
            State::Here(_) | State::Taken => None,
        };
        drop(waiting);
    }
}

impl<T> Future for ScopedJoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.is_finished() {
            ready!(ready_within_budget(cx));
        }
        let waker = cx.waker().clone();
        match self.state.replace(State::Taken) {
            State::Here(output) => Poll::Ready(output),
            State::Taken => panic!("a ScopedJoinHandle was polled after it had given its task's output"),
            State::Waiting(_) if self.closed.get() => panic!(
                "a ScopedJoinHandle was polled after its scope had ended without its task's output: \
                 the task failed, or was cancelled with the scope, so look at the scope's result first"
            ),
            State::Waiting(replaced) => {
                self.state.replace(State::Waiting(Some(waker)));
                drop(replaced);
                Poll::Pending
            }
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").field("finished", &self.is_finished()).finish()
    }
}
