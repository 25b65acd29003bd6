//! Stage 3: a slab with serials, and the word in a waker.

use std::panic::Location;

use crate::heart::key::{Key, TaskKey, WakeWord};
use crate::slab::Slab;
use crate::trace;

/// Your slab, told event by event. A value is shown as a task: it is born in a slot, and its number is its serial.
struct Told<T>(Slab<T>);

impl<T> Told<T> {
    fn new() -> Self {
        trace::anew();
        Self(Slab::new())
    }

    #[track_caller]
    fn insert(&mut self, value: T) -> (u32, u64) {
        let (slot, serial) = self.0.insert(value);
        trace::spawn(serial, slot as usize, None, Location::caller());
        (slot, serial)
    }

    fn get_mut(&mut self, slot: u32, serial: u64) -> Option<&mut T> {
        let found = self.0.get_mut(slot, serial);
        if found.is_some() { trace::wake(serial, false) } else { trace::stale_wake() }
        found
    }

    fn remove(&mut self, slot: u32, serial: u64) -> Option<T> {
        let removed = self.0.remove(slot, serial);
        if removed.is_some() { trace::finish(serial, "returned") } else { trace::stale_wake() }
        removed
    }
}

/// hint: insert
#[test]
fn what_is_inserted_is_found_by_slot_and_serial() {
    let mut slab = Told::new();
    let (a, b) = (slab.insert("a"), slab.insert("b"));
    assert_ne!(a, b);
    assert_eq!(slab.get_mut(a.0, a.1), Some(&mut "a"));
    assert_eq!(slab.get_mut(b.0, b.1), Some(&mut "b"));
    assert_eq!(slab.get_mut(7, 1), None, "there is no such slot");
    assert_eq!((slab.0.len(), slab.0.slots()), (2, 2));
}

/// hint: get_mut
#[test]
fn a_stale_key_finds_nothing() {
    let mut slab = Told::new();
    let old = slab.insert("old");
    assert_eq!(slab.remove(old.0, old.1), Some("old"));
    assert_eq!(slab.get_mut(old.0, old.1), None, "it was removed");
    let new = slab.insert("new");
    assert_eq!(old.0, new.0, "the slot has another tenant");
    assert_eq!(slab.get_mut(old.0, old.1), None, "and the old key is not the new tenant's");
    assert_eq!(slab.get_mut(new.0, new.1), Some(&mut "new"));
}

/// hint: remove
#[test]
fn a_key_frees_its_slot_once() {
    let mut slab = Told::new();
    let old = slab.insert(1);
    assert_eq!(slab.remove(old.0, old.1), Some(1));
    let new = slab.insert(2);
    assert_eq!(slab.remove(old.0, old.1), None, "the slot has another tenant by now");
    assert_eq!(slab.get_mut(new.0, new.1), Some(&mut 2), "and that is still there");
    assert_eq!(slab.remove(new.0, new.1), Some(2));
    assert_eq!(slab.remove(new.0, new.1), None);
    assert_eq!(slab.remove(new.0, 0), None, "a vacant slot has serial 0, and nobody's key frees it");
    let (one, two) = (slab.insert(3), slab.insert(4));
    assert_ne!(one.0, two.0, "a slot that is freed twice is given to two");
    assert_eq!(slab.0.len(), 2, "len() counts the values: insert counts up, and remove counts down");
}

/// hint: remove
#[test]
fn slots_are_used_again() {
    let mut slab = Told::new();
    for round in 0..100 {
        let keys: Vec<_> = (0..10).map(|n| slab.insert(round * 10 + n)).collect();
        for (slot, serial) in keys.into_iter().rev() {
            assert!(slab.remove(slot, serial).is_some());
        }
    }
    assert_eq!(slab.0.len(), 0, "len() counts the values: insert counts up, and remove counts down");
    assert_eq!(slab.0.slots(), 10, "ten values at a time need ten slots");
}

/// hint: insert
#[test]
fn no_two_tenants_have_the_same_serial() {
    let mut slab = Told::new();
    let mut serials = Vec::new();
    for _ in 0..50 {
        let (one, two) = (slab.insert(()), slab.insert(()));
        serials.extend([one.1, two.1]);
        slab.remove(one.0, one.1);
    }
    assert!(!serials.contains(&0), "serial 0 is nobody's");
    let count = serials.len();
    serials.sort_unstable();
    serials.dedup();
    assert_eq!(serials.len(), count);
}

fn word(runtime: u32, slot: u32, serial: u64) -> WakeWord {
    WakeWord::new(TaskKey(Key { runtime, slot, serial }))
}

/// hint: WakeWord::new
#[test]
fn a_wake_word_gives_back_what_went_in() {
    let all = word(0xffff, 0xff_ffff, 0xff_ffff);
    assert_eq!((all.runtime(), all.slot(), all.0), (0xffff, 0xff_ffff, usize::MAX));
    for (runtime, slot, serial) in [(1, 0, 1), (7, 3, 12), (0x8001, 0x80_0001, 0x80_0001)] {
        let word = word(runtime, slot, serial);
        assert_eq!((u32::from(word.runtime()), word.slot()), (runtime, slot as usize));
        assert!(word.fits(serial) && !word.fits(serial + 1) && !word.fits(serial - 1));
    }
}

/// hint: WakeWord::fits
#[test]
fn a_wake_word_keeps_the_low_bits_of_what_is_too_long() {
    let cut = word(0x1_0002, 5, (9 << 24) + 3);
    assert_eq!((cut.runtime(), cut.slot()), (2, 5));
    assert!(cut.fits((9 << 24) + 3), "the task that was meant");
    assert!(cut.fits(3), "and one that was born 150,994,944 tasks earlier: a hint may lie");
    assert!(!cut.fits((9 << 24) + 4));
}
