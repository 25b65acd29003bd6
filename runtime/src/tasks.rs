//! The task store: a slab of task bodies and the queue of those that are ready.
//!
//! It is a pure data structure: it polls nothing, wakes nobody and knows no clock. It owns every body
//! and gives it out *by value* for a poll, so no borrow of the store is alive while foreign code runs.
//!
//! A task's life, each edge with the function that takes it:
//!
//! ```text
//!                   1 insert                      2 next                    5 finish
//!     (no slot) ---------------> Idle, queued ---------------> Polling -----------------> Done
//!                                  ^      ^                       |                         |
//!                                  | wake |                       | 3 put_back              | 6 join / detach
//!                                  |      |                       v                         v
//!                                  |      +---- wake ----------- Idle, not queued       (no slot)
//!                                  4 a wake during the poll queues it again
//! ```
//!
//! `abort` only leaves a note and queues the task; `next` then gives the body out to be dropped
//! instead of polled, so that aborting never runs foreign code by itself.
//!
//! The queue holds plain numbers. Two rules make that safe: an entry, like any wake, is checked against
//! the serial of the slot's tenant *before* the `queued` flag is looked at, since a flag found by slot
//! alone would let a stale wake swallow a real one; and the flag is cleared before the poll, so that a
//! wake during the poll queues the task again.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::key::{Key, MAX_SLOTS, TaskKey, WakeWord};

/// A future whose output's type is forgotten, so that tasks of all types fit one slab. `Box<()>` takes
/// no memory, so a task that returns nothing allocates nothing for it.
pub(crate) trait Task {
    fn poll_task(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>>;
}

impl<F: Future<Output: 'static>> Task for F {
    fn poll_task(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>> {
        self.poll(cx).map(|output| Box::new(output) as Box<dyn Any>)
    }
}

/// A task's future: the one allocation a task costs.
pub(crate) type Body = Pin<Box<dyn Task>>;

/// How a task ended.
pub(crate) enum Outcome {
    Returned(Box<dyn Any>),
    Panicked(Box<dyn Any + Send>),
    Aborted(Box<Abort>),
}

/// Why a task was dropped before its end.
#[derive(Debug)]
pub(crate) enum Abort {
    /// Somebody asked for it, somewhere.
    Asked { by: String, at: &'static Location<'static> },
    /// Its runtime was dropped.
    Shutdown,
    /// What it was to wait for could not be begun.
    Refused(String),
}

/// What is known of a task besides its body.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub(crate) name: Option<String>,
    pub(crate) at: &'static Location<'static>,
}

/// A task, as a dump shows it.
pub(crate) struct Row {
    pub(crate) key: TaskKey,
    pub(crate) info: Info,
    pub(crate) state: State,
}

/// What a task is doing.
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

/// What to do with the task that is next.
pub(crate) enum Step {
    /// Poll the root future, which its caller holds.
    Root,
    Poll(Body),
    /// Drop the body: the task was aborted.
    Drop(Body, Box<Abort>),
}

/// What a join found.
pub(crate) enum Join {
    /// Not over yet; the waker is left, and here is the one that it replaces.
    Pending(Option<Waker>),
    Done(Outcome, Info, Waker),
    /// The slot's tenant is another one: the outcome was taken before.
    Gone(Waker),
}

/// The answer to a wake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    Queued(TaskKey),
    AlreadyQueued(TaskKey),
    Stale,
}

enum Stage {
    Idle(Body),
    Polling,
    Done(Outcome),
    /// The slot that is kept for the root future, while there is one.
    Root,
    /// The same, while there is none.
    NoRoot,
}

struct Slot {
    serial: u64,
    stage: Stage,
    joiner: Option<Waker>,
    at: &'static Location<'static>,
    /// What few tasks have, out of line so that a million tasks stay small.
    rare: Option<Box<Rare>>,
    queued: bool,
    detached: bool,
}

#[derive(Default)]
struct Rare {
    name: Option<String>,
    abort: Option<Box<Abort>>,
}

/// The store.
pub(crate) struct Tasks {
    runtime: u32,
    inner: RefCell<Inner>,
}

struct Inner {
    slots: Slab<Slot>,
    ready: VecDeque<WakeWord>,
    last_serial: u64,
    /// Tasks that are not over.
    live: usize,
    /// Tasks whose `queued` flag is set.
    queued: usize,
    /// The state of the generator that picks the next task, where a seed was given.
    random: Option<u64>,
}

const ROOT: usize = 0;

impl Tasks {
    /// An empty store. With a seed, [`next`](Self::next) picks among the ready tasks by a generator
    /// that starts there; without, they come in the order in which they were queued.
    pub(crate) fn new(runtime: u32, seed: Option<u64>) -> Self {
        let mut slots = Slab::new();
        slots.insert(Slot::new(0, Stage::NoRoot, Location::caller()));
        let inner = Inner { slots, ready: VecDeque::new(), last_serial: 0, live: 0, queued: 0, random: seed };
        Self { runtime, inner: RefCell::new(inner) }
    }

