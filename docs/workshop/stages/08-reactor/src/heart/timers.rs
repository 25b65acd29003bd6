//! The timers: a clock, and a queue of wakers by their deadlines.
//!
//! The queue counts in ticks of one millisecond; this file alone turns time into ticks. A deadline rounds *up* to its
//! tick and the time *down*, so no timer fires early, ever.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::heart::key::{Key, TimerKey};
use crate::heart::wheel::Wheel;
use crate::trace;

/// The queue that keeps the deadlines.
pub(crate) use crate::heart::wheel::Wheel as Queue;

const TICK: Duration = Duration::from_millis(1);

struct Pending {
    waker: Waker,
    /// The line that set it, for a look at the whole store.
    at: &'static Location<'static>,
}

/// The timer store.
pub(crate) struct Timers {
    runtime: u32,
    started: Instant,
    /// The virtual clock: the time since `started`. `None` for the real clock.
    virtual_time: Option<Cell<Duration>>,
    wheel: RefCell<Wheel<Pending>>,
}

impl Timers {
    pub(crate) fn new(runtime: u32, virtual_clock: bool) -> Self {
        let virtual_time = virtual_clock.then(Cell::default);
        Self { runtime, started: trace::began(), virtual_time, wheel: RefCell::new(Wheel::new()) }
    }

    /// How many timers are pending.
    pub(crate) fn len(&self) -> usize {
        self.wheel.borrow().len()
    }

    /// The time, by the clock in force.
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

    /// Sets a timer for a tick.
    pub(crate) fn insert(&self, tick: u64, waker: Waker, at: &'static Location<'static>) -> TimerKey {
        let (slot, serial) = self.wheel.borrow_mut().insert(tick, Pending { waker, at });
        TimerKey(Key { runtime: self.runtime, slot, serial })
    }

    /// Leaves another waker with a pending timer and returns the one it replaces; gives the waker back if the timer
    /// has fired.
    pub(crate) fn update(&self, TimerKey(key): TimerKey, waker: Waker) -> Result<Waker, Waker> {
        match self.wheel.borrow_mut().get_mut(key.slot, key.serial) {
            Some(pending) => Ok(std::mem::replace(&mut pending.waker, waker)),
            None => Err(waker),
        }
    }

    /// Reads the clock once and sets apart what is due by then. False if no timer is pending.
    pub(crate) fn collect_due(&self) -> bool {
        let mut wheel = self.wheel.borrow_mut();
        if wheel.len() == 0 {
            return false;
        }
        wheel.advance(ticks_down(self.uptime()));
        true
    }

    /// Takes the next timer that was set apart: its key, its deadline since the start, its waker.
    pub(crate) fn pop_due(&self) -> Option<(TimerKey, Duration, Waker)> {
        let ((slot, serial), tick, pending) = self.wheel.borrow_mut().pop_due()?;
        let key = TimerKey(Key { runtime: self.runtime, slot, serial });
        Some((key, Duration::from_millis(tick), pending.waker))
    }

    /// How long until the next timer is due: zero if it is overdue, `None` if there is none.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let tick = self.wheel.borrow_mut().next_deadline()?;
        // stage: hole "until_next"
        Some(Duration::from_millis(tick).saturating_sub(self.uptime()))
        // stage: end
    }

    /// Moves the virtual clock forward. The real one moves by itself.
    pub(crate) fn move_virtual_clock(&self, by: Duration) {
        if let Some(shown) = &self.virtual_time {
            shown.set(shown.get().saturating_add(by).min(Duration::from_millis(u64::MAX)));
        }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.virtual_time.is_some()
    }

    /// The time that the virtual clock shows, for the trace.
    pub(crate) fn shown(&self) -> Option<Duration> {
        self.virtual_time.as_ref().map(Cell::get)
    }
}

/// The tick that runs at this time.
pub(crate) fn ticks_down(time: Duration) -> u64 {
    (time.as_secs().saturating_mul(1000)).saturating_add(u64::from(time.subsec_millis()))
}

/// The first tick that is not before this time.
pub(crate) fn ticks_up(time: Duration) -> u64 {
    // stage: hole "ticks_up"
    let begun = time.subsec_nanos().div_ceil(TICK.subsec_nanos());
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(begun))
    // stage: end
}
