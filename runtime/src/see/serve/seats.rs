//! Seats: whose stream of events stays open.
//!
//! A browser opens six connections to a server and no more, for all of its tabs together. If six of them were
//! streams, no command would get through, and no further tab would load. So there are only so many seats. A
//! new viewer always gets one: the viewer who has had theirs for the longest gives it up. A viewer without a seat is
//! told what there is, and then its stream ends. Its browser connects again by itself, and says which event it had
//! last (`Last-Event-ID`; the HTML standard, section 9.2).

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many there are. Two of a browser's connections are left for everything else.
const SEATS: usize = 4;

/// The seats of a loop, however many addresses it is shown at.
#[derive(Default)]
pub(super) struct Seats(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    last_number: u64,
    /// The numbers of those who sit, the longest first.
    numbers: Vec<u64>,
}

/// A viewer's seat, or its standing place.
pub(super) struct Seat<'a> {
    number: u64,
    seats: &'a Seats,
}

impl Seats {
    /// Gives a viewer a seat: one who is new takes another's if there is none, one who comes again does not.
    pub(super) fn take(&self, is_new: bool) -> Seat<'_> {
        let mut taken = self.lock();
        taken.last_number += 1;
        let number = taken.last_number;
        if is_new && taken.numbers.len() >= SEATS {
            taken.numbers.remove(0);
        }
        if taken.numbers.len() < SEATS {
            taken.numbers.push(number);
        }
        Seat { number, seats: self }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// Whether the viewer still has it.
    pub(super) fn is_kept(&self) -> bool {
        self.seats.lock().numbers.contains(&self.number)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.seats.lock().numbers.retain(|number| *number != self.number);
    }
}
