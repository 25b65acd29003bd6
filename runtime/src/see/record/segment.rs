//! Segments: events in a row, which do not change any more once there are as many as fit.
//!
//! The loop writes a record for each event. A name, an address and a place in the source are kept once beside
//! the records, in the same segment, and the record says which. So a full segment stands alone: a reader with a
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

    /// Writes an event down. Those that a busy loop tells come first.
    #[inline]
    pub(crate) fn push(&mut self, at: Duration, event: &Event<'_>) {
        let at = nanos(at);
        let record = match *event {
            Event::PollStart { task } => Packed::task(at, kind::POLL_START, task),
            Event::PollEnd { task, outcome } => Packed::task(at, kind::POLL_END, task).more(outcome as u64),
            Event::Wake { task, cause, queued } => {
                Packed::task(at, kind::WAKE, task).cause(cause).more(u64::from(queued))
            }
            Event::Wait { task, on, at: place } => Packed::task(at, kind::WAIT, task).on(on).place(self.place(place)),
            Event::TimerSet { timer, by, deadline, at: place } => {
                let record = Packed::timer(at, kind::TIMER_SET, timer).cause(by);
                record.more(nanos(deadline)).place(self.place(place))
            }
            Event::TimerFired { timer, late } => Packed::timer(at, kind::TIMER_FIRED, timer).more(nanos(late)),
            Event::TimerCancelled { timer } => Packed::timer(at, kind::TIMER_CANCELLED, timer),
            Event::Finish { task, outcome } => Packed::task(at, kind::FINISH, task).more(outcome as u64),
            Event::Spawn { task, by, name, at: place } => {
                let name = name.map_or(0, |name| self.text(name));
                Packed::task(at, kind::SPAWN, task).cause(by).more(name).place(self.place(place))
            }
            _ => self.pack_rarer(at, event),
        };
        self.records.push(record);
    }

    fn pack_rarer(&mut self, at: u64, event: &Event<'_>) -> Packed {
        match *event {
            Event::TurnStart { turn, inbox } => Packed::numbers(at, kind::TURN_START, turn, inbox as u64),
            Event::TurnEnd { turn, polls } => Packed::numbers(at, kind::TURN_END, turn, polls as u64),
            Event::ParkStart { timeout } => {
                Packed::numbers(at, kind::PARK_START, u64::from(timeout.is_some()), timeout.map_or(0, nanos))
            }
            Event::ParkEnd { events } => Packed::numbers(at, kind::PARK_END, events as u64, 0),
            Event::WaitDropped { task, on } => Packed::task(at, kind::WAIT_DROPPED, task).on(on),
            Event::StaleWake { cause } => Packed::numbers(at, kind::STALE_WAKE, 0, 0).cause(cause),
            Event::Abort { task, by, at: place } => {
                Packed::task(at, kind::ABORT, task).cause(by).place(self.place(place))
            }
            Event::SourceOpened { source, resource, ready, by, at: place } => {
                let number = self.resources.len() as u64;
                self.resources.push(resource);
                let record = Packed::source(at, kind::SOURCE_OPENED, source).cause(by);
                record.more(number << 8 | latches(ready)).place(self.place(place))
            }
            Event::SourceReady { source, ready } => Packed::source(at, kind::SOURCE_READY, source).more(latches(ready)),
            Event::SourceDrained { source, read, write } => {
                let drained = Readiness { read, write, ..Readiness::default() };
                Packed::source(at, kind::SOURCE_DRAINED, source).more(latches(drained))
            }
            Event::SourceClosed { source } => Packed::source(at, kind::SOURCE_CLOSED, source),
            Event::Held { lasted } => Packed::numbers(at, kind::HELD, nanos(lasted), 0),
            Event::Finding { kind, task, text } => {
                let record = match task {
                    None => Packed::numbers(at, kind::FINDING, 0, kind as u64),
                    Some(task) => Packed::task(at, kind::FINDING, task).found(kind as u64),
                };
                record.more(self.text(text)).place(u32::from(task.is_some()))
            }
            _ => unreachable!("{event:?} is packed by `push`"),
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

    /// The place that a record names.
    pub(super) fn place_of(&self, record: &Packed) -> Option<Place> {
        self.places.get(record.place as usize).copied()
    }

    /// The name or the sentence that a record tells.
    pub(super) fn text_of(&self, record: &Packed) -> Option<&Arc<str>> {
        self.texts.get((record.more as usize).wrapping_sub(1))
    }

    /// The kind of source that a record opens.
    pub(super) fn resource_of(&self, record: &Packed) -> Option<Resource> {
        self.resources.get((record.more >> 8) as usize).copied()
    }

    /// The records from this index on.
    pub(super) fn records(&self, index: usize) -> &[Packed] {
        self.records.get(index..).unwrap_or_default()
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
        let text = || self.text_of(record).map(|text| &**text);
        let place = || self.place_of(record);
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
                let resource = self.resource_of(record)?;
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
