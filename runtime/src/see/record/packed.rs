//! Packed events: forty bytes each, in segments that do not change any more once they are full.
//!
//! The loop writes a record for each event, so a record is plain numbers. A name, an address and a place in the
//! source are kept once beside them, in the same segment, and the record says which. So a full segment stands
//! alone: who holds a share in it can read it on any thread, for as long as they like, and nobody waits.
//!
//! ```text
//!     record   at | it | other | more | place | tag and slot       8 + 8 + 8 + 8 + 4 + 4 bytes
//! ```
//!
//! `it` is what the event is about, `other` whoever did it or what is waited for, `more` depends on the kind.
//! Where a thing lives is kept of what the event is about, not of others: nobody who reads a ring asks for that.

use std::sync::Arc;
use std::time::Duration;

use crate::ground::event::{
    Cause, Event, Finding, Finished, Place, Polled, Readiness, Resource, SourceId, TaskId, TimerId, WaitsFor,
};
use crate::heart::key::{Key, SourceKey, TaskKey, TimerKey};

/// How many events a segment holds.
pub(crate) const SEGMENT: usize = 512;
/// How many places a segment finds again without looking at all of them.
const FOUND: usize = 64;

/// Events, oldest first, with all that they name.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    records: Vec<Packed>,
    /// Names, and the sentences of findings. One that repeats the one before it is kept once.
    texts: Vec<Arc<str>>,
    resources: Vec<Resource>,
    places: Vec<Place>,
    /// Which place was last found for a hash.
    found: [u16; FOUND],
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    at: u64,
    it: u64,
    other: u64,
    more: u64,
    place: u32,
    /// The slot in the low 24 bits, then what kind `other` is (3 bits), then the kind of the event.
    tag: u32,
}

const _: () = assert!(size_of::<Packed>() == 40, "a ring of 50,000 events is to take 2 MB");

const SLOT: u32 = (1 << 24) - 1;

/// The kinds of events.
mod kind {
    pub(super) const TURN_START: u32 = 0;
    pub(super) const SPAWN: u32 = 1;
    pub(super) const POLL_START: u32 = 2;
    pub(super) const POLL_END: u32 = 3;
    pub(super) const WAIT: u32 = 4;
    pub(super) const WAIT_DROPPED: u32 = 5;
    pub(super) const WAKE: u32 = 6;
    pub(super) const STALE_WAKE: u32 = 7;
    pub(super) const ABORT: u32 = 8;
    pub(super) const FINISH: u32 = 9;
    pub(super) const TIMER_SET: u32 = 10;
    pub(super) const TIMER_FIRED: u32 = 11;
    pub(super) const TIMER_CANCELLED: u32 = 12;
    pub(super) const SOURCE_OPENED: u32 = 13;
    pub(super) const SOURCE_READY: u32 = 14;
    pub(super) const SOURCE_DRAINED: u32 = 15;
    pub(super) const SOURCE_CLOSED: u32 = 16;
    pub(super) const PARK_START: u32 = 17;
    pub(super) const PARK_END: u32 = 18;
    pub(super) const TURN_END: u32 = 19;
    pub(super) const FINDING: u32 = 20;
}

const POLLED: [Polled; 3] = [Polled::Pending, Polled::Ready, Polled::Panicked];
const FINISHED: [Finished; 3] = [Finished::Returned, Finished::Panicked, Finished::Aborted];
const FINDINGS: [Finding; 5] =
    [Finding::SlowPoll, Finding::SelfWakeStorm, Finding::NobodyCanWake, Finding::EveryoneWaits, Finding::TimerPileUp];

impl Default for Segment {
    fn default() -> Self {
        Self { records: Vec::new(), texts: Vec::new(), resources: Vec::new(), places: Vec::new(), found: [0; FOUND] }
    }
}

