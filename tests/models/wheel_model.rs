//! The timing wheel against a sorted list.
//!
//! The list is a `BTreeMap` by deadline and then by order of insertion. An entry that is overdue when
//! it is inserted counts as due at that very tick.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::check;
use crate::heart::wheel::Wheel;

/// A tick, told by what matters to a wheel: where it lies to now, and to the edges of the levels.
#[derive(Clone, Copy, Debug)]
enum When {
    /// So many ticks from now.
    In(u64),
    /// So many ticks ago.
    Ago(u64),
    /// After what one list of a level spans, give or take a tick.
    InASpan {
        level: u32,
        plus: i64,
    },
    /// The tick at which a level goes on to its next list, give or take one.
    AtItsNextList {
        level: u32,
        plus: i64,
    },
    /// The edge of a level, counted from tick 0, give or take a tick.
    AtEdge {
        level: u32,
        plus: i64,
    },
    /// So many ticks before time ends.
    BeforeTheEnd(u64),
    Anywhere(u64),
}

impl When {
    fn from(self, now: u64) -> u64 {
        match self {
            Self::In(ticks) => now.saturating_add(ticks),
            Self::Ago(ticks) => now.saturating_sub(ticks),
            Self::InASpan { level, plus } => now.saturating_add(1 << (6 * level)).saturating_add_signed(plus),
            Self::AtItsNextList { level, plus } => {
                let span = 1 << (6 * level);
                now.checked_next_multiple_of(span).unwrap_or(u64::MAX).saturating_add_signed(plus)
            }
            Self::AtEdge { level, plus } => (1_u64 << (6 * level)).saturating_add_signed(plus),
            Self::BeforeTheEnd(ticks) => u64::MAX - ticks,
            Self::Anywhere(tick) => tick,
        }
    }
}

/// An operation on a wheel. Entries are named by a number, taken modulo how many there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(When),
    Remove(usize),
    Reset(usize, When),
    GetMut(usize),
    /// Look for an entry that is gone, or never was: it must do nothing.
    Stale(usize),
    Advance(When),
    /// Advance to the next deadline, as a loop that sleeps until then does.
    Sleep,
    PopDue(usize),
}

fn when() -> impl Strategy<Value = When> {
    (0..16_u8, 0..=10_u32, any::<u64>()).prop_map(|(kind, level, any)| {
        let plus = (any % 3) as i64 - 1;
        match kind {
            0..4 => When::In(any % 200),
            4 => When::Ago(any % 200),
            5..8 => When::InASpan { level, plus },
            8..12 => When::AtItsNextList { level, plus },
            12 => When::AtEdge { level, plus },
            13 => When::BeforeTheEnd(any % 130),
            _ => When::Anywhere(any),
        }
    })
}

/// Steps of time: mostly small ones, or nothing would be left to happen after the first.
fn leap(when: When) -> When {
    match when {
        When::InASpan { level, plus } => When::InASpan { level: level % 4, plus },
        When::AtItsNextList { level, plus } => When::AtItsNextList { level: level % 4, plus },
        When::BeforeTheEnd(ticks) | When::Anywhere(ticks) if ticks % 8 != 0 => When::In(ticks % 5000),
        other => other,
    }
}

fn step(cancels: bool) -> impl Strategy<Value = Step> {
    (0..16_u8, any::<usize>(), when()).prop_map(move |(kind, which, when)| match kind {
        0..6 => Step::Insert(when),
        6 => Step::GetMut(which),
        7 => Step::Stale(which),
        8 | 9 if cancels => Step::Remove(which),
        10 | 11 if cancels => Step::Reset(which, when),
        8..13 => Step::Advance(leap(when)),
        13 => Step::Sleep,
        _ => Step::PopDue(which % 6),
    })
}

/// An uptime and what happens from then on.
fn life(cancels: bool) -> impl Strategy<Value = (When, Vec<Step>)> {
    (when(), vec(step(cancels), 1..300))
}

/// When an entry is due, and how many were inserted before it.
type Place = (u64, u64);

#[derive(Clone, Copy)]
struct Entry {
    key: (u32, u64),
    deadline: u64,
    value: u64,
}

/// A wheel and the sorted list it is compared with.
struct Pair {
    wheel: Wheel<u64>,
    now: u64,
    pending: BTreeMap<Place, Entry>,
    due: BTreeMap<Place, Entry>,
    /// The place of each living entry in the list, by its key.
    places: BTreeMap<(u32, u64), Place>,
    gone: Vec<(u32, u64)>,
    inserted: u64,
    last_serial: u64,
    /// The slots that were ever given, and the most entries there ever were at a time.
    slots: BTreeSet<u32>,
    most: usize,
    cancelled: bool,
}

