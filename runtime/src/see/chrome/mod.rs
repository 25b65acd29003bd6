//! The Chrome trace: the run of a loop as slices, arrows and counters, for Perfetto and similar viewers.
//!
//! The loop has one track: its turns, and in them what it did, step by step. Each task has one: its
//! life, and in it polls, waits, and the time it stood in the ready queue. A wake is an arrow from the
//! step it came from to the poll it led to. This file makes that picture out of the events and keeps
//! its end, as much as there is room for; `json.rs` writes it down.
//!
//! An event is drawn at least one nanosecond after the one before it. So no slice is empty and the order is seen, even
//! where many things happen at once. On the virtual clock, all but the parks do.

mod json;
mod parts;
mod text;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ground::event::{Cause, Event, Observer, Polled, Readiness, TaskId, WaitsFor};
use crate::see::model::numbered::Numbered;
use parts::{Counted, Counter, Drawn, Step, Task, What};

/// Draws the run of a loop as a Chrome trace, which <https://ui.perfetto.dev> opens. It is an observer,
/// so it draws a live loop and a recorded one alike; its clones are the same trace.
///
/// ```
/// use oneloop::{Runtime, see::ChromeTrace};
///
/// let trace = ChromeTrace::new();
/// let runtime = Runtime::builder().observer(trace.clone()).build()?;
/// runtime.block_on(oneloop::task::yield_now());
/// let mut json = Vec::new();
/// trace.write_to(&mut json)?;
/// assert!(json.starts_with(b"{"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ChromeTrace(Arc<Mutex<Picture>>);

/// The slices that are drawn, and those that are still being drawn.
struct Picture {
    /// The complete ones, in the order of their ends.
    drawn: VecDeque<Drawn>,
    room: usize,
    dropped: u64,
    /// The last end of what was dropped.
    dropped_until: u64,
    /// When the last event was drawn.
    now: u64,
    turn: Option<(u64, u64)>,
    step: Option<Step>,
    tasks: Numbered<Task>,
    counters: [Counter; 4],
}

const READY: usize = 0;
const TASKS: usize = 1;
const TIMERS: usize = 2;
const SOURCES: usize = 3;

impl ChromeTrace {
    /// A trace with room for a million slices, arrows and counts, some 100 bytes each. When it is full,
    /// the oldest are dropped.
    pub fn new() -> Self {
        Self::with_capacity(1_000_000)
    }

    /// A trace with room for `capacity` slices, arrows and counts.
    pub fn with_capacity(capacity: usize) -> Self {
        let counters = [("ready", "tasks"), ("living", "tasks"), ("pending", "timers"), ("open", "sources")];
        let counters = counters.map(|(which, what)| Counter { counted: Counted { which, what }, value: 0, drawn: 0 });
        Self(Arc::new(Mutex::new(Picture {
            drawn: VecDeque::new(),
            room: capacity.max(1),
            dropped: 0,
            dropped_until: 0,
            now: 0,
            turn: None,
            step: None,
            tasks: Numbered::default(),
            counters,
        })))
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many slices, arrows and counts had to go because there was no room.
    pub fn dropped(&self) -> u64 {
        self.picture().dropped
    }
}

impl Default for ChromeTrace {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for ChromeTrace {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let mut picture = self.picture();
        picture.now = at.max(picture.now.saturating_add(1));
        picture.draw(event);
    }
}

impl Picture {
    fn draw(&mut self, event: &Event<'_>) {
        match *event {
            Event::TurnStart { turn, .. } => {
                self.end_turn();
                self.turn = Some((turn, self.now));
            }
            Event::TurnEnd { .. } => self.end_turn(),
            Event::Spawn { task, by, name, at } => {
                self.tasks.insert(task.as_u64(), Task::new(task, self.now, name, Some((by, at))));
                self.counters[TASKS].value += 1;
                self.queue(task, "spawn", by);
            }
            Event::PollStart { task } => self.begin(What::Poll(task, None)),
            Event::PollEnd { task, outcome } => self.poll_ended(task, outcome),
            Event::Wait { task, on, at, .. } => self.task(task).wait(on, at),
            Event::WaitDropped { task, on } => self.wait_dropped(task, on),
            Event::Wake { task, cause, queued: true, .. } => self.queue(task, "wake", cause),
            Event::Abort { task, by, .. } => self.queue(task, "abort", by),
            Event::Finish { task, outcome } => {
                self.act(Cause::Task(task));
                if let Some(step) = &mut self.step {
                    step.finished = Some(outcome);
                }
            }
            Event::Finding { text, .. } => self.add(self.now, What::Note(text.into())),
            Event::TimerSet { .. } => self.counters[TIMERS].value += 1,
            Event::TimerFired { timer, late } => {
                self.counters[TIMERS].take_one();
                self.begin(What::Timer(timer, late));
            }
            Event::TimerCancelled { timer } => {
                self.counters[TIMERS].take_one();
                if let Some(task) = self.step.as_ref().and_then(|step| step.what.task()) {
                    self.wait_dropped(task, WaitsFor::Timer(timer));
                }
            }
            Event::SourceOpened { .. } => self.counters[SOURCES].value += 1,
            Event::SourceReady { source, ready } => self.begin(What::Source(source, ready)),
            Event::SourceClosed { .. } => self.counters[SOURCES].take_one(),
            Event::ParkStart { timeout } => self.begin(What::Park(timeout, 0)),
            Event::ParkEnd { events: came } => {
                if let Some(Step { what: What::Park(_, events), .. }) = &mut self.step {
                    *events = came;
                    self.end_step();
                }
            }
            _ => {}
        }
    }

