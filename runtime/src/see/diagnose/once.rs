//! A list of tasks without doubles, that costs a poll little.

use crate::ground::event::TaskId;
use crate::see::model::slots::Slots;

/// Tasks, each once, in the order in which they came.
#[derive(Default)]
pub(super) struct Once {
    tasks: Vec<TaskId>,
    noted: Slots<()>,
    removed: usize,
}

impl Once {
    pub(super) fn insert(&mut self, task: TaskId) {
        if self.noted.add(task.0.0) {
            self.tasks.push(task);
        }
    }

    pub(super) fn remove(&mut self, task: TaskId) {
        if self.noted.take(task.0.0).is_none() {
            return;
        }
        self.removed += 1;
        // A loop that never sleeps takes none: those that are removed shall not become more and more.
        if self.removed > 64 && self.removed > self.tasks.len() / 2 {
            self.tasks.retain(|task| self.noted.get(task.0.0).is_some());
            self.removed = 0;
        }
    }

    pub(super) fn take(&mut self) -> Vec<TaskId> {
        self.removed = 0;
        let mut tasks = std::mem::take(&mut self.tasks);
        tasks.retain(|task| self.noted.take(task.0.0).is_some());
        tasks
    }
}
