//! The observers of a loop: who is told, and whether anybody is.
//!
//! An event is first written down, by the pen of the first observer that has one. A pen runs nothing foreign. Then the
//! others are told, if there are any. More may come while the loop runs, even while they are being told. So their list
//! is shared: to tell, the loop takes a share in it. No borrow is alive while an observer, which is foreign code, runs.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ground::event::{Event, Observer, Pen, nanos};
use crate::ground::packed::Packed;
use crate::ground::reading::{Reading, is_bound};
use crate::ground::signals::{forks, forks_since};

/// Those who are told.
pub(crate) struct Observers {
    pen: OnceCell<Penned>,
    /// All but the one with the pen, in the order in which they are told.
    told: RefCell<Rc<[Rc<dyn Observer>]>>,
    /// Whether there are any of these.
    has_told: Cell<bool>,
    /// Whether any of these wants to be told of details, too.
    details: Cell<bool>,
    /// Whether anybody is told. The loop asks before it makes an event.
    pub(crate) any: Cell<bool>,
    pub(crate) reading: Reading,
    /// The payload of an observer's panic, which goes on between two steps of a turn.
    panic: Cell<Option<Box<dyn Any + Send>>>,
    /// The count of [`forks`] in the process that they observe.
    forks: u32,
    is_abandoned: Cell<bool>,
    checkpoint: OnceCell<Checkpoint>,
}

/// A pen, and the observer that it belongs to.
type Penned = (Box<dyn Pen>, Rc<dyn Observer>);

/// An observer that has a pen, where another's is used first.
struct ByPen(Box<dyn Pen>, Rc<dyn Observer>);

impl Observer for ByPen {
    fn on_event(&self, at: Duration, event: &Event<'_>) {
        let Self(pen, _its_owner) = self;
        Packed::of(nanos(at), event, &**pen).write_with(&**pen);
    }

    fn only_notes(&self) -> bool {
        true
    }
}

/// A place at which the loop can be held: called before an event is told, and before its time is taken. It returns
/// when the loop may go on.
pub(crate) struct Checkpoint {
    /// While this is false there is nothing to do but to pass.
    pub(crate) is_wanted: Arc<AtomicBool>,
    pub(crate) pass: Box<dyn Fn(&Event<'_>)>,
}

impl Observers {
    pub(crate) fn new(built_in: Vec<Rc<dyn Observer>>) -> Self {
        let (pen, reading, is_abandoned) = (OnceCell::new(), Reading::new(), Cell::new(false));
        let any = Cell::new(!built_in.is_empty());
        let told: Rc<[_]> = built_in.into_iter().filter_map(|observer| to_be_told(&pen, observer)).collect();
        told.iter().for_each(|observer| reading.is_for(observer));
        let has_told = Cell::new(!told.is_empty());
        let details = Cell::new(told.iter().any(|observer| observer.wants_details()));
        let (told, panic, checkpoint) = (RefCell::new(told), Cell::default(), OnceCell::new());
        Self { pen, told, has_told, details, any, reading, panic, forks: forks(), is_abandoned, checkpoint }
    }

    /// Adds one, which is told from the next event on, in the middle of a poll too. It is told before the others: so it
    /// hears what made one of them speak before it hears what that one says.
    pub(crate) fn add(&self, observer: Rc<dyn Observer>, now: Duration) {
        observer.on_attached(now);
        self.any.set(true);
        let Some(observer) = to_be_told(&self.pen, observer) else { return };
        self.reading.is_for(&observer);
        self.details.set(self.details.get() || observer.wants_details());
        let others = Rc::clone(&self.told.borrow());
        let told = std::iter::once(observer).chain(others.iter().cloned()).collect();
        // The former list ends here, where no borrow is alive.
        drop((self.told.replace(told), others));
        self.has_told.set(true);
    }

    /// Sets the checkpoint, if there is none yet. Nobody passes it while there are no observers.
    pub(crate) fn put_checkpoint(&self, checkpoint: Checkpoint) {
        let _another = self.checkpoint.set(checkpoint);
    }

    /// From here on nobody is told. For a forked child.
    pub(crate) fn abandon(&self) {
        self.is_abandoned.set(true);
        self.any.set(false);
    }

    /// Tells of an event. It is inlined where the kind of event is known. Then an event that is only written down, as a
    /// record, is never made as an `Event`, and to write it is the last thing done: no register has to be saved.
    #[inline(always)]
    pub(crate) fn tell(&self, clock: &dyn Fn() -> Duration, event: Event<'_>) {
        match self.only_pen(&event) {
            Some(pen) => Packed::of(self.reading.time_of(&event, clock), &event, pen).write_with(pen),
            None => self.tell_all(clock, event),
        }
    }

    /// The pen, if nothing else is to be done for an event than to write it down. Only a reader of `see` has a pen:
    /// without them no place packs an event.
    #[inline(always)]
    fn only_pen(&self, event: &Event<'_>) -> Option<&dyn Pen> {
        if !cfg!(feature = "see") || self.are_told_of(event) || self.forks != forks_since() || self.is_held() {
            return None;
        }
        let has_time = is_bound(event) || self.reading.is_shared();
        self.pen.get().filter(|_| has_time).map(|(pen, _)| &**pen)
    }

    #[inline(never)]
    fn tell_all(&self, clock: &dyn Fn() -> Duration, event: Event<'_>) {
        if self.forks != forks() {
            return self.abandon();
        }
        if let Some(checkpoint) = self.checkpoint.get().filter(|_| self.is_held()) {
            (checkpoint.pass)(&event);
        }
        let at = self.reading.time_of(&event, clock);
        if let (true, Some((pen, _))) = (cfg!(feature = "see"), self.pen.get()) {
            Packed::of(at, &event, &**pen).write_with(&**pen);
        }
        if self.are_told_of(&event) {
            self.tell_others(event);
        }
    }

    /// Whether observers besides the one with the pen are told of such an event.
    #[inline(always)]
    fn are_told_of(&self, event: &Event<'_>) -> bool {
        if is_detail(event) { self.details.get() } else { self.has_told.get() }
    }

    /// Whether somebody wants to hold the loop.
    #[inline(always)]
    fn is_held(&self) -> bool {
        self.checkpoint.get().is_some_and(|point| point.is_wanted.load(Ordering::Relaxed))
    }

    fn tell_others(&self, event: Event<'_>) {
        let now = self.reading.at();
        let told = Rc::clone(&self.told.borrow());
        for observer in &*told {
            // The loop may have a task's body in hand, so a panic has to wait until that is put back.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| observer.on_event(now, &event))) {
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

/// Whether an event is a detail: a busy loop tells many of them, and a diagnosis does not need them.
#[inline(always)]
fn is_detail(event: &Event<'_>) -> bool {
    matches!(event, Event::TimerSet { .. } | Event::TimerCancelled { .. } | Event::SourceDrained { .. })
}

/// Takes the pen of an observer, if it has one and is the first. Else returns who is to be told.
fn to_be_told(first: &OnceCell<Penned>, observer: Rc<dyn Observer>) -> Option<Rc<dyn Observer>> {
    let Some(pen) = observer.pen().filter(|_| cfg!(feature = "see")) else { return Some(observer) };
    let (pen, observer) = first.set((pen, observer)).err()?;
    Some(Rc::new(ByPen(pen, observer)))
}

/// A forked child does not even drop the observers: a lock that they share with the parent's threads may be held for
/// ever.
impl Drop for Observers {
    fn drop(&mut self) {
        if self.is_abandoned.get() || self.forks != forks() {
            std::mem::forget((self.pen.take(), self.told.take()));
        }
    }
}
