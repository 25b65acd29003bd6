//! Given: the primitives by which threads meet. Each operation is a *step*, between which a test may let another
//! thread go first.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::PoisonError;
use std::sync::mpsc::RecvError;

pub(crate) use std::sync::atomic::Ordering;
pub(crate) use std::sync::{Arc, Mutex, RwLock};

thread_local! {
    static BETWEEN: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Has a function called before each step of this thread.
pub(crate) fn between_steps(call: impl Fn() + 'static) {
    BETWEEN.set(Some(Box::new(call)));
}

fn step() {
    BETWEEN.with_borrow(|call| call.iter().for_each(|call| call()));
}

pub(crate) fn fence(order: Ordering) {
    step();
    std::sync::atomic::fence(order);
}

pub(crate) struct AtomicBool(std::sync::atomic::AtomicBool);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(std::sync::atomic::AtomicBool::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        step();
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        step();
        self.0.store(value, order);
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        step();
        self.0.swap(value, order)
    }
}

/// Wakes a loop that sleeps at the kernel.
pub(crate) struct Bell(Box<dyn Fn() -> io::Result<()> + Send + Sync>);

impl Bell {
    pub(crate) fn new(ring: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Box::new(ring))
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        step();
        (self.0)()
    }
}

/// The two ends of a queue: many threads send, and one takes.
pub(crate) fn queue<M>() -> (Producer<M>, Consumer<M>) {
    let shared = Arc::new(Mutex::new(Some(VecDeque::new())));
    (Producer(Arc::clone(&shared)), Consumer(shared))
}

/// `None` when the consumer is gone.
type Shared<M> = Arc<Mutex<Option<VecDeque<M>>>>;

pub(crate) struct Producer<M>(Shared<M>);

impl<M> Producer<M> {
    pub(crate) fn send(&self, message: M) -> Result<(), M> {
        step();
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(messages) => {
                messages.push_back(message);
                Ok(())
            }
            None => Err(message),
        }
    }
}

pub(crate) struct Consumer<M>(Shared<M>);

impl<M> Consumer<M> {
    pub(crate) fn len(&self) -> usize {
        step();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, VecDeque::len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn try_recv(&self) -> Result<M, RecvError> {
        step();
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        messages.as_mut().and_then(VecDeque::pop_front).ok_or(RecvError)
    }
}

impl<M> Drop for Consumer<M> {
    fn drop(&mut self) {
        // Bound to a name: a message may own anything, and is dropped when the lock is released.
        let _left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
