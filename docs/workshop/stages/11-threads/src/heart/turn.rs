//! The steps of a turn. All foreign code runs from here, and never while a store is borrowed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::heart::core::{Core, Message};
use crate::heart::current::expect_current;
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
    expect_current("block_on").renew_budget();
    trace::polled(key.0.serial, || root.poll(&mut Context::from_waker(&waker)))
}

/// Polls a task, and puts its body back or ends the task. A panic belongs to the task.
fn poll_task(core: &Core, key: TaskKey, mut body: Body) {
    if core.tasks.is_aborted(key) {
        return drop_task(core, key, body);
    }
    let waker = waker_of(key);
    let mut cx = Context::from_waker(&waker);
    core.renew_budget();
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

/// Drops a task that was aborted, instead of polling it.
fn drop_task(core: &Core, key: TaskKey, body: Body) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
    end_task(core, key, Err(dropped.map_or_else(JoinError::Panicked, |()| JoinError::Aborted)));
}

/// Ends a task whose future is gone.
fn end_task(core: &Core, key: TaskKey, outcome: Outcome) {
    let how = match &outcome {
        Ok(_) => "returned",
        Err(JoinError::Panicked(_)) => "panicked",
        Err(JoinError::Aborted) => "aborted",
    };
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

/// Takes what other threads sent up to now. Later messages wait for the next turn.
pub(crate) fn drain_inbox(core: &Core) {
    let count = core.incoming.len();
    if count == 0 {
        return;
    }
    // stage: hole "drain_inbox"
    for _ in 0..count {
        let Ok(message) = core.incoming.try_recv() else { break };
        match message {
            Message::Wake(word, thread) => {
                trace::by_thread(thread);
                core.wake(word);
            }
            Message::Run(f, thread) => {
                trace::by_thread(thread);
                f(core);
            }
        }
    }
    // stage: end
    trace::nobody();
}

/// The last step of a turn: the kernel has its say, and the loop sleeps there if nobody is ready.
pub(crate) fn park(core: &Core) {
    let mut timeout = if core.tasks.ready() > 0 { Some(Duration::ZERO) } else { core.timers.until_next() };
    if timeout != Some(Duration::ZERO) {
        // stage: hole "park, and lose no message"
        if !core.inbox.announce_park(&core.incoming) {
            timeout = Some(Duration::ZERO);
        }
        // stage: end
    }
    match timeout {
        Some(Duration::ZERO) if core.reactor.len() == 0 => {}
        // Nothing can come from outside but wakes, so the virtual clock jumps.
        Some(timeout) if core.timers.is_virtual() && !core.reactor.is_awaited() => {
            core.inbox.unparked();
            trace::parked(Some(timeout), || move_clock(core, timeout));
        }
        _ => {
            let before = Instant::now();
            look_at_kernel(core, timeout);
            move_clock(core, before.elapsed().min(timeout.unwrap_or(Duration::MAX)));
        }
    }
}

/// Moves the virtual clock, if there is one, and lets the trace show its time.
fn move_clock(core: &Core, by: Duration) {
    core.timers.move_virtual_clock(by);
    trace::enter(core.timers.shown());
}

/// Asks the kernel for events, and then wakes the tasks that waited for them.
fn look_at_kernel(core: &Core, timeout: Option<Duration>) {
    let parked = trace::parked(timeout, || core.reactor.park(timeout));
    core.inbox.unparked();
    parked.expect("the kernel's event queue works");
    // stage: hole "look_at_kernel"
    while let Some(arrival) = core.reactor.pop_arrival() {
        if let Some(news) = arrival.news {
            trace::source_ready(arrival.key.0.serial, news.told());
        }
        if let Some(waker) = arrival.waker {
            waker.wake();
        }
    }
    // stage: end
    trace::nobody();
}
