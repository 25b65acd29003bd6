//! The things of a loop, as the events tell them: tasks, timers and sources, by their numbers.

use std::time::Duration;

use crate::ground::event::{Cause, Place, Readiness, Resource, WaitsFor};

/// The state of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// It waits for a wake.
    Waiting,
    /// It is in the ready queue.
    Ready,
    /// It is being polled.
    Running,
    /// It is over, and nobody has taken its output.
    Done,
}

/// A task, as the events tell it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Task {
    /// The slot that it lives in.
    pub slot: u32,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Its state. One that is being polled is running, whether it is woken already or not.
    pub state: TaskState,
    /// Whether it is in the ready queue.
    pub queued: bool,
    /// How often it was polled.
    pub polls: u64,
    /// How long its longest poll took.
    pub longest: Duration,
    /// The one that spawned it.
    pub by: Who,
    /// The line that spawned it.
    pub at: Place,
    /// The cause of its last wake, and when that was.
    pub woken: Option<(Who, Duration)>,
    /// Since when it has been doing what it does.
    pub since: Duration,
    /// The things it waits for.
    pub waits: Vec<Waiting>,
    /// The task that waits for its end.
    pub joined_by: Option<u64>,
}

/// Something that a task waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// The thing itself.
    pub on: On,
    /// The line that made the future that waits. For a join it is the line that awaits it; or the line that spawned
    /// the other task, where the former is unknown.
    pub at: Place,
    /// Since when.
    pub since: Duration,
}

/// The past of a task, which only the events tell.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Past {
    /// How often it was polled.
    pub polls: u64,
    /// How long its longest poll took, the one that is going on apart.
    pub longest: Duration,
    /// How long it has been waiting, or ready, or running.
    pub lasts: Duration,
    /// The cause of its last wake.
    pub woken_by: Option<Who>,
}

/// A pending timer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Timer {
    /// Its slot.
    pub slot: u32,
    /// When it is due, since the runtime was built.
    pub deadline: Duration,
    /// The one that set it.
    pub by: Who,
    /// The line that made the sleep.
    pub at: Place,
    /// The task that waits for it.
    pub waiter: Option<u64>,
}

/// An open source.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Source {
    /// Its slot.
    pub slot: u32,
    /// Its kind; `None` if it was opened before anybody looked.
    pub resource: Option<Resource>,
    /// Its readiness: the kernel said so, and nothing has disproved it yet.
    pub ready: Readiness,
    /// The one that opened it.
    pub by: Who,
    /// The line that opened it.
    pub at: Place,
    /// The tasks that wait to read from it, in the order of their numbers.
    pub readers: Vec<u64>,
    /// The tasks that wait to write to it, in the same order.
    pub writers: Vec<u64>,
}

/// A [`Cause`] by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "as in Cause")]
pub enum Who {
    Task(u64),
    Timer(u64),
    Source(u64),
    Thread(u64),
    Outside,
}

/// A thing that is waited for ([`WaitsFor`]), by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "as in WaitsFor")]
pub enum On {
    Timer(u64),
    Read(u64),
    Write(u64),
    Join(u64),
    Other(u64),
}

impl Task {
    pub(crate) fn new(slot: u32, name: Option<&str>, by: Who, at: Place, since: Duration) -> Self {
        let (name, state) = (name.map(String::from), TaskState::Waiting);
        let (polls, longest, woken, waits) = (0, Duration::ZERO, None, Vec::new());
        Self { slot, name, state, queued: false, polls, longest, by, at, woken, since, waits, joined_by: None }
    }
}

impl Past {
    pub(crate) fn of(task: &Task, now: Duration) -> Self {
        let (lasts, woken_by) = (now.saturating_sub(task.since), task.woken.map(|(by, _)| by));
        Self { polls: task.polls, longest: task.longest, lasts, woken_by }
    }
}

impl Source {
    pub(crate) fn new(slot: u32, resource: Option<Resource>, ready: Readiness, by: Who, at: Place) -> Self {
        Self { slot, resource, ready, by, at, readers: Vec::new(), writers: Vec::new() }
    }

    /// The tasks that wait for this on it.
    pub(crate) fn waiters(&mut self, on: On) -> &mut Vec<u64> {
        if matches!(on, On::Read(_)) { &mut self.readers } else { &mut self.writers }
    }

    /// A task begins to wait for this on it, or goes on.
    pub(crate) fn add_waiter(&mut self, on: On, task: u64) {
        let waiters = self.waiters(on);
        if let Err(place) = waiters.binary_search(&task) {
            waiters.insert(place, task);
        }
    }
}

impl From<Cause> for Who {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Task(task) => Self::Task(task.as_u64()),
            Cause::Timer(timer) => Self::Timer(timer.as_u64()),
            Cause::Source(source) => Self::Source(source.as_u64()),
            Cause::Thread(thread) => Self::Thread(thread),
            Cause::Outside => Self::Outside,
        }
    }
}

impl From<WaitsFor> for On {
    fn from(on: WaitsFor) -> Self {
        match on {
            WaitsFor::Timer(timer) => Self::Timer(timer.as_u64()),
            WaitsFor::Read(source) => Self::Read(source.as_u64()),
            WaitsFor::Write(source) => Self::Write(source.as_u64()),
            WaitsFor::Join(task) => Self::Join(task.as_u64()),
            WaitsFor::Other(number) => Self::Other(number),
        }
    }
}