impl Pair {
    fn at(uptime: u64) -> Self {
        let mut wheel = Wheel::new();
        wheel.advance(uptime);
        Self {
            wheel,
            now: uptime,
            pending: BTreeMap::new(),
            due: BTreeMap::new(),
            places: BTreeMap::new(),
            // Keys that were never given out are as stale as any. None has serial 0.
            gone: vec![(0, 1), (0, u64::MAX), (7, 1), (u32::MAX, 1)],
            inserted: 0,
            last_serial: 0,
            slots: BTreeSet::new(),
            most: 0,
            cancelled: false,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Insert(when) => self.insert(when.from(self.now)),
            Step::Remove(which) => self.remove(which),
            Step::Reset(which, when) => {
                self.remove(which);
                self.insert(when.from(self.now));
            }
            Step::GetMut(which) => self.get_mut(which),
            Step::Stale(which) => {
                let (slot, serial) = self.gone[which % self.gone.len()];
                assert_eq!(self.wheel.get_mut(slot, serial), None);
                assert_eq!(self.wheel.remove(slot, serial), None);
            }
            Step::Advance(when) => self.advance(when.from(self.now)),
            Step::Sleep => self.sleep(),
            Step::PopDue(count) => (0..count).for_each(|_| self.pop_due()),
        }
        self.compare();
    }

    fn insert(&mut self, deadline: u64) {
        self.inserted += 1;
        let key = self.wheel.insert(deadline, self.inserted);
        assert!(key.1 > self.last_serial, "{key:?} may have been given out before");
        self.last_serial = key.1;
        let neighbours = self.places.range((key.0, 0)..=(key.0, u64::MAX));
        assert_eq!(neighbours.count(), 0, "two entries in slot {}", key.0);
        self.most = self.most.max(self.wheel.len());
        self.slots.insert(key.0);
        assert!(self.slots.len() <= self.most, "a slot is vacant, but a new one was taken");
        let place = (deadline.max(self.now), self.inserted);
        self.pending.insert(place, Entry { key, deadline, value: self.inserted });
        self.places.insert(key, place);
    }

    /// The list that has an entry of this place.
    fn list_with(&mut self, place: Place) -> &mut BTreeMap<Place, Entry> {
        if self.due.contains_key(&place) { &mut self.due } else { &mut self.pending }
    }

    fn pick(&self, which: usize) -> Option<((u32, u64), Place)> {
        let (&key, &place) = self.places.iter().nth(which % self.places.len().max(1))?;
        Some((key, place))
    }

    fn remove(&mut self, which: usize) {
        let Some((key, place)) = self.pick(which) else { return };
        let entry = self.list_with(place).remove(&place).unwrap();
        assert_eq!(self.wheel.remove(key.0, key.1), Some(entry.value));
        self.forget(key);
        self.cancelled = true;
    }

    fn get_mut(&mut self, which: usize) {
        let Some((key, place)) = self.pick(which) else { return };
        let entry = self.list_with(place).get_mut(&place).unwrap();
        let old = entry.value;
        entry.value += 1_000_000;
        let value = self.wheel.get_mut(key.0, key.1).unwrap();
        assert_eq!(*value, old);
        *value += 1_000_000;
    }

    fn advance(&mut self, to: u64) {
        self.wheel.advance(to);
        let later = to.checked_add(1).map(|tick| self.pending.split_off(&(tick, 0)));
        self.due.append(&mut self.pending);
        self.pending = later.unwrap_or_default();
        self.now = self.now.max(to);
    }

    /// Sleeps until something is due. A cancelled entry may cost one look in vain, and no more.
    fn sleep(&mut self) {
        for looks in 1.. {
            let Some(next) = self.wheel.next_deadline().filter(|_| self.due.is_empty()) else { return };
            assert!(next >= self.now, "asleep until {next}, and it is {} already", self.now);
            self.advance(next);
            self.compare();
            assert!(!self.due.is_empty() || looks < 2, "{looks} looks in vain");
        }
    }

