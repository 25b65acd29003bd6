//! Askers: who asked for a task's end, in words.

use std::fmt;

use crate::ground::failure::Asker;
use crate::ground::shown::Shown;
use crate::heart::core::Core;
use crate::heart::key::TaskKey;

/// The one who asks now, on the loop's thread.
pub(crate) fn asker(core: &Core) -> Asker {
    match core.current_task() {
        Some(task) => Asker::Task(task, core.tasks.info(task).and_then(|info| info.name)),
        None => Asker::NoTask,
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task, name) => f.write_str(&describe(*task, name.as_deref())),
            Self::NoTask => f.write_str("code outside any task"),
            Self::AnotherThread => f.write_str("another thread"),
        }
    }
}

pub(crate) fn describe(task: TaskKey, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("task {} {}", task.0.serial, Shown(name)),
        None => format!("task {}", task.0.serial),
    }
}
