//! The calls of users: spawning, and joining what was spawned.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::heart::core::Core;
use crate::heart::current::{current, expect_current};
use crate::heart::key::TaskKey;
use crate::trace;

/// Starts a task on the loop that runs on this thread. It is polled when its turn comes, and not in here.
#[track_caller]
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let at = Location::caller();
    JoinHandle { key: expect_current("spawn").spawn(Box::pin(future), at), at, output: PhantomData }
}

/// Why a task has no output.
#[derive(Debug)]
pub enum JoinError {
    /// It panicked, with this.
    Panicked(Box<dyn Any + Send>),
}

/// A task's output to come. Dropping it detaches the task, which goes on.
pub struct JoinHandle<T> {
    key: TaskKey,
    at: &'static Location<'static>,
    output: PhantomData<fn() -> T>,
}

impl<T> JoinHandle<T> {
    /// The loop that the task is on, if it is the one of this thread.
    fn home(&self) -> Option<Rc<Core>> {
        current().filter(|core| core.number == self.key.0.runtime)
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let core = self.home().expect("a JoinHandle is awaited on the loop of its task");
        let typed = |output: Box<dyn Any>| *output.downcast::<T>().expect("an output has the type of its handle");
        // stage: hole "JoinHandle::poll"
        if let Some(outcome) = core.tasks.take_outcome(self.key) {
            return Poll::Ready(outcome.map(typed));
        }
        drop(core.tasks.leave_joiner(self.key, cx.waker().clone()));
        trace::wait(&format!("join {}", self.key.0.serial), self.at);
        Poll::Pending
        // stage: end
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(core) = self.home() {
            let left = core.tasks.detach(self.key);
            drop(left);
        }
    }
}
