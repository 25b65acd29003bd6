//! The primitives that the inbox and the pool are made of, as the model checker knows them.
//!
//! The names are those of `runtime/src/ground/sync.rs`. loom brings the fence, the lock, the counts and, but for one
//! weakness, the flag. It has no eventfd: one is made here, and promises no more than the real one does.

use std::io;
use std::sync::Arc as Shared;
use std::sync::atomic::AtomicUsize as Tally;

pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering, fence};
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
