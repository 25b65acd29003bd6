//! A queue of deadlines on a heap. Stage 7 puts a wheel in its place, with the same functions.
//!
//! Time is a count of ticks that somebody else advances: there is no clock here, and no waker.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::slab::Slab;

/// The queue.
pub struct Heap<T> {
    now: u64,
    /// All that is pending or due, to be found by slot and serial.
    values: Slab<T>,
    /// Deadline, serial and slot of what is pending, the earliest on top. A removed one stays until it comes up.
    order: BinaryHeap<Reverse<(u64, u64, u32)>>,
    /// All that is due and was not yet popped: deadline, serial, slot.
    due: VecDeque<(u64, u64, u32)>,
}

impl<T> Heap<T> {
    /// An empty queue at tick 0.
    pub fn new() -> Self {
        Self { now: 0, values: Slab::new(), order: BinaryHeap::new(), due: VecDeque::new() }
    }

    /// How many entries are pending or due.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Adds an entry that is due at tick `deadline`. Returns the slot and the serial to find it by.
    pub fn insert(&mut self, deadline: u64, value: T) -> (u32, u64) {
        let (slot, serial) = self.values.insert(value);
        // stage: hole "Heap::insert"
        self.order.push(Reverse((deadline.max(self.now), serial, slot)));
        // stage: end
        (slot, serial)
    }

    /// Takes an entry out before it is due. `None` if it was popped or removed already.
    pub fn remove(&mut self, slot: u32, serial: u64) -> Option<T> {
        self.values.remove(slot, serial)
    }

    /// The value of an entry that has not been popped or removed.
    pub fn get_mut(&mut self, slot: u32, serial: u64) -> Option<&mut T> {
        self.values.get_mut(slot, serial)
    }

    /// No entry is due before this tick and, unless one was removed lately, one is due exactly then.
    pub fn next_deadline(&self) -> Option<u64> {
        if !self.due.is_empty() {
            return Some(self.now);
        }
        // stage: hole "Heap::next_deadline"
        self.order.peek().map(|Reverse((deadline, ..))| *deadline)
        // stage: end
    }

    /// Moves now forward to tick `to`, and sets everything apart that is due by then. An entry that is inserted from here on
    /// waits for the next call, even if it is due.
    pub fn advance(&mut self, to: u64) {
        self.now = self.now.max(to);
        // stage: hole "Heap::advance"
        while let Some(Reverse(first)) = self.order.peek().copied() {
            if first.0 > to {
                break;
            }
            self.order.pop();
            self.due.push_back(first);
        }
        // stage: end
    }

    /// Takes the next entry that is due: its slot and serial, its deadline and its value. Those of one tick come in the
    /// order in which they were inserted.
    pub fn pop_due(&mut self) -> Option<((u32, u64), u64, T)> {
        loop {
            let (deadline, serial, slot) = self.due.pop_front()?;
            // One that was removed meanwhile is not there any more.
            if let Some(value) = self.values.remove(slot, serial) {
                return Some(((slot, serial), deadline, value));
            }
        }
    }
}
