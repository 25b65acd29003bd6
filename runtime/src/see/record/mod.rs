//! Recording: the last events of a loop in a ring, and the state before them.
//!
//! ```text
//!     ring.rs        READ FIRST: the ring, and which lock is taken where
//!     pen.rs         the loop's end: writes an event into the open segment
//!     segment.rs     a row of packed events, forty bytes each
//!     tail.rs        the segments: the events that are kept
//!     past.rs        the state before these events, made of base/
//!     cut.rs         some of the segments (an `Arc` of each), to be read without a lock
//!     places.rs      the lines of source that events name, each once
//!     unpack.rs      a packed event as the event that it was
//!     recording.rs   a written ring, read back
//! ```
//!
//! This file has the [`Record`]: an event with a text of its own, so that it outlives the name or the sentence in it.

mod base;
mod cut;
mod past;
mod pen;
mod places;
pub(crate) mod recording;
pub(crate) mod ring;
mod segment;
mod tail;
mod unpack;

use std::sync::Arc;
use std::time::Duration;

use crate::ground::event::Event;

/// An event and its time.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) at: Duration,
    /// Without its text, which is a name or a finding's sentence.
    event: Event<'static>,
    text: Option<Arc<str>>,
}

impl Record {
    pub(crate) fn of(at: Duration, event: &Event<'_>) -> Self {
        let (event, text) = split(event);
        Self { at, event, text: text.map(Arc::from) }
    }

    pub(crate) fn event(&self) -> Event<'_> {
        match self.event {
            Event::Spawn { task, by, at, .. } => Event::Spawn { task, by, at, name: self.text.as_deref() },
            Event::Finding { kind, task, .. } => {
                Event::Finding { kind, task, text: self.text.as_deref().unwrap_or_default() }
            }
            event => event,
        }
    }
}

/// An event without its text, and the text.
fn split<'a>(event: &Event<'a>) -> (Event<'static>, Option<&'a str>) {
    let plain = match *event {
        Event::Spawn { task, by, name, at } => return (Event::Spawn { task, by, name: None, at }, name),
        Event::Finding { kind, task, text } => return (Event::Finding { kind, task, text: "" }, Some(text)),
        Event::TurnStart { turn, inbox } => Event::TurnStart { turn, inbox },
        Event::PollStart { task } => Event::PollStart { task },
        Event::PollEnd { task, outcome } => Event::PollEnd { task, outcome },
        Event::Wait { task, on, at } => Event::Wait { task, on, at },
        Event::WaitDropped { task, on } => Event::WaitDropped { task, on },
        Event::Wake { task, cause, queued } => Event::Wake { task, cause, queued },
        Event::StaleWake { cause } => Event::StaleWake { cause },
        Event::Abort { task, by, at } => Event::Abort { task, by, at },
        Event::Finish { task, outcome } => Event::Finish { task, outcome },
        Event::TimerSet { timer, by, deadline, at } => Event::TimerSet { timer, by, deadline, at },
        Event::TimerFired { timer, late } => Event::TimerFired { timer, late },
        Event::TimerCancelled { timer } => Event::TimerCancelled { timer },
        Event::SourceOpened { source, resource, ready, by, at } => {
            Event::SourceOpened { source, resource, ready, by, at }
        }
        Event::SourceReady { source, ready } => Event::SourceReady { source, ready },
        Event::SourceDrained { source, read, write } => Event::SourceDrained { source, read, write },
        Event::SourceClosed { source } => Event::SourceClosed { source },
        Event::ParkStart { timeout } => Event::ParkStart { timeout },
        Event::ParkEnd { events } => Event::ParkEnd { events },
        Event::Held { lasted } => Event::Held { lasted },
        Event::TurnEnd { turn, polls } => Event::TurnEnd { turn, polls },
    };
    (plain, None)
}
