//! The timers: a clock, and a wheel of wakers.
//!
//! The wheel counts in ticks of one millisecond since the runtime was built; this file alone turns instants into ticks.
//! A deadline rounds *up* to its tick and the time *down*, so no timer fires early, ever. On an idle machine it fires
//! up to two milliseconds late. One is that of its tick, and one comes from the kernel, which counts the length of a
//! park in milliseconds.
//!
//! The clock is the monotonic one of the system or, in a test, a virtual one that stands still until
//! the loop moves it. Wall-clock time is never read.
//!
//! Nothing in here drops, clones or wakes a waker while the wheel is borrowed: wakers come and go by
//! value.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::heart::key::{Key, TimerKey};
use crate::heart::wheel::Wheel;

const TICK: Duration = Duration::from_millis(1);

pub(super) struct Pending {
    pub(super) waker: Waker,
    pub(super) at: &'static Location<'static>,
}

/// When a timer is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) instant: Instant,
    /// The tick that it rounds up to.
    pub(crate) tick: u64,
}

/// The timer store.
pub(crate) struct Timers {
    pub(super) runtime: u32,
    /// When the runtime was built.
    pub(crate) started: Instant,
    /// The virtual clock: the time since `started`. `None` for the real clock.
    virtual_time: Option<Cell<Duration>>,
    /// The tick in which the clock was when `deadline` last read it, and the instant at which that tick ends.
    current_tick: Cell<Deadline>,
    pub(super) wheel: RefCell<Wheel<Pending>>,
}

impl Timers {
    pub(crate) fn new(runtime: u32, virtual_clock: bool) -> Self {
        let virtual_time = virtual_clock.then(|| Cell::new(Duration::ZERO));
        let started = Instant::now();
        let current_tick = Cell::new(Deadline { instant: started, tick: 0 });
        Self { runtime, started, virtual_time, current_tick, wheel: RefCell::new(Wheel::new()) }
    }

    /// How many timers are pending.
    pub(crate) fn len(&self) -> usize {
        self.wheel.borrow().len()
    }

    /// The time by the real clock, or by the virtual one if there is one.
    pub(crate) fn now(&self) -> Instant {
        match &self.virtual_time {
            None => Instant::now(),
            Some(time) => self.started + time.get(),
        }
    }

    /// The time since the runtime was built.
    pub(crate) fn uptime(&self) -> Duration {
        self.since_start(self.now())
    }

    /// An instant as the time since the runtime was built.
    pub(crate) fn since_start(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.started)
    }

    /// The deadline `duration` from now. A deadline too far away for the clock becomes the last one that the wheel
    /// can tell apart: some 584 million years.
    ///
    /// A subtraction of instants costs more than all the rest, so the usual sleep does without. From any moment of one
    /// tick, a whole number of ticks leads into the same later tick. So they are added to the current one.
    #[inline(always)]
    pub(crate) fn deadline(&self, duration: Duration) -> Deadline {
        let (now, current) = (self.now(), self.current_tick.get());
        let is_whole = duration.subsec_nanos() % TICK.subsec_nanos() == 0;
        // The sums below have room for the 136 years that `u32::MAX` seconds are.
        if is_whole && now <= current.instant && duration.as_secs() <= u32::MAX.into() {
            let tick = current.tick.saturating_add(ticks_down(duration));
            debug_assert_eq!(tick, self.deadline_at(now + duration).tick);
            return Deadline { instant: now + duration, tick };
        }
        self.deadline_by_subtraction(now, duration)
    }

    /// The same for every duration. It also keeps the tick that the clock is in now.
    #[cold]
    fn deadline_by_subtraction(&self, now: Instant, duration: Duration) -> Deadline {
        self.current_tick.set(self.end_of(self.deadline_at(now).tick));
        now.checked_add(duration).map_or(self.end_of(u64::MAX), |instant| self.deadline_at(instant))
    }

    /// An instant as a deadline.
    pub(crate) fn deadline_at(&self, instant: Instant) -> Deadline {
        Deadline { instant, tick: ticks_up(self.since_start(instant)) }
    }

    fn end_of(&self, tick: u64) -> Deadline {
        Deadline { instant: self.started + Duration::from_millis(tick), tick }
    }

    /// Sets a timer, for the tick of a [`Deadline`].
    #[inline]
    pub(crate) fn insert(&self, tick: u64, waker: Waker, at: &'static Location<'static>) -> TimerKey {
        let (slot, serial) = self.wheel.borrow_mut().insert(tick, Pending { waker, at });
        TimerKey(Key { runtime: self.runtime, slot, serial })
    }

    /// Leaves another waker with a pending timer and returns the one it replaces; gives the waker back
    /// if the timer has fired.
    pub(crate) fn update(&self, TimerKey(key): TimerKey, waker: Waker) -> Result<Waker, Waker> {
        match self.wheel.borrow_mut().get_mut(key.slot, key.serial) {
            Some(pending) => Ok(std::mem::replace(&mut pending.waker, waker)),
            None => Err(waker),
        }
    }

    /// Cancels a timer. Returns its waker, to be dropped, unless it has fired.
    #[inline(always)]
    pub(crate) fn cancel(&self, TimerKey(key): TimerKey) -> Option<Waker> {
        let pending = self.wheel.borrow_mut().remove(key.slot, key.serial)?;
        Some(pending.waker)
    }

    /// Moves the timers that are due to a list for [`pop_due`](Self::pop_due). It reads the clock once, and not at all if
    /// no timer is pending.
    pub(crate) fn collect_due(&self) {
        let mut wheel = self.wheel.borrow_mut();
        if wheel.len() > 0 {
            wheel.advance(ticks_down(self.uptime()));
        }
    }

    /// Takes the next timer from the list of those that are due: its key, its deadline since the start, its waker.
    pub(crate) fn pop_due(&self) -> Option<(TimerKey, Duration, Waker)> {
        let ((slot, serial), tick, pending) = self.wheel.borrow_mut().pop_due()?;
        let key = TimerKey(Key { runtime: self.runtime, slot, serial });
        Some((key, Duration::from_millis(tick), pending.waker))
    }

    /// How long until the next timer is due: zero if it is overdue, `None` if there is none.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let tick = self.wheel.borrow_mut().next_deadline()?;
        Some(Duration::from_millis(tick).saturating_sub(self.uptime()))
    }

    /// Moves the virtual clock forward. The real one moves by itself.
    ///
    /// It stops at the wheel's last tick. An `Instant` can hold a time hundreds of times as far away, so the sums above
    /// do not overflow.
    pub(crate) fn move_virtual_clock(&self, by: Duration) {
        if let Some(shown) = &self.virtual_time {
            shown.set(shown.get().saturating_add(by).min(Duration::from_millis(u64::MAX)));
        }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.virtual_time.is_some()
    }

    /// Takes every waker out, for the end of the runtime.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let mut wheel = self.wheel.borrow_mut();
        wheel.advance(u64::MAX);
        std::iter::from_fn(|| wheel.pop_due()).map(|(.., pending)| pending.waker).collect()
    }
}

fn ticks_down(time: Duration) -> u64 {
    (time.as_secs().saturating_mul(1000)).saturating_add(u64::from(time.subsec_millis()))
}

fn ticks_up(time: Duration) -> u64 {
    let begun = time.subsec_nanos().div_ceil(TICK.subsec_nanos());
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(begun))
}
