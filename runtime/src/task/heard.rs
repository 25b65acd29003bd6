//! Panics that were heard: which tasks' panics were given to somebody who joined them.
//!
//! Most programs do not ask, so only a runtime that is told to keeps them. `explore` tells it, because there a panic
//! that nobody hears of is a failure.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::ground::event::TaskId;

/// The tasks whose panic somebody was given, in a runtime that asks for it.
#[derive(Default)]
pub(crate) struct Heard(RefCell<Option<BTreeSet<TaskId>>>);

impl Heard {
    pub(crate) fn start(&self) {
        self.0.replace(Some(BTreeSet::new()));
    }

    pub(crate) fn of(&self, task: TaskId) -> bool {
        self.0.borrow().as_ref().is_some_and(|tasks| tasks.contains(&task))
    }

    pub(super) fn note(&self, task: TaskId) {
        if let Some(tasks) = &mut *self.0.borrow_mut() {
            tasks.insert(task);
        }
    }
}
