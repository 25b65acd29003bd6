//! The task store: a slab of task bodies and the queue of those that are ready.
//!
//! It is a pure data structure: it polls nothing, wakes nobody and knows no clock. It owns every body
//! and gives it out *by value* for a poll, so no borrow of the store is alive while foreign code runs.
//!
//! A task's life, each edge with the function that takes it:
//!
//! ```text
//!                  1 insert           2 next                5 finish
//!     (no slot) ------------> Ready ----------> Running ----------------> Done
//!                             ^   ^               | |                       |
//!                             |   '- 4 put_back --' | 3 put_back            | 6 take_output / detach
//!                             |      after a wake   v                       v
//!                             '------ wake ------ Waiting               (no slot)
//! ```
//!
//! `abort` only leaves a note and queues the task. Then `next` gives the body out to be dropped instead of polled. So
//! `abort` itself runs no foreign code.
//!
//! A slot's [`Life`] says the state in more detail. Running is `Waiting` with the body out, and a wake makes it `Ready`
//! at once. Done is `Returned` or `Failed`. A detached task is never Done: after `finish`, `forget` vacates its slot.
//!
//! The queue holds plain numbers. Two rules make that safe:
//!
//! 1. An entry, like any wake, is checked against the serial of the slot's tenant *before* the state is read. A state
//!    found by slot alone would let a stale wake swallow a real one.
//! 2. The state leaves Ready before the poll, so that a wake during the poll queues the task again.

mod body;
pub(crate) mod peek;

use std::any::Any;
use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;

use crate::ground::failure::{Abort, Failure};
use crate::ground::place::Place;
use crate::heart::key::{Key, MAX_SLOTS, TaskKey, WakeWord};
use crate::heart::ready::Ready;

pub(crate) use self::body::Body;
use self::body::body;

/// A task's name, and the line that spawned it.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) at: Place,
}

/// The next thing to do.
pub(crate) enum Step {
    Poll(WakeWord, Body),
    /// Poll the root future, which its caller holds.
    PollRoot,
    /// Empty the body: the task was aborted.
    Drop(WakeWord, Body, Box<Failure>),
}

/// The answer to one who asks why a task has no output.
pub(crate) enum Answer {
    /// Not over yet, or its output is there to be taken.
    Pending,
    Failed(Box<Failure>, Info),
    /// The slot's tenant is another one: the outcome was taken before.
    Gone,
}

/// The rest of a task, to be woken or dropped with no borrow of the store alive. Body and failure are those of a task
/// that nobody will join.
#[derive(Default)]
pub(crate) struct Left {
    pub(crate) joiner: Option<Waker>,
    pub(crate) body: Option<Body>,
    pub(crate) failure: Option<Box<Failure>>,
}

/// The answer to a wake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    Queued,
    AlreadyQueued,
    Stale,
}

/// The slot of the future of `block_on`.
const ROOT: usize = 0;

/// How many slots, the first of all, keep an empty body for their next task. More would keep the memory of a peak for
/// ever.
const MOST_SPARES: usize = 256;

/// Ends the list of vacant slots: it is no slot's number.
const NONE: u32 = u32::MAX;

/// A task's place. A vacant one has serial 0, and perhaps an empty body for the next task. The root's keeps its last
/// serial, and is `Gone`.
struct Slot {
    serial: u64,
    /// `None` while it is given out, in the root slot, and in a vacant slot without a spare.
    body: Option<Body>,
    joiner: Option<Waker>,
    at: &'static Location<'static>,
    life: Life,
    /// Whether nobody will join it.
    is_detached: bool,
    /// In a vacant slot, the next one, or `NONE`.
    next_vacant: u32,
}

const _: () = assert!(size_of::<Slot>() <= 56, "a slot's size is a task's cost: change it knowingly");

