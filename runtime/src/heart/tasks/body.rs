//! The body: a task's one allocation, from the spawn to the join.
//!
//! ```text
//!     spawn           the future is moved into the box
//!     each poll       the future is polled where it lies
//!     the last poll   the future is dropped there, and its output takes its place
//!     a join          the output moves from there to the joiner; the box is empty
//!     a later spawn   a future of the same type may move in
//! ```
//!
//! A box is emptied by its owner with no borrow of the store alive, because what lies in it is a user's.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

/// A task whose type is erased, so that tasks of all types fit one slab.
pub(crate) type Body = Pin<Box<dyn Task>>;

/// All that the loop does with a body.
pub(crate) trait Task {
    /// Polls the future. When the future is done, it is dropped, and the body holds its output instead.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// Drops the future or the output.
    fn empty(self: Pin<&mut Self>);

    /// Moves the output into `place`, an empty `Option` of its type.
    fn give_output(self: Pin<&mut Self>, place: &mut dyn Any);

    /// Moves a future in from `place`, an `Option` of this body's type. False if that is of another type. The body must
    /// be empty.
    fn refill(self: Pin<&mut Self>, place: &mut dyn Any) -> bool;
}

pin_project! {
    /// The content of a body.
    #[project = HeldPinned]
    enum Held<F: Future> {
        Future { #[pin] future: F },
        Output { output: Option<F::Output> },
    }
}

/// A body for a future, in the box of an earlier one where that fits.
#[inline]
pub(crate) fn body<F: Future<Output: 'static> + 'static>(future: F, spare: Option<Body>) -> Body {
    let Some(mut spare) = spare else { return Box::pin(Held::Future { future }) };
    let mut future = Some(future);
    if spare.as_mut().refill(&mut future) {
        return spare;
    }
    let future = future.expect("a body of another type takes no future");
    Box::pin(Held::Future { future })
}

impl<F: Future<Output: 'static> + 'static> Task for Held<F> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let HeldPinned::Future { future } = self.as_mut().project() else {
            panic!("a task was polled after its end");
        };
        let output = Some(ready!(future.poll(cx)));
        self.set(Self::Output { output });
        Poll::Ready(())
    }

    fn empty(mut self: Pin<&mut Self>) {
        self.set(Self::Output { output: None });
    }

    fn give_output(self: Pin<&mut Self>, place: &mut dyn Any) {
        if let HeldPinned::Output { output } = self.project() {
            let place = place.downcast_mut().expect("a task's output has the type of its handle");
            *place = output.take();
        }
    }

    fn refill(mut self: Pin<&mut Self>, place: &mut dyn Any) -> bool {
        let future = place.downcast_mut().and_then(Option::take);
        let fits = future.is_some();
        if let Some(future) = future {
            self.set(Self::Future { future });
        }
        fits
    }
}
