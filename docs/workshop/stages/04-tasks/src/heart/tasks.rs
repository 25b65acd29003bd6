//! The task store: a slab of task bodies, and the queue of those that are ready.
//!
//! It polls nothing and wakes nobody. It gives each body out *by value* for a poll, so no borrow of the store is
//! alive while foreign code runs.
//!
//! ```text
//!                insert                      next
//!     (no slot) ---------> idle, queued ---------------> polling ---> finish: (no slot)
//!                             ^      ^                      |
//!                        wake |      | a wake in the poll   | put_back
//!                             |      '----------------------|
//!                          idle, not queued <---------------'
//! ```

use std::cell::RefCell;
use std::pin::Pin;

use crate::heart::key::{Key, TaskKey, WakeWord};
use crate::heart::ready::Ready;
use crate::slab::Slab;

/// A task whose type is forgotten, so that tasks of all types fit one slab.
pub(crate) type Body = Pin<Box<dyn Future<Output = ()>>>;

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
        let (slot, serial) = inner.slots.insert(Task { body, is_root, queued: Queued::Yes });
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

    /// Ends a task whose body was given out.
    pub(crate) fn finish(&self, TaskKey(key): TaskKey) {
        let task = self.inner.borrow_mut().slots.remove(key.slot, key.serial);
        drop(task);
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
