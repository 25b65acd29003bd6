//! A source: what is known of it, and who waits for it.

use std::num::NonZeroU32;
use std::panic::Location;
use std::task::Waker;

use super::latches::{Direction, Latches};

/// One source, and those who wait for it. Each connection has one, and most have one waiter at a time. So the first
/// waiter is kept here, and all others in a separate list.
pub(super) struct Source {
    pub(super) serial: u64,
    /// The line that opened it.
    pub(super) at: &'static Location<'static>,
    pub(super) latches: Latches,
    pub(super) first: Option<Waiting>,
    pub(super) others: Option<Box<Others>>,
}

/// The other waiters. They are kept in a box, because most sources have none: a pointer is 16 bytes smaller than a
/// `Vec`.
pub(super) struct Others(pub(super) Vec<Waiting>);

/// One who waits.
pub(crate) struct Waiting {
    pub(crate) waiter: WaiterId,
    pub(crate) direction: Direction,
    pub(crate) waker: Waker,
    /// The line that created the future.
    pub(crate) at: &'static Location<'static>,
}

const _: () = assert!(size_of::<Source>() <= 64, "a source's size is a connection's cost: change it knowingly");

/// Names who waits for one direction of a source. A waiter has one waker, the latest it was polled with. `SHARER` stands
/// for many, each with its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WaiterId(pub(super) NonZeroU32);

impl WaiterId {
    /// The one who holds the source by `&mut`.
    pub(crate) const OWNER: Self = Self(NonZeroU32::MIN);
    /// Those who share the source by `&` and poll it directly. They can be told apart only by their
    /// wakers.
    pub(crate) const SHARER: Self = Self(NonZeroU32::MIN.saturating_add(1));
    /// The first of the futures, each of which has a number of its own.
    pub(super) const FIRST_FUTURE: Self = Self(NonZeroU32::MIN.saturating_add(2));
}

impl Waiting {
    pub(super) fn is(&self, direction: Direction, waiter: WaiterId) -> bool {
        self.direction == direction && self.waiter == waiter
    }

    fn has_come(&self, come: Latches) -> bool {
        come.any(Latches::ready(self.direction))
    }
}

impl Source {
    pub(super) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.first.iter_mut().chain(self.others.iter_mut().flat_map(|others| &mut others.0))
    }

    /// Adds one who waits. Returns the waker that this one replaces.
    #[inline]
    pub(super) fn add(&mut self, waiting: Waiting) -> Option<Waker> {
        if self.first.is_some() || self.others.is_some() {
            return self.add_beside(waiting);
        }
        self.first = Some(waiting);
        None
    }

    #[inline(never)]
    fn add_beside(&mut self, waiting: Waiting) -> Option<Waker> {
        let same = |w: &&mut Waiting| {
            w.is(waiting.direction, waiting.waiter)
                && (waiting.waiter != WaiterId::SHARER || w.waker.will_wake(&waiting.waker))
        };
        if let Some(there) = self.waiting_mut().find(same) {
            return Some(std::mem::replace(there, waiting).waker);
        }
        match &mut self.first {
            first @ None => *first = Some(waiting),
            Some(_) => self.others.get_or_insert_with(|| Box::new(Others(Vec::new()))).0.push(waiting),
        }
        None
    }

    pub(super) fn remove(&mut self, direction: Direction, waiter: WaiterId) -> Option<Waiting> {
        if let first @ Some(_) = self.first.take_if(|w| w.is(direction, waiter)) {
            return first;
        }
        let Others(others) = &mut **self.others.as_mut()?;
        let place = others.iter().position(|w| w.is(direction, waiter))?;
        Some(others.swap_remove(place))
    }

    /// Takes out the waker of the first, if it waits for what has come.
    #[inline]
    pub(super) fn take_first(&mut self, come: Latches) -> Option<Waker> {
        Some(self.first.take_if(|waiting| waiting.has_come(come))?.waker)
    }

    /// Takes out all others who wait for what has come.
    #[inline(never)]
    pub(super) fn take_others(&mut self, come: Latches) -> Vec<Waiting> {
        let Some(Others(others)) = self.others.as_deref_mut() else { return Vec::new() };
        let (taken, left) = std::mem::take(others).into_iter().partition(|waiting| waiting.has_come(come));
        *others = left;
        taken
    }

    /// Takes out the wakers of all who wait.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let others = self.others.take().map(|others| others.0);
        self.first.take().into_iter().chain(others.into_iter().flatten()).map(|waiting| waiting.waker)
    }
}
