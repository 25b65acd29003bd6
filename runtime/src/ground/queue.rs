//! A queue between threads: any number of them send, and one takes.
//!
//! A lock guards the messages, and a count beside it says how many there are. So the loop that takes them can look
//! once a turn without the lock. It takes all of them out at once, and its senders seldom wait for the lock.
//!
//! No message is dropped under the lock, because it may own anything. `tests/loom` tries every interleaving of this
//! file, with the inbox over it.

use std::cell::RefCell;
use std::iter;
use std::sync::PoisonError;
use std::vec;

use crate::ground::sync::{Arc, AtomicUsize, Mutex, MutexGuard, Ordering};

/// The end to which any thread sends.
pub(crate) struct Producer<M>(Arc<Shared<M>>);

/// The end from which one thread takes, and never waits. When it is dropped, sending fails.
pub(crate) struct Consumer<M> {
    shared: Arc<Shared<M>>,
    /// Messages that were taken out of the shared queue, and are next.
    taken: RefCell<vec::IntoIter<M>>,
}

struct Shared<M> {
    /// `None` when the consumer is gone.
    messages: Mutex<Option<Vec<M>>>,
    /// How many messages are behind the lock. It is written under the lock, and read without it.
    count: AtomicUsize,
}

/// An empty queue.
pub(crate) fn queue<M>() -> (Producer<M>, Consumer<M>) {
    let shared = Arc::new(Shared { messages: Mutex::new(Some(Vec::new())), count: AtomicUsize::new(0) });
    (Producer(Arc::clone(&shared)), Consumer { shared, taken: RefCell::default() })
}

impl<M> Producer<M> {
    /// Adds a message. Gives it back when the consumer is gone.
    pub(crate) fn send(&self, message: M) -> Result<(), M> {
        let mut messages = self.0.lock();
        let Some(messages) = &mut *messages else { return Err(message) };
        messages.push(message);
        self.0.count.store(messages.len(), Ordering::Release);
        Ok(())
    }
}

impl<M> Consumer<M> {
    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.taken.borrow().len() + self.shared.count.load(Ordering::Acquire)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes message after message, until there is none.
    pub(crate) fn try_iter(&self) -> impl Iterator<Item = M> {
        iter::from_fn(|| self.pop())
    }

    fn pop(&self) -> Option<M> {
        let mut taken = self.taken.borrow_mut();
        if taken.len() == 0 && self.shared.count.load(Ordering::Acquire) > 0 {
            let mut messages = self.shared.lock();
            self.shared.count.store(0, Ordering::Release);
            *taken = messages.as_mut().map(std::mem::take).unwrap_or_default().into_iter();
        }
        taken.next()
    }
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<M>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Drop for Consumer<M> {
    fn drop(&mut self) {
        // Bound to a name, so that the messages are dropped when the lock is free again.
        let _left = self.shared.lock().take();
    }
}