/// The state of a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Life {
    /// Not in the queue: it waits for a wake, or runs.
    Waiting,
    /// In the queue.
    Ready,
    /// In the queue, to be dropped when its turn comes: there is an abort.
    ReadyToDrop,
    /// Done, and its output lies in the body. From here on, a wake is stale.
    Returned,
    /// Done, and its failure is kept apart.
    Failed,
    /// Over, and nothing is kept for anybody. A vacant slot has this state as well.
    Gone,
}

/// The parts of a task that only few tasks have.
#[derive(Default)]
struct Rare {
    name: Option<Arc<str>>,
    /// The line that spawned it, if the program says one.
    place: Option<Place>,
    /// The note of an abort that is to come; later, why the task failed.
    failure: Option<Box<Failure>>,
}

/// The store.
pub(crate) struct Tasks {
    runtime: u32,
    inner: RefCell<Inner>,
}

struct Inner {
    slots: Vec<Slot>,
    /// The first of the slots without a tenant, each of which knows the next.
    vacant: u32,
    /// By slot, what is not kept in `Slot`, so that a million tasks stay small.
    rare: Vec<Option<Box<Rare>>>,
    ready: Ready<WakeWord>,
    /// How many entries of the queue belong to tasks that ended after they were woken.
    stale: usize,
    last_serial: u64,
    /// Tasks that are not over.
    live: usize,
}

impl Tasks {
    /// An empty store. With a seed, [`next`](Self::next) picks among the ready tasks by a generator that starts
    /// there. Without, tasks come in the order in which they were queued.
    pub(crate) fn new(runtime: u32, seed: Option<u64>) -> Self {
        let (slots, ready) = (vec![Slot::vacant(Location::caller())], Ready::new(seed));
        let inner = Inner { slots, vacant: NONE, rare: Vec::new(), ready, stale: 0, last_serial: 0, live: 0 };
        Self { runtime, inner: RefCell::new(inner) }
    }

    /// How many tasks are not over, the root future not counted.
    pub(crate) fn live(&self) -> usize {
        self.inner.borrow().live
    }

    /// How many tasks are ready, the root future counted.
    pub(crate) fn ready(&self) -> usize {
        let inner = self.inner.borrow();
        inner.ready.len() - inner.stale
    }

    /// Takes a task in and queues it. If the vacant slot that it gets has an empty body that fits, that is used again.
    ///
    /// # Panics
    ///
    /// If there are 2^24 - 1 tasks.
    #[inline]
    pub(crate) fn insert<F>(&self, future: F, at: &'static Location<'static>) -> TaskKey
    where
        F: Future<Output: 'static> + 'static,
    {
        let inner = &mut *self.inner.borrow_mut();
        if inner.vacant == NONE {
            inner.add_slot(at);
        }
        let index = inner.vacant;
        inner.last_serial += 1;
        inner.live += 1;
        let key = self.key(index as usize, inner.last_serial);
        inner.ready.push(WakeWord::new(key));
        let slot = &mut inner.slots[index as usize];
        inner.vacant = slot.next_vacant;
        (slot.serial, slot.at, slot.life, slot.is_detached) = (key.0.serial, at, Life::Ready, false);
        let spare = slot.body.take();
        fill(&mut slot.body, body(future, spare));
        key
    }

    /// Gives a task its name, and a place that replaces the line of Rust that spawned it, where there are any.
    pub(crate) fn give_name(&self, key: TaskKey, name: Option<&str>, place: Option<Place>) {
        let inner = &mut *self.inner.borrow_mut();
        if (name.is_some() || place.is_some()) && inner.find(key).is_some() {
            let rare = inner.rare(key.0.slot as usize);
            (rare.name, rare.place) = (name.map(Arc::from), place);
        }
    }

    /// Gives the root slot a new tenant and queues it.
    pub(crate) fn start_root(&self, at: &'static Location<'static>) -> TaskKey {
        let inner = &mut *self.inner.borrow_mut();
        inner.last_serial += 1;
        let (key, slot) = (self.key(ROOT, inner.last_serial), &mut inner.slots[ROOT]);
        (slot.serial, slot.at, slot.life) = (key.0.serial, at, Life::Ready);
        inner.ready.push(WakeWord::new(key));
        key
    }

