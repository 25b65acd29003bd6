//! Waiters: the wakers of those who wait for the same thing, and who may give up without being asked.
//!
//! A future has a number, by which it takes its waker back when it is dropped. One who shares the thing by `&` and
//! polls it directly has none. Its waker alone tells it from others, and it cannot say that it has given up. So such
//! wakers are thinned out where they become many.

use std::task::Waker;

use crate::heart::core::Core;
use crate::heart::current::with_home;
use crate::heart::key::SourceKey;
use crate::heart::peek::{task_of, word_of};
use crate::heart::reactor::Direction;

/// How many wakers of somebody else's are kept at most, of those who have no number.
const MOST_STRANGERS: usize = 32;

/// Names one who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Number(u64);

impl Number {
    /// Those who share the thing.
    pub(crate) const SHARER: Self = Self(0);
    /// The one who holds the reading end by `&mut`, and the one who holds the writing end.
    pub(crate) const READER: Self = Self(1);
    pub(crate) const WRITER: Self = Self(2);
}

/// Those who wait. Wakers come and go by value, so that none is cloned, woken or dropped under a lock.
pub(crate) struct Waiters {
    all: Vec<(Number, Waker)>,
    last: u64,
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self { all: Vec::new(), last: Number::WRITER.0 }
    }

    /// A number for a future that is about to wait.
    pub(crate) fn new_number(&mut self) -> Number {
        self.last += 1;
        Number(self.last)
    }

    /// Leaves a waker. Returns the one that it replaces, to be dropped, and others that are to be woken.
    pub(crate) fn leave(&mut self, core: Option<&Core>, number: Number, waker: Waker) -> (Option<Waker>, Vec<Waker>) {
        let same = |(other, kept): &&mut (Number, Waker)| {
            *other == number && (number != Number::SHARER || kept.will_wake(&waker))
        };
        if let Some((_, kept)) = self.all.iter_mut().find(same) {
            return (Some(std::mem::replace(kept, waker)), Vec::new());
        }
        self.all.push((number, waker));
        let mut gone = Vec::new();
        if number == Number::SHARER && self.all.len() > MOST_STRANGERS {
            let mut crowd = Crowd::new(core);
            for place in (0..self.all.len()).rev() {
                let (number, waker) = &self.all[place];
                if *number == Number::SHARER && !crowd.may_stay(waker) {
                    gone.push(self.all.remove(place).1);
                }
            }
        }
        (None, gone)
    }

    /// Takes back the waker of a future that is dropped.
    pub(crate) fn forget(&mut self, number: Number) -> Option<Waker> {
        let place = self.all.iter().position(|(other, _)| *other == number)?;
        Some(self.all.remove(place).1)
    }

    /// Takes all, to be woken.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.all).into_iter().map(|(_, waker)| waker)
    }
}

/// Decides who may stay where many share a thing: every task that is not over, and of somebody else's wakers the
/// newest. The others are to be woken: those who still wait ask again.
struct Crowd<'a> {
    core: Option<&'a Core>,
    strangers: usize,
}

impl<'a> Crowd<'a> {
    fn new(core: Option<&'a Core>) -> Self {
        Self { core, strangers: 0 }
    }

    /// To be asked about each, the newest first.
    fn may_stay(&mut self, waker: &Waker) -> bool {
        let ours = self.core.filter(|core| word_of(waker).is_some_and(|word| word.runtime() == core.number as u16));
        if let Some(core) = ours {
            return task_of(core, waker).is_some_and(|task| !core.tasks.is_over(task));
        }
        self.strangers += 1;
        self.strangers <= MOST_STRANGERS
    }
}

/// Lets those go who may have given up, if many share a socket, and wakes them.
pub(super) fn thin_out(key: SourceKey, direction: Direction) {
    let gone = with_home(key.0.runtime, |core| {
        let mut crowd = Crowd::new(Some(core));
        core.reactor.thin_out(key, direction, MOST_STRANGERS, |waker| crowd.may_stay(waker))
    });
    gone.into_iter().flatten().for_each(Waker::wake);
}
