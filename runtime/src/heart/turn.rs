//! The steps of a turn, in the order in which a turn takes them: inbox, timers, polls, park.
//!
//! All foreign code of a turn runs from here: futures are polled and dropped, stored wakers are woken. Each future or
//! waker is first moved out of its store, so that no borrow is alive while it runs. A panic in a task is caught here,
//! and handed to the task's joiner.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::ground::event::{Cause, Event, Finished, Polled, SourceId, TaskId, TimerId};
use crate::ground::failure::Failure;
use crate::ground::foreign::without_panic;
use crate::heart::core::{Actor, AroundPark, Core, Message};
use crate::heart::key::WakeWord;
use crate::heart::reactor::Arrival;
use crate::heart::tasks::{Body, Step};
use crate::heart::waker::{own_word, waker_of};

/// Handles all messages that other threads have sent up to now. Messages that come meanwhile wait for the next turn.
pub(crate) fn drain_inbox(core: &Core) {
    for message in core.incoming.try_iter().take(core.incoming.len()) {
        match message {
            Message::Wake(word, thread) => {
                core.counters.wakes_remote.add(1);
                core.wake(word, Cause::Thread(thread));
            }
            Message::Run(f, thread) => {
                core.actor.set(Actor::Known(Cause::Thread(thread)));
                without_panic(|| f(core));
                core.actor.set(Actor::Known(Cause::Outside));
            }
        }
    }
}

/// Wakes those who wait for a timer that is due.
pub(crate) fn fire_timers(core: &Core) {
    core.timers.collect_due();
    while let Some((key, deadline, waker)) = core.timers.pop_due() {
        let timer = TimerId(key);
        core.actor.set(Actor::Known(Cause::Timer(timer)));
        core.observe(|| Event::TimerFired { timer, late: core.timers.uptime().saturating_sub(deadline) });
        waker.wake();
    }
    core.actor.set(Actor::Known(Cause::Outside));
}

/// Takes at most `most` steps: polls of ready tasks, in order, and drops of aborted ones. Returns how many were polls,
/// and the root's output.
pub(crate) fn poll_ready<F: Future>(
    core: &Core,
    mut root: Pin<&mut F>,
    root_word: WakeWord,
    most: usize,
) -> (usize, Option<F::Output>) {
    let (mut polls, mut output) = (0, None);
    for _ in 0..most {
        let Some(step) = core.tasks.next() else { break };
        match step {
            Step::Drop(word, body, failure) => drop_task(core, word, body, failure),
            Step::Poll(word, body) => {
                polls += 1;
                poll_task(core, word, body);
            }
            Step::PollRoot => {
                polls += 1;
                output = poll_root(core, root.as_mut(), root_word);
                if output.is_some() {
                    break;
                }
            }
        }
    }
    core.counters.polls.add(polls as u64);
    core.actor.set(Actor::Known(Cause::Outside));
    (polls, output)
}

/// Polls the future of `block_on`. A panic in it is not caught: it reaches the caller of `block_on`.
fn poll_root<F: Future>(core: &Core, root: Pin<&mut F>, word: WakeWord) -> Option<F::Output> {
    begin_poll(core, word);
    let polled = root.poll(&mut Context::from_waker(&waker_of(core, word)));
    let outcome = if polled.is_ready() { Polled::Ready } else { Polled::Pending };
    observe_actor(core, |task| Event::PollEnd { task, outcome });
    if let Poll::Ready(output) = polled { Some(output) } else { None }
}

/// Polls a task and puts its body back, or ends the task.
#[inline(always)]
fn poll_task(core: &Core, word: WakeWord, mut body: Body) {
    begin_poll(core, word);
    let waker = waker_of(core, word);
    let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(&mut Context::from_waker(&waker))));
    match polled {
        Ok(Poll::Pending) => {
            core.tasks.put_back(word, body);
            observe_actor(core, |task| Event::PollEnd { task, outcome: Polled::Pending });
        }
        Ok(Poll::Ready(())) => {
            observe_actor(core, |task| Event::PollEnd { task, outcome: Polled::Ready });
            end_task(core, word, body, None);
        }
        Err(payload) => {
            observe_actor(core, |task| Event::PollEnd { task, outcome: Polled::Panicked });
            drop_task(core, word, body, Box::new(Failure::Panicked(payload)));
        }
    }
}

