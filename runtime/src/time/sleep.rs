//! Sleeping: a key into the timers.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::ground::event::{Event, TimerId, WaitsFor};
use crate::heart::budget::ready_within_budget;
use crate::heart::core::Core;
use crate::heart::current::{at_home, current, expect_home, no_loop, not_at_home, with_current, with_home};
use crate::heart::key::{Key, TaskKey, TimerKey};
use crate::heart::peek::waiter_of;
use crate::heart::timers::Deadline;
use crate::time::Instant;

/// Waits for `duration`, and never less. How much more depends on how busy the loop is. On an idle one it is mostly
/// under two milliseconds, since timers and the kernel both count in milliseconds.
///
/// The time runs from this call, not from the first poll. Even a sleep of zero lets the other ready
/// tasks run first. A duration too long for the clock is cut to some 584 million years.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// Dropping a sleep cancels it, and nothing else.
///
/// ```
/// # let runtime = oneloop::Runtime::builder().virtual_clock().build()?;
/// # runtime.block_on(async {
/// oneloop::time::sleep(std::time::Duration::from_millis(20)).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let at = Location::caller();
    let sleep = with_current(|core| Sleep::new(core, core.timers.deadline(duration), at));
    let Some(sleep) = sleep else { no_loop("oneloop::time::sleep") };
    sleep
}

/// Waits until `deadline`, and not less. In all else as [`sleep`].
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// # Cancel safety
///
/// Dropping a sleep cancels it, and nothing else.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    let at = Location::caller();
    let Some(sleep) = with_current(|core| Sleep::new(core, core.timers.deadline_at(deadline.0), at)) else {
        no_loop("oneloop::time::sleep_until")
    };
    sleep
}

/// The future of [`sleep`] and [`sleep_until`]. Once it is ready it stays so, until it is
/// [`reset`](Self::reset).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    deadline: std::time::Instant,
    at: &'static Location<'static>,
    runtime: u32,
    /// With `number` it is the stage, which would take eight bytes more as an enum: the timer's slot, `NEW` or `FIRED`.
    slot: u32,
    /// The timer's serial or, before the first poll, the tick at which it will be due.
    number: u64,
}

/// No slots: a wheel has a few hundred less than 2^32.
const NEW: u32 = u32::MAX;
const FIRED: u32 = u32::MAX - 1;

const _: () = assert!(size_of::<Sleep>() <= 40, "a sleep's size is a sleeping task's cost: change it knowingly");

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Not polled yet. It will be due at this tick.
    New(u64),
    /// Pending, or fired and not polled since: its timer's slot and serial.
    Set(u32, u64),
    Fired,
}

impl Sleep {
    pub(crate) fn new(core: &Core, deadline: Deadline, at: &'static Location<'static>) -> Self {
        let Deadline { instant, tick } = deadline;
        Self { deadline: instant, at, runtime: core.number, slot: NEW, number: tick }
    }

    #[inline(always)]
    fn stage(&self) -> Stage {
        match self.slot {
            NEW => Stage::New(self.number),
            FIRED => Stage::Fired,
            slot => Stage::Set(slot, self.number),
        }
    }

    #[inline(always)]
    fn set_stage(&mut self, stage: Stage) {
        (self.slot, self.number) = match stage {
            Stage::New(tick) => (NEW, tick),
            Stage::Set(slot, serial) => (slot, serial),
            Stage::Fired => (FIRED, 0),
        };
    }

    /// When this sleep ends.
    pub fn deadline(&self) -> Instant {
        Instant(self.deadline)
    }

    /// Whether it was seen to have ended.
    pub fn is_elapsed(&self) -> bool {
        matches!(self.stage(), Stage::Fired)
    }

    /// Gives it another deadline, earlier or later, whether it has ended or not. The task that waits for it goes on
    /// waiting, for the new deadline.
    ///
    /// # Panics
    ///
    /// If its runtime does not run on this thread.
    pub fn reset(&mut self, deadline: Instant) {
        let core = expect_home(self.runtime, "a Sleep was reset");
        let Deadline { instant, tick } = core.timers.deadline_at(deadline.0);
        self.deadline = instant;
        let before = self.stage();
        self.set_stage(Stage::New(tick));
        if let Stage::Set(slot, serial) = before {
            if let Some(waker) = cancel(&core, self.timer(slot, serial)) {
                // The one who resets a sleep need not be the one who waits for it.
                let waiter = waiter_of(&core, &waker);
                self.arm(tick, waker, |_| waiter);
            }
        }
    }

