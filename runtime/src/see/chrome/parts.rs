//! The parts of the picture: slices, arrows and counts, and the tasks as they are while they are drawn.

use std::sync::Arc;
use std::time::Duration;

use crate::ground::event::{Cause, Finished, Place, Polled, Readiness, SourceId, TaskId, TimerId, WaitsFor};

/// Something on the picture, with its start and its end in nanoseconds.
#[derive(Clone)]
pub(super) struct Drawn {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) what: What,
}

#[derive(Clone)]
pub(super) enum What {
    Turn(u64),
    Poll(TaskId, Option<Polled>),
    /// A task's body is dropped, and the task that joined it is woken.
    Drop(TaskId),
    Timer(TimerId, Duration),
    Source(SourceId, Readiness),
    Thread(u64),
    Park(Option<Duration>, usize),
    Life(TaskId, Arc<About>, Option<Finished>),
    /// In the ready queue.
    Ready(TaskId),
    /// The first thing that it waits for, and how many others there are.
    Waits(TaskId, Option<(WaitsFor, Place)>, usize),
    /// From a step that the task is the actor of, or nobody's step, to this task's next.
    Arrow(&'static str, Option<TaskId>, TaskId),
    Count(Counted, u64),
    /// A finding of the diagnosis, and its sentence.
    Note(Arc<str>),
}

/// The loop's part of a turn.
pub(super) struct Step {
    pub(super) since: u64,
    pub(super) what: What,
    /// The step's task is over with it.
    pub(super) finished: Option<Finished>,
}

/// A task's origin.
pub(super) struct About {
    pub(super) name: Option<String>,
    pub(super) spawned: Option<(Cause, Place)>,
}

/// A task that is not over.
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) about: Arc<About>,
    pub(super) since: u64,
    /// Since when it has not been polled, if it is not being polled now.
    pub(super) idle_since: Option<u64>,
    pub(super) queued: bool,
    /// The waits that it has told since its last poll began.
    pub(super) waits: Vec<(WaitsFor, Place)>,
    /// The arrow that will lead to its next step: when it began, its name, and whose step it came from.
    pub(super) arrow: Option<(u64, &'static str, Option<TaskId>)>,
}

/// The things that a counter counts. Viewers show both words: "ready tasks".
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) which: &'static str,
    pub(super) what: &'static str,
}

pub(super) struct Counter {
    pub(super) counted: Counted,
    pub(super) value: u64,
    pub(super) drawn: u64,
}

impl What {
    /// The task that polls and drops are of.
    pub(super) fn task(&self) -> Option<TaskId> {
        match *self {
            Self::Poll(task, _) | Self::Drop(task) => Some(task),
            _ => None,
        }
    }

    /// The one that acts in this step.
    pub(super) fn actor(&self) -> Option<Cause> {
        match *self {
            Self::Poll(task, _) | Self::Drop(task) => Some(Cause::Task(task)),
            Self::Timer(timer, _) => Some(Cause::Timer(timer)),
            Self::Source(source, _) => Some(Cause::Source(source)),
            Self::Thread(thread) => Some(Cause::Thread(thread)),
            _ => None,
        }
    }
}

impl Task {
    pub(super) fn new(id: TaskId, since: u64, name: Option<&str>, spawned: Option<(Cause, Place)>) -> Self {
        let about = Arc::new(About { name: name.map(String::from), spawned });
        Self { id, about, since, idle_since: None, queued: false, waits: Vec::new(), arrow: None }
    }

    pub(super) fn wait(&mut self, on: WaitsFor, at: Place) {
        if self.waits.iter().all(|(other, _)| *other != on) {
            self.waits.push((on, at));
        }
    }

    /// Its state while it is not polled, and since when.
    pub(super) fn idling(&self) -> Option<(u64, What)> {
        let what = if self.queued {
            What::Ready(self.id)
        } else {
            What::Waits(self.id, self.waits.first().copied(), self.waits.len().saturating_sub(1))
        };
        Some((self.idle_since?, what))
    }
}

impl Counter {
    /// Things from before the trace began were not counted.
    pub(super) fn take_one(&mut self) {
        self.value = self.value.saturating_sub(1);
    }
}
