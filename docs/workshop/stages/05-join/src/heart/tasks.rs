//! The task store: a slab of task bodies, and the queue of those that are ready.
//!
//! It polls nothing and wakes nobody. It gives each body out *by value* for a poll, so no borrow of the store is
//! alive while foreign code runs.
//!
//! ```text
//!                insert                      next                 finish          take_outcome
//!     (no slot) ---------> idle, queued ---------------> polling ---------> over ----------------> (no slot)
//!                             ^      ^                      |                     or detach
//!                        wake |      | a wake in the poll   | put_back
//!                             |      '----------------------|
//!                          idle, not queued <---------------'
//! ```

use std::any::Any;
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::heart::key::{Key, TaskKey, WakeWord};
use crate::heart::ready::Ready;
use crate::slab::Slab;
use crate::task::JoinError;

/// A task whose type is forgotten, so that tasks of all types fit one slab.
pub(crate) type Body = Pin<Box<dyn Work>>;

/// A future whose output has its type forgotten, too.
pub(crate) trait Work {
    fn poll_work(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>>;
}

impl<F: Future<Output: 'static>> Work for F {
    fn poll_work(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>> {
        self.poll(cx).map(|output| Box::new(output) as Box<dyn Any>)
    }
}

/// How a task ended.
pub(crate) type Outcome = Result<Box<dyn Any>, JoinError>;

/// How a task ended, and whether anybody wants to know.
enum End {
    ToCome,
    /// It is still to come, and nobody will ask: the handle is gone.
    Unwanted,
    Over(Outcome),
}

/// The next thing to do.
pub(crate) enum Step {
    Poll(TaskKey, Body),
    /// Poll the future of `block_on`, which its caller holds.
    PollRoot(TaskKey),
}

/// The answer to a wake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Woken {
    Queued,
    AlreadyQueued,
    Stale,
}

/// Whether a task is in the ready queue. One that is over never comes there again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queued {
    No,
    Yes,
    Over,
}

struct Task {
    /// `None` while it is given out, and for the future of `block_on`.
    body: Option<Body>,
    is_root: bool,
    queued: Queued,
    end: End,
    /// The waker of the task that waits for the end.
    joiner: Option<Waker>,
}

/// The store.
pub(crate) struct Tasks {
    runtime: u32,
    inner: RefCell<Inner>,
}

struct Inner {
    slots: Slab<Task>,
    ready: Ready<WakeWord>,
}

impl Tasks {
    pub(crate) fn new(runtime: u32) -> Self {
        Self { runtime, inner: RefCell::new(Inner { slots: Slab::new(), ready: Ready::new(None) }) }
    }

    /// How many tasks are ready.
    pub(crate) fn ready(&self) -> usize {
        self.inner.borrow().ready.len()
    }

    /// How many tasks there are.
    pub(crate) fn len(&self) -> usize {
        self.inner.borrow().slots.len()
    }

    /// Takes a task in and queues it. The future of `block_on` has no body here.
    pub(crate) fn insert(&self, body: Option<Body>) -> TaskKey {
        let inner = &mut *self.inner.borrow_mut();
        let is_root = body.is_none();
        let (slot, serial) = inner.slots.insert(Task { body, is_root, queued: Queued::Yes, end: End::ToCome, joiner: None });
        let key = self.key(slot as usize, serial);
        inner.ready.push(WakeWord::new(key));
        key
    }

    /// Queues the task that a word names, unless it is queued, over or gone.
    pub(crate) fn wake(&self, word: WakeWord) -> Woken {
        // stage: hole "Tasks::wake"
        let inner = &mut *self.inner.borrow_mut();
        let Some((serial, task)) = inner.slots.tenant(word.slot()) else { return Woken::Stale };
        // The serial first: the flag may be another tenant's.
        if !word.fits(serial) || task.queued == Queued::Over {
            return Woken::Stale;
        }
        if task.queued == Queued::Yes {
            return Woken::AlreadyQueued;
        }
        task.queued = Queued::Yes;
        inner.ready.push(word);
        Woken::Queued
        // stage: end
    }

    /// Takes the next ready task out of the queue, and its body out of its slot.
    pub(crate) fn next(&self) -> Option<Step> {
        // stage: hole "Tasks::next"
        let inner = &mut *self.inner.borrow_mut();
        loop {
            let word = inner.ready.pop()?;
            let Some((serial, task)) = inner.slots.tenant(word.slot()) else { continue };
            if !word.fits(serial) || task.queued != Queued::Yes {
                continue;
            }
            // Before the poll, so that a wake during the poll queues the task again.
            task.queued = Queued::No;
            let key = self.key(word.slot(), serial);
            if task.is_root {
                return Some(Step::PollRoot(key));
            }
            if let Some(body) = task.body.take() {
                return Some(Step::Poll(key, body));
            }
        }
        // stage: end
    }

