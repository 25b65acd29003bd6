//! The places that the events of a ring name, each once. A number stands for each, and is good for as long as the ring.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ground::event::Place;

/// The places, which become more and never fewer.
#[derive(Default)]
pub(super) struct Places(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By number.
    all: Vec<Place>,
    /// The numbers, in the order of the places.
    sorted: Vec<u32>,
}

impl Places {
    /// The number of a place.
    pub(super) fn number(&self, place: Place) -> u32 {
        let Known { all, sorted } = &mut *self.known();
        match sorted.binary_search_by(|number| all[*number as usize].cmp(&place)) {
            Ok(found) => sorted[found],
            Err(gap) => {
                let number = all.len() as u32;
                all.push(place);
                sorted.insert(gap, number);
                number
            }
        }
    }

    /// All of them up to now, by number.
    pub(super) fn all(&self) -> Vec<Place> {
        self.known().all.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
