//! The concurrent primitives that the inbox and the pool are made of, under names of our own.
//!
//! In `inbox.rs` and `pool.rs` threads meet, and nowhere else in the heart. Their correctness is a matter of which
//! step comes first, so a model checker checks them (`tests/loom`). It runs the very same files over primitives of
//! its own: the models bring their own `sync` module in place of this one.

use crossbeam_channel::{SendError, Sender, unbounded};

pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
pub(crate) use std::thread;

/// The end of the inbox's queue from which its loop takes, and never waits.
pub(crate) use crossbeam_channel::Receiver as Consumer;
pub(crate) use mio::Waker as Bell;

/// The end to which any thread sends.
pub(crate) struct Producer<M>(Sender<M>);

impl<M> Producer<M> {
    /// Fails only when the consumer is gone: the queue has room for any number of messages. So the channel's own `send`,
    /// which would wait for room, need not be in the program.
    #[inline]
    pub(crate) fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.0.try_send(message).map_err(|gone| SendError(gone.into_inner()))
    }
}

/// The inbox's queue.
pub(crate) fn queue<M>() -> (Producer<M>, Consumer<M>) {
    let (producer, consumer) = unbounded();
    (Producer(producer), consumer)
}
