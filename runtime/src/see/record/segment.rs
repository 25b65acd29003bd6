//! Segments: packed events in a row, which do not change any more once there are as many as fit.
//!
//! The loop writes into a segment that others read meanwhile, and nobody waits. Its thread alone writes: first an event's
//! words, then how many events there are. A reader takes the number first, and reads that many.
//!
//! ```text
//!     the loop:    words of event 7, relaxed  ->  written = 8, release
//!     a reader:    written = 8, acquire       ->  words of events 0 to 7, relaxed
//! ```
//!
//! Names and addresses are kept beside the events, in the same segment. Places, of which a program has few, are kept
//! with the ring.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ground::event::Resource;
use crate::ground::packed::{Packed, SLOT, kind, which};
use crate::heart::key::Key;
use crate::see::model::things::Who;

/// How many events a segment holds.
pub(crate) const SEGMENT: usize = 512;

/// Events, oldest first, with all that they name but the places.
#[derive(Default)]
pub(super) struct Segment {
    rows: Box<[Words]>,
    written: AtomicUsize,
    beside: Mutex<Beside>,
}

/// The words of an event, each read when it is asked for.
#[derive(Default)]
pub(super) struct Words([AtomicU64; 5]);

const _: () = assert!(size_of::<Words>() == 40, "a ring of 50,000 events is to take 2 MB");

#[derive(Default)]
struct Beside {
    /// Names, and the sentences of findings. One that repeats the one before it is kept once.
    texts: Vec<Arc<str>>,
    resources: Vec<Resource>,
}

/// How an event was written.
pub(super) enum Written {
    WithRoomLeft,
    /// It was the last that fits.
    Full,
    /// It was not: none fits any more.
    Not,
}

impl Segment {
    /// An empty one. The one by [`default`](Self::default) has no room.
    pub(super) fn with_room() -> Self {
        Self { rows: std::iter::repeat_with(Words::default).take(SEGMENT).collect(), ..Self::default() }
    }

    /// Takes all out, so that it can be written anew.
    pub(super) fn clear(&mut self) {
        *self.written.get_mut() = 0;
        self.beside = Mutex::default();
    }

    pub(super) fn len(&self) -> usize {
        self.written.load(Ordering::Acquire)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.rows.len()
    }

    /// Writes an event down. Two writers at a time would mix their words, so all pens of a ring are on one thread.
    #[inline]
    pub(super) fn write(&self, event: [u64; 5]) -> Written {
        let index = self.written.load(Ordering::Relaxed);
        let Some(Words(row)) = self.rows.get(index) else { return Written::Not };
        row.iter().zip(event).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        self.written.store(index + 1, Ordering::Release);
        if index + 1 == SEGMENT { Written::Full } else { Written::WithRoomLeft }
    }

    /// The events from this index on, as far as they are written.
    pub(super) fn rows(&self, index: usize) -> &[Words] {
        self.rows.get(index..self.len()).unwrap_or_default()
    }

    /// The number of a text, beginning with 1.
    pub(super) fn add_text(&self, text: &str) -> u64 {
        let texts = &mut self.beside().texts;
        if texts.last().is_none_or(|last| **last != *text) {
            texts.push(Arc::from(text));
        }
        texts.len() as u64
    }

    /// The number of a kind of source.
    pub(super) fn add_resource(&self, resource: Resource) -> u64 {
        let resources = &mut self.beside().resources;
        resources.push(resource);
        resources.len() as u64 - 1
    }

    /// The name or the sentence that an event tells.
    pub(super) fn text_of(&self, packed: &Packed) -> Option<Arc<str>> {
        self.text(packed.more)
    }

    /// The text with this number.
    #[inline]
    pub(super) fn text(&self, number: u64) -> Option<Arc<str>> {
        self.text_at((number as usize).checked_sub(1)?)
    }

    /// It is no part of its caller's code: most tasks have no name.
    #[inline(never)]
    fn text_at(&self, index: usize) -> Option<Arc<str>> {
        self.beside().texts.get(index).map(Arc::clone)
    }

    /// The kind of source that an event opens.
    pub(super) fn resource_of(&self, packed: &Packed) -> Option<Resource> {
        self.beside().resources.get((packed.more >> 8) as usize).copied()
    }

    fn beside(&self) -> MutexGuard<'_, Beside> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Words {
    pub(super) fn packed(&self) -> Packed {
        Packed::of_words(self.0.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }

    pub(super) fn at(&self) -> u64 {
        self.word(0)
    }

    pub(super) fn more(&self) -> u64 {
        self.word(3)
    }

    pub(super) fn place(&self) -> u32 {
        self.word(4) as u32
    }

    pub(super) fn kind(&self) -> u32 {
        (self.word(4) >> 59) as u32
    }

    /// The key of what the event is about.
    pub(super) fn key(&self) -> Key {
        Key { runtime: 0, slot: (self.word(4) >> 32) as u32 & SLOT, serial: self.serial() }
    }

    pub(super) fn serial(&self) -> u64 {
        self.word(1)
    }

    pub(super) fn by(&self) -> By {
        By { tag: (self.word(4) >> 32) as u32, number: self.word(2) }
    }

    /// Whether this is a wait for that timer. A timer's kind is 2, as in [`By::who`].
    pub(super) fn is_wait_for(&self, timer: &Self) -> bool {
        self.kind() == kind::WAIT && self.word(2) == timer.serial() && which((self.word(4) >> 32) as u32) == 2
    }

    /// Whether that timer is cancelled by this event.
    pub(super) fn is_end_of(&self, timer: &Self) -> bool {
        self.kind() == kind::TIMER_CANCELLED && self.serial() == timer.serial()
    }

    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.0[index].load(Ordering::Relaxed)
    }
}

/// A cause, as a packed event has it.
#[derive(Clone, Copy)]
pub(super) struct By {
    pub(super) tag: u32,
    pub(super) number: u64,
}

impl By {
    pub(super) const OUTSIDE: Self = Self { tag: 0, number: 0 };

    pub(super) fn who(self) -> Who {
        match which(self.tag) {
            1 => Who::Task(self.number),
            2 => Who::Timer(self.number),
            3 => Who::Source(self.number),
            4 => Who::Thread(self.number),
            _ => Who::Outside,
        }
    }
}
