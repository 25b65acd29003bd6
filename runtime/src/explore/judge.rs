//! The judge: it fails a run that does not fail by itself.
//!
//! It is an observer that panics with its finding. The loop lets an observer's panic go on between two steps of a turn.
//! So the run ends as if its own future had panicked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::quiet::last_panic;
use crate::ground::event::{Event, Finished, Observer, Place, TaskId};
use crate::heart::current::expect_current;
use crate::see::dump;
use crate::task::Heard;

/// How many polls a run may make. A program that should end and does not would be tried for ever.
const MOST_POLLS: usize = 1_000_000;

#[derive(Default)]
pub(super) struct Judge {
    polls: Cell<usize>,
    /// The lines that spawned the tasks.
    spawned: RefCell<BTreeMap<TaskId, Place>>,
    /// Tasks that panicked, and what is known of it.
    panicked: RefCell<BTreeMap<TaskId, String>>,
}

/// The judge, as an observer.
pub(super) struct Watching(pub(super) Rc<Judge>);

impl Observer for Watching {
    fn on_event(&self, _: Duration, event: &Event<'_>) {
        let Self(judge) = self;
        match *event {
            Event::Spawn { task, at, .. } => drop(judge.spawned.borrow_mut().insert(task, at)),
            Event::Finish { task, outcome } => judge.finished(task, outcome),
            Event::ParkStart { timeout: None } => look_if_stuck(),
            Event::TurnEnd { polls, .. } => {
                let core = expect_current("explore");
                let heard = core.annex.get::<Heard>();
                // Somebody may still hear of it for as long as its slot is kept.
                judge.look_for_unheard(|task| core.tasks.info(task.0).is_none() && !heard.of(task));
                judge.count(polls);
            }
            _ => {}
        }
    }
}

impl Judge {
    fn finished(&self, task: TaskId, outcome: Finished) {
        let spawned = self.spawned.borrow_mut().remove(&task);
        // The future of `block_on` is heard by its caller.
        if outcome == Finished::Panicked && task.slot() != 0 {
            let at = spawned.map_or_else(String::new, |at| format!(" (spawned at {at})"));
            let how = last_panic().unwrap_or_default();
            let text = format!("task {task}{at} panicked, and nobody joined it{how}");
            self.panicked.borrow_mut().insert(task, text);
        }
    }

    /// Fails the run if a task panicked of which this is so.
    pub(super) fn look_for_unheard(&self, is_unheard: impl Fn(TaskId) -> bool) {
        if let Some((_, text)) = self.panicked.borrow().iter().find(|(task, _)| is_unheard(**task)) {
            panic!("{text}");
        }
    }

    fn count(&self, polls: usize) {
        self.polls.set(self.polls.get() + polls);
        if self.polls.get() > MOST_POLLS {
            panic!("the program has not ended after {MOST_POLLS} polls\n{}", dump());
        }
    }
}

/// The loop is about to sleep for ever.
fn look_if_stuck() {
    let core = expect_current("explore");
    if !core.reactor.is_awaited() && core.outside_waits.get() == 0 {
        panic!(
            "the program is stuck: none of its tasks is ready, and there is no timer, socket or blocking job to \
             wait for\n{}",
            dump()
        );
    }
}