impl Segment {
    /// An empty one with room for a whole segment.
    pub(crate) fn with_room() -> Self {
        Self { records: Vec::with_capacity(SEGMENT), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Writes an event down.
    pub(crate) fn push(&mut self, at: Duration, event: &Event<'_>) {
        let mut record = Packed { at: nanos(at), it: 0, other: 0, more: 0, place: 0, tag: 0 };
        match *event {
            Event::TurnStart { turn, inbox } => record.numbers(kind::TURN_START, turn, inbox as u64),
            Event::TurnEnd { turn, polls } => record.numbers(kind::TURN_END, turn, polls as u64),
            Event::ParkStart { timeout } => {
                record.numbers(kind::PARK_START, u64::from(timeout.is_some()), timeout.map_or(0, nanos));
            }
            Event::ParkEnd { events } => record.numbers(kind::PARK_END, events as u64, 0),
            Event::Spawn { task, by, name, at } => {
                record.task(kind::SPAWN, task);
                record.cause(by);
                record.more = name.map_or(0, |name| self.text(name));
                record.place = self.place(at);
            }
            Event::PollStart { task } => record.task(kind::POLL_START, task),
            Event::PollEnd { task, outcome } => {
                record.task(kind::POLL_END, task);
                record.more = outcome as u64;
            }
            Event::Wait { task, on, at } => {
                record.task(kind::WAIT, task);
                record.on(on);
                record.place = self.place(at);
            }
            Event::WaitDropped { task, on } => {
                record.task(kind::WAIT_DROPPED, task);
                record.on(on);
            }
            Event::Wake { task, cause, queued } => {
                record.task(kind::WAKE, task);
                record.cause(cause);
                record.more = u64::from(queued);
            }
            Event::StaleWake { cause } => {
                record.numbers(kind::STALE_WAKE, 0, 0);
                record.cause(cause);
            }
            Event::Abort { task, by, at } => {
                record.task(kind::ABORT, task);
                record.cause(by);
                record.place = self.place(at);
            }
            Event::Finish { task, outcome } => {
                record.task(kind::FINISH, task);
                record.more = outcome as u64;
            }
            Event::TimerSet { timer, by, deadline, at } => {
                record.timer(kind::TIMER_SET, timer);
                record.cause(by);
                record.more = nanos(deadline);
                record.place = self.place(at);
            }
            Event::TimerFired { timer, late } => {
                record.timer(kind::TIMER_FIRED, timer);
                record.more = nanos(late);
            }
            Event::TimerCancelled { timer } => record.timer(kind::TIMER_CANCELLED, timer),
            Event::SourceOpened { source, resource, ready, by, at } => {
                record.source(kind::SOURCE_OPENED, source);
                record.cause(by);
                record.more = (self.resources.len() as u64) << 8 | latches(ready);
                self.resources.push(resource);
                record.place = self.place(at);
            }
            Event::SourceReady { source, ready } => {
                record.source(kind::SOURCE_READY, source);
                record.more = latches(ready);
            }
            Event::SourceDrained { source, read, write } => {
                record.source(kind::SOURCE_DRAINED, source);
                record.more = latches(Readiness { read, write, ..Readiness::default() });
            }
            Event::SourceClosed { source } => record.source(kind::SOURCE_CLOSED, source),
            Event::Finding { kind, task, text } => {
                record.numbers(kind::FINDING, 0, 0);
                task.into_iter().for_each(|task| record.task(kind::FINDING, task));
                record.place = u32::from(task.is_some());
                record.other = kind as u64;
                record.more = self.text(text);
            }
        }
        self.records.push(record);
    }

    /// The number of a text, beginning with 1.
    fn text(&mut self, text: &str) -> u64 {
        if self.texts.last().is_none_or(|last| **last != *text) {
            self.texts.push(Arc::from(text));
        }
        self.texts.len() as u64
    }

    /// The number of a place.
    fn place(&mut self, place: Place) -> u32 {
        let hash = place.file.as_ptr() as usize ^ (place.line as usize) << 3 ^ place.column as usize;
        let found = &mut self.found[hash % FOUND];
        let same = |known: &Place| {
            std::ptr::eq(known.file, place.file) && (known.line, known.column) == (place.line, place.column)
        };
        if !self.places.get(usize::from(*found)).is_some_and(same) {
            *found = self.places.len() as u16;
            self.places.push(place);
        }
        u32::from(*found)
    }

    /// The event with this index, and its time.
    pub(crate) fn get(&self, index: usize) -> Option<(Duration, Event<'_>)> {
        let record = self.records.get(index)?;
        Some((Duration::from_nanos(record.at), self.event(record)?))
    }

    /// The events from this index on.
    pub(crate) fn after(&self, index: usize) -> impl Iterator<Item = (Duration, Event<'_>)> {
        (index..self.len()).filter_map(|index| self.get(index))
    }

    fn event(&self, record: &Packed) -> Option<Event<'_>> {
        let Packed { it, other, more, .. } = *record;
        let text = || self.texts.get((more as usize).wrapping_sub(1)).map(|text| &**text);
        let place = || self.places.get(record.place as usize).copied();
        let (task, timer) = (TaskId(TaskKey(record.key())), TimerId(TimerKey(record.key())));
        let source = SourceId(SourceKey(record.key()));
        Some(match record.kind() {
            kind::TURN_START => Event::TurnStart { turn: it, inbox: other as usize },
            kind::TURN_END => Event::TurnEnd { turn: it, polls: other as usize },
            kind::PARK_START => Event::ParkStart { timeout: (it == 1).then(|| Duration::from_nanos(other)) },
            kind::PARK_END => Event::ParkEnd { events: it as usize },
            kind::SPAWN => Event::Spawn { task, by: record.by(), name: text(), at: place()? },
            kind::POLL_START => Event::PollStart { task },
            kind::POLL_END => Event::PollEnd { task, outcome: *POLLED.get(more as usize)? },
            kind::WAIT => Event::Wait { task, on: record.waits_for(), at: place()? },
            kind::WAIT_DROPPED => Event::WaitDropped { task, on: record.waits_for() },
            kind::WAKE => Event::Wake { task, cause: record.by(), queued: more == 1 },
            kind::STALE_WAKE => Event::StaleWake { cause: record.by() },
            kind::ABORT => Event::Abort { task, by: record.by(), at: place()? },
            kind::FINISH => Event::Finish { task, outcome: *FINISHED.get(more as usize)? },
            kind::TIMER_SET => {
                Event::TimerSet { timer, by: record.by(), deadline: Duration::from_nanos(more), at: place()? }
            }
            kind::TIMER_FIRED => Event::TimerFired { timer, late: Duration::from_nanos(more) },
            kind::TIMER_CANCELLED => Event::TimerCancelled { timer },
            kind::SOURCE_OPENED => {
                let resource = *self.resources.get((more >> 8) as usize)?;
                Event::SourceOpened { source, resource, ready: readiness(more), by: record.by(), at: place()? }
            }
            kind::SOURCE_READY => Event::SourceReady { source, ready: readiness(more) },
            kind::SOURCE_DRAINED => {
                let Readiness { read, write, .. } = readiness(more);
                Event::SourceDrained { source, read, write }
            }
            kind::SOURCE_CLOSED => Event::SourceClosed { source },
            _ => {
                let task = (record.place == 1).then_some(task);
                Event::Finding { kind: *FINDINGS.get(other as usize)?, task, text: text()? }
            }
        })
    }
}

impl Packed {
    fn numbers(&mut self, kind: u32, it: u64, other: u64) {
        (self.it, self.other, self.tag) = (it, other, kind << 27);
    }