    /// Closes the root slot.
    pub(crate) fn end_root(&self) {
        self.inner.borrow_mut().end(ROOT, Life::Gone);
    }

    /// Queues the task that a waker names, unless it is queued or gone. The caller has compared the word's runtime
    /// bits. The word is queued unchanged, and the waker of the next poll is made of it.
    #[inline]
    pub(crate) fn wake(&self, word: WakeWord) -> Woken {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.slots.get_mut(word.slot()) else { return Woken::Stale };
        // Rule 1: the serial is checked before the state.
        if !word.fits(slot.serial) {
            return Woken::Stale;
        }
        if slot.life != Life::Waiting {
            return if slot.life.is_over() { Woken::Stale } else { Woken::AlreadyQueued };
        }
        slot.life = Life::Ready;
        inner.ready.push(word);
        Woken::Queued
    }

    /// The task that a waker names, if it is one of this runtime's and still has its slot.
    pub(crate) fn named_by(&self, word: WakeWord) -> Option<TaskKey> {
        let inner = self.inner.borrow();
        let slot = inner.slots.get(word.slot()).filter(|slot| slot.serial != 0 && word.fits(slot.serial))?;
        if word.runtime() != self.runtime as u16 {
            return None;
        }
        Some(self.key(word.slot(), slot.serial))
    }

    /// Takes the next ready task out of the queue, and its body out of its slot.
    #[inline(always)]
    pub(crate) fn next(&self) -> Option<Step> {
        let inner = &mut *self.inner.borrow_mut();
        loop {
            let word = inner.ready.pop()?;
            let Some(slot) = inner.slots.get_mut(word.slot()) else { continue };
            if !word.fits(slot.serial) || slot.life != Life::Ready {
                if let Some(step) = inner.next_to_drop(word) {
                    return Some(step);
                }
                continue;
            }
            // Rule 2: the state leaves Ready before the poll.
            slot.life = Life::Waiting;
            match slot.body.take() {
                Some(body) => return Some(Step::Poll(word, body)),
                None if word.slot() == ROOT => return Some(Step::PollRoot),
                // `take` has given this body out, to be dropped at the end of the runtime.
                None => {}
            }
        }
    }

    /// Puts a body back after a poll that was not its last.
    #[inline(always)]
    pub(crate) fn put_back(&self, word: WakeWord, body: Body) {
        // A body that was given out keeps its slot until it is put back or finished.
        let slot = &mut self.inner.borrow_mut().slots[word.slot()];
        fill(&mut slot.body, body);
    }

    /// Ends a task whose body was given out; its future is dropped by now. The caller wakes the joiner. If nobody will
    /// join the task, the caller gets the body back, empties it, and then calls [`forget`](Self::forget).
    #[inline]
    pub(crate) fn finish(&self, word: WakeWord, body: Body, failure: Option<Box<Failure>>) -> Left {
        let inner = &mut *self.inner.borrow_mut();
        inner.live -= 1;
        if inner.slots[word.slot()].is_detached {
            inner.end(word.slot(), Life::Gone);
            return Left { joiner: None, body: Some(body), failure };
        }
        let slot = inner.end(word.slot(), if failure.is_some() { Life::Failed } else { Life::Returned });
        fill(&mut slot.body, body);
        let left = Left { joiner: slot.joiner.take(), ..Left::default() };
        if failure.is_some() {
            inner.rare(word.slot()).failure = failure;
        }
        left
    }

    /// Vacates the slot of a task that is over and that nobody will join. Its empty body stays there for a later task.
    pub(crate) fn forget(&self, word: WakeWord, body: Body) {
        let inner = &mut *self.inner.borrow_mut();
        fill(&mut inner.slots[word.slot()].body, body);
        inner.vacate(word.slot() as u32);
    }

