//! The polls of a turn: what becomes of a task when it is next.
//!
//! A future is polled and dropped with no borrow of a store alive, since both are foreign code. A panic in a
//! task is caught here, and handed to whoever joins the task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::ground::event::{Cause, Event, Finished, Polled, TaskId};
use crate::ground::foreign::without_panic;
use crate::heart::core::{Busy, Core};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::tasks::{Abort, Body, Outcome, Step};
use crate::heart::waker::waker_of;

/// Polls the future of `block_on`. Its panic is the caller's.
pub(crate) fn poll_root<F: Future>(core: &Core, root: Pin<&mut F>, key: TaskKey) -> Option<F::Output> {
    let (task, word) = (TaskId(key), WakeWord::new(key));
    core.busy.set(Busy::Task(word));
    core.renew_budget();
    core.observe(|| Event::PollStart { task });
    let polled = root.poll(&mut Context::from_waker(&waker_of(core, word)));
    let outcome = if polled.is_ready() { Polled::Ready } else { Polled::Pending };
    core.observe(|| Event::PollEnd { task, outcome });
    if let Poll::Ready(output) = polled { Some(output) } else { None }
}

/// Polls what is ready, in order, until it is the root's turn, nothing is ready or this turn's share is
/// spent. True if it is the root's turn.
pub(crate) fn poll_tasks(core: &Core) -> bool {
    // Asked once for all, so that where nobody observes, a poll does nothing about it.
    if core.is_observed() {
        return poll_tasks_as::<true>(core);
    }
    core.polls_in_silence.set(true);
    let is_roots_turn = poll_tasks_as::<false>(core);
    core.polls_in_silence.set(false);
    if core.observers.has_newcomers() {
        core.busy.set(Busy::With(Cause::Outside));
        core.admit_observers();
    }
    is_roots_turn
}

fn poll_tasks_as<const OBSERVED: bool>(core: &Core) -> bool {
    while core.polls_left.get() > 0 {
        let Some(step) = core.tasks.next() else { break };
        core.polls_left.set(core.polls_left.get() - 1);
        match step {
            Step::Poll(word, body) => poll_task::<OBSERVED>(core, word, body),
            Step::PollRoot => return true,
            Step::Drop(word, body, abort) => {
                core.polls_planned.set(core.polls_planned.get() - 1);
                drop_task(core, word, body, abort);
            }
        }
    }
    false
}

/// Polls a task and puts its body back, or ends the task.
#[inline(always)]
fn poll_task<const OBSERVED: bool>(core: &Core, word: WakeWord, mut body: Body) {
    core.busy.set(Busy::Task(word));
    core.renew_budget();
    if OBSERVED {
        tell_of_poll(core, |task| Event::PollStart { task });
    }
    let waker = waker_of(core, word);
    let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_task(&mut Context::from_waker(&waker))));
    let (outcome, end) = match polled {
        Ok(Poll::Pending) => {
            core.tasks.put_back(word, body);
            if OBSERVED {
                tell_of_poll(core, |task| Event::PollEnd { task, outcome: Polled::Pending });
            }
            return;
        }
        Ok(Poll::Ready(output)) => (Polled::Ready, Outcome::Returned(output)),
        Err(payload) => (Polled::Panicked, Outcome::Panicked(payload)),
    };
    if OBSERVED {
        tell_of_poll(core, |task| Event::PollEnd { task, outcome });
    }
    end_task::<OBSERVED>(core, word, body, end);
}

/// Ends a task that is not to be polled again.
#[cold]
pub(crate) fn drop_task(core: &Core, word: WakeWord, body: Body, abort: Box<Abort>) {
    let end = Outcome::Aborted(abort);
    if core.is_observed() { end_task::<true>(core, word, body, end) } else { end_task::<false>(core, word, body, end) }
}

/// Ends a task: first its body is dropped, so that all it owned is gone when whoever joins it runs.
#[inline(always)]
fn end_task<const OBSERVED: bool>(core: &Core, word: WakeWord, body: Body, outcome: Outcome) {
    core.busy.set(Busy::Task(word));
    let outcome = match catch_unwind(AssertUnwindSafe(|| drop(body))) {
        Ok(()) => outcome,
        Err(payload) => panicked_in_drop(outcome, payload),
    };
    let end = finished(&outcome);
    // Told when it is over in the store, and before whoever waits for it is woken.
    let tell = || {
        if OBSERVED {
            tell_of_poll(core, |task| Event::Finish { task, outcome: end });
        }
    };
    match core.tasks.finish(word, outcome) {
        Ok(joiner) => {
            tell();
            if let Some(joiner) = joiner {
                joiner.wake();
            }
        }
        Err(unwanted) => {
            let task = core.tasks.forget(word);
            core.busy.set(Busy::With(Cause::Task(TaskId(task))));
            tell();
            without_panic(|| drop(unwanted));
        }
    }
}

/// Tells of the task that is being polled or dropped.
#[cold]
fn tell_of_poll<'a>(core: &Core, event: impl FnOnce(TaskId) -> Event<'a>) {
    if let Some(key) = core.current_task() {
        core.tell(&event(TaskId(key)));
    }
}

/// The first panic is the one that is reported, and no output outlives it.
#[cold]
fn panicked_in_drop(outcome: Outcome, payload: Box<dyn Any + Send>) -> Outcome {
    match outcome {
        Outcome::Panicked(first) => {
            without_panic(|| drop(payload));
            Outcome::Panicked(first)
        }
        other => {
            without_panic(|| drop(other));
            Outcome::Panicked(payload)
        }
    }
}

fn finished(outcome: &Outcome) -> Finished {
    match outcome {
        Outcome::Returned(_) => Finished::Returned,
        Outcome::Panicked(_) => Finished::Panicked,
        Outcome::Aborted(_) => Finished::Aborted,
    }
}
