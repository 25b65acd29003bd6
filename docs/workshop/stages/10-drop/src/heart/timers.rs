//! The timers: a clock, and a queue of wakers by their deadlines.
//!
//! The queue counts in ticks of one millisecond; this file alone turns time into ticks. A deadline rounds *up* to its
//! tick and the time *down*, so no timer fires early, ever.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::heart::key::{Key, TimerKey};
use crate::trace;

/// The queue that keeps the deadlines.
pub(crate) use crate::heart::wheel::Wheel as Queue;

/// The timer store.
pub(crate) struct Timers {
    runtime: u32,
    started: Instant,
    /// The time that the virtual clock shows, since the start; `None` for the real clock.
    shown: Option<Cell<Duration>>,
    queue: RefCell<Queue<Waker>>,
}

impl Timers {
    pub(crate) fn new(runtime: u32, virtual_clock: bool) -> Self {
        let shown = virtual_clock.then(Cell::default);
        Self { runtime, started: trace::began(), shown, queue: RefCell::new(Queue::new()) }
    }

    /// How many timers are pending.
    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// The time that the virtual clock shows.
    pub(crate) fn shown(&self) -> Option<Duration> {
        self.shown.as_ref().map(Cell::get)
    }

    /// The time since the start, by the clock in force.
    pub(crate) fn uptime(&self) -> Duration {
        self.shown().unwrap_or_else(|| self.started.elapsed())
    }

    /// Sets a timer for a tick.
    pub(crate) fn insert(&self, tick: u64, waker: Waker) -> TimerKey {
        let (slot, serial) = self.queue.borrow_mut().insert(tick, waker);
        TimerKey(Key { runtime: self.runtime, slot, serial })
    }

    /// Leaves another waker with a pending timer and returns the one it replaces; gives the waker back if the timer
    /// has fired.
    pub(crate) fn update(&self, TimerKey(key): TimerKey, waker: Waker) -> Result<Waker, Waker> {
        match self.queue.borrow_mut().get_mut(key.slot, key.serial) {
            Some(pending) => Ok(std::mem::replace(pending, waker)),
            None => Err(waker),
        }
    }

    /// Cancels a timer. Returns its waker, to be dropped, unless it has fired.
    pub(crate) fn cancel(&self, TimerKey(key): TimerKey) -> Option<Waker> {
        self.queue.borrow_mut().remove(key.slot, key.serial)
    }

    /// Reads the clock once, and sets apart what is due by then.
    pub(crate) fn collect_due(&self) {
        self.queue.borrow_mut().advance(ticks_down(self.uptime()));
    }

    /// Takes the next timer that was set apart: its key, how late it is, its waker.
    pub(crate) fn pop_due(&self) -> Option<(TimerKey, Duration, Waker)> {
        let ((slot, serial), tick, waker) = self.queue.borrow_mut().pop_due()?;
        let late = self.uptime().saturating_sub(Duration::from_millis(tick));
        Some((TimerKey(Key { runtime: self.runtime, slot, serial }), late, waker))
    }

    /// How long until the next timer is due: zero if it is overdue, `None` if there is none.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let tick = self.queue.borrow().next_deadline()?;
        // stage: hole "until_next"
        Some(Duration::from_millis(tick).saturating_sub(self.uptime()))
        // stage: end
    }

    /// Moves the virtual clock forward. The real one moves by itself.
    pub(crate) fn move_virtual_clock(&self, by: Duration) {
        if let Some(shown) = &self.shown {
            shown.set(shown.get().saturating_add(by));
            trace::enter(Some(shown.get()));
        }
    }
}

/// The tick that runs at this time.
pub(crate) fn ticks_down(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The first tick that is not before this time.
pub(crate) fn ticks_up(time: Duration) -> u64 {
    // stage: hole "ticks_up"
    let has_begun = time.subsec_nanos() % 1_000_000 > 0;
    ticks_down(time).saturating_add(u64::from(has_begun))
    // stage: end
}
