//! The registry: a process-wide table of the runtimes that live, by their numbers.
//!
//! It keeps one value of each runtime: the heart's is the inbox. No lock is held while a value is dropped, since it may
//! own foreign code. `tests/models` lets the low bits of the numbers come round, and `tests/loom` lets runtimes come and
//! go while others look.

use std::sync::PoisonError;

use crate::ground::sync::{Arc, RwLock};

/// Finds what belongs to a runtime by its number.
///
/// Numbers count up and are never given twice. A waker holds only the low 16 bits, which belong to one living runtime
/// at a time.
pub(crate) struct Registry<T> {
    table: RwLock<Table<T>>,
}

struct Table<T> {
    last_number: u32,
    /// The living runtimes' numbers, and what belongs to each until it is hidden, in the order of the low 16 bits.
    living: Vec<(u32, Option<Arc<T>>)>,
}

impl<T> Table<T> {
    /// The place of the runtime that has these low 16 bits; or the place where one would stand.
    fn place(&self, low_bits: u16) -> Result<usize, usize> {
        self.living.binary_search_by_key(&low_bits, |(number, _)| *number as u16)
    }
}

impl<T> Registry<T> {
    /// A registry without runtimes.
    pub(crate) fn new() -> Self {
        Self { table: RwLock::new(Table { last_number: 0, living: Vec::new() }) }
    }

    /// Enters what belongs to a runtime and returns its number: `None` when 65,535 runtimes live, or
    /// when the numbers have run out. No runtime gets a number whose low 16 bits are 0.
    pub(crate) fn enter(&self, entry: &Arc<T>) -> Option<u32> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if table.living.len() >= usize::from(u16::MAX) {
            return None;
        }
        for _ in 0..=u16::MAX {
            let number = table.last_number.checked_add(1)?;
            table.last_number = number;
            match table.place(number as u16) {
                Err(place) if number as u16 != 0 => {
                    table.living.insert(place, (number, Some(Arc::clone(entry))));
                    return Some(number);
                }
                _ => {}
            }
        }
        None
    }

    /// Hides a runtime that is about to end: from here on nobody finds its entry. One who found it before still holds it.
    ///
    /// Its number stays taken until [`leave`](Self::leave). Else another runtime could get the same low bits, and its
    /// wakes would be taken for those of the one that ends.
    pub(crate) fn hide(&self, number: u32) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let entry = table.place(number as u16).ok().map(|place| table.living[place].1.take());
        drop(table);
        drop(entry);
    }

    /// Removes a runtime, and makes its low bits free for another.
    pub(crate) fn leave(&self, number: u32) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let entry = table.place(number as u16).ok().map(|place| table.living.remove(place));
        drop(table);
        drop(entry);
    }

    /// The entry of the runtime with this number, if it lives and is not hidden.
    pub(crate) fn exact(&self, number: u32) -> Option<Arc<T>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (found, entry) = &table.living[table.place(number as u16).ok()?];
        entry.clone().filter(|_| *found == number)
    }

    /// The entry of the living runtime with these low 16 bits. It may not be the one that was meant, so this is for
    /// wakes alone: a wake of the wrong task does no harm.
    pub(crate) fn hint(&self, low_bits: u16) -> Option<Arc<T>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (_, entry) = &table.living[table.place(low_bits).ok()?];
        entry.clone()
    }
}
