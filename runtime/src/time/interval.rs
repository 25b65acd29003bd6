//! Doing things again and again.

use std::future::poll_fn;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::heart::current::{expect_current, expect_home};
use crate::time::{Instant, Sleep};

/// A tick at once, and then one every `period`.
///
/// # Panics
///
/// If `period` is zero, or no runtime runs on this thread.
///
/// ```
/// use oneloop::time::{Duration, Instant, interval};
/// # let runtime = oneloop::Runtime::builder().virtual_clock().build()?;
/// # runtime.block_on(async {
/// let start = Instant::now();
/// let mut every = interval(Duration::from_secs(2));
/// every.tick().await;
/// every.tick().await;
/// every.tick().await;
/// assert_eq!(start.elapsed(), Duration::from_secs(4));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias("every", "ticker"))]
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// A tick at `start`, and then one every `period`.
///
/// # Panics
///
/// If `period` is zero, or no runtime runs on this thread.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "an interval's period must be longer than zero");
    let core = expect_current("oneloop::time::interval");
    let sleep = Sleep::new(&core, core.timers.deadline_at(start.0), Location::caller());
    Interval { sleep, runtime: core.number, period, missed: MissedTickBehavior::Burst }
}

/// The way in which an [`Interval`] goes on when its ticks were not taken in time, because its task was busy, or the
/// loop.
///
/// ```text
///     period 10, the tick of 10 is taken at 35:
///     Burst   10 at 35,  20 at 35,  30 at 35,  40 at 40,  50 at 50     as many ticks as planned
///     Delay   10 at 35,  45,  55                                       at least a period between ticks
///     Skip    10 at 35,  40,  50                                       on the planned beat, some left out
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissedTickBehavior {
    /// Makes up for every missed tick, at once.
    #[default]
    Burst,
    /// Counts the period from when the late tick was taken.
    Delay,
    /// Leaves the missed ticks out.
    Skip,
}

/// Delay lets a tick be this late without moving the beat. Timers and the kernel count in milliseconds, and a beat
/// that drifts by one each time would be none.
const STILL_IN_TIME: Duration = Duration::from_millis(5);

/// Ticks. Made by [`interval`] and [`interval_at`].
///
/// It is a [`Stream`] too, which never ends.
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    runtime: u32,
    period: Duration,
    missed: MissedTickBehavior,
}

/// A tick that is waited for. Given up, it takes its timer along.
struct Tick<'a>(&'a mut Interval);

impl Drop for Tick<'_> {
    fn drop(&mut self) {
        self.0.sleep.give_up();
    }
}

impl Interval {
    /// Waits for the next tick, and gives the instant for which it was planned.
    ///
    /// # Panics
    ///
    /// When awaited where its runtime is not running.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no tick. It takes the timer along, so code that polls a new future each time is
    /// not woken. Such code calls [`poll_tick`](Self::poll_tick).
    pub async fn tick(&mut self) -> Instant {
        let tick = Tick(self);
        poll_fn(|cx| tick.0.poll_tick(cx)).await
    }

    /// As [`tick`](Self::tick), for use in a `poll` function.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let core = expect_home(self.runtime, "an Interval was polled");
        if core.must_yield(cx) {
            return Poll::Pending;
        }
        let planned = self.sleep.deadline();
        let mut now = core.timers.now();
        if now < planned.0 {
            ready!(Pin::new(&mut self.sleep).poll(cx));
            now = core.timers.now();
        }
        core.spend();
        let next = self.after(planned, Instant(now));
        self.sleep.reset(next);
        Poll::Ready(planned)
    }

    /// Starts the beat anew: the next tick comes one period from now.
    pub fn reset(&mut self) {
        let core = expect_home(self.runtime, "an Interval was reset");
        self.sleep.reset(Instant(core.timers.deadline(self.period).instant));
    }

    /// The time from tick to tick.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// The way in which missed ticks are dealt with.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Sets what is done about missed ticks.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    /// The tick that follows the one planned for `planned` and taken at `now`.
    fn after(&self, planned: Instant, now: Instant) -> Instant {
        let late = now.duration_since(planned);
        let next = match self.missed {
            MissedTickBehavior::Delay if late > STILL_IN_TIME => now.checked_add(self.period),
            MissedTickBehavior::Skip if late >= self.period => {
                let into = late.as_nanos() % self.period.as_nanos();
                let into = Duration::new((into / 1_000_000_000) as u64, (into % 1_000_000_000) as u32);
                now.checked_add(self.period - into)
            }
            _ => planned.checked_add(self.period),
        };
        // A period too long for the clock never ends. Nor does one that begins at the clock's last instants.
        next.or_else(|| planned.checked_add(Duration::from_millis(u64::MAX))).unwrap_or(planned)
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}
