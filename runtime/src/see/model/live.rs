//! The state of the live stores: what can be said of a loop without having seen any of its events.
//!
//! The stores keep what the loop needs and no history. How often a task was polled, who woke it, since
//! when it waits and who set a timer, only the events tell; here these are zero, nobody and now.

use std::task::Waker;
use std::time::Duration;

use crate::ground::event::{Place, Readiness, SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::core::Core;
use crate::heart::current::expect_current;
use crate::heart::key::TaskKey;
use crate::heart::reactor::Direction;
use crate::heart::tasks::peek::Row;
use crate::heart::waker::task_of;
use crate::see::TaskState;
use crate::see::model::ndjson::Run;
use crate::see::model::state::{Phase, State};
use crate::see::model::things::{On, Source, Task, Timer, Waiting, Who};

impl State {
    /// The state of the runtime that runs on this thread, by its stores alone.
    ///
    /// The past is missing, which only the events tell: polls, wakes, times, and the kinds of sources.
    ///
    /// # Panics
    ///
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn now() -> Self {
        Live::of(&expect_current("State::now")).state()
    }
}

impl Run {
    pub(crate) fn of(core: &Core) -> Self {
        Self { is_virtual: core.timers.is_virtual(), seed: core.tasks.with_queue(|ready| ready.seed()) }
    }
}

/// A plain copy of the live stores. To make it holds up the loop, so it searches nothing and sorts nothing: that is
/// left to those who read it, at another time or on another thread.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) at: Duration,
    pub(crate) turn: u64,
    pub(crate) running: Option<TaskKey>,
    /// Those that are over, too.
    pub(crate) tasks: Vec<Row>,
    /// The ready queue, in its order.
    pub(crate) ready: Vec<TaskKey>,
    pub(crate) timers: Vec<LiveTimer>,
    pub(crate) sources: Vec<(SourceId, Readiness, Place)>,
    /// The tasks that wait for a source or for another task's end.
    pub(crate) waits: Vec<LiveWait>,
}

/// A pending timer, and who waits for it.
pub(crate) struct LiveTimer {
    pub(crate) timer: TimerId,
    pub(crate) deadline: Duration,
    pub(crate) at: Place,
    pub(crate) waiter: Option<TaskKey>,
}

/// A task that waits. The line that awaits a task's end is unknown: nothing was told of it when it began.
pub(crate) struct LiveWait {
    pub(crate) task: TaskKey,
    pub(crate) on: WaitsFor,
    pub(crate) at: Option<Place>,
}

impl Live {
    pub(crate) fn of(core: &Core) -> Self {
        let running = core.current_task();
        let (at, turn) = (core.timers.uptime(), core.counters.turns.get());
        let (tasks, ready) = (core.tasks.rows(running), core.tasks.queue());
        let mut timers = Vec::with_capacity(core.timers.len());
        core.timers.each_waiter(|key, deadline, waker, at| {
            timers.push(LiveTimer { timer: TimerId(key), deadline, at: at.into(), waiter: task_of(core, waker) });
        });
        let mut sources = Vec::with_capacity(core.reactor.len());
        core.reactor.each_source(|key, latches, at| sources.push((SourceId(key), latches.readiness(), at.into())));
        let mut waits = Vec::new();
        let mut note = |waker: &Waker, on: WaitsFor, at: Option<Place>| {
            waits.extend(task_of(core, waker).map(|task| LiveWait { task, on, at }));
        };
        core.reactor.each_waiter(|key, direction, waker, at| {
            let source = SourceId(key);
            let on = if direction == Direction::Read { WaitsFor::Read(source) } else { WaitsFor::Write(source) };
            note(waker, on, Some(at.into()));
        });
        core.tasks.each_joiner(|key, waker| note(waker, WaitsFor::Join(TaskId(key)), None));
        Self { at, turn, running, tasks, ready, timers, sources, waits }
    }

    fn state(self) -> State {
        let (at, turn, phase, running) =
            (self.at, self.turn, self.phase(), self.running.map(|key| TaskId(key).as_u64()));
        let mut state = State { at, turn, phase, running, ..State::default() };
        for row in self.tasks.iter().filter(|row| !row.is_over()) {
            let id = TaskId(row.key);
            let mut task = Task::new(id.slot(), row.shown_name(), Who::Outside, row.info.at, at);
            task.state = row.state_off_queue();
            state.tasks.insert(id.as_u64(), task);
        }
        if let Some(task) = state.running.and_then(|id| state.tasks.get_mut(&id)) {
            task.state = TaskState::Running;
        }
        self.ready.into_iter().for_each(|key| state.enqueue(TaskId(key).as_u64()));
        for (source, ready, at) in self.sources {
            state.sources.insert(source.as_u64(), Source::new(source.slot(), None, ready, Who::Outside, at));
        }
        for LiveTimer { timer, deadline, at, waiter } in self.timers {
            let set = Timer { slot: timer.slot(), deadline, by: Who::Outside, at, waiter: None };
            state.timers.insert(timer.as_u64(), set);
            if let Some(task) = waiter {
                let wait = Waiting { on: WaitsFor::Timer(timer).into(), at, since: state.at };
                state.wait(TaskId(task).as_u64(), wait);
            }
        }
        for LiveWait { task, on, at } in self.waits {
            let on = on.into();
            let spawned_at = || match on {
                On::Join(other) => state.tasks.get(&other).map(|other| other.at),
                _ => None,
            };
            if let Some(at) = at.or_else(spawned_at) {
                state.wait(TaskId(task).as_u64(), Waiting { on, at, since: state.at });
            }
        }
        state
    }

    /// The part of the turn that the loop is in, as far as the stores tell it.
    pub(crate) fn phase(&self) -> Phase {
        if self.running.is_some() { Phase::Poll } else { Phase::Idle }
    }
}

impl Row {
    pub(crate) fn is_over(&self) -> bool {
        TaskState::from(self.state) == TaskState::Done
    }

    pub(crate) fn shown_name(&self) -> Option<&str> {
        self.info.name.as_deref().or((self.key.0.slot == 0).then_some("main"))
    }

    /// Its state, but for the ready queue: its place in that says that it is ready.
    pub(crate) fn state_off_queue(&self) -> TaskState {
        match TaskState::from(self.state) {
            TaskState::Ready => TaskState::Waiting,
            state => state,
        }
    }
}
