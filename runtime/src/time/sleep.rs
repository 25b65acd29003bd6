//! Sleeping: a key into the timers.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::context::{Core, at_home, expect_current, expect_home};
use crate::event::{Event, TimerId, WaitsFor};
use crate::key::TimerKey;
use crate::time::Instant;

/// Waits for `duration`, and never less. How much more depends on how busy the loop is; on an idle one
/// it is mostly under two milliseconds, since timers and the kernel both count in milliseconds.
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
    let core = expect_current("oneloop::time::sleep");
    Sleep::new(&core, core.timers.deadline(duration), Location::caller())
}

/// Waits until `deadline`, and not less. In all else as [`sleep`].
///
/// # Panics
///
/// If no runtime runs on this thread.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(&expect_current("oneloop::time::sleep_until"), deadline.0, Location::caller())
}

/// The future of [`sleep`] and [`sleep_until`]. Once it is ready it stays so, until it is
/// [`reset`](Self::reset).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    deadline: std::time::Instant,
    runtime: u32,
    stage: Stage,
    at: &'static Location<'static>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Not polled yet.
    New,
    /// Pending, or fired and not polled since.
    Set(TimerKey),
    Fired,
}

impl Sleep {
    pub(crate) fn new(core: &Core, deadline: std::time::Instant, at: &'static Location<'static>) -> Self {
        Self { deadline, runtime: core.number, stage: Stage::New, at }
    }

    /// When this sleep ends.
    pub fn deadline(&self) -> Instant {
        Instant(self.deadline)
    }

    /// Whether it was seen to have ended.
    pub fn is_elapsed(&self) -> bool {
        matches!(self.stage, Stage::Fired)
    }

    /// Gives it another deadline, earlier or later, whether it has ended or not. Whoever waits for it
    /// goes on waiting, for the new deadline.
    ///
    /// # Panics
    ///
    /// Where its runtime is not running.
    pub fn reset(&mut self, deadline: Instant) {
        let core = expect_home(self.runtime, "a Sleep");
        self.deadline = deadline.0;
        self.stage = match self.stage {
            Stage::Set(timer) => match cancel(&core, timer) {
                Some(waker) => self.arm(&core, waker),
                None => Stage::New,
            },
            _ => Stage::New,
        };
    }

    #[inline]
    fn arm(&self, core: &Core, waker: Waker) -> Stage {
        let timer = core.timers.insert(self.deadline, waker, self.at);
        core.observe(|| Event::TimerSet {
            timer: TimerId(timer),
            by: core.cause.get(),
            deadline: core.timers.since_start(self.deadline),
            at: self.at,
        });
        core.observe_wait(WaitsFor::Timer(TimerId(timer)), self.at);
        Stage::Set(timer)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let core = expect_home(self.runtime, "a Sleep");
        match self.stage {
            Stage::New => self.stage = self.arm(&core, cx.waker().clone()),
            Stage::Set(timer) => match core.timers.update(timer, cx.waker().clone()) {
                Ok(replaced) => {
                    drop(replaced);
                    core.observe_wait(WaitsFor::Timer(TimerId(timer)), self.at);
                }
                Err(_) => self.stage = Stage::Fired,
            },
            Stage::Fired => {}
        }
        if self.is_elapsed() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Stage::Set(timer) = self.stage {
            at_home(self.runtime, move |core| drop(cancel(core, timer)));
        }
    }
}

#[inline(always)]
fn cancel(core: &Core, timer: TimerKey) -> Option<Waker> {
    let waker = core.timers.cancel(timer)?;
    core.observe(|| Event::TimerCancelled { timer: TimerId(timer) });
    Some(waker)
}
