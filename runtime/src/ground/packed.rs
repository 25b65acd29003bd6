//! A packed event: forty bytes of plain numbers, as a [`Pen`] writes them.
//!
//! ```text
//!     at | it | other | more | place | tag and slot       8 + 8 + 8 + 8 + 4 + 4 bytes
//! ```
//!
//! `it` is what the event is about, `other` who did it or what is waited for, `more` depends on the kind. A packed
//! event knows the slot of its own thing, and the slot of a thing waited for, in `more`. It knows a cause by number only.

use crate::ground::event::{Cause, Event, Pen, Place, Readiness, SourceId, TaskId, TimerId, WaitsFor, nanos};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};

/// An event as numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    pub(crate) at: u64,
    pub(crate) it: u64,
    pub(crate) other: u64,
    pub(crate) more: u64,
    pub(crate) place: u32,
    /// The slot in the low 24 bits, then what kind `other` is (3 bits), then the kind of the event.
    pub(crate) tag: u32,
}

pub(crate) const SLOT: u32 = (1 << 24) - 1;

/// The kinds of events.
pub(crate) mod kind {
    pub(crate) const TURN_START: u32 = 0;
    pub(crate) const SPAWN: u32 = 1;
    pub(crate) const POLL_START: u32 = 2;
    pub(crate) const POLL_END: u32 = 3;
    pub(crate) const WAIT: u32 = 4;
    pub(crate) const WAIT_DROPPED: u32 = 5;
    pub(crate) const WAKE: u32 = 6;
    pub(crate) const STALE_WAKE: u32 = 7;
    pub(crate) const ABORT: u32 = 8;
    pub(crate) const FINISH: u32 = 9;
    pub(crate) const TIMER_SET: u32 = 10;
    pub(crate) const TIMER_FIRED: u32 = 11;
    pub(crate) const TIMER_CANCELLED: u32 = 12;
    pub(crate) const SOURCE_OPENED: u32 = 13;
    pub(crate) const SOURCE_READY: u32 = 14;
    pub(crate) const SOURCE_DRAINED: u32 = 15;
    pub(crate) const SOURCE_CLOSED: u32 = 16;
    pub(crate) const PARK_START: u32 = 17;
    pub(crate) const PARK_END: u32 = 18;
    pub(crate) const TURN_END: u32 = 19;
    pub(crate) const FINDING: u32 = 20;
    pub(crate) const HELD: u32 = 21;
}

impl Packed {
    /// Packs an event. It is compiled into each place that tells of one, where the kind is known.
    #[inline(always)]
    pub(crate) fn of(at: u64, event: &Event<'_>, pen: &dyn Pen) -> Self {
        let number = |Place { file, line, column }| pen.place(file, line, column);
        let numbers = |kind, it, other| Self { at, it, other, more: 0, place: 0, tag: kind << 27 };
        let about = |kind, key: Key| Self { tag: kind << 27 | key.slot & SLOT, ..numbers(0, key.serial, 0) };
        let task = |kind, TaskId(TaskKey(key)): TaskId| about(kind, key);
        let timer = |kind, TimerId(TimerKey(key)): TimerId| about(kind, key);
        let source = |kind, SourceId(SourceKey(key)): SourceId| about(kind, key);
        match *event {
            Event::TurnStart { turn, inbox } => numbers(kind::TURN_START, turn, inbox as u64),
            Event::TurnEnd { turn, polls } => numbers(kind::TURN_END, turn, polls as u64),
            Event::ParkStart { timeout } => {
                numbers(kind::PARK_START, u64::from(timeout.is_some()), timeout.map_or(0, nanos))
            }
            Event::ParkEnd { events } => numbers(kind::PARK_END, events as u64, 0),
            Event::Spawn { task: it, by, name, at: place } => {
                let name = name.map_or(0, |name| pen.text(name));
                task(kind::SPAWN, it).cause(by).more(name).place(number(place))
            }
            Event::PollStart { task: it } => task(kind::POLL_START, it),
            Event::PollEnd { task: it, outcome } => task(kind::POLL_END, it).more(outcome as u64),
            Event::Wait { task: it, on, at: place } => task(kind::WAIT, it).on(on).place(number(place)),
            Event::WaitDropped { task: it, on } => task(kind::WAIT_DROPPED, it).on(on),
            Event::Wake { task: it, cause, queued } => task(kind::WAKE, it).cause(cause).more(u64::from(queued)),
            Event::StaleWake { cause } => numbers(kind::STALE_WAKE, 0, 0).cause(cause),
            Event::Abort { task: it, by, at: place } => task(kind::ABORT, it).cause(by).place(number(place)),
            Event::Finish { task: it, outcome } => task(kind::FINISH, it).more(outcome as u64),
            Event::TimerSet { timer: it, by, deadline, at: place } => {
                timer(kind::TIMER_SET, it).cause(by).more(nanos(deadline)).place(number(place))
            }
            Event::TimerFired { timer: it, late } => timer(kind::TIMER_FIRED, it).more(nanos(late)),
            Event::TimerCancelled { timer: it } => timer(kind::TIMER_CANCELLED, it),
            Event::SourceOpened { source: it, resource, ready, by, at: place } => {
                let more = pen.resource(resource) << 8 | latches(ready);
                source(kind::SOURCE_OPENED, it).cause(by).more(more).place(number(place))
            }
            Event::SourceReady { source: it, ready } => source(kind::SOURCE_READY, it).more(latches(ready)),
            Event::SourceDrained { source: it, read, write } => {
                let drained = Readiness { read, write, ..Readiness::default() };
                source(kind::SOURCE_DRAINED, it).more(latches(drained))
            }
            Event::SourceClosed { source: it } => source(kind::SOURCE_CLOSED, it),
            Event::Held { lasted } => numbers(kind::HELD, nanos(lasted), 0),
            Event::Finding { kind, task: it, text } => {
                let found = it.map_or(numbers(kind::FINDING, 0, 0), |it| task(kind::FINDING, it));
                let about_a_task = u32::from(it.is_some());
                Self { other: kind as u64, ..found.more(pen.text(text)).place(about_a_task) }
            }
        }
    }