    /// Moves the output of a task that has returned into `place`, an empty `Option` of its type. False if it has not.
    #[inline]
    pub(crate) fn take_output(&self, key: TaskKey, place: &mut dyn Any) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.find(key).filter(|slot| slot.life == Life::Returned) else { return false };
        if let Some(body) = &mut slot.body {
            body.as_mut().give_output(place);
        }
        inner.vacate(key.0.slot);
        true
    }

    /// Takes the reason why a task has no output.
    pub(crate) fn take_failure(&self, key: TaskKey) -> Answer {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.find(key) else { return Answer::Gone };
        if slot.life != Life::Failed {
            return Answer::Pending;
        }
        let info = inner.info(key.0.slot);
        let failure = inner.take_note(key.0.slot);
        inner.vacate(key.0.slot);
        failure.map_or(Answer::Gone, |failure| Answer::Failed(failure, info))
    }

    /// Leaves a waker to be woken at the end of a task that is not over, and returns the one that it replaces. The
    /// waker comes by value: it may be foreign, and none is cloned while the store is borrowed.
    pub(crate) fn leave_joiner(&self, key: TaskKey, waker: Waker) -> Option<Waker> {
        match self.inner.borrow_mut().find(key) {
            Some(slot) if !slot.life.is_over() => slot.joiner.replace(waker),
            _ => Some(waker),
        }
    }

    /// Notes that nobody will join this task any more. Returns what is left of it.
    pub(crate) fn detach(&self, key: TaskKey) -> Left {
        let inner = &mut *self.inner.borrow_mut();
        let mut left = Left::default();
        let Some(slot) = inner.find(key) else { return left };
        (slot.is_detached, left.joiner) = (true, slot.joiner.take());
        if matches!(slot.life, Life::Returned | Life::Failed) {
            left.body = slot.body.take();
            left.failure = inner.take_note(key.0.slot);
            inner.vacate(key.0.slot);
        }
        left
    }

    /// Leaves a note that a task is to be dropped, and queues it. False if it is over, or if a note is there. While the
    /// task is being dropped, its note is taken. The root is never named: nobody holds a handle to it.
    pub(crate) fn abort(&self, key: TaskKey, abort: Abort) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        let Some(before) = inner.find(key).map(|slot| slot.life).filter(|life| !life.is_over()) else { return false };
        let note = &mut inner.rare(key.0.slot as usize).failure;
        if note.is_some() {
            return false;
        }
        *note = Some(Box::new(Failure::Aborted(abort)));
        inner.slots[key.0.slot as usize].life = Life::ReadyToDrop;
        if before == Life::Waiting {
            inner.ready.push(WakeWord::new(key));
        }
        true
    }

    /// The keys of all tasks in the slots that there are now. A slot is looked up when the iterator reaches it, so
    /// anything may happen in between.
    pub(crate) fn keys(&self) -> impl Iterator<Item = TaskKey> {
        let slots = self.inner.borrow().slots.len();
        let tenant = |index: usize| Some(self.inner.borrow().slots[index].serial).filter(|&serial| serial != 0);
        (ROOT + 1..slots).filter_map(move |index| tenant(index).map(|serial| self.key(index, serial)))
    }

    /// Takes the body of a task that is not over out of its slot, ready or not, for the end of the runtime.
    pub(crate) fn take(&self, key: TaskKey) -> Option<Body> {
        self.inner.borrow_mut().find(key).filter(|slot| !slot.life.is_over())?.body.take()
    }

    /// Whether the task has ended, or has no slot here.
    pub(crate) fn is_over(&self, key: TaskKey) -> bool {
        self.inner.borrow_mut().find(key).is_none_or(|slot| slot.life.is_over())
    }

    /// The name and the place of a task that still has its slot.
    pub(crate) fn info(&self, key: TaskKey) -> Option<Info> {
        let inner = &mut *self.inner.borrow_mut();
        inner.find(key)?;
        Some(inner.info(key.0.slot))
    }

    fn key(&self, slot: usize, serial: u64) -> TaskKey {
        TaskKey(Key { runtime: self.runtime, slot: slot as u32, serial })
    }
}

