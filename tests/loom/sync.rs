//! The primitives that the inbox and the pool are made of, as the model checker knows them.
//!
//! The names are those of `runtime/src/ground/sync.rs`. loom brings the fence, the lock, the count of owners
//! and, but for one weakness, the flag. It has no queue whose emptiness can be read without a lock, and
//! no eventfd; both are made here, and promise no more than the real ones do. In particular the queue
//! is told to be empty from one plain atomic count: behind a lock, a missing fence would do no harm.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicUsize as Tally;
use std::sync::mpsc::SendError;
use std::sync::{Arc as Shared, Mutex as PlainMutex};

use loom::sync::atomic::AtomicUsize;

pub(crate) use loom::sync::atomic::{Ordering, fence};
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard, RwLock};
pub(crate) use loom::thread;

pub(crate) use crate::time::Condvar;

/// A flag.
///
/// A swap comes right after the write that it reads, so a later store is ordered behind it. loom does
/// not know that, and would let a sender that has swapped the flag read its own old value back, past
/// a store by the loop that it must see. Here a store is a swap too, and loom orders it as it should.
pub(crate) struct AtomicBool(loom::sync::atomic::AtomicBool);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(loom::sync::atomic::AtomicBool::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        self.0.swap(value, order);
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

/// An unbounded queue.
///
/// A message is in it from the moment `pushed` counts it, and not if the queue was closed then. The
/// contents need no lock that loom knows: it changes threads at its own operations only, and there is
/// none between the count and the push.
pub(crate) fn queue<M>() -> (Producer<M>, Consumer<M>) {
    let queue = Shared::new(Queue { pushed: AtomicUsize::new(0), contents: PlainMutex::default() });
    (Producer(Shared::clone(&queue)), Consumer { queue, popped: Cell::new(0) })
}

struct Queue<M> {
    /// The number of messages ever pushed, and `CLOSED`.
    pushed: AtomicUsize,
    contents: PlainMutex<VecDeque<M>>,
}

const CLOSED: usize = 1 << 16;

/// The end of the queue that every sender shares.
pub(crate) struct Producer<M>(Shared<Queue<M>>);

impl<M> Producer<M> {
    pub(crate) fn send(&self, message: M) -> Result<(), SendError<M>> {
        if self.0.pushed.fetch_add(1, Ordering::Release) >= CLOSED {
            return Err(SendError(message));
        }
        self.0.contents.lock().unwrap().push_back(message);
        Ok(())
    }
}

/// The loop's end of the queue. When it is dropped, so is what lies in the queue, and sending fails.
pub(crate) struct Consumer<M> {
    queue: Shared<Queue<M>>,
    popped: Cell<usize>,
}

impl<M> Consumer<M> {
    pub(crate) fn len(&self) -> usize {
        self.queue.pushed.load(Ordering::Acquire) - self.popped.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// To be called as often as `len` says, and no more.
    pub(crate) fn pop(&self) -> M {
        self.popped.set(self.popped.get() + 1);
        self.queue.contents.lock().unwrap().pop_front().expect("the queue has been found not empty")
    }
}

impl<M> Drop for Consumer<M> {
    fn drop(&mut self) {
        self.queue.pushed.fetch_or(CLOSED, Ordering::AcqRel);
        let left = std::mem::take(&mut *self.queue.contents.lock().unwrap());
        drop(left);
    }
}

/// The senders' side of a modelled eventfd.
pub(crate) struct Bell(Shared<Eventfd>);

/// The loop's side: where it waits.
pub(crate) struct Poll(Shared<Eventfd>);

/// Somebody who may still ring. A loop that waits when there is nobody left has lost a message.
pub(crate) struct Ringer(Shared<Eventfd>);

struct Eventfd {
    state: loom::sync::Mutex<State>,
    changed: loom::sync::Condvar,
    // Counts for the models' own use, which are no steps of the protocol.
    declarations: Tally,
    rings: Tally,
    failures_to_come: Tally,
}

struct State {
    /// Stays set until somebody waits: a ring that comes before the wait is not lost.
    rung: bool,
    ringers: usize,
}

/// A bell, and where it is heard. The first `failures` rings fail.
pub(crate) fn bell(failures: usize) -> (Bell, Poll) {
    let eventfd = Shared::new(Eventfd {
        state: loom::sync::Mutex::new(State { rung: false, ringers: 0 }),
        changed: loom::sync::Condvar::new(),
        declarations: Tally::new(0),
        rings: Tally::new(0),
        failures_to_come: Tally::new(failures),
    });
    (Bell(Shared::clone(&eventfd)), Poll(eventfd))
}

impl Bell {
    /// Rings.
    ///
    /// # Panics
    ///
    /// If that is once too often: any number of messages may cost one ring each time the loop declares
    /// itself parked.
    pub(crate) fn wake(&self) -> io::Result<()> {
        let left = self.0.failures_to_come.load(Ordering::Relaxed);
        if left > 0 {
            self.0.failures_to_come.store(left - 1, Ordering::Relaxed);
            return Err(io::Error::other("this bell fails at first"));
        }
        let rings = self.0.rings.fetch_add(1, Ordering::Relaxed) + 1;
        let declarations = self.0.declarations.load(Ordering::Relaxed);
        assert!(rings <= declarations, "{rings} rings for a loop that was about to park {declarations} times");
        self.0.state.lock().unwrap().rung = true;
        self.0.changed.notify_one();
        Ok(())
    }
}

impl Poll {
    /// Counts that the loop is about to declare itself parked.
    pub(crate) fn expect_a_ring(&self) {
        self.0.declarations.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the bell has been rung.
    ///
    /// # Panics
    ///
    /// If nobody is left to ring it. Without this, loom would find the deadlock, but could not unwind
    /// from it.
    pub(crate) fn wait(&self) {
        let mut state = self.0.state.lock().unwrap();
        while !state.rung {
            assert!(state.ringers > 0, "{LOST}");
            state = self.0.changed.wait(state).unwrap();
        }
        state.rung = false;
    }

    /// Waits until a deadline that is now, so that it is all one whether the bell has been rung.
    pub(crate) fn time_out(&self) {
        self.0.state.lock().unwrap().rung = false;
    }

    /// Announces somebody who may ring until it is dropped.
    pub(crate) fn ringer(&self) -> Ringer {
        self.0.state.lock().unwrap().ringers += 1;
        Ringer(Shared::clone(&self.0))
    }

    /// How often the bell has been rung so far.
    pub(crate) fn rings(&self) -> usize {
        self.0.rings.load(Ordering::Relaxed)
    }
}

/// The sentence of a model whose loop waits for ever.
pub(crate) const LOST: &str = "a message is lost: the loop waits for it, and nobody is left to ring";

impl Drop for Ringer {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().ringers -= 1;
        self.0.changed.notify_one();
    }
}
