//! Instants of the runtime's clock, real or virtual.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use crate::ground::span::Span;
use crate::heart::current::current;

/// A moment, like [`std::time::Instant`], by the clock of the runtime that runs on this thread: the
/// system's monotonic clock, or the runtime's virtual one.
///
/// ```
/// use oneloop::time::{Duration, Instant, sleep};
///
/// let runtime = oneloop::Runtime::builder().virtual_clock().build()?;
/// runtime.block_on(async {
///     let before = Instant::now();
///     sleep(Duration::from_secs(3600)).await;
///     assert_eq!(before.elapsed(), Duration::from_secs(3600));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub(crate) std::time::Instant);

impl Instant {
    /// Now. By the system's clock, if no runtime runs.
    pub fn now() -> Self {
        Self(current().map_or_else(std::time::Instant::now, |core| core.timers.now()))
    }

    /// An instant of the system's clock, taken as one of the runtime's clock.
    pub fn from_std(instant: std::time::Instant) -> Self {
        Self(instant)
    }

    /// This instant as the standard library's.
    pub fn into_std(self) -> std::time::Instant {
        self.0
    }

    /// How much later this is than `earlier`; zero if it is not.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// How much later this is than `earlier`, or `None` if it is not.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// How much later this is than `earlier`; zero if it is not.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// How long ago this was; zero if it is still to come.
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// `self + duration`, or `None` if the clock cannot show it.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// `self - duration`, or `None` if the clock cannot show it.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }
}

/// # Panics
///
/// If the clock cannot show the sum: see [`Instant::checked_add`].
impl Add<Duration> for Instant {
    type Output = Self;

    #[track_caller]
    fn add(self, duration: Duration) -> Self {
        let Some(sum) = self.checked_add(duration) else { cannot_show("later", duration, "checked_add") };
        sum
    }
}

impl AddAssign<Duration> for Instant {
    #[track_caller]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// # Panics
///
/// If the clock cannot show the difference: see [`Instant::checked_sub`].
impl Sub<Duration> for Instant {
    type Output = Self;

    #[track_caller]
    fn sub(self, duration: Duration) -> Self {
        let Some(difference) = self.checked_sub(duration) else { cannot_show("earlier", duration, "checked_sub") };
        difference
    }
}

impl SubAssign<Duration> for Instant {
    #[track_caller]
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

#[cold]
#[track_caller]
fn cannot_show(which: &str, duration: Duration, checked: &str) -> ! {
    panic!("the clock cannot show an instant that is {} {which}: use Instant::{checked}, which says so", Span(duration))
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(instant: std::time::Instant) -> Self {
        Self(instant)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
