//! A slab: values in numbered slots, each with the serial of its tenant.
//!
//! ```text
//!     slot      0        1        2        3
//!             [ #4 ]   [ -- ]   [ #3 ]   [ -- ]        vacant: 3 -> 1 -> none
//! ```
//!
//! A slot is used again and again; a serial never is. Both together name one value for ever.

/// No slot: the end of the list of vacant ones.
const NONE: u32 = u32::MAX;

struct Slot<T> {
    /// The tenant whose slot it is; 0 while it is vacant.
    serial: u64,
    value: Option<T>,
    /// The next vacant slot, while this one is vacant.
    next_vacant: u32,
}

/// The slab.
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// The first of the vacant slots, each of which knows the next.
    vacant: u32,
    last_serial: u64,
    len: usize,
}

impl<T> Slab<T> {
    /// An empty slab.
    pub fn new() -> Self {
        Self { slots: Vec::new(), vacant: NONE, last_serial: 0, len: 0 }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many slots there are, vacant ones too.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Puts a value into a vacant slot, or else into a new one. Returns slot and serial to find it by.
    pub fn insert(&mut self, value: T) -> (u32, u64) {
        self.len += 1;
        // stage: hole "insert"
        if self.vacant == NONE {
            self.vacant = self.slots.len() as u32;
            self.slots.push(Slot { serial: 0, value: None, next_vacant: NONE });
        }
        let index = self.vacant;
        self.last_serial += 1;
        let slot = &mut self.slots[index as usize];
        self.vacant = slot.next_vacant;
        slot.serial = self.last_serial;
        slot.value = Some(value);
        (index, self.last_serial)
        // stage: end
    }

    /// The value of a slot, if its tenant still has this serial.
    pub fn get_mut(&mut self, slot: u32, serial: u64) -> Option<&mut T> {
        // stage: hole "get_mut"
        let slot = self.slots.get_mut(slot as usize)?;
        if slot.serial == serial { slot.value.as_mut() } else { None }
        // stage: end
    }

    /// Takes a value out, and makes its slot vacant. Nothing if another tenant has the slot, or none.
    pub fn remove(&mut self, slot: u32, serial: u64) -> Option<T> {
        // stage: hole "remove"
        let tenant = self.slots.get_mut(slot as usize).filter(|tenant| tenant.serial == serial)?;
        let value = tenant.value.take()?;
        tenant.serial = 0;
        tenant.next_vacant = self.vacant;
        self.vacant = slot;
        self.len -= 1;
        Some(value)
        // stage: end
    }

    /// The serial and the value that are in a slot now; nothing if it is vacant.
    pub fn tenant(&mut self, slot: usize) -> Option<(u64, &mut T)> {
        let slot = self.slots.get_mut(slot)?;
        Some((slot.serial, slot.value.as_mut()?))
    }

    /// Every value, with its slot and serial.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64, &T)> {
        let numbered = (0..).zip(&self.slots);
        numbered.filter_map(|(index, slot)| Some((index, slot.serial, slot.value.as_ref()?)))
    }
}
