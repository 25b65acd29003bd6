//! Counted wakers: how many wakers of each task are kept, in runtimes that are diagnosed.
//!
//! A task that waits, and has no waker left, can never be woken. To find it, each clone and each drop of
//! a waker is counted, on any thread. The wake itself is the plain waker's.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{RawWaker, RawWakerVTable};

use crate::heart::current::{REGISTRY, with_current};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::waker::{COUNTING, wake};

/// How many wakers of each task are kept; and by runtime the tasks whose last one went, until they are taken.
struct Counts {
    kept: HashMap<usize, usize, ByWord>,
    bereft: Vec<(u16, HashSet<usize, ByWord>)>,
}

type ByWord = BuildHasherDefault<WordHasher>;

/// A hasher for wake words. No outsider chooses these, so a simple one does: slots count up, and the high bits hold the
/// runtime.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, word: usize) {
        // An odd number without a pattern: 2^64 over the golden ratio.
        self.0 = (self.0 ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

static COUNTS: Mutex<Counts> = Mutex::new(Counts { kept: HashMap::with_hasher(ByWord::new()), bereft: Vec::new() });

fn counts() -> MutexGuard<'static, Counts> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The functions of a waker that is counted.
pub(crate) fn table() -> &'static RawWakerVTable {
    COUNTING.get_or_init(|| RawWakerVTable::new(clone, wake_and_drop, wake, drop_one))
}

/// How many wakers of this task anybody keeps.
pub(super) fn kept_wakers(task: TaskKey) -> usize {
    counts().kept.get(&WakeWord::new(task).0).copied().unwrap_or(0)
}

/// Takes the tasks of a runtime whose last waker went since the last time. A diagnosis takes them every turn.
pub(super) fn take_bereft(runtime: u32) -> impl Iterator<Item = WakeWord> {
    let mut words: Vec<_> = std::mem::take(counts().bereft_of(runtime as u16)).into_iter().collect();
    // Not in the order of a hash: findings come in the order of numbers.
    words.sort_unstable();
    words.into_iter().map(WakeWord)
}

#[cfg(test)]
pub(super) fn bereft(runtime: u32) -> usize {
    counts().bereft_of(runtime as u16).len()
}

fn clone(data: *const ()) -> RawWaker {
    *counts().kept.entry(data.addr()).or_default() += 1;
    RawWaker::new(data, table())
}

/// A task that was woken is polled again, and what it waits for then is looked at behind that poll.
fn wake_and_drop(data: *const ()) {
    wake(data);
    counts().one_less(data.addr());
}

fn drop_one(data: *const ()) {
    let mut counts = counts();
    let word = WakeWord(data.addr());
    let runtime = word.runtime();
    // A task that is being polled is looked at behind its poll. Nobody takes those of a runtime that is gone.
    if counts.one_less(data.addr()) && !is_polled(word) && REGISTRY.hint(runtime).is_some() {
        counts.bereft_of(runtime).insert(data.addr());
    }
}

fn is_polled(word: WakeWord) -> bool {
    let polled = with_current(|core| core.current_task()).flatten();
    polled.is_some_and(|task| WakeWord::new(task) == word)
}

impl Counts {
    /// A runtime's tasks whose last waker went. A program has few runtimes.
    fn bereft_of(&mut self, runtime: u16) -> &mut HashSet<usize, ByWord> {
        let known = self.bereft.iter().position(|(number, _)| *number == runtime);
        let place = known.unwrap_or_else(|| {
            self.bereft.push((runtime, HashSet::default()));
            self.bereft.len() - 1
        });
        &mut self.bereft[place].1
    }

    /// Counts one waker less. True if it was the last.
    fn one_less(&mut self, word: usize) -> bool {
        match self.kept.entry(word) {
            Entry::Occupied(mut kept) if *kept.get() > 1 => {
                *kept.get_mut() -= 1;
                false
            }
            Entry::Occupied(kept) => {
                kept.remove();
                true
            }
            Entry::Vacant(_) => true,
        }
    }
}
