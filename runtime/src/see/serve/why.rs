//! Why a task ran: its last wake, and what led to that, back through the ring.

use std::fmt::Write as _;
use std::time::Duration;

use super::report::{name, resource, since};
use crate::ground::event::{Event, Place};
use crate::see::model::json::line;
use crate::see::model::ndjson::Line;
use crate::see::model::state::State;
use crate::see::model::things::Who;
use crate::see::record::Record;
use crate::see::record::ring::Ring;

/// How many events are looked at in one go, during which the loop cannot tell any.
const PAGE: usize = 1024;
/// How many findings a viewer who comes late is told of.
const FINDINGS: usize = 50;
/// How many links of a chain are told.
const LINKS: usize = 8;

/// The events of a ring up to event `last`, the latest first. The ring is not held while somebody looks at one.
fn backwards(ring: &Ring, last: u64) -> impl Iterator<Item = Record> {
    let (mut before, mut page) = (last + 1, Vec::new());
    std::iter::from_fn(move || {
        if page.is_empty() {
            page = ring.page(before, PAGE);
            before -= page.len() as u64;
        }
        page.pop()
    })
}

/// The findings up to event `last`, the oldest first, for a viewer who comes after them. Each is a line.
pub(super) fn findings(ring: &Ring, last: u64) -> String {
    let mut lines = Vec::new();
    for (n, record) in (1..=last).rev().zip(backwards(ring, last)) {
        if lines.len() == FINDINGS {
            break;
        }
        if let event @ Event::Finding { .. } = record.event() {
            let event = Line { n, at: record.at, event };
            lines.push(line(|line| line.object("found", |found| event.put_in(found))));
        }
    }
    lines.reverse();
    lines.concat()
}

/// The line at which a task last waited, if that is not long ago.
pub(super) fn last_wait(ring: &Ring, id: u64) -> Option<Place> {
    backwards(ring, ring.last()).take(4 * PAGE).find_map(|record| match record.event() {
        Event::Wait { task, at, .. } if task.as_u64() == id => Some(at),
        _ => None,
    })
}

/// The task's last wake, the wake of the one that woke it, and so on, as far as the ring goes back.
pub(super) fn chain(ring: &Ring, state: &State, id: u64, now: Duration) -> Option<String> {
    let task = state.tasks.get(&id)?;
    let mut text = String::new();
    let mut links = 0;
    // The search is for the wake of a task, or for the origin of a timer or a source.
    let mut wanted = Who::Task(id);
    for record in backwards(ring, ring.last()) {
        let at = since(record.at, now);
        let (link, next) = match (record.event(), wanted) {
            (Event::Wake { task, cause, queued: true }, Who::Task(id)) if task.as_u64() == id => {
                (format!("{} was woken by {} {at} ago", name(state, id), Who::from(cause)), Some(Who::from(cause)))
            }
            (Event::Spawn { task, by, at: line, .. }, Who::Task(id)) if task.as_u64() == id => {
                (format!("{} was spawned by {} {at} ago at {line}", name(state, id), Who::from(by)), Some(by.into()))
            }
            (Event::TimerSet { timer, by, at: line, .. }, Who::Timer(id)) if timer.as_u64() == id => {
                (format!("timer {id} was set by {} {at} ago at {line}", Who::from(by)), Some(by.into()))
            }
            (Event::SourceReady { source, .. }, Who::Source(id)) if source.as_u64() == id => {
                let what = state
                    .sources
                    .get(&id)
                    .map(|source| format!(" ({}, opened at {})", resource(source.resource), source.at));
                (format!("source {id}{} became ready {at} ago", what.unwrap_or_default()), None)
            }
            _ => continue,
        };
        let _ = writeln!(text, "{link}");
        links += 1;
        match next {
            Some(next @ (Who::Task(_) | Who::Timer(_) | Who::Source(_))) if links < LINKS => wanted = next,
            _ => return Some(text),
        }
    }
    if links == 0 {
        let _ = match task.woken {
            Some((by, when)) => writeln!(text, "{} was woken by {by} {} ago", name(state, id), since(when, now)),
            None => writeln!(text, "{} has not been woken since this loop began to be watched", name(state, id)),
        };
    }
    let _ = writeln!(text, "the events that led to that are no longer kept");
    Some(text)
}
