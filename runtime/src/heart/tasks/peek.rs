//! Peeking: what a dump, a diagnosis and a search ask the task store and its queue. No turn needs it.

use std::ops::Range;
use std::task::Waker;

use super::{Info, Life, ROOT, Tasks};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::ready::Ready;

/// A task, as a dump shows it.
pub(crate) struct Row {
    pub(crate) key: TaskKey,
    pub(crate) info: Info,
    pub(crate) state: State,
}

/// The state of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It waits for a wake.
    Waiting,
    /// It is in the ready queue.
    Ready,
    /// It is being polled, or dropped.
    Running,
    /// It is over, and nobody has taken its outcome.
    Done,
}

impl Tasks {
    /// The ready queue, for those who show it or limit its picks.
    pub(crate) fn with_queue<R>(&self, look: impl FnOnce(&mut Ready<WakeWord>) -> R) -> R {
        look(&mut self.inner.borrow_mut().ready)
    }

    /// How many empty bodies are kept for the next tasks.
    #[allow(dead_code, reason = "asked by a test of the store alone")]
    pub(crate) fn spares(&self) -> usize {
        self.inner.borrow().slots.iter().filter(|slot| slot.serial == 0 && slot.body.is_some()).count()
    }

    /// Whether the task waits for a wake.
    pub(crate) fn is_waiting(&self, key: TaskKey) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        inner.find(key).is_some_and(|slot| slot.life == Life::Waiting)
    }

    /// How many slots there are.
    pub(crate) fn slots(&self) -> usize {
        self.inner.borrow().slots.len()
    }

    /// The serial of the newest task.
    pub(crate) fn last_serial(&self) -> u64 {
        self.inner.borrow().last_serial
    }

    /// Every task that has a slot, the root future first. The caller knows which one is `running`.
    pub(crate) fn rows(&self, running: Option<TaskKey>) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.slots());
        self.each_row(0..self.slots(), running, |row, _| rows.push(row));
        rows
    }

    /// The tasks in these slots, each with the waker that waits for its end, visited by `look`, which must not be
    /// foreign code.
    pub(crate) fn each_row(
        &self,
        slots: Range<usize>,
        running: Option<TaskKey>,
        mut look: impl FnMut(Row, Option<&Waker>),
    ) {
        let inner = self.inner.borrow();
        for index in slots.start..slots.end.min(inner.slots.len()) {
            let slot = &inner.slots[index];
            let state = match (slot.life, &slot.body, index) {
                _ if slot.serial == 0 => continue,
                (Life::Gone, _, ROOT) => continue,
                (Life::Returned | Life::Failed | Life::Gone, ..) => State::Done,
                (Life::Ready | Life::ReadyToDrop, ..) => State::Ready,
                (Life::Waiting, Some(_), _) => State::Waiting,
                (Life::Waiting, None, ROOT) if running != Some(self.key(ROOT, slot.serial)) => State::Waiting,
                (Life::Waiting, None, _) => State::Running,
            };
            let info = inner.info(index as u32);
            look(Row { key: self.key(index, slot.serial), info, state }, slot.joiner.as_ref());
        }
    }

    /// Every waker that waits for a task's end, visited by `look`, which must not be foreign code.
    pub(crate) fn each_joiner(&self, mut look: impl FnMut(TaskKey, &Waker)) {
        for (index, slot) in self.inner.borrow().slots.iter().enumerate() {
            if let Some(waker) = &slot.joiner {
                look(self.key(index, slot.serial), waker);
            }
        }
    }
}

impl<T> Ready<T> {
    /// Leaves only the first `most_picks` picks to the seed. Those that come later are in order.
    pub(crate) fn limit_picks(&mut self, most_picks: u64) {
        self.random.iter_mut().for_each(|random| random.most_picks = most_picks);
    }

    /// How many picks the seed has decided.
    pub(crate) fn picks(&self) -> u64 {
        self.random.as_ref().map_or(0, |random| random.picks)
    }

    /// The seed that it was given.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.random.as_ref().map(|random| random.seed)
    }

    /// All that is queued, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.now[self.taken..].iter().chain(&self.later)
    }
}
