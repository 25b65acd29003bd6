//! A packed event as the event that it was.

use std::time::Duration;

use crate::ground::event::{Event, Finding, Finished, Place, Polled, Readiness, SourceId, TaskId, TimerId};
use crate::ground::packed::{Packed, kind, readiness};
use crate::heart::key::{SourceKey, TaskKey, TimerKey};
use crate::see::record::Record;
use crate::see::record::segment::Segment;

const POLLED: [Polled; 3] = [Polled::Pending, Polled::Ready, Polled::Panicked];
const FINISHED: [Finished; 3] = [Finished::Returned, Finished::Panicked, Finished::Aborted];
const FINDINGS: [Finding; 5] =
    [Finding::SlowPoll, Finding::SelfWakeStorm, Finding::NobodyCanWake, Finding::EveryoneWaits, Finding::TimerPileUp];

impl Packed {
    /// The event, with its text. `segment` is the one that it stands in, and `places` are the ring's.
    pub(super) fn unpack(&self, segment: &Segment, places: &[Place]) -> Option<Record> {
        let text = match self.kind() {
            kind::SPAWN | kind::FINDING => segment.text_of(self),
            _ => None,
        };
        Some(Record { at: Duration::from_nanos(self.at), event: self.plain(segment, places)?, text })
    }

    /// The event without its text.
    fn plain(&self, segment: &Segment, places: &[Place]) -> Option<Event<'static>> {
        let Self { it, other, more, .. } = *self;
        let place = || places.get(self.place as usize).copied();
        let (task, timer) = (TaskId(TaskKey(self.key())), TimerId(TimerKey(self.key())));
        let source = SourceId(SourceKey(self.key()));
        Some(match self.kind() {
            kind::TURN_START => Event::TurnStart { turn: it, inbox: other as usize },
            kind::TURN_END => Event::TurnEnd { turn: it, polls: other as usize },
            kind::PARK_START => Event::ParkStart { timeout: (it == 1).then(|| Duration::from_nanos(other)) },
            kind::PARK_END => Event::ParkEnd { events: it as usize },
            kind::SPAWN => Event::Spawn { task, by: self.by(), name: None, at: place()? },
            kind::POLL_START => Event::PollStart { task },
            kind::POLL_END => Event::PollEnd { task, outcome: *POLLED.get(more as usize)? },
            kind::WAIT => Event::Wait { task, on: self.waits_for(), at: place()? },
            kind::WAIT_DROPPED => Event::WaitDropped { task, on: self.waits_for() },
            kind::WAKE => Event::Wake { task, cause: self.by(), queued: more == 1 },
            kind::STALE_WAKE => Event::StaleWake { cause: self.by() },
            kind::ABORT => Event::Abort { task, by: self.by(), at: place()? },
            kind::FINISH => Event::Finish { task, outcome: *FINISHED.get(more as usize)? },
            kind::TIMER_SET => {
                Event::TimerSet { timer, by: self.by(), deadline: Duration::from_nanos(more), at: place()? }
            }
            kind::TIMER_FIRED => Event::TimerFired { timer, late: Duration::from_nanos(more) },
            kind::TIMER_CANCELLED => Event::TimerCancelled { timer },
            kind::SOURCE_OPENED => {
                let resource = segment.resource_of(self)?;
                Event::SourceOpened { source, resource, ready: readiness(more), by: self.by(), at: place()? }
            }
            kind::SOURCE_READY => Event::SourceReady { source, ready: readiness(more) },
            kind::SOURCE_DRAINED => {
                let Readiness { read, write, .. } = readiness(more);
                Event::SourceDrained { source, read, write }
            }
            kind::SOURCE_CLOSED => Event::SourceClosed { source },
            kind::HELD => Event::Held { lasted: Duration::from_nanos(it) },
            kind::FINDING => {
                let task = (self.place == 1).then_some(task);
                Event::Finding { kind: *FINDINGS.get(other as usize)?, task, text: "" }
            }
            _ => return None,
        })
    }
}
