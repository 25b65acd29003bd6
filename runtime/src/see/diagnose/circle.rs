//! Circles: tasks of which each waits for nothing but the next one's end, so that none will ever go on.
//!
//! They are found in the event stream, however busy the rest of the loop is. Only joins can be followed:
//! what a task waits for outside the runtime, as on a lock of some library, has no name here.

use crate::ground::event::{Event, TaskId, WaitsFor};
use crate::heart::key::TaskKey;
use crate::see::diagnose::once::Once;
use crate::see::model::slots::Slots;

/// The joins, as far as they are all that their tasks wait for.
#[derive(Default)]
pub(super) struct Circles {
    /// The task that each waits for; `None` if it said to wait for something else as well.
    joins: Slots<Option<TaskId>>,
    /// The tasks that began to join since the last look.
    fresh: Once,
}

impl Circles {
    pub(super) fn note(&mut self, event: &Event<'_>) {
        match *event {
            Event::PollStart { task: TaskId(TaskKey(key)) } | Event::Finish { task: TaskId(TaskKey(key)), .. } => {
                self.joins.take(key);
            }
            Event::Wait { task: task @ TaskId(TaskKey(key)), on: WaitsFor::Join(other), .. } => {
                let only = self.joins.get(key).is_none_or(|joined| *joined == Some(other));
                self.joins.put(key, only.then_some(other));
                self.fresh.insert(task);
            }
            Event::Wait { task: TaskId(TaskKey(key)), .. } => self.joins.put(key, None),
            Event::WaitDropped { task: TaskId(TaskKey(key)), on: WaitsFor::Join(other) }
                if self.joins.get(key) == Some(&Some(other)) =>
            {
                self.joins.take(key);
            }
            _ => {}
        }
    }

    /// The circles that have closed since the last look, each from the first of its tasks round to the same.
    pub(super) fn closed(&mut self) -> Vec<Vec<TaskId>> {
        let mut found = Vec::new();
        // A task that was met on an earlier walk leads nowhere, or into a circle that is found.
        let mut met = Slots::default();
        for task in self.fresh.take() {
            let mut walk = Vec::new();
            let mut here = Some(task);
            while let Some(id) = here.filter(|id| met.add(id.0.0)) {
                walk.push(id);
                here = self.joins.get(id.0.0).copied().flatten();
            }
            let back = here.and_then(|back| walk.iter().position(|id| *id == back));
            let Some(back) = back else { continue };
            let mut circle = walk.split_off(back);
            let first = (0..circle.len()).min_by_key(|place| circle[*place]).unwrap_or(0);
            circle.rotate_left(first);
            circle.push(circle[0]);
            found.push(circle);
        }
        found
    }
}
