//! The parts of a base: tasks, timers and sources, as they stand in their slots.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::vec;

use crate::ground::event::{Place, Readiness, Resource, SourceId, WaitsFor};
use crate::heart::key::{Key, TaskKey, WakeWord};
use crate::heart::tasks::peek::Row;
use crate::see::model::live::{LiveTimer, LiveWait};
use crate::see::model::slots::Slots;
use crate::see::model::things::TaskState;
use crate::see::record::segment::{By, Words};

/// A task. Its place, as any here, is a number that the ring gave.
pub(super) struct Task {
    pub(super) name: Option<Arc<str>>,
    pub(super) by: By,
    pub(super) place: u32,
    pub(super) state: TaskState,
    /// Its place in the ready queue, while it is in there: the lower comes first.
    pub(super) queued: Option<Ticket>,
    pub(super) polls: u64,
    pub(super) longest: u64,
    pub(super) since: u64,
    pub(super) woken: Option<(By, u64)>,
    /// Whether any waits stand with it.
    pub(super) has_waits: bool,
}

const _: () = assert!(size_of::<Task>() <= 120, "up to 128 bytes, a task and its serial are moved without a memcpy");

/// The waits that stand with a task. They are in slots of their own, since few tasks have any.
#[derive(Default)]
pub(super) struct Waits {
    /// The wait for its end.
    pub(super) joined_by: Option<Wait>,
    /// Its own, for things that are none of the loop's, by number.
    pub(super) others: Vec<(u64, Wait)>,
}

/// A task waits. This stands with the thing that it waits for, and nowhere else: it ends where that ends. Its task may
/// be gone by then, so a look at it asks for the task first.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    pub(super) task: Key,
    pub(super) place: u32,
    pub(super) since: u64,
    /// A task's waits are shown in the order of their tickets.
    pub(super) ticket: Option<Ticket>,
}

pub(super) struct Timer {
    pub(super) deadline: u64,
    pub(super) by: By,
    pub(super) place: u32,
    pub(super) waiter: Option<Wait>,
}

/// A place in an order. The ready queue is nothing but the order of its tickets.
pub(super) type Ticket = NonZeroU64;

/// Tickets that count up.
#[derive(Default)]
pub(super) struct Tickets(u64);

impl Tickets {
    /// The next one. It is there, since nobody counts to 2^64.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Ticket> {
        self.0 += 1;
        Ticket::new(self.0)
    }
}

pub(super) struct Source {
    pub(super) resource: Option<Resource>,
    pub(super) ready: Readiness,
    pub(super) by: By,
    pub(super) place: u32,
    pub(super) readers: Vec<Wait>,
    pub(super) writers: Vec<Wait>,
}

impl Source {
    pub(super) fn waiters(&mut self, on: WaitsFor) -> &mut Vec<Wait> {
        if matches!(on, WaitsFor::Read(_)) { &mut self.readers } else { &mut self.writers }
    }
}

impl Wait {
    /// Takes the place of the one that waits, or goes on if that is the same task.
    pub(super) fn alone_in(self, waiter: &mut Option<Self>) {
        match waiter {
            Some(known) if known.task == self.task => known.place = self.place,
            _ => *waiter = Some(self),
        }
    }

    /// Joins those that wait, or goes on if the task is one of them. Those whose task is gone leave.
    pub(super) fn among(self, waiters: &mut Vec<Self>, tasks: &Slots<Task>) {
        match waiters.iter_mut().find(|known| known.task == self.task) {
            Some(known) => known.place = self.place,
            None => {
                waiters.retain(|known| tasks.get(known.task).is_some());
                waiters.push(self);
            }
        }
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
    pub(super) fn new(name: Option<Arc<str>>, by: By, place: u32, since: u64) -> Self {
        let state = TaskState::Waiting;
        Self { name, by, place, state, queued: None, polls: 0, longest: 0, since, woken: None, has_waits: false }
    }

    #[inline(always)]
    pub(super) fn poll_started(&mut self, now: u64) {
        (self.queued, self.state, self.since) = (None, TaskState::Running, now);
        self.polls += 1;
    }

    #[inline(always)]
    pub(super) fn poll_ended(&mut self, event: &Words) {
        let now = event.at();
        self.longest = self.longest.max(now.saturating_sub(self.since));
        // Any other outcome means that its end is under way.
        if event.more() == 0 {
            self.state = if self.queued.is_some() { TaskState::Ready } else { TaskState::Waiting };
            self.since = now;
        }
    }

    #[inline(always)]
    pub(super) fn woken(&mut self, event: &Words, tickets: &mut Tickets) {
        self.woken = Some((event.by(), event.at()));
        if event.more() == 1 {
            self.enqueue(tickets, event.at());
        }
    }

    /// Puts the task last in the ready queue, unless it is in it.
    #[inline]
    pub(super) fn enqueue(&mut self, tickets: &mut Tickets, now: u64) {
        if self.queued.is_some() {
            return;
        }
        self.queued = tickets.next();
        if self.state != TaskState::Running {
            (self.state, self.since) = (TaskState::Ready, now);
        }
    }
}
