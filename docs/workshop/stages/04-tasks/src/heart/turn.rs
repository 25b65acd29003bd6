//! The steps of a turn. All foreign code runs from here, and never while a store is borrowed.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::heart::core::Core;
use crate::heart::key::TaskKey;
use crate::heart::tasks::{Body, Step};
use crate::heart::waker::waker_of;
use crate::trace;

/// Polls what is ready, in order, at most `most` times. Returns how many polls that were, and the root's output.
pub(crate) fn poll_ready<F: Future>(
    core: &Core,
    mut root: Pin<&mut F>,
    most: usize,
) -> (usize, Option<F::Output>) {
    let mut polls = 0;
    // stage: hole "poll_ready"
    while polls < most {
        let Some(step) = core.tasks.next() else { break };
        polls += 1;
        match step {
            Step::Poll(key, body) => poll_task(core, key, body),
            Step::PollRoot(key) => {
                if let Poll::Ready(output) = poll_root(key, root.as_mut()) {
                    return (polls, Some(output));
                }
            }
        }
    }
    (polls, None)
    // stage: end
}

/// Polls the future of `block_on`.
fn poll_root<F: Future>(key: TaskKey, root: Pin<&mut F>) -> Poll<F::Output> {
    let waker = waker_of(key);
    trace::polled(key.0.serial, || root.poll(&mut Context::from_waker(&waker)))
}

/// Polls a task, and puts its body back or ends the task.
fn poll_task(core: &Core, key: TaskKey, mut body: Body) {
    let waker = waker_of(key);
    let polled = trace::polled(key.0.serial, || body.as_mut().poll(&mut Context::from_waker(&waker)));
    // stage: hole "poll_task"
    match polled {
        Poll::Pending => core.tasks.put_back(key, body),
        Poll::Ready(()) => {
            // First the future, so that all it owned is gone when the task is over.
            drop(body);
            core.tasks.finish(key);
            trace::finish(key.0.serial, "returned");
        }
    }
    // stage: end
}

/// Ends a loop in which nobody is ready. There are no timers and no sockets yet, so nothing can come.
pub(crate) fn park(core: &Core) {
    assert!(core.tasks.ready() > 0, "everyone waits, and nobody can wake them: the loop would stand still for ever");
}