    /// Puts a body back after a poll that was not its last.
    pub(crate) fn put_back(&self, TaskKey(key): TaskKey, body: Body) {
        if let Some(task) = self.inner.borrow_mut().slots.get_mut(key.slot, key.serial) {
            task.body = Some(body);
        }
    }

    /// Ends a task whose body was given out. Returns the waker of its joiner, or the outcome if its handle is gone.
    /// Both are foreign code: the caller wakes and drops them after the borrow has ended.
    pub(crate) fn finish(&self, TaskKey(key): TaskKey, outcome: Outcome) -> (Option<Waker>, Option<Outcome>) {
        let inner = &mut *self.inner.borrow_mut();
        let Some(task) = inner.slots.get_mut(key.slot, key.serial) else { return (None, Some(outcome)) };
        // stage: hole "finish"
        task.queued = Queued::Over;
        if matches!(task.end, End::Unwanted) {
            inner.slots.remove(key.slot, key.serial);
            return (None, Some(outcome));
        }
        task.end = End::Over(outcome);
        (task.joiner.take(), None)
        // stage: end
    }

    /// Takes the outcome of a task that is over, and frees its slot.
    pub(crate) fn take_outcome(&self, TaskKey(key): TaskKey) -> Option<Outcome> {
        let inner = &mut *self.inner.borrow_mut();
        // stage: hole "take_outcome"
        let task = inner.slots.get_mut(key.slot, key.serial)?;
        if !matches!(task.end, End::Over(_)) {
            return None;
        }
        match inner.slots.remove(key.slot, key.serial)?.end {
            End::Over(outcome) => Some(outcome),
            _ => None,
        }
        // stage: end
    }

    /// Leaves a waker to be woken at the end of a task, and returns the one that it replaces.
    pub(crate) fn leave_joiner(&self, TaskKey(key): TaskKey, waker: Waker) -> Option<Waker> {
        match self.inner.borrow_mut().slots.get_mut(key.slot, key.serial) {
            Some(task) => {
                let is_over = task.queued == Queued::Over;
                // Nobody would call it, and the task would drop it inside of this borrow.
                assert!(!is_over, "a waker was left with a task that is over: look for its outcome first");
                task.joiner.replace(waker)
            }
            None => Some(waker),
        }
    }

    /// Nobody will join this task any more. Returns what is left of it, to be dropped when no borrow is alive.
    pub(crate) fn detach(&self, TaskKey(key): TaskKey) -> (Option<Waker>, Option<Outcome>) {
        let inner = &mut *self.inner.borrow_mut();
        let Some(task) = inner.slots.get_mut(key.slot, key.serial) else { return (None, None) };
        // stage: hole "detach"
        let joiner = task.joiner.take();
        match std::mem::replace(&mut task.end, End::Unwanted) {
            End::Over(outcome) => {
                inner.slots.remove(key.slot, key.serial);
                (joiner, Some(outcome))
            }
            _ => (joiner, None),
        }
        // stage: end
    }

    /// Frees the slot of the future of `block_on`.
    pub(crate) fn end_root(&self, TaskKey(key): TaskKey) {
        let task = self.inner.borrow_mut().slots.remove(key.slot, key.serial);
        drop(task);
    }

    /// Takes all that is left of a task, for the end of the runtime.
    pub(crate) fn forget(&self, TaskKey(key): TaskKey) -> impl Sized + use<> {
        self.inner.borrow_mut().slots.remove(key.slot, key.serial)
    }

    /// The serial of the slot that a word names, for the trace.
    pub(crate) fn serial(&self, word: WakeWord) -> u64 {
        self.inner.borrow_mut().slots.tenant(word.slot()).map_or(0, |(serial, _)| serial)
    }

    /// The keys of all tasks.
    pub(crate) fn keys(&self) -> Vec<TaskKey> {
        self.inner.borrow().slots.iter().map(|(slot, serial, _)| self.key(slot as usize, serial)).collect()
    }

    /// Takes the body of a task out of its slot, for the end of the runtime.
    pub(crate) fn take(&self, TaskKey(key): TaskKey) -> Option<Body> {
        self.inner.borrow_mut().slots.get_mut(key.slot, key.serial)?.body.take()
    }

    fn key(&self, slot: usize, serial: u64) -> TaskKey {
        TaskKey(Key { runtime: self.runtime, slot: slot as u32, serial })
    }
}