    fn pop_due(&mut self) {
        let popped = self.wheel.pop_due();
        let expected = self.due.pop_first().map(|(_, entry)| entry);
        assert_eq!(popped, expected.map(|entry| (entry.key, entry.deadline, entry.value)));
        if let Some(entry) = expected {
            assert!(entry.deadline <= self.now, "fired early");
            self.forget(entry.key);
        }
    }

    fn forget(&mut self, key: (u32, u64)) {
        self.places.remove(&key);
        self.gone.push(key);
    }

    /// The questions to a wheel that do not change it.
    fn compare(&mut self) {
        assert_eq!(self.wheel.len(), self.pending.len() + self.due.len());
        let first = self.pending.keys().next().map(|(tick, _)| *tick);
        let truth = if self.due.is_empty() { first } else { Some(self.now) };
        let told = self.wheel.next_deadline();
        if self.cancelled {
            assert_eq!(told.is_some(), truth.is_some());
            assert!(told <= truth, "an entry is due at {truth:?}, and the wheel says {told:?}");
        } else {
            assert_eq!(told, truth);
        }
    }

    /// Takes everything out, until wheel and list are empty.
    fn finish(mut self) {
        let of_wheel: BTreeSet<_> =
            self.wheel.iter_in(0..usize::MAX).map(|(key, deadline, &value)| (key, deadline, value)).collect();
        let of_list: BTreeSet<_> =
            self.pending.values().chain(self.due.values()).map(|e| (e.key, e.deadline, e.value)).collect();
        assert_eq!(of_wheel, of_list);
        self.advance(u64::MAX);
        while !self.due.is_empty() {
            self.pop_due();
        }
        self.pop_due();
        self.compare();
    }
}

fn live((uptime, steps): (When, Vec<Step>)) {
    let mut pair = Pair::at(uptime.from(0));
    for step in steps {
        pair.take(step);
    }
    pair.finish();
}

#[test]
fn the_wheel_does_what_a_sorted_list_does() {
    check(3000, life(true), live);
}

#[test]
fn the_next_deadline_is_exact_when_nothing_was_cancelled() {
    check(1000, life(false), live);
}

/// Each edge of each level, the ticks around it, and the end of time.
fn edges() -> Vec<u64> {
    let around = |tick: u64| [tick - 1, tick, tick + 1];
    let edges = (0..=10).flat_map(|level| around(1 << (6 * level)));
    let halves = (0..=10).flat_map(|level| around(37 << (6 * level).min(58)));
    edges.chain(halves).chain(u64::MAX - 65..=u64::MAX).collect()
}

#[test]
fn a_timer_fires_at_its_tick_on_every_edge_at_every_uptime() {
    crate::watchdog::watched(|| {
        for uptime in edges() {
            for deadline in edges().into_iter().filter(|&deadline| deadline > uptime) {
                let mut wheel = Wheel::new();
                wheel.advance(uptime);
                let far = wheel.insert(u64::MAX, "far");
                let timer = wheel.insert(deadline, "timer");
                assert_eq!(wheel.next_deadline(), Some(deadline));
                wheel.advance(deadline - 1);
                assert_eq!(wheel.pop_due(), None, "{deadline} fired early");
                wheel.advance(deadline);
                let mut fired = std::iter::from_fn(|| wheel.pop_due());
                if deadline == u64::MAX {
                    assert_eq!(fired.next(), Some((far, u64::MAX, "far")));
                }
                assert_eq!(fired.next(), Some((timer, deadline, "timer")), "at uptime {uptime}");
                assert_eq!(fired.next(), None);
            }
        }
    });
}

#[test]
fn a_list_that_was_emptied_forgets_who_was_due_first() {
    let mut wheel = Wheel::new();
    let (slot, serial) = wheel.insert(70, "cancelled");
    wheel.remove(slot, serial);
    wheel.insert(80, "due later, in the same list");
    assert_eq!(wheel.next_deadline(), Some(80));
}

#[test]
fn what_is_inserted_while_draining_waits_for_the_next_advance() {
    let mut wheel = Wheel::new();
    wheel.advance(1000);
    wheel.insert(1000, "first");
    wheel.advance(1000);
    while let Some((_, _, value)) = wheel.pop_due() {
        assert_eq!(value, "first");
        wheel.insert(0, "second");
        wheel.insert(1000, "third");
    }
    assert_eq!(wheel.next_deadline(), Some(1000));
    wheel.advance(1000);
    let fired: Vec<_> = std::iter::from_fn(|| wheel.pop_due()).map(|(_, _, value)| value).collect();
    assert_eq!(fired, ["second", "third"]);
}
