//! The state: what a loop looks like between two events, made of nothing but the events before.
//!
//! It is the one model by which all readers of the stream agree: the task table, the monitor, a recording
//! at any of its events. It has numbers and no keys. So a state that was read from a file equals the one that the
//! writer had.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ground::event::{Event, Place, Polled, Readiness};
use crate::see::model::numbered::Numbered;
use crate::see::model::things::{On, Source, Task, TaskState, Timer, Waiting, Who};

/// The look of a loop. It begins empty, and each event that is applied takes it one step further.
///
/// Tasks, timers and sources are found by their numbers, which are never used twice within a runtime.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct State {
    /// When the last event happened, since the runtime was built.
    pub at: Duration,
    /// The number of the turn.
    pub turn: u64,
    /// Which part of the turn the loop is in.
    pub phase: Phase,
    /// The task that is being polled.
    pub running: Option<u64>,
    /// The ready queue, the next to be polled first (where a seed picks, any may be next).
    pub ready: VecDeque<u64>,
    /// The tasks that are not over.
    pub tasks: Numbered<Task>,
    /// The timers that are pending.
    pub timers: Numbered<Timer>,
    /// The sources that are open.
    pub sources: Numbered<Source>,
}

/// A part of a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// The loop does not turn, or is between two turns.
    #[default]
    Idle,
    /// It takes in what other threads sent.
    Inbox,
    /// It wakes those whose timers are due.
    Timers,
    /// It polls what is ready.
    Poll,
    /// It is in the kernel, or wakes those whom the kernel named.
    Park,
}

impl State {
    /// Takes the state one event further. An event that does not fit, as one about a task that was never
    /// spawned, changes nothing but the time.
    pub fn apply(&mut self, at: Duration, event: &Event<'_>) {
        self.at = at;
        match *event {
            Event::TurnStart { turn, .. } => (self.turn, self.phase) = (turn, Phase::Inbox),
            Event::TurnEnd { .. } => self.phase = Phase::Idle,
            Event::ParkStart { .. } => self.phase = Phase::Park,
            Event::Spawn { task, by, name, at: place } => {
                self.spawned(task.as_u64(), Task::new(task.slot(), name, by.into(), place, at));
            }
            Event::PollStart { task } => self.poll_started(task.as_u64()),
            Event::PollEnd { task, outcome } => self.poll_ended(task.as_u64(), outcome),
            Event::Wait { task, on, at: place } => {
                self.wait(task.as_u64(), Waiting { on: on.into(), at: place, since: at });
            }
            Event::WaitDropped { task, on } => self.wait_over(task.as_u64(), on.into()),
            Event::Wake { task, cause, queued } => self.woken(task.as_u64(), cause.into(), queued),
            Event::Abort { task, .. } => self.enqueue(task.as_u64()),
            Event::Finish { task, .. } => self.finished(task.as_u64()),
            Event::TimerSet { timer, by, deadline, at } => {
                let set = Timer { slot: timer.slot(), deadline, by: by.into(), at, waiter: None };
                self.timers.insert(timer.as_u64(), set);
            }
            Event::TimerFired { timer, .. } => {
                self.phase = Phase::Timers;
                self.timer_gone(timer.as_u64());
            }
            Event::TimerCancelled { timer } => self.timer_gone(timer.as_u64()),
            Event::SourceOpened { source, resource, ready, by, at } => {
                let opened = Source::new(source.slot(), Some(resource), ready, by.into(), at);
                self.sources.insert(source.as_u64(), opened);
            }
            Event::SourceReady { source, ready } => self.source_ready(source.as_u64(), ready),
            Event::SourceDrained { source, read, write } => self.source_drained(source.as_u64(), read, write),
            Event::SourceClosed { source } => self.source_closed(source.as_u64()),
            Event::ParkEnd { .. } | Event::StaleWake { .. } | Event::Held { .. } | Event::Finding { .. } => {}
        }
    }

    /// Whether nothing has happened yet.
    pub(crate) fn is_untouched(&self) -> bool {
        let Self { at, turn, phase, tasks, timers, sources, .. } = self;
        let is_at_the_start = (*at, *turn, *phase) == (Duration::ZERO, 0, Phase::Idle);
        is_at_the_start && tasks.is_empty() && timers.is_empty() && sources.is_empty()
    }

    /// The line at which a task waits. For a join it may be unknown; then the event told the line that spawned the
    /// other task.
    pub(crate) fn waits_at(&self, wait: &Waiting) -> Option<Place> {
        let spawned = match wait.on {
            On::Join(other) => self.tasks.get(&other).map(|other| other.at),
            _ => None,
        };
        Some(wait.at).filter(|at| spawned != Some(*at))
    }

    pub(crate) fn spawned(&mut self, id: u64, mut task: Task) {
        self.finished(id);
        task.enqueue(id, &mut self.ready, self.at);
        self.tasks.insert(id, task);
    }

    fn poll_started(&mut self, id: u64) {
        let now = self.at;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.unqueue(id, &mut self.ready);
        (task.state, task.since) = (TaskState::Running, now);
        task.polls = task.polls.saturating_add(1);
        (self.phase, self.running) = (Phase::Poll, Some(id));
    }

