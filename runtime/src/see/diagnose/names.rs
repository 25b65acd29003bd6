//! Names: what a finding says of a task. The loop notes it, and the watching thread reads it.
//!
//! A name is a stranger's text of any length. It is copied once, when its task is spawned. A sentence is made of it
//! only for a finding, and after the lock is released: the loop may be waiting for that lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ground::event::{Place, TaskId, WaitsFor};
use crate::heart::key::{Key, TaskKey};
use crate::see::model::slots::Slots;
use crate::see::model::words::Named;

/// The tasks that live.
#[derive(Default)]
pub(super) struct Names(Mutex<Slots<Entry>>);

#[derive(Clone)]
struct Entry {
    name: Option<Arc<str>>,
    at: Place,
    /// The line of the future that it waited for last.
    waited_at: Option<Place>,
}

/// A task and what is known of it. Its `Display` is how a finding names it.
pub(super) struct Known(TaskId, Option<Entry>);

impl Names {
    pub(super) fn learn(&self, task: TaskId, name: Option<&str>, at: Place) {
        let entry = Entry { name: name.map(Arc::from), at, waited_at: None };
        self.lock().put(key(task), entry);
    }

    pub(super) fn waits(&self, task: TaskId, on: WaitsFor, at: Place) {
        let entries = &mut *self.lock();
        // A join whose own line is unknown is told by the line that spawned the other task: nobody waits there.
        let is_unknown =
            matches!(on, WaitsFor::Join(other) if entries.get(key(other)).is_some_and(|other| other.at == at));
        if let Some(entry) = entries.get_mut(key(task)) {
            entry.waited_at = (!is_unknown).then_some(at);
        }
    }

    pub(super) fn forget(&self, task: TaskId) {
        self.lock().take(key(task));
    }

    pub(super) fn known(&self, task: TaskId) -> Known {
        Known(task, self.lock().get(key(task)).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, Slots<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(TaskId(TaskKey(key)): TaskId) -> Key {
    key
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(task, entry) = self;
        let name = entry.as_ref().and_then(|entry| entry.name.as_deref());
        write!(f, "{}", Named(task.as_u64(), name))?;
        let Some(Entry { at, waited_at, .. }) = entry else { return Ok(()) };
        write!(f, " (spawned at {at}")?;
        if let Some(waited_at) = waited_at {
            write!(f, ", last waited at {waited_at}")?;
        }
        f.write_str(")")
    }
}
