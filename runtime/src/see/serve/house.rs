//! The house behind a door: which guests are inside, who may stay, and who has to leave.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many guests there may be.
const GUESTS: usize = 32;
/// How many of them may stay, as viewers do. The other places are for guests who ask and go.
const STAYING: usize = 28;
/// How long those who are being sent something may still take when all is over.
pub(super) const TO_LEAVE: Duration = Duration::from_millis(300);

/// The part that the threads of a door share.
pub(super) struct House {
    pub(super) is_closing: AtomicBool,
    pub(super) inside: Mutex<Inside>,
    pub(super) left: Condvar,
}

#[derive(Default)]
pub(super) struct Inside {
    last_number: u64,
    /// Those who came first stand first.
    pub(super) guests: Vec<Known>,
}

/// A guest, as the house knows it.
pub(super) struct Known {
    number: u64,
    stream: Arc<TcpStream>,
    /// It has not said yet what it wants.
    is_silent: bool,
}

/// A guest's place in the house, until it is dropped.
pub(super) struct Stay {
    pub(super) number: u64,
    pub(super) house: Arc<House>,
}

impl Stay {
    /// The guest has said what it wants, and stays.
    pub(super) fn is_known(&self) {
        self.house.lock().stays(self.number);
    }

    /// Whether everybody has to leave.
    pub(super) fn must_end(&self) -> bool {
        self.house.is_closing.load(Ordering::SeqCst)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.house.lock().guests.retain(|known| known.number != self.number);
        self.house.left.notify_all();
    }
}

impl House {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// The number of a new guest, if there is room or somebody can be asked to leave.
    pub(super) fn enter(&mut self, stream: &Arc<TcpStream>) -> Option<u64> {
        if self.guests.len() >= GUESTS {
            let silent = self.guests.iter().position(|known| known.is_silent)?;
            let silent = self.guests.remove(silent);
            let _ = silent.stream.shutdown(Shutdown::Both);
        }
        self.last_number += 1;
        let number = self.last_number;
        self.guests.push(Known { number, stream: Arc::clone(stream), is_silent: true });
        Some(number)
    }

    /// A guest stays. If too many do, the one that came first has to leave: viewers, however slow, lock nobody out.
    fn stays(&mut self, number: u64) {
        let Some(known) = self.guests.iter_mut().find(|known| known.number == number) else { return };
        known.is_silent = false;
        let mut staying = (0..self.guests.len()).filter(|place| !self.guests[*place].is_silent);
        let (first, more) = (staying.next(), staying.count());
        if let Some(first) = first.filter(|_| more >= STAYING) {
            let first = self.guests.remove(first);
            let _ = first.stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn shut(&self, how: Shutdown) {
        for known in &self.guests {
            let _ = known.stream.shutdown(how);
        }
    }
}
