//! The steps of a turn, in the order in which a turn takes them.
//!
//! `Runtime::turn` says what comes after what; here is what each step does, but for the polls, which have
//! a room of their own. Stored wakers may be foreign code: they are woken with no borrow of a store alive.

use std::time::{Duration, Instant};

use crate::ground::event::{Cause, Event, Readiness, SourceId, TimerId};
use crate::ground::foreign::without_panic;
use crate::heart::core::{Busy, Core, Message};
use crate::heart::reactor::{Direction, Latches, Ready};

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
                core.busy.set(Busy::With(Cause::Thread(thread)));
                without_panic(|| f(core));
                core.busy.set(Busy::With(Cause::Outside));
            }
        }
    }
}

/// Wakes whoever waits for a timer that is due.
pub(crate) fn fire_timers(core: &Core) {
    if !core.timers.collect_due() {
        return;
    }
    while let Some((key, deadline, waker)) = core.timers.pop_due() {
        let timer = TimerId(key);
        core.busy.set(Busy::With(Cause::Timer(timer)));
        core.observe(|| Event::TimerFired { timer, late: core.timers.uptime().saturating_sub(deadline) });
        waker.wake();
    }
    core.busy.set(Busy::With(Cause::Outside));
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
/// deadline, the clock jumps there; while anything outside is awaited, the wait is real, and the clock moves by
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
        wake_ready(core, ready);
    }
    core.busy.set(Busy::With(Cause::Outside));
}

/// Wakes whom a stored waker that panicked has kept from being woken.
#[cold]
pub(crate) fn wake_left_over(core: &Core) {
    for ready in core.reactor.take_batch() {
        without_panic(|| wake_ready(core, ready));
    }
    core.busy.set(Busy::With(Cause::Outside));
}

#[inline(always)]
fn wake_ready(core: &Core, ready: Ready) {
    let source = SourceId(ready.key);
    core.busy.set(Busy::With(Cause::Source(source)));
    if let Some(news) = ready.news {
        core.observe(|| Event::SourceReady { source, ready: readiness(news) });
    }
    if let Some(waker) = ready.waker {
        waker.wake();
    }
}

fn readiness(latches: Latches) -> Readiness {
    use Direction::{Read, Write};
    Readiness {
        read: latches.any(Latches::ready(Read)),
        write: latches.any(Latches::ready(Write)),
        read_closed: latches.any(Latches::closed(Read)),
        write_closed: latches.any(Latches::closed(Write)),
    }
}