/// Begins a poll: the task gets a full budget, and events name it as the cause of all that happens.
#[inline]
fn begin_poll(core: &Core, word: WakeWord) {
    core.actor.set(Actor::Word(word));
    core.renew_budget();
    observe_actor(core, |task| {
        // The key is looked up once, here, for all events of the poll.
        core.actor.set(Actor::Known(Cause::Task(task)));
        Event::PollStart { task }
    });
}

/// Ends a task that has no output: first its future is dropped, so that all it owned is gone when its joiner runs.
#[cold]
pub(crate) fn drop_task(core: &Core, word: WakeWord, mut body: Body, mut failure: Box<Failure>) {
    core.actor.set(Actor::Word(word));
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body.as_mut().empty())) {
        match *failure {
            // The first panic is the one that is reported.
            Failure::Panicked(_) => without_panic(|| drop(payload)),
            Failure::Aborted(_) => *failure = Failure::Panicked(payload),
        }
    }
    end_task(core, word, body, Some(failure));
}

/// Ends a task whose future is gone. The output, if it has one, lies in the body.
#[inline(always)]
fn end_task(core: &Core, word: WakeWord, body: Body, failure: Option<Box<Failure>>) {
    let outcome = match failure.as_deref() {
        None => Finished::Returned,
        Some(Failure::Panicked(_)) => Finished::Panicked,
        Some(Failure::Aborted(_)) => Finished::Aborted,
    };
    let mut left = core.tasks.finish(word, body, failure);
    // Observers are told when the store says that the task is over, and before its joiner is woken.
    observe_actor(core, |task| Event::Finish { task, outcome });
    left.joiner.take().into_iter().for_each(Waker::wake);
    // Nobody will join this task, so the rest of it is dropped here. It keeps its slot until then, so it is the cause of
    // what these drops do.
    if let Some(mut body) = left.body {
        // These drops may take long, and are no part of the next poll.
        core.observers.reading.forget();
        without_panic(|| drop(left.failure.take()));
        without_panic(|| body.as_mut().empty());
        core.tasks.forget(word, body);
    }
}

/// Tells the observers, if there are any, of an event of the task that is being polled or dropped. The task must still
/// have its slot.
#[inline]
fn observe_actor<'a>(core: &Core, event: impl FnOnce(TaskId) -> Event<'a>) {
    if core.is_observed() {
        tell_of_actor(core, event);
    }
}

#[cold]
fn tell_of_actor<'a>(core: &Core, event: impl FnOnce(TaskId) -> Event<'a>) {
    if let Some(key) = core.current_task() {
        core.tell(move || event(TaskId(key)));
    }
}

/// Waits for events of the kernel, at most until the next deadline. If a task is ready, it only looks for them; without
/// sources it does not even look.
pub(crate) fn park(core: &Core) {
    let timeout = timeout(core);
    // Once a park is announced, a thread that sends a message also rings the bell, which ends the park. For messages
    // that came before, nobody rings: `announce_park` is false then, and the loop must not sleep.
    let may_sleep = timeout != Some(Duration::ZERO) && core.inbox.announce_park(&core.incoming);
    if may_sleep {
        core.counters.parks.add(1);
        if core.timers.is_virtual() { park_virtually(core, timeout) } else { look_at_kernel(core, timeout) }
    } else if core.reactor.len() > 0 {
        // Without a registered source the kernel has no event to report, so the system call is saved.
        look_at_kernel(core, Some(Duration::ZERO));
    }
}