    /// How many tasks are not over, the root future not counted.
    pub(crate) fn live(&self) -> usize {
        self.inner.borrow().live
    }

    /// How many tasks are ready, the root future counted.
    pub(crate) fn ready(&self) -> usize {
        self.inner.borrow().queued
    }

    /// Takes a task in and queues it.
    ///
    /// # Panics
    ///
    /// If there are 2^24 tasks.
    pub(crate) fn insert(&self, body: Body, name: Option<String>, at: &'static Location<'static>) -> TaskKey {
        let inner = &mut *self.inner.borrow_mut();
        assert!(inner.slots.len() < MAX_SLOTS, "a runtime holds at most 16,777,216 tasks at a time");
        inner.last_serial += 1;
        inner.live += 1;
        let mut slot = Slot::new(inner.last_serial, Stage::Idle(body), at);
        slot.rare = name.map(|name| Box::new(Rare { name: Some(name), abort: None }));
        let slot = inner.slots.insert(slot);
        let key = self.key(slot, inner.last_serial);
        inner.enqueue(key);
        key
    }

    /// Gives the root slot a new tenant and queues it.
    pub(crate) fn start_root(&self, at: &'static Location<'static>) -> TaskKey {
        let inner = &mut *self.inner.borrow_mut();
        inner.last_serial += 1;
        inner.slots[ROOT] = Slot::new(inner.last_serial, Stage::Root, at);
        let key = self.key(ROOT, inner.last_serial);
        inner.enqueue(key);
        key
    }

    /// Closes the root slot.
    pub(crate) fn end_root(&self) {
        let inner = &mut *self.inner.borrow_mut();
        let root = &mut inner.slots[ROOT];
        root.stage = Stage::NoRoot;
        inner.queued -= usize::from(std::mem::take(&mut root.queued));
    }

    /// Queues the task that a waker names, unless it is queued or gone.
    pub(crate) fn wake(&self, word: WakeWord) -> Woken {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.slots.get_mut(word.slot()) else { return Woken::Stale };
        // The serial first: rule 2.
        if !word.fits(slot.serial) || matches!(slot.stage, Stage::Done(_) | Stage::NoRoot) {
            return Woken::Stale;
        }
        let key = self.key(word.slot(), slot.serial);
        if slot.queued {
            return Woken::AlreadyQueued(key);
        }
        slot.queued = true;
        inner.queued += 1;
        inner.ready.push_back(word);
        Woken::Queued(key)
    }

    /// Takes the next ready task out of the queue, and its body out of its slot.
    pub(crate) fn next(&self) -> Option<(TaskKey, Step)> {
        let inner = &mut *self.inner.borrow_mut();
        loop {
            let word = inner.pick()?;
            let Some(slot) = inner.slots.get_mut(word.slot()) else { continue };
            if !word.fits(slot.serial) || !slot.queued {
                continue;
            }
            slot.queued = false;
            inner.queued -= 1;
            let key = self.key(word.slot(), slot.serial);
            match std::mem::replace(&mut slot.stage, Stage::Polling) {
                Stage::Idle(body) => match slot.rare.as_mut().and_then(|rare| rare.abort.take()) {
                    None => return Some((key, Step::Poll(body))),
                    Some(abort) => return Some((key, Step::Drop(body, abort))),
                },
                Stage::Root => {
                    slot.stage = Stage::Root;
                    return Some((key, Step::Root));
                }
                other => slot.stage = other,
            }
        }
    }

    /// Puts a body back after a poll that was not its last.
    pub(crate) fn put_back(&self, key: TaskKey, body: Body) {
        let inner = &mut *self.inner.borrow_mut();
        // A body that was given out keeps its slot until it is put back or finished.
        inner.slots[key.0.slot as usize].stage = Stage::Idle(body);
    }

    /// Ends a task whose body was given out and is dropped by now. Returns the waker of whoever joins
    /// it; and the outcome, to be dropped, if nobody ever will.
    pub(crate) fn finish(&self, key: TaskKey, outcome: Outcome) -> (Option<Waker>, Option<Outcome>) {
        let inner = &mut *self.inner.borrow_mut();
        inner.live -= 1;
        let slot = &mut inner.slots[key.0.slot as usize];
        if slot.detached {
            inner.remove(key);
            return (None, Some(outcome));
        }
        slot.stage = Stage::Done(outcome);
        (slot.joiner.take(), None)
    }

    /// Takes the outcome of a task, or leaves a waker to be woken at its end. The waker comes by value
    /// and a superfluous one goes back: a stored waker may be foreign, and none is cloned or dropped
    /// in here.
    pub(crate) fn join(&self, key: TaskKey, waker: Waker) -> Join {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.find(key) else { return Join::Gone(waker) };
        if !matches!(slot.stage, Stage::Done(_)) {
            return Join::Pending(slot.joiner.replace(waker));
        }
        let slot = inner.remove(key);
        let Stage::Done(outcome) = slot.stage else { unreachable!("checked above") };
        Join::Done(outcome, Info { name: slot.rare.and_then(|rare| rare.name), at: slot.at }, waker)
    }

