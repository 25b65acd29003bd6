//! The observers of a loop: who is told, and whether anybody is.
//!
//! Those that the builder was given stand in a list that never changes. Others may come while the loop runs, even
//! while they are being told. So their list is shared: to tell, the loop takes a share in it. No borrow is alive while
//! an observer, which is foreign code, runs.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::ground::event::{Event, Observer};
use crate::ground::reading::Reading;
use crate::ground::signals::forks;

/// Those who are told.
pub(crate) struct Observers {
    built_in: Vec<Rc<dyn Observer>>,
    late: RefCell<Rc<[Rc<dyn Observer>]>>,
    has_late: Cell<bool>,
    pub(crate) reading: Reading,
    /// The payload of an observer's panic, until nothing is out of its place.
    panic: Cell<Option<Box<dyn Any + Send>>>,
    /// How often the process that they observe was forked off.
    forks: u32,
    is_abandoned: Cell<bool>,
    checkpoint: OnceCell<Checkpoint>,
}

/// A place at which the loop can be held: called before an event is told, and before its time is taken. It returns
/// when the loop may go on.
pub(crate) type Checkpoint = Box<dyn Fn(&Event<'_>)>;

impl Observers {
    pub(crate) fn new(built_in: Vec<Rc<dyn Observer>>) -> Self {
        let (late, has_late) = (RefCell::new(Rc::default()), Cell::new(false));
        let (reading, is_abandoned) = (Reading::new(), Cell::new(false));
        built_in.iter().for_each(|observer| reading.is_for(observer));
        let (panic, checkpoint) = (Cell::default(), OnceCell::new());
        Self { built_in, late, has_late, reading, panic, forks: forks(), is_abandoned, checkpoint }
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.built_in.is_empty() || self.has_late.get()
    }

    /// Adds one. It is told before the others, so that it hears what made one of them speak before it
    /// hears what that one says.
    pub(crate) fn add(&self, observer: Rc<dyn Observer>, now: Duration) {
        observer.on_attached(now);
        self.reading.is_for(&observer);
        let others = Rc::clone(&self.late.borrow());
        let late = std::iter::once(observer).chain(others.iter().cloned()).collect();
        // The former list ends here, where no borrow is alive.
        drop((self.late.replace(late), others));
        self.has_late.set(true);
    }

    /// Sets the checkpoint, if there is none yet. Nobody passes it while there are no observers.
    pub(crate) fn put_checkpoint(&self, checkpoint: Checkpoint) {
        let _another = self.checkpoint.set(checkpoint);
    }

    /// From here on nobody is told. For a forked child.
    pub(crate) fn abandon(&self) {
        self.is_abandoned.set(true);
    }

    #[cold]
    pub(crate) fn tell(&self, clock: impl Fn() -> Duration, event: &Event<'_>) {
        if self.forks != forks() {
            return self.abandon();
        }
        if let Some(pass) = self.checkpoint.get() {
            pass(event);
        }
        let now = self.reading.time_of(event, clock);
        if self.has_late.get() {
            let late = Rc::clone(&self.late.borrow());
            self.tell_each(&late, now, event);
        }
        self.tell_each(&self.built_in, now, event);
    }

    #[inline]
    fn tell_each(&self, observers: &[Rc<dyn Observer>], now: Duration, event: &Event<'_>) {
        for observer in observers {
            // The loop may have a task's body in hand, so a panic has to wait until that is put back.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| observer.on_event(now, event))) {
                self.keep_panic(payload);
            }
        }
    }

    #[cold]
    fn keep_panic(&self, payload: Box<dyn Any + Send>) {
        // The drop of another payload could panic again.
        std::mem::forget(self.panic.replace(Some(payload)));
    }

    /// Takes what one of them panicked with.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }
}

/// A forked child does not even drop the observers: a lock that they share with the parent's threads may be held for
/// ever.
impl Drop for Observers {
    fn drop(&mut self) {
        if self.is_abandoned.get() || self.forks != forks() {
            std::mem::forget((std::mem::take(&mut self.built_in), self.late.take()));
        }
    }
}