impl Inner {
    /// The slot of this key. The caller has found the store by the key's runtime.
    #[inline]
    fn find(&mut self, key: TaskKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(key.0.slot as usize)?;
        if slot.serial == key.0.serial { Some(slot) } else { None }
    }

    /// The part of a slot's tenant that only few tasks have.
    fn rare(&mut self, slot: usize) -> &mut Rare {
        if self.rare.len() <= slot {
            self.rare.resize_with(slot + 1, || None);
        }
        self.rare[slot].get_or_insert_default()
    }

    #[cold]
    fn forget_rare(&mut self, slot: usize) {
        self.rare[slot] = None;
    }

    /// Takes the note of an abort, or the reason why a task failed.
    fn take_note(&mut self, slot: u32) -> Option<Box<Failure>> {
        self.rare.get_mut(slot as usize)?.as_mut()?.failure.take()
    }

    /// Ends this slot's tenant: from here on every wake of it is stale, and so is its entry in the queue.
    #[inline]
    fn end(&mut self, index: usize, life: Life) -> &mut Slot {
        let slot = &mut self.slots[index];
        self.stale += usize::from(matches!(slot.life, Life::Ready | Life::ReadyToDrop));
        slot.life = life;
        slot
    }

    /// Gives out the body of a task that was aborted. Any other entry that is not to be polled is stale.
    #[cold]
    fn next_to_drop(&mut self, word: WakeWord) -> Option<Step> {
        let slot = &mut self.slots[word.slot()];
        if !word.fits(slot.serial) || slot.life != Life::ReadyToDrop {
            self.stale -= 1;
            return None;
        }
        slot.life = Life::Waiting;
        let body = slot.body.take()?;
        Some(Step::Drop(word, body, self.take_note(word.slot() as u32)?))
    }

    fn info(&self, slot: u32) -> Info {
        let rare = self.rare.get(slot as usize).and_then(Option::as_deref);
        let at = rare.and_then(|rare| rare.place).unwrap_or_else(|| self.slots[slot as usize].at.into());
        Info { name: rare.and_then(|rare| rare.name.clone()), at }
    }

    /// Makes a slot free for another task. Nothing is left of its last one, but for an empty body.
    #[inline]
    fn vacate(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.serial = 0;
        slot.next_vacant = std::mem::replace(&mut self.vacant, index);
        if index as usize > MOST_SPARES {
            slot.body = None;
        }
        if (index as usize) < self.rare.len() {
            self.forget_rare(index as usize);
        }
    }

    #[cold]
    fn add_slot(&mut self, at: &'static Location<'static>) {
        assert!(self.slots.len() < MAX_SLOTS, "a runtime holds at most 16,777,215 tasks at a time");
        self.vacant = self.slots.len() as u32;
        self.slots.push(Slot::vacant(at));
    }
}

impl Life {
    /// Whether a wake has nothing left to wake.
    fn is_over(self) -> bool {
        self >= Self::Returned
    }
}

impl Slot {
    /// A slot without a tenant: serial 0 is nobody's, and no wake queues it.
    fn vacant(at: &'static Location<'static>) -> Self {
        let (life, is_detached) = (Life::Gone, false);
        Self { serial: 0, body: None, joiner: None, at, life, is_detached, next_vacant: NONE }
    }
}

/// Fills an empty `Option`. An assignment would first check at run time whether it has a value to drop.
#[inline]
fn fill<T>(place: &mut Option<T>, value: T) {
    debug_assert!(place.is_none());
    std::mem::forget(place.replace(value));
}
