//! The state of the live stores: what can be said of a loop without having seen any of its events.
//!
//! The stores keep what the loop needs and no history. How often a task was polled, who woke it, since
//! when it waits and who set a timer, only the events tell; here these are zero, nobody and now.

use std::task::Waker;

use crate::ground::event::{Place, Readiness, SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::core::Core;
use crate::heart::current::expect_current;
use crate::heart::reactor::{Direction, Latches};
use crate::heart::waker::task_of;
use crate::see::TaskState;
use crate::see::model::ndjson::Run;
use crate::see::model::state::{Phase, State};
use crate::see::model::things::{Source, Task, Timer, Waiting, Who};

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
        state_of(&expect_current("State::now"))
    }
}

impl Run {
    pub(crate) fn of(core: &Core) -> Self {
        Self { is_virtual: core.timers.is_virtual(), seed: core.tasks.with_queue(|ready| ready.seed()) }
    }
}

pub(crate) fn state_of(core: &Core) -> State {
    let running = core.current_task();
    let phase = if running.is_some() { Phase::Poll } else { Phase::Idle };
    let (at, turn) = (core.timers.uptime(), core.counters.turns.get());
    let mut state = State { at, turn, phase, running: running.map(|key| TaskId(key).as_u64()), ..State::default() };
    for row in core.tasks.rows(running) {
        let id = TaskId(row.key);
        let task_state = TaskState::from(row.state);
        if task_state != TaskState::Done {
            let name = row.info.name.as_deref().or((id.slot() == 0).then_some("main"));
            let mut task = Task::new(id.slot(), name, Who::Outside, row.info.at, at);
            // Its place in the queue says that it is ready.
            task.state = if task_state == TaskState::Ready { TaskState::Waiting } else { task_state };
            state.tasks.insert(id.as_u64(), task);
        }
    }
    if let Some(task) = state.running.and_then(|id| state.tasks.get_mut(&id)) {
        task.state = TaskState::Running;
    }
    core.tasks.queue().into_iter().for_each(|key| state.enqueue(TaskId(key).as_u64()));
    add_sources(core, &mut state);
    add_waits(core, &mut state);
    state
}

fn add_sources(core: &Core, state: &mut State) {
    core.reactor.each_source(|key, latches, at| {
        let source = SourceId(key);
        let ready = Readiness {
            read: latches.any(Latches::ready(Direction::Read)),
            write: latches.any(Latches::ready(Direction::Write)),
            read_closed: latches.any(Latches::closed(Direction::Read)),
            write_closed: latches.any(Latches::closed(Direction::Write)),
        };
        state.sources.insert(source.as_u64(), Source::new(source.slot(), None, ready, Who::Outside, at.into()));
    });
}

/// Adds the timers, and what each task waits for: whose wakers the stores hold.
fn add_waits(core: &Core, state: &mut State) {
    let mut waits = Vec::new();
    let mut note = |waker: &Waker, on: WaitsFor, at: Place| waits.push((task_of(core, waker), on, at));
    core.timers.each_waiter(|key, deadline, waker, at| {
        let (timer, at) = (TimerId(key), at.into());
        let set = Timer { slot: timer.slot(), deadline, by: Who::Outside, at, waiter: None };
        state.timers.insert(timer.as_u64(), set);
        note(waker, WaitsFor::Timer(timer), at);
    });
    core.reactor.each_waiter(|key, direction, waker, at| {
        let source = SourceId(key);
        let on = if direction == Direction::Read { WaitsFor::Read(source) } else { WaitsFor::Write(source) };
        note(waker, on, at.into());
    });
    core.tasks.each_joiner(|key, waker| {
        let other = TaskId(key);
        // Nobody knows the line that awaits it: nothing was told of it when it began.
        state.tasks.get(&other.as_u64()).into_iter().for_each(|task| note(waker, WaitsFor::Join(other), task.at));
    });
    for (task, on, at) in waits {
        if let Some(task) = task {
            state.wait(TaskId(task).as_u64(), Waiting { on: on.into(), at, since: state.at });
        }
    }
}
