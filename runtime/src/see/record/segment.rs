//! Segments: events in a row, which do not change any more once there are as many as fit.
//!
//! The loop writes a record for each event. A name, an address and a place in the source are kept once beside
//! the records, in the same segment, and the record says which. So a full segment stands alone: whoever holds a
//! share in it can read it on any thread, for as long as they like, and nobody waits.

use std::sync::Arc;
use std::time::Duration;

use crate::ground::event::{Event, Finding, Finished, Place, Polled, Readiness, Resource, SourceId, TaskId, TimerId};
use crate::heart::key::{SourceKey, TaskKey, TimerKey};
use crate::see::record::packed::{Packed, kind, latches, nanos, readiness};

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
        let mut record = Packed::at(at);
        match *event {
            Event::TurnStart { turn, inbox } => record.numbers(kind::TURN_START, turn, inbox as u64),
            Event::TurnEnd { turn, polls } => record.numbers(kind::TURN_END, turn, polls as u64),
            Event::ParkStart { timeout } => {
                record.numbers(kind::PARK_START, u64::from(timeout.is_some()), timeout.map_or(0, nanos));
            }
            Event::ParkEnd { events } => record.numbers(kind::PARK_END, events as u64, 0),
            Event::TimerSet { .. } | Event::TimerFired { .. } | Event::TimerCancelled { .. } => {
                self.push_timer(&mut record, event);
            }
            Event::SourceOpened { .. }
            | Event::SourceReady { .. }
            | Event::SourceDrained { .. }
            | Event::SourceClosed { .. } => self.push_source(&mut record, event),
            Event::Finding { kind, task, text } => {
                record.numbers(kind::FINDING, 0, kind as u64);
                task.into_iter().for_each(|task| record.task(kind::FINDING, task));
                record.place = u32::from(task.is_some());
                record.more = self.text(text);
            }
            Event::Held { lasted } => record.numbers(kind::HELD, nanos(lasted), 0),
            Event::Spawn { .. }
            | Event::PollStart { .. }
            | Event::PollEnd { .. }
            | Event::Wait { .. }
            | Event::WaitDropped { .. }
            | Event::Wake { .. }
            | Event::StaleWake { .. }
            | Event::Abort { .. }
            | Event::Finish { .. } => self.push_task(&mut record, event),
        }
        self.records.push(record);
    }

    fn push_task(&mut self, record: &mut Packed, event: &Event<'_>) {
        match *event {
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
            _ => unreachable!("{event:?} is not about a task"),
        }
    }

    fn push_timer(&mut self, record: &mut Packed, event: &Event<'_>) {
        match *event {
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
            _ => unreachable!("{event:?} is not about a timer"),
        }
    }

    fn push_source(&mut self, record: &mut Packed, event: &Event<'_>) {
        match *event {
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
            _ => unreachable!("{event:?} is not about a source"),
        }
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
            kind::HELD => Event::Held { lasted: Duration::from_nanos(it) },
            kind::FINDING => {
                let task = (record.place == 1).then_some(task);
                Event::Finding { kind: *FINDINGS.get(other as usize)?, task, text: text()? }
            }
            _ => return None,
        })
    }
}
