//! The steps of a turn, in the order in which a turn takes them.
//!
//! `Runtime::turn` says what comes after what; here is what each step does.
//! All foreign code is called from this file: futures are polled and dropped, and stored wakers woken,
//! always with no borrow of a store alive. A panic in a task is caught here, and handed to whoever
//! joins the task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::context::{Core, Message};
use crate::event::{Cause, Event, Finished, Polled, Readiness, SourceId, TaskId, TimerId};
use crate::key::TaskKey;
use crate::reactor::Latches;
use crate::tasks::{Abort, Body, Outcome};
use crate::waker::waker_of;

/// Takes what other threads sent up to now. What they send meanwhile waits for the next turn.
pub(crate) fn drain_inbox(core: &Core) {
    for _ in 0..core.incoming.len() {
        let Ok(message) = core.incoming.try_recv() else { break };
        match message {
            Message::Wake(word, thread) => {
                core.counters.wakes_remote.add(1);
                core.wake(word, || Cause::Thread(thread));
            }
            Message::Run(f, thread) => {
                core.cause.set(Cause::Thread(thread));
                without_panic(|| f(core));
                core.cause.set(Cause::Outside);
            }
        }
    }
}

/// Polls the future of `block_on`. Its panic is the caller's.
pub(crate) fn poll_root<F: Future>(core: &Core, root: Pin<&mut F>, key: TaskKey) -> Option<F::Output> {
    let task = TaskId(key);
    core.cause.set(Cause::Task(task));
    core.renew_budget();
    core.observe(|| Event::PollStart { task });
    let polled = root.poll(&mut Context::from_waker(&waker_of(core, key)));
    let outcome = if polled.is_ready() { Polled::Ready } else { Polled::Pending };
    core.observe(|| Event::PollEnd { task, outcome });
    if let Poll::Ready(output) = polled { Some(output) } else { None }
}

/// Polls a task and puts its body back, or ends the task.
#[inline(always)]
pub(crate) fn poll_task(core: &Core, key: TaskKey, mut body: Body) {
    let task = TaskId(key);
    core.cause.set(Cause::Task(task));
    core.renew_budget();
    core.observe(|| Event::PollStart { task });
    let waker = waker_of(core, key);
    let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_task(&mut Context::from_waker(&waker))));
    let (outcome, end) = match polled {
        Ok(Poll::Pending) => {
            core.tasks.put_back(key, body);
            core.observe(|| Event::PollEnd { task, outcome: Polled::Pending });
            return;
        }
        Ok(Poll::Ready(output)) => (Polled::Ready, Outcome::Returned(output)),
        Err(payload) => (Polled::Panicked, Outcome::Panicked(payload)),
    };
    core.observe(|| Event::PollEnd { task, outcome });
    end_task(core, key, body, end);
}

/// Ends a task that is not to be polled again.
#[cold]
pub(crate) fn drop_task(core: &Core, key: TaskKey, body: Body, abort: Box<Abort>) {
    end_task(core, key, body, Outcome::Aborted(abort));
}

/// Ends a task: first its body is dropped, so that all it owned is gone when whoever joins it runs.
#[inline(always)]
fn end_task(core: &Core, key: TaskKey, body: Body, outcome: Outcome) {
    core.cause.set(Cause::Task(TaskId(key)));
    let outcome = match catch_unwind(AssertUnwindSafe(|| drop(body))) {
        Ok(()) => outcome,
        Err(payload) => panicked_in_drop(outcome, payload),
    };
    let how = finished(&outcome);
    let (joiner, unwanted) = core.tasks.finish(key, outcome);
    core.observe(|| Event::Finish { task: TaskId(key), outcome: how });
    if let Some(joiner) = joiner {
        joiner.wake();
    }
    if let Some(unwanted) = unwanted {
        without_panic(|| drop(unwanted));
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

/// Runs foreign code whose panic is nobody's: the panic hook has reported it, and the loop goes on.
pub(crate) fn without_panic(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // Its drop could panic again.
        std::mem::forget::<Box<dyn Any + Send>>(payload);
    }
}

/// Wakes whoever waits for a timer that is due.
pub(crate) fn fire_timers(core: &Core) {
    if !core.timers.collect_due() {
        return;
    }
    while let Some((key, deadline, waker)) = core.timers.pop_due() {
        let timer = TimerId(key);
        core.cause.set(Cause::Timer(timer));
        core.observe(|| Event::TimerFired { timer, late: core.timers.uptime().saturating_sub(deadline) });
        waker.wake();
    }
    core.cause.set(Cause::Outside);
}

/// Asks the kernel for events: without waiting if anything is ready, else until the next deadline,
/// else for ever.
pub(crate) fn park(core: &Core) {
    let mut timeout = if core.tasks.ready() > 0 { Some(Duration::ZERO) } else { core.timers.until_next() };
    if timeout != Some(Duration::ZERO) && !core.inbox.may_park(&core.incoming) {
        timeout = Some(Duration::ZERO);
    }
    if timeout == Some(Duration::ZERO) {
        if core.reactor.len() > 0 {
            look_at_kernel(core, timeout);
        }
        return;
    }
    core.counters.parks.add(1);
    if core.timers.is_virtual() {
        park_virtually(core, timeout);
    } else {
        look_at_kernel(core, timeout);
    }
}

/// With the virtual clock, time passes only here. Where nothing outside can happen before the next
/// deadline, the clock jumps there; while a socket or a blocking job is awaited, the wait is real, and the clock moves by
/// what was really waited.
fn park_virtually(core: &Core, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) if !core.reactor.is_awaited() && core.jobs_away.get() == 0 => {
            core.inbox.unparked();
            core.observe_between_steps(|| Event::ParkStart { timeout: Some(timeout) });
            core.timers.move_virtual_clock(timeout);
            core.observe(|| Event::ParkEnd { events: 0 });
        }
        _ => {
            let before = Instant::now();
            look_at_kernel(core, timeout);
            core.timers.move_virtual_clock(before.elapsed().min(timeout.unwrap_or(Duration::MAX)));
        }
    }
}

/// Lets the kernel have its say, and then wakes whoever waited for it.
fn look_at_kernel(core: &Core, timeout: Option<Duration>) {
    core.observe_between_steps(|| Event::ParkStart { timeout });
    let parked = core.reactor.park(timeout);
    core.inbox.unparked();
    let events = parked.unwrap_or_else(|error| panic!("the kernel's event queue failed: {error}"));
    core.observe(|| Event::ParkEnd { events });
    while let Some(ready) = core.reactor.pop_ready() {
        let source = SourceId(ready.key);
        core.cause.set(Cause::Source(source));
        if let Some(news) = ready.news {
            core.observe(|| Event::SourceReady { source, ready: readiness(news) });
        }
        if let Some(waker) = ready.waker {
            waker.wake();
        }
    }
    core.cause.set(Cause::Outside);
}

fn readiness(Latches { ready, closed }: Latches) -> Readiness {
    Readiness { read: ready[0], write: ready[1], read_closed: closed[0], write_closed: closed[1] }
}
