//! The state of the live stores: what can be said of a loop without having seen any of its events.
//!
//! The stores keep what the loop needs and no history. Only events tell how often a task was polled, who woke it, since
//! when it waits, and who set a timer. Here these are zero, nobody and now.

use std::ops::Range;
use std::time::Duration;

use crate::ground::event::{Place, Readiness, SourceId, TaskId, TimerId, WaitsFor};
use crate::heart::core::Core;
use crate::heart::current::expect_current;
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::peek::task_of;
use crate::heart::reactor::Direction;
use crate::heart::tasks::peek::{self, Row};
use crate::see::model::ndjson::Run;
use crate::see::model::state::{Phase, State};
use crate::see::model::things::{On, Source, Task, TaskState, Timer, Waiting, Who};

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

/// A plain copy of the live stores. Making it holds up the loop, so nothing is searched or sorted meanwhile. Those who
/// read it do that, later or on another thread. A [`Copying`] makes it in parts.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) at: Duration,
    pub(crate) turn: u64,
    pub(crate) running: Option<TaskKey>,
    /// Those that are over, too.
    pub(crate) tasks: Vec<Row>,
    /// The ready queue, in its order, with words of tasks that are over.
    pub(crate) ready: Vec<WakeWord>,
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

/// A copy of the live stores that is not whole yet.
///
/// The loop runs on between two shares. Its events tell of all that is younger than the copy's beginning, so that is
/// left out here. A thing that is older is copied as it is when its share comes. To apply the events since the
/// beginning once more to it changes nothing: each says how something is from then on. Only a thing that goes
/// before its share comes is in no copy, and its last events are about nothing.
pub(crate) struct Copying {
    live: Live,
    /// The next slot of tasks, timers and sources, how many there were, and the newest serial.
    stores: [(usize, usize, u64); 3],
    /// Whether events may have come since the beginning.
    is_late: bool,
}

impl Copying {
    /// A copy that has the ready queue, which is a list of numbers, and nothing else yet. It has room for the rest: a
    /// list that grew would be moved, all of it in one turn.
    pub(crate) fn begin(core: &Core) -> Self {
        let (at, turn) = (core.timers.uptime(), core.counters.turns.get());
        let ready = core.tasks.with_queue(|ready| ready.iter().copied().collect());
        let [tasks, timers, sources] =
            [(core.tasks.slots(), core.tasks.last_serial()), core.timers.extent(), core.reactor.extent()];
        let live = Live {
            at,
            turn,
            running: core.current_task(),
            tasks: Vec::with_capacity(tasks.0),
            ready,
            timers: Vec::with_capacity(timers.0),
            sources: Vec::with_capacity(sources.0),
            waits: Vec::with_capacity(tasks.0 + sources.0),
        };
        let stores = [tasks, timers, sources].map(|(slots, newest)| (0, slots, newest));
        Self { live, stores, is_late: false }
    }

    /// Copies on, at most `most` slots. Returns whether the copy is whole.
    pub(crate) fn go_on(&mut self, core: &Core, mut most: usize) -> bool {
        let is_late = std::mem::replace(&mut self.is_late, true);
        let [tasks, timers, sources] = self.stores.each_mut().map(|(next, slots, newest)| {
            let share = *next..(*slots).min(next.saturating_add(most));
            (*next, most) = (share.end, most - share.len());
            (share, *newest)
        });
        self.live.copy_tasks(core, tasks, is_late);
        self.live.copy_timers(core, timers);
        self.live.copy_sources(core, sources);
        self.stores.iter().all(|(next, slots, _)| next == slots)
    }

    /// The copy, as far as it goes.
    pub(crate) fn end(self) -> Live {
        self.live
    }
}

impl Live {
    pub(crate) fn of(core: &Core) -> Self {
        let mut copying = Copying::begin(core);
        copying.go_on(core, usize::MAX);
        copying.end()
    }

    fn copy_tasks(&mut self, core: &Core, (slots, newest): (Range<usize>, u64), is_late: bool) {
        let running = if is_late { core.current_task() } else { self.running };
        core.tasks.each_row(slots, running, |mut row, joiner| {
            if row.key.0.serial > newest {
                return;
            }
            if let Some(task) = joiner.and_then(|joiner| task_of(core, joiner)) {
                self.waits.push(LiveWait { task, on: WaitsFor::Join(TaskId(row.key)), at: None });
            }
            // The task that was running at the beginning is known.
            if is_late && row.state == peek::State::Running {
                row.state = peek::State::Waiting;
            }
            self.tasks.push(row);
        });
    }

    fn copy_timers(&mut self, core: &Core, (slots, newest): (Range<usize>, u64)) {
        core.timers.each_waiter(slots, |key, deadline, waker, at| {
            if key.0.serial <= newest {
                let waiter = task_of(core, waker);
                self.timers.push(LiveTimer { timer: TimerId(key), deadline, at: at.into(), waiter });
            }
        });
    }

    fn copy_sources(&mut self, core: &Core, (slots, newest): (Range<usize>, u64)) {
        core.reactor.each_source(slots.clone(), |key, latches, at| {
            if key.0.serial <= newest {
                self.sources.push((SourceId(key), latches.readiness(), at.into()));
            }
        });
        core.reactor.each_waiter(slots, |key, direction, waker, at| {
            let on = if direction == Direction::Read { WaitsFor::Read } else { WaitsFor::Write };
            if let Some(task) = task_of(core, waker).filter(|_| key.0.serial <= newest) {
                self.waits.push(LiveWait { task, on: on(SourceId(key)), at: Some(at.into()) });
            }
        });
    }
}

impl Live {
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
        for word in &self.ready {
            // The tasks are in the order of their slots.
            let row = self.tasks.binary_search_by_key(&word.slot(), |row| row.key.0.slot as usize);
            let task = row.ok().map(|row| TaskId(self.tasks[row].key).as_u64());
            task.filter(|task| word.fits(*task)).into_iter().for_each(|task| state.enqueue(task));
        }
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
