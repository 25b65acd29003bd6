//! The steps of a turn. All foreign code runs from here, and never while a store is borrowed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::heart::core::Core;
use crate::heart::key::TaskKey;
use crate::heart::tasks::{Body, Outcome, Step};
use crate::heart::waker::waker_of;
use crate::task::JoinError;
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

/// Polls a task, and puts its body back or ends the task. A panic belongs to the task.
fn poll_task(core: &Core, key: TaskKey, mut body: Body) {
    let waker = waker_of(key);
    let mut cx = Context::from_waker(&waker);
    let mut poll = AssertUnwindSafe(|| trace::polled(key.0.serial, || body.as_mut().poll_work(&mut cx)));
    // stage: hole "poll_task, and its end"
    let outcome = match catch_unwind(poll) {
        Ok(Poll::Pending) => return core.tasks.put_back(key, body),
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(JoinError::Panicked(payload)),
    };
    // The future is dropped first: all that it owned is gone when its joiner runs.
    drop(body);
    end_task(core, key, outcome);
    // stage: end
}

/// Ends a task whose future is gone.
fn end_task(core: &Core, key: TaskKey, outcome: Outcome) {
    let how = if outcome.is_ok() { "returned" } else { "panicked" };
    let (joiner, unwanted) = core.tasks.finish(key, outcome);
    trace::finish(key.0.serial, how);
    if let Some(joiner) = joiner {
        joiner.wake();
    }
    drop(unwanted);
}

/// Fires the timers that are due, and wakes the tasks that wait for them.
pub(crate) fn fire_timers(core: &Core) {
    if !core.timers.collect_due() {
        return;
    }
    // stage: hole "fire_timers"
    while let Some((key, deadline, waker)) = core.timers.pop_due() {
        trace::timer_fired(key.0.serial, core.timers.uptime().saturating_sub(deadline));
        waker.wake();
    }
    // stage: end
    trace::nobody();
}

/// Lets a loop in which nobody is ready sleep until the next deadline.
pub(crate) fn park(core: &Core) {
    if core.tasks.ready() > 0 {
        return;
    }
    // stage: hole "park until the deadline"
    let Some(timeout) = core.timers.until_next() else { nobody_can_wake() };
    trace::parked(Some(timeout), || core.timers.pass(timeout));
    // stage: end
}

fn nobody_can_wake() -> ! {
    panic!("everyone waits, and nobody can wake them: the loop would stand still for ever")
}
