//! A hierarchical timing wheel: a priority queue for deadlines. Insert, cancel and expiry cost the same whether ten
//! entries are pending or a million.
//!
//! It is a pure data structure. Time is a `u64` count of ticks that the caller advances. There is no clock here, no
//! waker and no operating system, so the wheel is tested against a sorted list. It owns its entries, and each is found
//! again by its `(slot, serial)` pair.
//!
//! Read a deadline in base 64 and it has at most eleven digits. The wheel has one level a digit and
//! one list for each value of it. An entry hangs on the level of the *highest digit in which its
//! deadline differs from now*, in the list of that digit:
//!
//! ```text
//!     now       =  0 .. 0 | 12 |  5 |  9         level 0: same 64 ticks as now, one list a tick
//!     deadline  =  0 .. 0 | 12 | 40 |  3         level 1: same 4,096 ticks, one list each 64
//!                           =   ^ differs here   level 2: …
//!                               '--> level 1, list 40
//! ```
//!
//! All the rest follows from this one rule. An entry on a lower level is always due before one on a higher. On each
//! level, the digits of all occupied lists are greater than now's digit; on level 0 one may equal it. So the next list
//! is the lowest set bit of a 64-bit map. When now reaches the first tick of a list, its entries agree with now in one
//! digit more. They cascade: each is hung again on a lower level, at most ten times in its life. And 11 levels hold
//! every `u64`, so there is no far future to treat specially. The lists of a level are made when it is first used.
//!
//! Source: G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987.

use std::ops::Range;

const DIGIT_BITS: u32 = 6;
const LISTS_PER_LEVEL: u64 = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The list of entries that are due and not yet taken by `pop_due`. It is on no level.
const DUE: u32 = 0;

/// No entry: the end of the free list, and the lists of a level that was never used.
const NIL: u32 = u32::MAX;

/// The most entries that there may be when another is added: all levels' heads still have room after them.
const MOST_ENTRIES: usize = NIL as usize - LEVELS * LISTS_PER_LEVEL as usize;

/// An entry, or the head of a list. A list is a ring of entries, and its head is one of them. So an entry leaves its
/// ring the same way in every list and at every place. A list has its head's number.
struct Entry<T> {
    /// The tick at which the entry is due. In the head of an occupied list it is a lower bound: no entry of the list is
    /// due before it. The bound is exact until the earliest entry is cancelled. Then the loop may wake once without a
    /// timer to fire.
    deadline: u64,
    /// 0 in a list's head and in a vacant entry, which nobody finds by it.
    serial: u64,
    prev: u32,
    /// The next entry of the same list; in a vacant entry, of the free list.
    next: u32,
    /// `None` in a list's head, and while the entry is vacant.
    value: Option<T>,
}

impl<T> Entry<T> {
    /// The head of an empty list.
    fn head(list: u32) -> Self {
        Self { deadline: u64::MAX, serial: 0, prev: list, next: list, value: None }
    }
}

/// The wheel. `now` starts at tick 0.
pub(crate) struct Wheel<T> {
    now: u64,
    /// The heads of the levels that were used, each level's in a row, and all others.
    entries: Vec<Entry<T>>,
    free: u32,
    /// How many entries were ever inserted, and how many of them were taken out again.
    last_serial: u64,
    gone: u64,
    /// The first list of each level; `NIL` until the level is used.
    lists: [u32; LEVELS],
    /// A bit for each list of a level. An occupied list is marked. A list that has become empty keeps its mark until it
    /// is the next one.
    marked: [u64; LEVELS],
}

/// The level of an entry with this deadline, and the deadline's digit there. The deadline must not be before now.
#[inline(always)]
pub(crate) fn place(now: u64, deadline: u64) -> (u32, u64) {
    let level = (deadline ^ now | 1).ilog2() / DIGIT_BITS;
    (level, (deadline >> (DIGIT_BITS * level)) % LISTS_PER_LEVEL)
}

