//! The pen of a ring: the loop's end of it.
//!
//! It has the open segment at hand, and finds the places that it has met. So it takes no lock but where a segment
//! begins or a name is written.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::ground::event::{Pen, Place, Resource};
use crate::see::record::segment::{Segment, Written};

/// How many places a pen finds without asking the ring.
const FOUND: usize = 64;

/// The paper of a pen: the other end of the ring.
pub(super) trait Paper {
    /// A pen begins on this thread. There may be several on one thread, which write by turns.
    fn take_up(&self);

    /// It is gone.
    fn put_down(&self);

    /// The open segment, which has room.
    fn begin(&self) -> Arc<Segment>;

    /// The open segment is full.
    fn turn_over(&self);

    /// The number that stands for a place.
    fn number(&self, place: Place) -> u32;
}

/// Writes what happens in a loop into a ring.
pub(super) struct RingPen<P: Paper> {
    ring: P,
    /// It has no room until the first event is written.
    open: RefCell<Arc<Segment>>,
    /// Which place was last found for a hash, and its number.
    found: [Cell<Option<(Place, u32)>>; FOUND],
}

impl<P: Paper> RingPen<P> {
    pub(super) fn new(ring: P) -> Self {
        ring.take_up();
        Self { ring, open: RefCell::default(), found: [const { Cell::new(None) }; FOUND] }
    }

    /// The segment that is written next, which has room.
    fn open(&self) -> Arc<Segment> {
        let mut open = self.open.borrow_mut();
        if open.is_full() {
            *open = self.ring.begin();
        }
        Arc::clone(&open)
    }

    #[cold]
    #[inline(never)]
    fn find(&self, hash: usize, file: &'static str, line: u32, column: u32) -> u32 {
        let place = Place { file, line, column };
        let number = self.ring.number(place);
        self.found[hash].set(Some((place, number)));
        number
    }

    /// Writes where no room was left. Like [`turn_over`](Self::turn_over) it is called last, so `write` needs no stack.
    #[cold]
    #[inline(never)]
    fn write_anew(&self, at: u64, it: u64, other: u64, more: u64, last: u64) {
        self.open().write([at, it, other, more, last]);
        self.turn_over();
    }

    #[cold]
    #[inline(never)]
    fn turn_over(&self) {
        if self.open.borrow().is_full() {
            self.ring.turn_over();
        }
    }
}

impl<P: Paper> Drop for RingPen<P> {
    fn drop(&mut self) {
        self.ring.put_down();
    }
}

impl<P: Paper> Pen for RingPen<P> {
    #[inline]
    fn write(&self, at: u64, it: u64, other: u64, more: u64, last: u64) {
        let written = self.open.borrow().write([at, it, other, more, last]);
        match written {
            Written::WithRoomLeft => {}
            Written::Full => self.turn_over(),
            Written::Not => self.write_anew(at, it, other, more, last),
        }
    }

    fn place(&self, file: &'static str, line: u32, column: u32) -> u32 {
        let hash = (file.as_ptr() as usize ^ (line as usize) << 3 ^ column as usize) % FOUND;
        let same = |known: &Place| std::ptr::eq(known.file, file) && (known.line, known.column) == (line, column);
        match self.found[hash].get() {
            Some((known, number)) if same(&known) => number,
            _ => self.find(hash, file, line, column),
        }
    }

    fn text(&self, text: &str) -> u64 {
        self.open().add_text(text)
    }

    fn resource(&self, resource: Resource) -> u64 {
        self.open().add_resource(resource)
    }
}