    /// A step begins, and the one before it is over.
    fn begin(&mut self, what: What) {
        self.end_step();
        if let What::Poll(task, _) | What::Drop(task) = what {
            self.end_idling(task);
            self.set_queued(task, false);
            let task_now = self.task(task);
            task_now.idle_since = None;
            task_now.waits.clear();
            if let Some((start, name, from)) = task_now.arrow.take() {
                self.add(start, What::Arrow(name, from, task));
            }
        }
        self.step = Some(Step { since: self.now, what, finished: None });
    }

    fn end_step(&mut self) {
        let Some(Step { since, what, finished }) = self.step.take() else { return };
        let task = what.task();
        self.add(since, what);
        if let Some((id, outcome)) = task.zip(finished) {
            self.set_queued(id, false);
            if let Some(task) = self.tasks.remove(&id.as_u64()) {
                self.counters[TASKS].take_one();
                self.add(task.since, What::Life(id, task.about, Some(outcome)));
            }
        }
        self.draw_counters();
    }

    fn end_turn(&mut self) {
        self.end_step();
        if let Some((turn, since)) = self.turn.take() {
            self.add(since, What::Turn(turn));
        }
    }

    fn poll_ended(&mut self, id: TaskId, outcome: Polled) {
        let Some(Step { what: What::Poll(polled, outcome_drawn), .. }) = &mut self.step else { return };
        if *polled != id {
            return;
        }
        *outcome_drawn = Some(outcome);
        self.end_step();
        let now = self.now;
        let task = self.task(id);
        if outcome == Polled::Pending {
            task.idle_since = Some(now);
        } else {
            task.arrow = None;
            self.begin(What::Drop(id));
        }
    }

    /// A task did wait for all that it has waited for until now: only a wait that it gives up in its poll is none.
    fn wait_dropped(&mut self, id: TaskId, on: WaitsFor) {
        let task = self.task(id);
        if task.idle_since.is_none() {
            task.waits.retain(|(other, _)| *other != on);
        }
    }

    /// A task goes into the ready queue, and an arrow will tell why.
    fn queue(&mut self, id: TaskId, name: &'static str, by: Cause) {
        let acting = self.act(by);
        self.end_idling(id);
        self.set_queued(id, true);
        let now = self.now;
        let is_stepping = self.step.as_ref().is_some_and(|step| step.what.task() == Some(id));
        let task = self.task(id);
        if !is_stepping {
            task.idle_since = Some(now);
        }
        task.arrow = acting.map(|from| (now, name, from));
    }

    /// Makes sure that the step in which `cause` acts has begun, and says which task it belongs to. There
    /// is none for what comes from outside the loop.
    fn act(&mut self, cause: Cause) -> Option<Option<TaskId>> {
        let what = match cause {
            Cause::Task(task) => What::Drop(task),
            Cause::Timer(timer) => What::Timer(timer, Duration::ZERO),
            Cause::Source(source) => What::Source(source, Readiness::default()),
            Cause::Thread(thread) => What::Thread(thread),
            Cause::Outside => return None,
        };
        if self.step.as_ref().and_then(|step| step.what.actor()) != Some(cause) {
            self.begin(what);
        }
        Some(self.step.as_ref().and_then(|step| step.what.task()))
    }

    fn end_idling(&mut self, id: TaskId) {
        let task = self.task(id);
        if let Some((since, what)) = task.idling() {
            self.add(since, what);
        }
    }

    fn set_queued(&mut self, id: TaskId, queued: bool) {
        let before = std::mem::replace(&mut self.task(id).queued, queued);
        match (before, queued) {
            (false, true) => self.counters[READY].value += 1,
            (true, false) => self.counters[READY].take_one(),
            _ => {}
        }
    }

    /// A task by its id, also one that was there before the trace began.
    fn task(&mut self, id: TaskId) -> &mut Task {
        let (now, tasks) = (self.now, &mut self.counters[TASKS]);
        self.tasks.get_or_insert_with(id.as_u64(), || {
            tasks.value += 1;
            Task::new(id, now, None, None)
        })
    }

    fn draw_counters(&mut self) {
        for counter in 0..self.counters.len() {
            let Counter { counted, value, drawn } = &mut self.counters[counter];
            if std::mem::replace(drawn, *value) != *value {
                let what = What::Count(*counted, *value);
                self.add(self.now, what);
            }
        }
    }

    fn add(&mut self, start: u64, what: What) {
        if self.drawn.len() == self.room {
            self.dropped += 1;
            let oldest = self.drawn.pop_front().map_or(0, |oldest| oldest.end);
            self.dropped_until = self.dropped_until.max(oldest);
        }
        self.drawn.push_back(Drawn { start, end: self.now, what });
    }
}
