//! The reading of the clock that an event has as its time.
//!
//! To read the clock costs as much as to write an event down. So it is read where something that takes time begins or
//! ends, and an event in between has the time of the last reading. Outside of turns each event has its own.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Event, Finished, Observer, Polled, nanos};

/// The last reading, for those who are told.
pub(crate) struct Reading {
    at: Cell<Duration>,
    /// `at` in nanoseconds, as a packed event has it.
    nanos: Cell<u64>,
    /// Whether the next event may share it. Outside of turns none may.
    is_shared: Cell<bool>,
    /// Whether a poll has ended and nothing took time since. Then the next poll begins at the time at which that ended.
    has_ended: Cell<bool>,
    /// Whether all observers only note what they are told.
    only_noted: Cell<bool>,
}

impl Reading {
    pub(crate) fn new() -> Self {
        let (at, nanos, is_shared) = (Cell::default(), Cell::default(), Cell::new(false));
        Self { at, nanos, is_shared, has_ended: Cell::new(false), only_noted: Cell::new(true) }
    }

    /// From here on this observer is told, too.
    pub(crate) fn is_for(&self, observer: &Rc<dyn Observer>) {
        self.only_noted.set(self.only_noted.get() && observer.only_notes());
    }

    /// Whether all observers only note what they are told. Then an event's time is also that at which all have heard it.
    pub(crate) fn is_only_noted(&self) -> bool {
        self.only_noted.get()
    }

    /// Whether an event that takes no time has a reading to share.
    #[inline(always)]
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared.get()
    }

    /// The next event has a reading of its own.
    pub(crate) fn forget(&self) {
        self.is_shared.set(false);
    }

    /// The time of the event that is told.
    pub(crate) fn at(&self) -> Duration {
        self.at.get()
    }

    /// The time of an event: a new reading of the clock, or the last one.
    #[inline(always)]
    pub(crate) fn time_of(&self, event: &Event<'_>, clock: &dyn Fn() -> Duration) -> u64 {
        // A task that returned has dropped its future in the poll. The loop wakes its joiner, and goes on.
        let is_after = matches!(event, Event::Finish { outcome: Finished::Returned, .. } | Event::Wake { .. });
        let has_ended = if is_after { false } else { self.has_ended.take() };
        let shares = match event {
            Event::PollStart { .. } => has_ended,
            event => !is_bound(event),
        };
        if !(shares && self.is_shared.get()) {
            self.read(clock());
            if is_bound(event) {
                self.is_shared.set(!matches!(event, Event::TurnEnd { .. }));
            }
            // Between such a poll and the next nothing foreign runs, but for the observers.
            let is_poll = matches!(event, Event::PollEnd { outcome: Polled::Pending | Polled::Ready, .. });
            self.has_ended.set(is_poll && self.only_noted.get());
        }
        self.nanos.get()
    }

    #[inline(always)]
    fn read(&self, at: Duration) {
        self.at.set(at);
        self.nanos.set(nanos(at));
    }
}

/// Whether something that takes time begins or ends with this event.
#[inline(always)]
pub(crate) fn is_bound(event: &Event<'_>) -> bool {
    use Event::{Held, ParkEnd, ParkStart, PollEnd, PollStart, TimerFired, TurnEnd, TurnStart};
    matches!(
        event,
        PollStart { .. }
            | PollEnd { .. }
            | TimerFired { .. }
            | TurnStart { .. }
            | TurnEnd { .. }
            | ParkStart { .. }
            | ParkEnd { .. }
            | Held { .. }
    )
}