    fn task(&mut self, kind: u32, TaskId(TaskKey(key)): TaskId) {
        self.about(kind, key);
    }

    fn timer(&mut self, kind: u32, TimerId(TimerKey(key)): TimerId) {
        self.about(kind, key);
    }

    fn source(&mut self, kind: u32, SourceId(SourceKey(key)): SourceId) {
        self.about(kind, key);
    }

    fn about(&mut self, kind: u32, key: Key) {
        (self.it, self.tag) = (key.serial, kind << 27 | key.slot & SLOT);
    }

    fn other(&mut self, which: u32, number: u64) {
        self.other = number;
        self.tag |= which << 24;
    }

    fn cause(&mut self, cause: Cause) {
        match cause {
            Cause::Outside => self.other(0, 0),
            Cause::Task(task) => self.other(1, task.as_u64()),
            Cause::Timer(timer) => self.other(2, timer.as_u64()),
            Cause::Source(source) => self.other(3, source.as_u64()),
            Cause::Thread(number) => self.other(4, number),
        }
    }

    fn on(&mut self, on: WaitsFor) {
        match on {
            WaitsFor::Join(task) => self.other(1, task.as_u64()),
            WaitsFor::Timer(timer) => self.other(2, timer.as_u64()),
            WaitsFor::Read(source) => self.other(3, source.as_u64()),
            WaitsFor::Write(source) => self.other(4, source.as_u64()),
        }
    }

    fn kind(&self) -> u32 {
        self.tag >> 27
    }

    /// The key of what the event is about. It belongs to no runtime: none has number 0.
    fn key(&self) -> Key {
        Key { runtime: 0, slot: self.tag & SLOT, serial: self.it }
    }

    fn other_key(&self) -> Key {
        Key { runtime: 0, slot: 0, serial: self.other }
    }

    fn by(&self) -> Cause {
        match self.tag >> 24 & 7 {
            1 => Cause::Task(TaskId(TaskKey(self.other_key()))),
            2 => Cause::Timer(TimerId(TimerKey(self.other_key()))),
            3 => Cause::Source(SourceId(SourceKey(self.other_key()))),
            4 => Cause::Thread(self.other),
            _ => Cause::Outside,
        }
    }

    fn waits_for(&self) -> WaitsFor {
        match self.tag >> 24 & 7 {
            1 => WaitsFor::Join(TaskId(TaskKey(self.other_key()))),
            2 => WaitsFor::Timer(TimerId(TimerKey(self.other_key()))),
            3 => WaitsFor::Read(SourceId(SourceKey(self.other_key()))),
            _ => WaitsFor::Write(SourceId(SourceKey(self.other_key()))),
        }
    }
}

/// Nanoseconds: 584 years of them fit, and what is later is as late as that.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn latches(ready: Readiness) -> u64 {
    let Readiness { read, write, read_closed, write_closed } = ready;
    u64::from(read) | u64::from(write) << 1 | u64::from(read_closed) << 2 | u64::from(write_closed) << 3
}

fn readiness(bits: u64) -> Readiness {
    let bit = |place: u32| bits >> place & 1 == 1;
    Readiness { read: bit(0), write: bit(1), read_closed: bit(2), write_closed: bit(3) }
}