/// How long the loop may sleep: not at all if a task is ready or a timer is overdue, and without end if there is no
/// deadline.
fn timeout(core: &Core) -> Option<Duration> {
    if core.tasks.ready() > 0 { Some(Duration::ZERO) } else { core.timers.until_next() }
}

/// With the virtual clock, time passes only while the loop parks. If the loop waits for nothing outside, the clock jumps
/// to the next deadline. It does not know what other threads are about to send. Else the wait is real.
fn park_virtually(core: &Core, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) if !core.reactor.is_awaited() && core.outside_waits.get() == 0 => {
            // The clock jumps, and the loop does not sleep: so nobody needs to ring.
            core.inbox.unparked();
            core.observe_between_steps(|| Event::ParkStart { timeout: Some(timeout) });
            core.timers.move_virtual_clock(timeout);
            core.observe(|| Event::ParkEnd { events: 0 });
        }
        _ => look_at_kernel(core, timeout),
    }
}

/// Asks the kernel for events, for at most `timeout`, and then wakes those who waited for them.
fn look_at_kernel(core: &Core, timeout: Option<Duration>) {
    core.observe_between_steps(|| Event::ParkStart { timeout });
    let parked = match &core.around_park {
        Some(around) if timeout != Some(Duration::ZERO) => park_within(core, around),
        _ => sleep_in_kernel(core, timeout),
    };
    core.inbox.unparked();
    let events = parked.unwrap_or_else(|error| panic!("the kernel's event queue failed: {error}"));
    core.observe(|| Event::ParkEnd { events });
    deliver_arrivals(core);
}

/// Delivers an arrival while the batch is being read, and returns whether it did. It does so only if no foreign code
/// runs: nobody observes, and the waker is this loop's own.
#[inline]
fn deliver_at_once(core: &Core, arrival: &Arrival) -> bool {
    if core.is_observed() {
        return false;
    }
    let Some(waker) = &arrival.waker else { return true };
    let Some(word) = own_word(core, waker) else { return false };
    core.counters.wakes_local.add(1);
    core.queue(word);
    true
}

/// Delivers the arrivals that had to wait until their batch was in: tells the observers which sources became ready, and
/// wakes the wakers. If one of them panics, the next call goes on after it.
pub(crate) fn deliver_arrivals(core: &Core) {
    while let Some(Arrival { key, news, waker }) = core.reactor.pop_arrival() {
        let source = SourceId(key);
        core.actor.set(Actor::Known(Cause::Source(source)));
        if let Some(news) = news {
            core.observe(|| Event::SourceReady { source, ready: news.readiness() });
        }
        waker.into_iter().for_each(Waker::wake);
    }
    core.actor.set(Actor::Known(Cause::Outside));
}

/// Sleeps inside the user's hook `around_park`. The hook may have woken a task or set a timer, so the timeout is
/// computed again.
#[cold]
fn park_within(core: &Core, around: &AroundPark) -> io::Result<usize> {
    let mut parked = None;
    around(&mut || {
        // Only the first call sleeps. For a second one no park is announced, and events may wait to be delivered.
        parked.get_or_insert_with(|| sleep_in_kernel(core, timeout(core)));
    });
    // If the hook did not call the function that sleeps, the kernel is asked here, without waiting.
    parked.unwrap_or_else(|| sleep_in_kernel(core, Some(Duration::ZERO)))
}

/// Sleeps until an event, the bell or the end of `timeout`. The virtual clock moves by the length of the sleep,
/// but never past the end of `timeout`.
fn sleep_in_kernel(core: &Core, timeout: Option<Duration>) -> io::Result<usize> {
    let before = core.timers.is_virtual().then(Instant::now);
    let events = core.reactor.park(timeout, |arrival| deliver_at_once(core, arrival));
    if let Some(before) = before {
        core.timers.move_virtual_clock(before.elapsed().min(timeout.unwrap_or(Duration::MAX)));
    }
    events
}
