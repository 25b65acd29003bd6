//! The output of a scope's child, and the handle that waits for it.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::budget::ready_at_a_price;

/// Waits for a child of a [`scope`](crate::task::scope) and gives its output.
///
/// There is no error to handle: when the child fails, the scope ends, and with it whoever waits here.
///
/// # Panics
///
/// When polled again after it gave the output.
///
/// # Cancel safety
///
/// Dropping it loses the output. To wait for a while only, await `&mut handle`.
pub struct ScopedJoinHandle<T>(Rc<RefCell<State<T>>>);

enum State<T> {
    Waiting(Option<Waker>),
    Here(T),
    Taken,
}

/// The child's end of it.
pub(crate) struct Output<T>(Rc<RefCell<State<T>>>);

impl<T> Output<T> {
    pub(crate) fn new() -> (Self, ScopedJoinHandle<T>) {
        let state = Rc::new(RefCell::new(State::Waiting(None)));
        (Self(Rc::clone(&state)), ScopedJoinHandle(state))
    }

    pub(crate) fn give(self, output: T) {
        let before = self.0.replace(State::Here(output));
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T> ScopedJoinHandle<T> {
    /// Whether the child has returned.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.0.borrow(), State::Waiting(_))
    }
}

impl<T> Future for ScopedJoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.is_finished() {
            ready!(ready_at_a_price(cx));
        }
        let waker = cx.waker().clone();
        match self.0.replace(State::Taken) {
            State::Here(output) => Poll::Ready(output),
            State::Taken => panic!("a ScopedJoinHandle was polled after it had given its task's output"),
            State::Waiting(replaced) => {
                self.0.replace(State::Waiting(Some(waker)));
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
