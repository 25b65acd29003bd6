//! The dump: every task of the running loop, and what it waits for.
//!
//! Nothing is kept for it while the loop runs. If an observer follows the events, the dump has what they told, too.
//! Otherwise it says how to have them followed. The waits of a task are found through the wakers that the stores hold:
//! a waker is a task's number.

use std::fmt;
use std::time::Duration;

use crate::ground::event::{Place, SourceId, TaskId, TimerId, WaitsFor};
use crate::ground::span::Span;
use crate::heart::core::Core;
use crate::heart::current::expect_current;
use crate::heart::peek::word_of;
use crate::heart::reactor::Direction;
use crate::heart::tasks::peek;
use crate::see::model::kept::Kept;
use crate::see::model::state::State;
use crate::see::model::table::{Row, table};
use crate::see::model::things::{Past, TaskState};
use crate::see::model::words::wait_in_words;

/// The lines below a table where nobody has followed the events.
const UNKNOWN: &str = "\
nobody has followed the events, which tell the rest: ONELOOP_DIAGNOSE=1 or ONELOOP_LOG=1 has it done in any
program, and in its code Builder::diagnose, or an observer such as see::Ring";

/// The task table of the runtime that runs on this thread, as of now.
///
/// Since when a task waits, its polls and who woke it last are known only where somebody has followed the
/// events: see [`TaskRow::past`]. Elsewhere the table says so.
///
/// # Panics
///
/// If no runtime runs on this thread.
///
/// ```
/// # oneloop::run(async {
/// let reader = oneloop::task::Builder::new().name("reader").spawn(std::future::pending::<()>());
/// oneloop::task::yield_now().await;
/// let dump = oneloop::see::dump();
/// assert!(dump.tasks.iter().any(|task| task.name.as_deref() == Some("reader")));
/// println!("{dump}");
/// # drop(reader); });
/// ```
#[track_caller]
pub fn dump() -> Dump {
    Dump::of(&expect_current("oneloop::see::dump"))
}

/// Every task, in the order of the slots. Its `Display` is a table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// The tasks.
    pub tasks: Vec<TaskRow>,
}

/// A task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskRow {
    /// Its id.
    pub id: TaskId,
    /// Its name, if it was given one; "main" is the future of `block_on`.
    pub name: Option<String>,
    /// Its state.
    pub state: TaskState,
    /// The line that spawned it.
    pub spawned: Place,
    /// The things it waits for: any of these will wake it. A wait outside the runtime, as on a
    /// channel, is not known here.
    pub waits: Vec<Wait>,
    /// Its past, where somebody has followed the events: a [`Ring`](crate::see::Ring), the
    /// diagnosis, or whatever the environment has asked for, such as `ONELOOP_LOG=1`.
    pub past: Option<Past>,
}

impl From<peek::State> for TaskState {
    fn from(state: peek::State) -> Self {
        match state {
            peek::State::Waiting => Self::Waiting,
            peek::State::Ready => Self::Ready,
            peek::State::Running => Self::Running,
            peek::State::Done => Self::Done,
        }
    }
}

/// Something a task waits for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// The thing itself.
    pub on: WaitsFor,
    /// The line that made the future that waits. For a join it is the line that awaits it, and known only where
    /// somebody has followed the events.
    pub at: Option<Place>,
    /// For a timer: how long until it is due.
    pub left: Option<Duration>,
}

impl Dump {
    pub(crate) fn of(core: &Core) -> Self {
        let mut tasks: Vec<_> = core.tasks.rows(core.current_task()).iter().map(TaskRow::new).collect();
        let mut note = |waker: &std::task::Waker, wait: Wait| {
            let Some(word) = word_of(waker).filter(|word| word.runtime() == core.number as u16) else { return };
            let waiter = tasks.binary_search_by_key(&word.slot(), |task| task.id.slot() as usize);
            if let Some(task) = waiter.ok().map(|row| &mut tasks[row]).filter(|task| word.fits(task.id.as_u64())) {
                task.waits.push(wait);
            }
        };
        let now = core.timers.uptime();
        core.timers.each_waiter(0..usize::MAX, |timer, deadline, waker, at| {
            let left = Some(deadline.saturating_sub(now));
            note(waker, Wait { on: WaitsFor::Timer(TimerId(timer)), at: Some(at.into()), left });
        });
        core.reactor.each_waiter(0..usize::MAX, |source, direction, waker, at| {
            let source = SourceId(source);
            let on = if direction == Direction::Read { WaitsFor::Read(source) } else { WaitsFor::Write(source) };
            note(waker, Wait { on, at: Some(at.into()), left: None });
        });
        core.tasks.each_joiner(|task, waker| {
            note(waker, Wait { on: WaitsFor::Join(TaskId(task)), at: None, left: None });
        });
        if let Some(state) = Kept::state_of(core) {
            tasks.iter_mut().for_each(|row| row.recall(&state, now));
        }
        Self { tasks }
    }
}

impl TaskRow {
    fn new(row: &peek::Row) -> Self {
        let id = TaskId(row.key);
        let state = row.state.into();
        let name = row.info.name.as_deref().or_else(|| (id.slot() == 0).then_some("main")).map(String::from);
        Self { id, name, state, spawned: row.info.at, waits: Vec::new(), past: None }
    }
}

impl TaskRow {
    /// The past that the events have told.
    fn recall(&mut self, state: &State, now: Duration) {
        let Some(task) = state.tasks.get(&self.id.as_u64()) else { return };
        self.past = Some(Past::of(task, now));
        for wait in self.waits.iter_mut().filter(|wait| wait.at.is_none()) {
            wait.at = task.waits.iter().find(|told| told.on == wait.on.into()).and_then(|told| state.waits_at(told));
        }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.tasks.iter().map(|task| Row {
            task: task.id.as_u64(),
            name: task.name.as_deref(),
            state: task.state,
            past: task.past.clone(),
            spawned: task.spawned,
            waits: task.waits.iter().map(ToString::to_string).collect(),
        });
        f.write_str(&table(rows))?;
        if self.tasks.iter().all(|task| task.past.is_none()) {
            writeln!(f, "{UNKNOWN}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let due = self.left.map(|left| format!("due in {}", Span(left)));
        f.write_str(&wait_in_words(self.on.into(), due, self.at, None))
    }
}