    /// Nobody will join this task any more. Returns what is left of it, to be dropped.
    pub(crate) fn detach(&self, key: TaskKey) -> (Option<Waker>, Option<Outcome>) {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.find(key) else { return (None, None) };
        if !matches!(slot.stage, Stage::Done(_)) {
            slot.detached = true;
            return (slot.joiner.take(), None);
        }
        let Stage::Done(outcome) = inner.remove(key).stage else { unreachable!("checked above") };
        (None, Some(outcome))
    }

    /// Leaves a note that a task is to be dropped, and queues it. False if it is over, or noted already.
    pub(crate) fn abort(&self, key: TaskKey, abort: Box<Abort>) -> bool {
        let inner = &mut *self.inner.borrow_mut();
        let Some(slot) = inner.find(key) else { return false };
        if !matches!(slot.stage, Stage::Idle(_) | Stage::Polling) {
            return false;
        }
        let rare = slot.rare.get_or_insert_default();
        if rare.abort.is_some() {
            return false;
        }
        rare.abort = Some(abort);
        if !slot.queued {
            inner.enqueue(key);
        }
        true
    }

    /// The keys of all tasks that have a slot.
    pub(crate) fn keys(&self) -> Vec<TaskKey> {
        let inner = self.inner.borrow();
        inner.slots.iter().skip(1).map(|(index, slot)| self.key(index, slot.serial)).collect()
    }

    /// Takes the body of a task that is not over out of its slot, as `next` does, for the end of the
    /// runtime.
    pub(crate) fn take(&self, key: TaskKey) -> Option<Body> {
        let inner = &mut *self.inner.borrow_mut();
        let slot = inner.find(key)?;
        match std::mem::replace(&mut slot.stage, Stage::Polling) {
            Stage::Idle(body) => Some(body),
            other => {
                slot.stage = other;
                None
            }
        }
    }

    /// Whether the task has ended, or is none of ours.
    pub(crate) fn is_over(&self, key: TaskKey) -> bool {
        self.inner.borrow_mut().find(key).is_none_or(|slot| matches!(slot.stage, Stage::Done(_)))
    }

    /// What is known of a task that still has its slot.
    pub(crate) fn info(&self, key: TaskKey) -> Option<Info> {
        let inner = &mut *self.inner.borrow_mut();
        inner.find(key).map(|slot| slot.info())
    }

    /// What is known of every task that has a slot, the root future first.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let inner = self.inner.borrow();
        let row = |(index, slot): (usize, &Slot)| {
            let state = match slot.stage {
                Stage::NoRoot => return None,
                Stage::Polling => State::Running,
                Stage::Done(_) => State::Done,
                Stage::Idle(_) | Stage::Root if slot.queued => State::Ready,
                Stage::Idle(_) | Stage::Root => State::Waiting,
            };
            Some(Row { key: self.key(index, slot.serial), info: slot.info(), state })
        };
        inner.slots.iter().filter_map(row).collect()
    }

    /// Every waker that waits for a task's end, visited by `look`, which must not be foreign code.
    pub(crate) fn each_joiner(&self, mut look: impl FnMut(TaskKey, &Waker)) {
        for (index, slot) in &self.inner.borrow().slots {
            slot.joiner.iter().for_each(|waker| look(self.key(index, slot.serial), waker));
        }
    }

    fn key(&self, slot: usize, serial: u64) -> TaskKey {
        TaskKey(Key { runtime: self.runtime, slot: slot as u32, serial })
    }
}

impl Inner {
    fn enqueue(&mut self, key: TaskKey) {
        self.slots[key.0.slot as usize].queued = true;
        self.queued += 1;
        self.ready.push_back(WakeWord::new(key));
    }

    /// The next entry of the queue: the oldest, or with a seed any.
    fn pick(&mut self) -> Option<WakeWord> {
        if let (Some(state), true) = (&mut self.random, self.ready.len() > 1) {
            let chosen = (u128::from(splitmix(state)) * self.ready.len() as u128) >> 64;
            self.ready.swap(0, chosen as usize);
        }
        self.ready.pop_front()
    }

    fn find(&mut self, key: TaskKey) -> Option<&mut Slot> {
        self.slots.get_mut(key.0.slot as usize).filter(|slot| slot.serial == key.0.serial)
    }

    fn remove(&mut self, key: TaskKey) -> Slot {
        let slot = self.slots.remove(key.0.slot as usize);
        self.queued -= usize::from(slot.queued);
        slot
    }
}

impl Slot {
    fn new(serial: u64, stage: Stage, at: &'static Location<'static>) -> Self {
        Self { serial, stage, joiner: None, at, rare: None, queued: false, detached: false }
    }

    fn info(&self) -> Info {
        Info { name: self.rare.as_ref().and_then(|rare| rare.name.clone()), at: self.at }
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014): 64 well-mixed bits from a counter.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
