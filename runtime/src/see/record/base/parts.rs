//! The parts of a base: tasks, timers and sources, as they stand in their slots.

use std::sync::Arc;
use std::vec;

use crate::ground::event::{Place, Readiness, Resource, SourceId, WaitsFor};
use crate::heart::key::{Key, TaskKey, WakeWord};
use crate::heart::tasks::peek::Row;
use crate::see::model::live::{LiveTimer, LiveWait};
use crate::see::model::things::{TaskState, Who};

/// A task. Its place, as any here, is a number that the ring gave.
pub(super) struct Task {
    pub(super) name: Option<Arc<str>>,
    pub(super) by: Who,
    pub(super) place: u32,
    pub(super) state: TaskState,
    /// Its place in the ready queue, while it is in there: the lower comes first.
    pub(super) queued: Option<Ticket>,
    pub(super) polls: u64,
    pub(super) longest: u64,
    pub(super) since: u64,
    pub(super) woken: Option<(Who, u64)>,
    pub(super) waits: Vec<Wait>,
    pub(super) joined_by: Option<Key>,
}

pub(super) struct Wait {
    pub(super) on: WaitsFor,
    pub(super) place: u32,
    pub(super) since: u64,
}

pub(super) struct Timer {
    pub(super) deadline: u64,
    pub(super) by: Who,
    pub(super) place: u32,
    pub(super) waiter: Option<Key>,
}

/// A place in the ready queue, which is nothing but the order of its tickets.
pub(super) type Ticket = std::num::NonZeroU64;

pub(super) struct Source {
    pub(super) resource: Option<Resource>,
    pub(super) ready: Readiness,
    pub(super) by: Who,
    pub(super) place: u32,
    pub(super) readers: Vec<Key>,
    pub(super) writers: Vec<Key>,
}

impl Source {
    pub(super) fn waiters(&mut self, on: WaitsFor) -> &mut Vec<Key> {
        if matches!(on, WaitsFor::Read(_)) { &mut self.readers } else { &mut self.writers }
    }
}

/// The rest of the copy, in the order in which it is read: a wait is read when both its sides are there.
pub(super) struct Unread {
    pub(super) running: Option<TaskKey>,
    pub(super) tasks: vec::IntoIter<Row>,
    pub(super) ready: vec::IntoIter<WakeWord>,
    pub(super) timers: vec::IntoIter<LiveTimer>,
    pub(super) sources: vec::IntoIter<(SourceId, Readiness, Place)>,
    pub(super) waits: vec::IntoIter<LiveWait>,
}

impl Task {
    pub(super) fn new(name: Option<Arc<str>>, by: Who, place: u32, since: u64) -> Self {
        let (state, waits) = (TaskState::Waiting, Vec::new());
        Self { name, by, place, state, queued: None, polls: 0, longest: 0, since, woken: None, waits, joined_by: None }
    }

    /// Puts the task last in the ready queue, unless it is in it.
    pub(super) fn enqueue(&mut self, last_ticket: &mut u64, now: u64) {
        if self.queued.is_some() {
            return;
        }
        *last_ticket += 1;
        self.queued = Ticket::new(*last_ticket);
        if self.state != TaskState::Running {
            (self.state, self.since) = (TaskState::Ready, now);
        }
    }
}
