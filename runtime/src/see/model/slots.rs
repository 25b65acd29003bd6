//! Slots: things that are found by the slots that they live in.
//!
//! They stand on sheets of many slots each. A new sheet moves none of the others, so adding a thing to a million costs
//! no more than adding it to ten. A recording may name a slot with a large number: that costs one sheet.

use crate::heart::key::Key;

/// How many slots are on a sheet.
const SHEET: usize = 256;

type Sheet<T> = Box<[Option<(u64, T)>; SHEET]>;

/// Things by slot, each with its serial. A look-up with another serial finds nothing.
pub(crate) struct Slots<T>(Vec<Option<Sheet<T>>>);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Slots<T> {
    fn at(&self, slot: u32) -> Option<&(u64, T)> {
        let slot = slot as usize;
        self.0.get(slot / SHEET)?.as_ref()?[slot % SHEET].as_ref()
    }

    fn place(&mut self, slot: u32) -> Option<&mut Option<(u64, T)>> {
        let slot = slot as usize;
        Some(&mut self.0.get_mut(slot / SHEET)?.as_mut()?[slot % SHEET])
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.at(key.slot).filter(|(serial, _)| *serial == key.serial).map(|(_, thing)| thing)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let tenant = self.place(key.slot)?.as_mut();
        tenant.filter(|(serial, _)| *serial == key.serial).map(|(_, thing)| thing)
    }

    /// The key of what lives in this slot now.
    pub(crate) fn key_at(&self, slot: u32) -> Option<Key> {
        self.at(slot).map(|(serial, _)| Key { runtime: 0, slot, serial: *serial })
    }

    /// Puts a thing into its slot.
    #[inline]
    pub(crate) fn put(&mut self, key: Key, thing: T) {
        self.put_with(key, || thing);
    }

    /// Puts a thing into its slot. It is made when the slot is there, so a small one is made right in it.
    #[inline(always)]
    pub(crate) fn put_with(&mut self, key: Key, thing: impl FnOnce() -> T) {
        loop {
            if let Some(place) = self.place(key.slot) {
                *place = Some((key.serial, thing()));
                return;
            }
            self.make(key.slot as usize / SHEET);
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&mut self, sheet: usize) {
        if self.0.len() <= sheet {
            self.0.resize_with(sheet + 1, || None);
        }
        let empty: Box<[_]> = std::iter::repeat_with(|| None).take(SHEET).collect();
        self.0[sheet] = empty.try_into().ok();
    }

    /// Takes a thing out of its slot.
    pub(crate) fn take(&mut self, key: Key) -> Option<T> {
        self.place(key.slot)?.take_if(|(serial, _)| *serial == key.serial).map(|(_, thing)| thing)
    }

    /// Drops a thing in its slot. It is not moved, as [`take`](Self::take) does.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) {
        if let Some(place) = self.place(key.slot) {
            if place.as_ref().is_some_and(|(serial, _)| *serial == key.serial) {
                *place = None;
            }
        }
    }

    /// All of them, by slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let mut slots = 0..self.0.len() * SHEET;
        std::iter::from_fn(move || {
            while let Some(slot) = slots.next() {
                let Some(sheet) = &self.0[slot / SHEET] else {
                    // A sheet that is not there is passed over at its first slot.
                    slots.start += SHEET - 1;
                    continue;
                };
                if let Some((serial, thing)) = &sheet[slot % SHEET] {
                    return Some((Key { runtime: 0, slot: slot as u32, serial: *serial }, thing));
                }
            }
            None
        })
    }
}

/// A set.
impl Slots<()> {
    /// Puts a key in. Returns whether it was not there.
    pub(crate) fn add(&mut self, key: Key) -> bool {
        let is_new = self.get(key).is_none();
        self.put(key, ());
        is_new
    }
}