impl<T> Wheel<T> {
    /// An empty wheel at tick 0.
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            entries: vec![Entry::head(DUE)],
            free: NIL,
            last_serial: 0,
            gone: 0,
            lists: [NIL; LEVELS],
            marked: [0; LEVELS],
        }
    }

    /// How many entries are pending or due.
    pub(crate) fn len(&self) -> usize {
        (self.last_serial - self.gone) as usize
    }

    /// Adds an entry that is due at tick `deadline`; one in the past is due at once. Returns the slot
    /// and the serial to find it by.
    ///
    /// # Panics
    ///
    /// If there are 2^32 entries, less a few hundred.
    #[inline]
    pub(crate) fn insert(&mut self, deadline: u64, value: T) -> (u32, u64) {
        if self.free == NIL {
            self.add_vacant();
        }
        self.last_serial += 1;
        let (slot, serial) = (self.free, self.last_serial);
        let entry = &mut self.entries[slot as usize];
        self.free = entry.next;
        // A vacant entry has no value, so `forget` loses nothing: it spares a check for a value to drop.
        std::mem::forget(entry.value.replace(value));
        (entry.deadline, entry.serial) = (deadline, serial);
        self.hang(slot, deadline);
        (slot, serial)
    }

    /// Takes an entry out before it is due. `None` if it was popped or removed already.
    #[inline(always)]
    pub(crate) fn remove(&mut self, slot: u32, serial: u64) -> Option<T> {
        self.find(slot, serial)?;
        self.unhang(slot as usize)
    }

    /// The value of an entry that has not been popped or removed.
    pub(crate) fn get_mut(&mut self, slot: u32, serial: u64) -> Option<&mut T> {
        self.find(slot, serial)?.value.as_mut()
    }

    /// The tick to advance to next: now, if anything is due already. No entry that is pending is due before it. It may
    /// come too early if an entry was cancelled. `None` when there are no entries.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        if self.first(DUE).is_some() {
            return Some(self.now);
        }
        let (.., list) = self.next_list()?;
        Some(self.entries[list as usize].deadline)
    }

    /// Moves now forward to tick `to`, and everything due by then to the list that [`pop_due`] empties. An entry that
    /// is inserted from here on waits for the next call, even if it is due.
    ///
    /// [`pop_due`]: Self::pop_due
    pub(crate) fn advance(&mut self, to: u64) {
        while let Some((level, digit, list)) = self.next_list() {
            let shift = DIGIT_BITS * level;
            let above = self.now & u64::MAX.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
            let first_tick = above | digit << shift;
            if first_tick > to {
                break;
            }
            self.now = self.now.max(first_tick);
            self.cascade(list);
        }
        self.now = self.now.max(to);
    }

    /// Takes the next entry that is due: its slot and serial, its deadline and its value. Entries come in the order of
    /// their deadlines and, within one tick, of their insertion. A deadline that had passed when it was inserted
    /// counts as the tick of that moment.
    pub(crate) fn pop_due(&mut self) -> Option<((u32, u64), u64, T)> {
        let slot = self.first(DUE)?;
        let Entry { deadline, serial, .. } = self.entries[slot as usize];
        Some(((slot, serial), deadline, self.unhang(slot as usize)?))
    }

    /// How many slots there are, the heads' counted, and the serial of the newest entry.
    pub(crate) fn extent(&self) -> (usize, u64) {
        (self.entries.len(), self.last_serial)
    }

    /// Every entry in these slots that is pending or due: slot and serial, deadline, value.
    pub(crate) fn iter_in(&self, slots: Range<usize>) -> impl Iterator<Item = ((u32, u64), u64, &T)> {
        let numbered = self.entries.iter().enumerate().skip(slots.start).take(slots.len());
        numbered.filter_map(|(slot, e)| Some(((slot as u32, e.serial), e.deadline, e.value.as_ref()?)))
    }

    /// The entry that users know by this slot and serial, unless it was taken out.
    #[inline]
    fn find(&mut self, slot: u32, serial: u64) -> Option<&mut Entry<T>> {
        self.entries.get_mut(slot as usize).filter(|e| e.serial == serial)
    }

    /// A new entry at the end of the slab.
    #[cold]
    fn add_vacant(&mut self) {
        assert!(self.entries.len() < MOST_ENTRIES, "a timer wheel holds at most 2^32 timers at a time");
        self.free = self.entries.len() as u32;
        self.entries.push(Entry { deadline: 0, serial: 0, prev: NIL, next: NIL, value: None });
    }

    /// The first entry of a list.
    fn first(&self, list: u32) -> Option<u32> {
        let first = self.entries[list as usize].next;
        (first != list).then_some(first)
    }

    /// The level and the digit of the occupied list that comes next, and the list. Lists that have become empty lose
    /// their marks here. So an entry that leaves a list need not ask whether it was the last.
    fn next_list(&mut self) -> Option<(u32, u64, u32)> {
        loop {
            let level = self.marked.iter().position(|digits| *digits != 0)?;
            let digit = self.marked[level].trailing_zeros();
            let list = self.lists[level] + digit;
            if self.first(list).is_some() {
                return Some((level as u32, digit.into(), list));
            }
            self.marked[level] &= !(1 << digit);
        }
    }

    /// Hangs an entry on the list that its deadline and now point at.
    #[inline]
    fn hang(&mut self, slot: u32, deadline: u64) {
        let deadline = deadline.max(self.now);
        let (level, digit) = place(self.now, deadline);
        if self.lists[level as usize] == NIL {
            self.add_lists(level as usize);
        }
        self.marked[level as usize] |= 1 << digit;
        self.append(self.lists[level as usize] + digit as u32, slot, deadline);
    }

    /// Makes the lists of a level that was never used.
    #[cold]
    fn add_lists(&mut self, level: usize) {
        let first = self.entries.len() as u32;
        self.lists[level] = first;
        self.entries.extend((first..).map(Entry::head).take(LISTS_PER_LEVEL as usize));
    }

    /// Empties a list whose first tick has come: what is due goes to the due list, the rest to lower
    /// levels. Both keep their order.
    fn cascade(&mut self, list: u32) {
        let head = std::mem::replace(&mut self.entries[list as usize], Entry::head(list));
        let mut slot = head.next;
        while slot != list {
            let Entry { deadline, next, .. } = self.entries[slot as usize];
            if deadline <= self.now {
                self.append(DUE, slot, deadline);
            } else {
                self.hang(slot, deadline);
            }
            slot = next;
        }
    }

    /// Makes an entry the last of a list.
    #[inline]
    fn append(&mut self, list: u32, slot: u32, deadline: u64) {
        let head = &mut self.entries[list as usize];
        let is_first = head.prev == list;
        head.deadline = if is_first { deadline } else { head.deadline.min(deadline) };
        let before = std::mem::replace(&mut head.prev, slot);
        self.entries[before as usize].next = slot;
        let entry = &mut self.entries[slot as usize];
        (entry.prev, entry.next) = (before, list);
    }

    /// Takes an entry out of its list, makes its slot free for another, and gives its value.
    #[inline(always)]
    fn unhang(&mut self, slot: usize) -> Option<T> {
        let entries = self.entries.as_mut_slice();
        let entry = &mut entries[slot];
        let (prev, next) = (entry.prev, std::mem::replace(&mut entry.next, self.free));
        entry.serial = 0;
        self.free = slot as u32;
        self.gone += 1;
        entries[prev as usize].next = next;
        entries[next as usize].prev = prev;
        entries[slot].value.take()
    }
}
