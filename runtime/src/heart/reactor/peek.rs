//! Peeking: what a dump, a diagnosis and an event ask the reactor. No turn needs it.

use std::ops::Range;
use std::os::fd::RawFd;
use std::panic::Location;
use std::task::Waker;

use super::source::Source;
use super::{Direction, Latches, Reactor};
use crate::ground::event::Readiness;
use crate::heart::key::{Key, SourceKey};

impl Latches {
    /// The directions in which the source is ready, as an event tells them.
    pub(crate) fn readiness(self) -> Readiness {
        use Direction::{Read, Write};
        Readiness {
            read: self.any(Self::ready(Read)),
            write: self.any(Self::ready(Write)),
            read_closed: self.any(Self::closed(Read)),
            write_closed: self.any(Self::closed(Write)),
        }
    }
}

impl Reactor {
    /// The descriptor of the kernel's event queue, where that is an epoll set.
    pub(crate) fn epoll(&self) -> Option<RawFd> {
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(mio_unsupported_force_poll_poll)))]
        return Some(std::os::fd::AsRawFd::as_raw_fd(&*self.poll.borrow()));
        #[cfg(not(all(any(target_os = "linux", target_os = "android"), not(mio_unsupported_force_poll_poll))))]
        None
    }

    /// Whether `fits` is true of a waker that waits for this source and direction.
    pub(crate) fn waits(&self, key: SourceKey, direction: Direction, fits: impl Fn(&Waker) -> bool) -> bool {
        let any = |source: &mut Source| source.waiting_mut().any(|w| w.direction == direction && fits(&w.waker));
        self.with(key, any).unwrap_or(false)
    }

    /// The line that opened a source, which must be registered.
    pub(crate) fn opened_at(&self, key: SourceKey) -> &'static Location<'static> {
        self.with(key, |source| source.at).expect("a socket's source is registered for as long as it lives")
    }

    /// How many slots there are, and the serial of the newest source.
    pub(crate) fn extent(&self) -> (usize, u64) {
        (self.sources.borrow().capacity(), self.last_serial.get())
    }

    /// Every source in these slots, with the line that opened it, visited by `look`.
    pub(crate) fn each_source(
        &self,
        slots: Range<usize>,
        mut look: impl FnMut(SourceKey, Latches, &'static Location<'static>),
    ) {
        self.each_in(slots, |key, source| look(key, source.latches, source.at));
    }

    /// Everyone who waits for a source in these slots, with the line that created the future, visited by `look`,
    /// which must not be foreign code.
    pub(crate) fn each_waiter(
        &self,
        slots: Range<usize>,
        mut look: impl FnMut(SourceKey, Direction, &Waker, &'static Location<'static>),
    ) {
        self.each_in(slots, |key, source| {
            for waiting in source.first.iter().chain(source.others.iter().flat_map(|others| &others.0)) {
                look(key, waiting.direction, &waiting.waker, waiting.at);
            }
        });
    }

    fn each_in(&self, slots: Range<usize>, mut look: impl FnMut(SourceKey, &Source)) {
        let sources = self.sources.borrow();
        for slot in slots.start..slots.end.min(sources.capacity()) {
            if let Some(source) = sources.get(slot) {
                look(SourceKey(Key { runtime: self.runtime, slot: slot as u32, serial: source.serial }), source);
            }
        }
    }
}