    fn poll_ended(&mut self, id: u64, outcome: Polled) {
        self.running = None;
        let now = self.at;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.longest = task.longest.max(now.saturating_sub(task.since));
        // Any other outcome means that its end is under way.
        if outcome == Polled::Pending {
            task.state = if task.queued { TaskState::Ready } else { TaskState::Waiting };
            task.since = now;
        }
    }

    fn woken(&mut self, id: u64, by: Who, queued: bool) {
        let now = self.at;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.woken = Some((by, now));
        if queued {
            task.enqueue(id, &mut self.ready, now);
        }
    }

    pub(crate) fn enqueue(&mut self, id: u64) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.enqueue(id, &mut self.ready, self.at);
        }
    }

    fn finished(&mut self, id: u64) {
        self.running = self.running.filter(|running| *running != id);
        let Some(mut task) = self.tasks.remove(&id) else { return };
        task.unqueue(id, &mut self.ready);
        for wait in task.waits {
            self.forget_waiter(id, wait.on);
        }
        if let Some(joiner) = task.joined_by {
            self.forget_wait(joiner, On::Join(id));
        }
    }

    /// A task begins to wait for something, or goes on. For a deadline, and for a task's end, one waits
    /// at a time.
    pub(crate) fn wait(&mut self, id: u64, wait: Waiting) {
        let on = wait.on;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        match task.waits.iter_mut().find(|known| known.on == on) {
            Some(known) => known.at = wait.at,
            None => task.waits.push(wait),
        }
        let before = match on {
            On::Timer(timer) => self.timers.get_mut(&timer).and_then(|timer| timer.waiter.replace(id)),
            On::Join(other) => self.tasks.get_mut(&other).and_then(|other| other.joined_by.replace(id)),
            On::Read(source) | On::Write(source) => {
                if let Some(source) = self.sources.get_mut(&source) {
                    source.add_waiter(on, id);
                }
                None
            }
            On::Other(_) => None,
        };
        if let Some(before) = before.filter(|before| *before != id) {
            self.forget_wait(before, on);
        }
    }

    fn wait_over(&mut self, id: u64, on: On) {
        self.forget_wait(id, on);
        self.forget_waiter(id, on);
    }

    /// The task's side of a wait.
    fn forget_wait(&mut self, id: u64, on: On) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.waits.retain(|wait| wait.on != on);
        }
    }

    /// The other side.
    fn forget_waiter(&mut self, id: u64, on: On) {
        let waiter = match on {
            On::Timer(timer) => self.timers.get_mut(&timer).map(|timer| &mut timer.waiter),
            On::Join(other) => self.tasks.get_mut(&other).map(|other| &mut other.joined_by),
            On::Read(source) | On::Write(source) => {
                if let Some(source) = self.sources.get_mut(&source) {
                    source.waiters(on).retain(|waiter| *waiter != id);
                }
                None
            }
            On::Other(_) => None,
        };
        if let Some(waiter) = waiter {
            *waiter = waiter.filter(|waiter| *waiter != id);
        }
    }

    fn timer_gone(&mut self, id: u64) {
        if let Some(waiter) = self.timers.remove(&id).and_then(|timer| timer.waiter) {
            self.forget_wait(waiter, On::Timer(id));
        }
    }

    fn source_ready(&mut self, id: u64, news: Readiness) {
        let Some(source) = self.sources.get_mut(&id) else { return };
        let ready = &mut source.ready;
        (ready.read, ready.write) = (ready.read || news.read, ready.write || news.write);
        ready.read_closed |= news.read_closed;
        ready.write_closed |= news.write_closed;
        self.nobody_waits(id, news.read, news.write);
    }

    fn nobody_waits(&mut self, id: u64, to_read: bool, to_write: bool) {
        for (over, on) in [(to_read, On::Read(id)), (to_write, On::Write(id))] {
            let Some(source) = self.sources.get_mut(&id).filter(|_| over) else { continue };
            for waiter in std::mem::take(source.waiters(on)) {
                self.forget_wait(waiter, on);
            }
        }
    }

    fn source_drained(&mut self, id: u64, read: bool, write: bool) {
        let Some(Source { ready, .. }) = self.sources.get_mut(&id) else { return };
        (ready.read, ready.read_closed) = (ready.read && !read, ready.read_closed && !read);
        (ready.write, ready.write_closed) = (ready.write && !write, ready.write_closed && !write);
    }

    fn source_closed(&mut self, id: u64) {
        self.nobody_waits(id, true, true);
        self.sources.remove(&id);
    }
}

impl Task {
    /// Puts the task with this number last in the ready queue, unless it is in it.
    fn enqueue(&mut self, id: u64, ready: &mut VecDeque<u64>, now: Duration) {
        if self.queued {
            return;
        }
        self.queued = true;
        if self.state != TaskState::Running {
            (self.state, self.since) = (TaskState::Ready, now);
        }
        ready.push_back(id);
    }

    /// Takes it out of the queue, if it is in it. Mostly it is the first.
    fn unqueue(&mut self, id: u64, ready: &mut VecDeque<u64>) {
        if !std::mem::take(&mut self.queued) {
            return;
        }
        if ready.front() == Some(&id) {
            ready.pop_front();
        } else if let Some(place) = ready.iter().position(|ready| *ready == id) {
            ready.remove(place);
        }
    }
}
