//! The observers of a loop: who is told, and whether anybody is.
//!
//! They may come while the loop runs, even while they are being told. So the list is shared. To tell, the loop takes
//! a share in it, and no borrow is alive while an observer, which is foreign code, runs.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Event, Observer};
use crate::ground::signals::forks;

/// Those who are told.
pub(crate) struct Observers {
    all: RefCell<Rc<[Rc<dyn Observer>]>>,
    /// The payload of an observer's panic, until nothing is out of its place.
    panic: Cell<Option<Box<dyn Any + Send>>>,
    /// How often the process that they observe was forked off.
    forks: u32,
    checkpoint: OnceCell<Checkpoint>,
}

/// A place at which the loop can be held: called before an event is told, and before its time is taken. It returns
/// when the loop may go on.
pub(crate) type Checkpoint = Box<dyn Fn(&Event<'_>)>;

impl Observers {
    pub(crate) fn new(all: Vec<Rc<dyn Observer>>) -> Self {
        let (all, panic) = (RefCell::new(all.into()), Cell::default());
        Self { all, panic, forks: forks(), checkpoint: OnceCell::new() }
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.all.borrow().is_empty()
    }

    /// Adds one. It is told before the others, so that it hears what made one of them speak before it
    /// hears what that one says.
    pub(crate) fn add(&self, observer: Rc<dyn Observer>, now: Duration) {
        observer.on_attached(now);
        let others = Rc::clone(&self.all.borrow());
        let all = std::iter::once(observer).chain(others.iter().cloned()).collect();
        // The former list ends here, where no borrow is alive.
        drop((self.all.replace(all), others));
    }

    /// Sets the checkpoint, if there is none yet. Nobody passes it while there are no observers.
    pub(crate) fn put_checkpoint(&self, checkpoint: Checkpoint) {
        let _another = self.checkpoint.set(checkpoint);
    }

    /// From here on nobody is told. For a forked child: what its observers share with the parent's threads
    /// may be locked for ever, so they are not even dropped.
    pub(crate) fn abandon(&self) {
        if self.any() {
            std::mem::forget(self.all.replace(Rc::new([])));
        }
    }

    #[cold]
    pub(crate) fn tell(&self, clock: impl Fn() -> Duration, event: &Event<'_>) {
        if self.forks != forks() {
            return self.abandon();
        }
        self.checkpoint.get().into_iter().for_each(|pass| pass(event));
        let now = clock();
        let all = Rc::clone(&self.all.borrow());
        for observer in all.iter() {
            // The loop may have a task's body in hand, so a panic has to wait until that is put back.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| observer.on_event(now, event))) {
                // Its drop could panic again.
                std::mem::forget(self.panic.replace(Some(payload)));
            }
        }
    }

    /// Takes what one of them panicked with.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }
}