    /// Writes its five words of forty bytes.
    #[inline(always)]
    pub(crate) fn write_with(self, pen: &dyn Pen) {
        pen.write(self.at, self.it, self.other, self.more, u64::from(self.place) | u64::from(self.tag) << 32);
    }

    pub(crate) fn of_words([at, it, other, more, last]: [u64; 5]) -> Self {
        Self { at, it, other, more, place: last as u32, tag: (last >> 32) as u32 }
    }

    fn more(self, more: u64) -> Self {
        Self { more, ..self }
    }

    fn place(self, place: u32) -> Self {
        Self { place, ..self }
    }

    fn other(self, which: u32, other: u64) -> Self {
        Self { other, tag: self.tag | which << 24, ..self }
    }

    #[inline(always)]
    fn cause(self, cause: Cause) -> Self {
        match cause {
            Cause::Outside => self,
            Cause::Task(task) => self.other(1, task.as_u64()),
            Cause::Timer(timer) => self.other(2, timer.as_u64()),
            Cause::Source(source) => self.other(3, source.as_u64()),
            Cause::Thread(number) => self.other(4, number),
        }
    }

    #[inline(always)]
    fn on(self, on: WaitsFor) -> Self {
        let (which, key) = match on {
            WaitsFor::Join(TaskId(TaskKey(key))) => (1, key),
            WaitsFor::Timer(TimerId(TimerKey(key))) => (2, key),
            WaitsFor::Read(SourceId(SourceKey(key))) => (3, key),
            WaitsFor::Write(SourceId(SourceKey(key))) => (4, key),
            WaitsFor::Other(serial) => (5, Key { runtime: 0, slot: 0, serial }),
        };
        self.other(which, key.serial).more(u64::from(key.slot))
    }

    pub(crate) fn kind(&self) -> u32 {
        self.tag >> 27
    }

    /// The kind of `other`, as a cause or as a thing that is waited for.
    fn which(&self) -> u32 {
        which(self.tag)
    }

    /// The key of what the event is about. It belongs to no runtime: none has number 0.
    pub(crate) fn key(&self) -> Key {
        Key { runtime: 0, slot: self.tag & SLOT, serial: self.it }
    }

    fn other_key(&self, slot: u32) -> Key {
        Key { runtime: 0, slot, serial: self.other }
    }

    pub(crate) fn by(&self) -> Cause {
        match self.which() {
            1 => Cause::Task(TaskId(TaskKey(self.other_key(0)))),
            2 => Cause::Timer(TimerId(TimerKey(self.other_key(0)))),
            3 => Cause::Source(SourceId(SourceKey(self.other_key(0)))),
            4 => Cause::Thread(self.other),
            _ => Cause::Outside,
        }
    }

    pub(crate) fn waits_for(&self) -> WaitsFor {
        let key = self.other_key(self.more as u32);
        match self.which() {
            1 => WaitsFor::Join(TaskId(TaskKey(key))),
            2 => WaitsFor::Timer(TimerId(TimerKey(key))),
            3 => WaitsFor::Read(SourceId(SourceKey(key))),
            4 => WaitsFor::Write(SourceId(SourceKey(key))),
            _ => WaitsFor::Other(self.other),
        }
    }
}

/// The kind of `other` in a packed event with this tag.
pub(crate) fn which(tag: u32) -> u32 {
    tag >> 24 & 7
}

fn latches(ready: Readiness) -> u64 {
    let Readiness { read, write, read_closed, write_closed } = ready;
    u64::from(read) | u64::from(write) << 1 | u64::from(read_closed) << 2 | u64::from(write_closed) << 3
}

pub(crate) fn readiness(bits: u64) -> Readiness {
    let bit = |place: u32| bits >> place & 1 == 1;
    Readiness { read: bit(0), write: bit(1), read_closed: bit(2), write_closed: bit(3) }
}
