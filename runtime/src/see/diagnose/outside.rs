//! Outside: whether anybody there could still wake a loop whose own tasks all wait.

use std::fs::{self, DirEntry};
use std::sync::Arc;

use crate::heart::core::Core;
use crate::heart::key::TaskKey;
use crate::heart::peek::word_of;
use crate::see::diagnose::counted::kept_wakers;
use crate::see::helper::NAMED;
use crate::see::model::dump::TaskRow;
use crate::see::model::numbered::Numbered;

/// Whether anybody but the loop's own tasks may hold one of their wakers, or a handle that spawns.
/// Wakers that wait for a task's end are the loop's own; those in a channel may be anybody's.
pub(super) fn somebody_outside(core: &Core) -> bool {
    // The core has one, and every handle.
    if Arc::strong_count(&core.counters) > 1 {
        return true;
    }
    let mut joiners: Numbered<usize> = Numbered::default();
    core.tasks.each_joiner(|_, waker| {
        let task = word_of(waker).and_then(|word| core.tasks.named_by(word)).unwrap_or(TaskKey::NOBODY);
        *joiners.get_or_insert_with(task.0.serial, || 0) += 1;
    });
    let rows = core.tasks.rows(core.current_task());
    let mut waiting = rows.iter().map(|row| row.key).filter(|key| core.tasks.is_waiting(*key));
    // This one is the loop's.
    let other_threads = threads().is_none_or(|threads| threads > 1);
    other_threads && waiting.any(|key| kept_wakers(key) > joiners.get(&key.0.serial).copied().unwrap_or(0))
}

/// How many threads this process has, helpers of a loop apart, where the system says.
fn threads() -> Option<usize> {
    let is_helper =
        |thread: &DirEntry| fs::read_to_string(thread.path().join("comm")).is_ok_and(|n| n.starts_with(NAMED));
    Some(fs::read_dir("/proc/self/task").ok()?.flatten().filter(|thread| !is_helper(thread)).count())
}

/// The waits of a task in words, and whether the runtime cannot see some of them.
pub(super) fn waits_of(task: &TaskRow) -> (Vec<String>, bool) {
    let mut waits: Vec<_> = task.waits.iter().map(ToString::to_string).collect();
    let unseen = kept_wakers(task.id.0).saturating_sub(waits.len());
    if unseen > 0 {
        waits.push(unseen_wait(unseen));
    } else if waits.is_empty() {
        waits.push(String::from("nothing: no waker of it is left"));
    }
    (waits, unseen > 0)
}

/// A waker says whose it is, not who keeps it: of what is no timer, socket or join, no more is known.
fn unseen_wait(wakers: usize) -> String {
    let wakers = if wakers == 1 { String::from("a waker") } else { format!("{wakers} wakers") };
    format!("something outside the runtime that keeps {wakers} of it, such as a lock or a channel")
}