    /// Takes the timer away, and with it the waker of the task that waits. The deadline stays, for the next poll.
    pub(super) fn give_up(&mut self) {
        let Stage::Set(slot, serial) = self.stage() else { return };
        // Elsewhere it is left to the drop.
        let Some(core) = current().filter(|core| core.number == self.runtime) else { return };
        self.set_stage(Stage::New(core.timers.deadline_at(self.deadline).tick));
        drop(cancel(&core, self.timer(slot, serial)));
    }

    fn timer(&self, slot: u32, serial: u64) -> TimerKey {
        TimerKey(Key { runtime: self.runtime, slot, serial })
    }

    /// Sets the timer. `waiter` tells the observers whose waker that is.
    #[inline]
    fn arm(&mut self, tick: u64, waker: Waker, waiter: impl FnOnce(&Core) -> Option<TaskKey>) {
        let at = self.at;
        let set = with_home(self.runtime, |core| (core.timers.insert(tick, waker, at), core.is_observed()));
        let Some((timer, is_observed)) = set else { not_at_home(self.runtime, "a Sleep was polled") };
        self.set_stage(Stage::Set(timer.0.slot, timer.0.serial));
        if is_observed {
            self.tell_armed(TimerId(timer), waiter);
        }
    }

    #[cold]
    fn tell_armed(&self, timer: TimerId, waiter: impl FnOnce(&Core) -> Option<TaskKey>) {
        let core = expect_home(self.runtime, "a Sleep was polled");
        let deadline = core.timers.since_start(self.deadline);
        core.tell(|| Event::TimerSet { timer, by: core.cause(), deadline, at: core.place(self.at) });
        core.observe_wait(waiter(&core), WaitsFor::Timer(timer), self.at);
    }

    /// Leaves another waker with the timer, unless that has fired.
    #[inline(never)]
    fn wait_on(&mut self, timer: TimerKey, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let left = with_home(self.runtime, |core| (core.timers.update(timer, waker), core.is_observed()));
        let Some((replaced, is_observed)) = left else { not_at_home(self.runtime, "a Sleep was polled") };
        if replaced.is_err() {
            self.set_stage(Stage::Fired);
            return Poll::Ready(());
        }
        if is_observed {
            let core = expect_home(self.runtime, "a Sleep was polled");
            core.observe_wait(waiter_of(&core, cx.waker()), WaitsFor::Timer(TimerId(timer)), self.at);
        }
        Poll::Pending
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.stage() {
            Stage::New(tick) => {
                self.arm(tick, cx.waker().clone(), |core| waiter_of(core, cx.waker()));
                Poll::Pending
            }
            Stage::Set(slot, serial) => {
                let timer = self.timer(slot, serial);
                self.wait_on(timer, cx)
            }
            // A task that awaits it again and again has to let the others run.
            Stage::Fired => ready_within_budget(cx),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Stage::Set(slot, serial) = self.stage() {
            let timer = self.timer(slot, serial);
            match with_home(self.runtime, |core| (core.timers.cancel(timer), core.is_observed())) {
                Some((waker, false)) => drop(waker),
                Some((waker, true)) => tell_cancelled(timer, waker),
                None => cancel_elsewhere(timer),
            }
        }
    }
}

#[cold]
fn tell_cancelled(timer: TimerKey, waker: Option<Waker>) {
    if let Some(waker) = waker {
        expect_home(timer.0.runtime, "a Sleep was dropped").tell(|| Event::TimerCancelled { timer: TimerId(timer) });
        drop(waker);
    }
}

#[cold]
fn cancel_elsewhere(timer: TimerKey) {
    at_home(timer.0.runtime, move |core| drop(cancel(core, timer)));
}

fn cancel(core: &Core, timer: TimerKey) -> Option<Waker> {
    let waker = core.timers.cancel(timer)?;
    core.observe(|| Event::TimerCancelled { timer: TimerId(timer) });
    Some(waker)
}
