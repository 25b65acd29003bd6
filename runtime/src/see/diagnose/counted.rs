//! Counted wakers: how many wakers of each task are kept, in runtimes that are diagnosed.
//!
//! A task that waits, and has no waker left, can never be woken. To find it, each clone and each drop of
//! a waker is counted, on any thread. The wake itself is the plain waker's.
//!
//! Most of them happen where the task's own loop runs. Its thread counts them in a table by slot, without a lock. All
//! others are counted in a map that all threads share. A waker may be cloned here and dropped there. Then one of the
//! counts is below zero, and their sum is right.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{RawWaker, RawWakerVTable};

use crate::heart::current::{REGISTRY, with_current};
use crate::heart::key::{TaskKey, WakeWord};
use crate::heart::waker::{COUNTING, wake};

/// Clones less drops of the wakers of each task, on a thread that runs their loop. A slot has the count of one task.
#[derive(Default)]
struct Here(Vec<(usize, isize)>);

/// All that was counted outside such a table.
struct Elsewhere {
    kept: HashMap<usize, isize, ByWord>,
    /// By runtime, the tasks whose last waker may have gone, until they are taken.
    bereft: Vec<(u16, HashSet<usize, ByWord>)>,
}

thread_local! {
    static HERE: RefCell<Here> = const { RefCell::new(Here(Vec::new())) };
}

static ELSEWHERE: Mutex<Elsewhere> =
    Mutex::new(Elsewhere { kept: HashMap::with_hasher(ByWord::new()), bereft: Vec::new() });

/// How many tasks the map has. While it has none, a loop need not lock it.
static COUNTED_ELSEWHERE: AtomicUsize = AtomicUsize::new(0);

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

fn elsewhere() -> MutexGuard<'static, Elsewhere> {
    ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The functions of a waker that is counted.
pub(crate) fn table() -> &'static RawWakerVTable {
    COUNTING.get_or_init(|| RawWakerVTable::new(clone, wake_and_drop, wake, drop_one))
}

/// How many wakers of this task anybody keeps. It must be asked on the thread of the task's loop.
#[inline]
pub(super) fn kept_wakers(task: TaskKey) -> usize {
    let kept = HERE.try_with(|here| here.borrow_mut().kept(WakeWord::new(task)));
    usize::try_from(kept.unwrap_or_default()).unwrap_or_default()
}

/// Takes the tasks of a runtime whose last waker may have gone since the last time. A diagnosis takes them every turn.
pub(super) fn take_bereft(runtime: u32) -> impl Iterator<Item = WakeWord> {
    let mut words: Vec<_> = std::mem::take(elsewhere().bereft_of(runtime as u16)).into_iter().collect();
    // Not in the order of a hash: findings come in the order of numbers.
    words.sort_unstable();
    words.into_iter().map(WakeWord)
}

#[cfg(test)]
pub(super) fn bereft(runtime: u32) -> usize {
    elsewhere().bereft_of(runtime as u16).len()
}

fn clone(data: *const ()) -> RawWaker {
    count(WakeWord(data.addr()), 1);
    RawWaker::new(data, table())
}

/// A task that was woken is polled again, and what it waits for then is looked at behind that poll.
fn wake_and_drop(data: *const ()) {
    wake(data);
    count(WakeWord(data.addr()), -1);
}

fn drop_one(data: *const ()) {
    let word = WakeWord(data.addr());
    let is_here = count(word, -1);
    // Another thread cannot tell, so it might be the last.
    let may_be_last = !is_here || HERE.try_with(|here| here.borrow_mut().kept(word) <= 0).unwrap_or(true);
    // A task that is being polled is looked at behind its poll. Nobody takes those of a runtime that is gone.
    if may_be_last && !is_polled(word) && REGISTRY.hint(word.runtime()).is_some() {
        elsewhere().bereft_of(word.runtime()).insert(word.0);
    }
}

fn is_polled(word: WakeWord) -> bool {
    let polled = with_current(|core| core.current_task()).flatten();
    polled.is_some_and(|task| WakeWord::new(task) == word)
}

/// Counts clones or, below zero, drops. Returns whether that was where the task's loop runs.
#[inline]
fn count(word: WakeWord, by: isize) -> bool {
    let is_home = with_current(|core| core.number as u16 == word.runtime()) == Some(true);
    // At the end of a thread its table may be gone.
    let is_counted = is_home && HERE.try_with(|here| *here.borrow_mut().of(word) += by).is_ok();
    if !is_counted {
        elsewhere().count(word.0, by);
    }
    is_counted
}

impl Here {
    /// This thread's count of a task.
    #[inline]
    fn of(&mut self, word: WakeWord) -> &mut isize {
        let slot = word.slot();
        if self.0.len() <= slot {
            self.0.resize(slot + 1, (0, 0));
        }
        let (known, kept) = &mut self.0[slot];
        if *known != word.0 {
            let (former, left) = (std::mem::replace(known, word.0), std::mem::take(kept));
            // Somebody may still keep wakers of the slot's former tenant.
            if left != 0 {
                elsewhere().count(former, left);
            }
        }
        kept
    }

    /// How many wakers of a task are kept. This takes over what others have counted up to now.
    #[inline]
    fn kept(&mut self, word: WakeWord) -> isize {
        let kept = self.of(word);
        if COUNTED_ELSEWHERE.load(Ordering::Acquire) > 0 {
            *kept += elsewhere().take(word.0);
        }
        *kept
    }
}

/// The thread ends, and its wakers may have gone to others.
impl Drop for Here {
    fn drop(&mut self) {
        let mut elsewhere = elsewhere();
        self.0.drain(..).for_each(|(word, kept)| elsewhere.count(word, kept));
    }
}

impl Elsewhere {
    /// A runtime's tasks whose last waker may have gone. A program has few runtimes.
    fn bereft_of(&mut self, runtime: u16) -> &mut HashSet<usize, ByWord> {
        let known = self.bereft.iter().position(|(number, _)| *number == runtime);
        let place = known.unwrap_or_else(|| {
            self.bereft.push((runtime, HashSet::default()));
            self.bereft.len() - 1
        });
        &mut self.bereft[place].1
    }

    fn count(&mut self, word: usize, by: isize) {
        let kept = self.take(word) + by;
        if kept != 0 {
            self.kept.insert(word, kept);
        }
        COUNTED_ELSEWHERE.store(self.kept.len(), Ordering::Release);
    }

    fn take(&mut self, word: usize) -> isize {
        let kept = self.kept.remove(&word).unwrap_or_default();
        COUNTED_ELSEWHERE.store(self.kept.len(), Ordering::Release);
        kept
    }
}
